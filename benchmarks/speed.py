"""How fast: reading, writing, starting, training, predicting; each figure beside another one measured in the same run.

    python benchmarks/speed.py

Makes a mesh sequence of its own, by default as large as a full scan, in a temporary folder (about 8 GB), and prints one table.
Where there is sample data (make_sample_data.py), draws its error against wall time into --output_dir. Linux.
"""

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import igl
import numpy as np
import torch
import trimesh
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.ball import write_sequence
from benchmarks.runs import draw_time_to_accuracy, fastest, run_measured, time_to_accuracy
from data.formats.obj import KnownText, read_obj
from data.formats.obj_writing import position_template, write_positions
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.rest_surface import RestSurface
from utils.fitting.losses import reconstruction
from utils.fitting.optimizer import make_optimizer
from utils.fitting.sampling import SHUFFLED_VERTICES, Block, read_ahead
from utils.predicting.model_inputs import read_meshes
from utils.predicting.prediction import map_predictions

CPU = torch.device("cpu")


class BlendedExperts(nn.Module):
    """The first design's decoder: a gate mixes the experts' weight matrices for every vertex, as the Motion-VAE's does."""

    def __init__(self, inputs, hidden, num_experts=6):
        super().__init__()
        self.gate = nn.Linear(inputs, num_experts)
        sizes = [(inputs, hidden), (hidden, hidden), (hidden, 3)]
        self.experts = nn.ParameterList(nn.Parameter(0.1 * torch.randn(num_experts, *size)) for size in sizes)

    def forward(self, condition):
        weights = self.gate(condition).softmax(dim=1)
        hidden = condition
        for number, expert in enumerate(self.experts):
            blended = torch.einsum("se,eio->sio", weights, expert)
            hidden = torch.einsum("si,sio->so", hidden, blended)
            hidden = nn.functional.silu(hidden) if number < 2 else hidden
        return hidden


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_vertices", type=int, default=32729, help="of the mesh (default: 32729)")
    parser.add_argument("--num_frames", type=int, default=800, help="of the sequence (default: 800)")
    parser.add_argument("--mini_batch_size", type=int, default=8192, help="vertices a step (default: 8192)")
    parser.add_argument("--repeats", type=int, default=7, help="of which the fastest counts (default: 7)")
    parser.add_argument("--sample", type=Path, default=Path("geo"), help="sample data, for the error against time")
    parser.add_argument("--first_design_epochs", type=int, default=20, help="of the first design (default: 20)")
    parser.add_argument("--output_dir", type=Path, default=Path("speed"), help="for the picture (default: speed)")
    return parser.parse_args(argv)


def show(name, value, beside=""):
    print(f"{name:58} {value:>20}   {beside}".rstrip(), flush=True)


def read_uncached(path):
    """Return a file's bytes from the disk, not from the system's memory of it."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()


def measure_files(folder, repeats):
    """Time the reading and writing of one file by everybody who can."""
    first, path = sorted(folder.iterdir())[:2]
    known, time_of = KnownText.of_obj(first), partial(fastest, repeats=repeats)
    ours = time_of(lambda: known.positions_of(path))
    show("read an OBJ file: ours, known topology", f"{1 / ours:.0f} files/s")
    others = {
        "ours: positions and faces, unknown topology": lambda: read_obj(path),
        "libigl: positions and faces": lambda: igl.readOBJ(str(path)),
        "trimesh: positions and faces": lambda: trimesh.load(path, process=False, maintain_order=True),
        "the bytes alone, from disk": lambda: read_uncached(path),
        "the bytes alone, from memory": lambda: path.read_bytes(),
    }
    if importlib.util.find_spec("pytorch3d"):
        load_obj = importlib.import_module("pytorch3d.io").load_obj
        others["PyTorch3D: positions and faces"] = lambda: load_obj(path)
    for name, read in others.items():
        seconds = time_of(read)
        show(f"  {name}", f"{1 / seconds:.0f} files/s", f"ours takes {ours / seconds:.2f} of its time")
    vertices, polygons = read_obj(path)
    mesh = trimesh.Trimesh(vertices, polygons.triangles(), process=False)
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary) / "written.obj"
        ours = time_of(lambda: write_positions(target, vertices, position_template(path)))
        theirs = time_of(lambda: mesh.export(target))
    show("write an OBJ file: ours, into the source's text", f"{1 / ours:.0f} files/s")
    show("  trimesh", f"{1 / theirs:.0f} files/s", f"ours takes {ours / theirs:.2f} of its time")


def matrix_rate(repeats):
    """Return the floating-point operations a second of a large matrix product."""
    a, b = torch.randn(4096, 4096), torch.randn(4096, 4096)
    return 2 * 4096**3 / fastest(lambda: a @ b, repeats)


def training_step(module, losses, optimizer):
    """Take one step as a plain loop in torch does."""
    optimizer.zero_grad()
    losses().backward()
    nn.utils.clip_grad_norm_(module.parameters(), 1.0)
    optimizer.step()


def measure_training(model, windows, args, peak):
    """Time steps alone, then steps with all that comes before them; return vertices per second of the latter.

    `peak` is what a large matrix product reaches (`matrix_rate`).
    """
    size, optimizer = args.mini_batch_size, make_optimizer(model, 1e-3)
    frames, read = np.arange(min(24, len(windows))), partial(read_meshes, model, windows, device=CPU)
    block = Block(frames, max(1, len(frames) * model.coordinates.num_asked // size), [0])
    parts = SHUFFLED_VERTICES.parts(block, len(model.surface.vertices), CPU)
    gathered = SHUFFLED_VERTICES.gather(model, map(read, parts), len(frames))
    steps = list(SHUFFLED_VERTICES.steps(gathered, block))

    def step(samples):
        training_step(model, lambda: reconstruction(model, samples)["reconstruction"], optimizer)

    with FlopCounterMode(display=False) as counter:
        step(steps[0])
    operations = counter.get_total_flops() / len(steps[0].vertex)
    alone = len(steps[0].vertex) / fastest(lambda: step(steps[0]), 4 * args.repeats)
    show(
        "train: a plain loop over samples in memory",
        f"{alone:,.0f} vertices/s",
        f"{operations * alone / peak:.0%} of peak",
    )
    times = [time.perf_counter()]
    for _ in range(4):
        gathered = SHUFFLED_VERTICES.gather(model, read_ahead(partial(read, part) for part in parts), len(frames))
        for samples in SHUFFLED_VERTICES.steps(gathered, block):
            step(samples)
        times.append(time.perf_counter())
    pace = len(frames) * model.coordinates.num_asked / min(np.diff(times))
    show(
        "train: with reading and all that a vertex sees",
        f"{pace:,.0f} vertices/s",
        f"{operations * pace / peak:.0%} of peak",
    )
    show("  operations", f"{operations:,.0f} a vertex")
    return pace


def measure_first_design(num_inputs, hidden, pace):
    """Time training steps of the first design's decoder beside a `pace` in vertices per second."""
    blended, condition = BlendedExperts(num_inputs, hidden), torch.randn(1024, num_inputs)
    optimizer = torch.optim.AdamW(blended.parameters())
    seconds = fastest(lambda: training_step(blended, lambda: blended(condition).square().mean(), optimizer), 3)
    rate = len(condition) / seconds
    show(
        f"  first design: blended weights, {hidden} wide",
        f"{rate:,.0f} vertices/s",
        f"ours: {pace / rate:.0f} times as many",
    )


def measure_prediction(model, windows):
    """Time what happens to a frame between reading and writing."""
    frames = np.arange(min(48, len(windows)))
    seconds = fastest(lambda: list(map_predictions(lambda _: None, model, windows, frames, CPU)), 3) / len(frames)
    show("predict: computing", f"{1 / seconds:.1f} frames/s")


def measure_growth(small, large, args):
    """Time training and prediction, by the number of vertices and of frames in the window; return the last one's pace, which
    others are held against."""
    peak = matrix_rate(args.repeats)
    show("a product of two 4096 x 4096 matrices", f"{peak / 1e9:.0f} GFLOP/s")
    for num_condition_frames, (sequences, faces) in ((3, small), (1, large), (5, large), (3, large)):
        print(f"window of {num_condition_frames}, {sequences[0].skinned.shape[1]} vertices")
        settings = ModelSettings(num_condition_frames=num_condition_frames)
        model = MeshAutoencoder(settings, RestSurface.from_mesh(sequences[0].skinned[0], faces))
        windows = all_windows(sequences, num_condition_frames)
        pace = measure_training(model, windows, args, peak)
        measure_prediction(model, windows)
    return pace


def main(argv=None):
    args = parse_arguments(argv)
    print(
        f"torch {torch.__version__}, {torch.get_num_threads()} threads; {args.num_vertices} vertices, {args.num_frames} frames"
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        os.environ["SKIN2SCAN_CACHE"] = str(folder / "cache")
        long = write_sequence(folder / "long", args.num_vertices, args.num_frames)
        short = write_sequence(folder / "short", args.num_vertices, args.num_frames // 4)
        measure_files(long[0], args.repeats)
        small = write_sequence(folder / "small", args.num_vertices // 4, args.num_frames)
        for name in ("first", "cached"):
            start = time.perf_counter()
            large = load_sequences(long[:1], long[1:])
            show(f"{name} start: {2 * args.num_frames} files", f"{time.perf_counter() - start:.2f} s")
        load_sequences(short[:1], short[1:])
        pace = measure_growth(load_sequences(small[:1], small[1:]), large, args)
        for hidden in (24, 256):
            measure_first_design(111, hidden, pace)
        fits = {"a quarter of the vertices": small, "a quarter of the frames": short, "all of both": long}
        for name, (source, target) in fits.items():
            meshes = ["-src", source, "-tar", target]
            flags = ["-n_cond", "3", "-n_ep", "1", "-min_batch", str(args.mini_batch_size)]
            seconds, memory = run_measured(folder, "fit_mesh.py", *meshes, *flags)
            show(f"fit_mesh.py, 1 epoch, {name}", f"{seconds:.0f} s", f"{memory / 1e6:.0f} MB at most")
        for name, source in (("a quarter of the frames", short[0]), ("all frames", long[0])):
            flags = ["-src", source, "-saved_path", "saved_model/without_joints", "--overwrite"]
            seconds, memory = run_measured(folder, "inference_mesh.py", *flags)
            show(f"inference_mesh.py, {name}", f"{seconds:.0f} s", f"{memory / 1e6:.0f} MB at most")
        if args.sample.is_dir():
            curves = time_to_accuracy(folder, args.sample.resolve(), args.mini_batch_size, args.first_design_epochs)
            for name, (seconds, errors) in curves.items():
                show(f"held-out error of {name}", f"{errors[-1]:.3f} mm", f"after {seconds[-1]:.0f} s")
            draw_time_to_accuracy(curves, args.output_dir / "time_to_accuracy.png")


if __name__ == "__main__":
    main()
