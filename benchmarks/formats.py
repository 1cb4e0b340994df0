"""How large and how fast each format is, and how fast an exported model; all measured in one run.

    python benchmarks/formats.py

Writes and reads a mesh sequence of its own, by default as large as a full scan, in a temporary folder. Times are those of one
process; folders of many files are read and written by several.
"""

import argparse
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.ball import sphere
from benchmarks.runs import fastest
from data.formats.mesh_formats import MESHES, SEQUENCES, WRITTEN, frame_writer, write_sequence
from data.formats.polygons import Polygons
from data.formats.usd import Scene
from data.sequences.frame_files import open_frames
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.rest_surface import RestSurface
from utils.predicting.onnx_export import write_onnx
from utils.predicting.onnx_forms import DEFAULTS, StreamingForm, WindowsForm, arrays, as_trained


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--num_vertices", type=int, default=32729, help="of the mesh (default: 32729)")
    parser.add_argument("--num_frames", type=int, default=40, help="of the sequence (default: 40)")
    parser.add_argument("--repeats", type=int, default=5, help="of which the fastest counts (default: 5)")
    return parser.parse_args(argv)


def measure_format(folder, ending, vertices, polygons, repeats):
    """Return bytes, seconds of writing and seconds of reading per frame, and whether all came back to the bit."""
    numbers = list(range(1, len(vertices) + 1))
    if ending in MESHES:
        files = [folder / f"ball.{number:05d}{ending}" for number in numbers]
        write_one = frame_writer(ending, polygons, vertices.shape[1])

        def write():
            for file, frame in zip(files, vertices, strict=True):
                write_one(file, frame)

        opened = partial(open_frames, files, numbers, "reading")
    else:
        files = [folder / f"ball{ending}"]
        write = partial(write_sequence, files[0], numbers, vertices, polygons, Scene())
        opened = partial(SEQUENCES[ending], files[0])
    writing = fastest(write, repeats)
    reading = fastest(lambda: list(opened().positions), repeats)
    frames = opened()
    exact = np.array_equal(np.stack(list(frames.positions)), vertices) and (
        ending in (".npy", ".mdd", ".pc2") or frames.polygons.are_like(polygons)  # which hold no faces
    )
    size = sum(file.stat().st_size for file in files)
    return [each / len(vertices) for each in (size, writing, reading)] + [exact]


def measure_onnx(folder, points, faces, repeats):
    """Print how many frames a second torch and ONNX Runtime, by both forms of file, predict, one at a time, on all cores."""
    torch.manual_seed(0)
    model = MeshAutoencoder(ModelSettings(num_condition_frames=3), RestSurface.from_mesh(points, faces)).eval()
    for parameter in model.decoder.output.parameters():  # an untrained decoder adds nothing
        torch.nn.init.normal_(parameter, std=0.1)
    windows = WindowsForm(model)
    inputs = (windows.example([7]) | as_trained(DEFAULTS)).values()
    runs = {"torch": lambda: windows.module(*inputs)}
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # it warns of inputs that may be left out
    options.intra_op_num_threads = torch.get_num_threads()
    for form in (windows, StreamingForm(model)):
        file = folder / f"{type(form).__name__}.onnx"
        difference = write_onnx(file, form, {})
        session = onnxruntime.InferenceSession(file, options)
        feeds = arrays(windows.example([7]) if form is windows else form.inputs)
        name = f"ONNX Runtime, {file.stem} ({file.stat().st_size / 1e6:.0f} MB, {difference:.0e} of the size apart)"
        runs[name] = partial(session.run, None, feeds)
    seconds = dict.fromkeys(runs, np.inf)
    with torch.no_grad():
        for _ in range(4 * repeats):  # in turns: the machine may be faster now than later
            for name, run in runs.items():
                seconds[name] = min(seconds[name], fastest(run, 2))
    print("\npredict, one frame at a time:")
    for name, each in seconds.items():
        print(f"{1 / each:6.1f} frames/s  {seconds['torch'] / each:.2f} times as fast as torch  {name}")


def main(argv=None):
    args = parse_arguments(argv)
    points, faces = sphere(args.num_vertices)
    phase = np.linspace(0, 2 * np.pi, args.num_frames)[:, None, None]
    vertices = (points * (1 + 0.1 * np.sin(phase + 3 * points[:, :1]))).astype(np.float32)
    polygons = Polygons.from_rows(faces)
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads; onnxruntime {onnxruntime.__version__}")
    print(f"{args.num_vertices} vertices, {len(faces)} triangles, {args.num_frames} frames\n")
    print("| format | KB per frame | write, ms per frame | read, ms per frame | to the bit |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for ending in [*MESHES, *(ending for ending in WRITTEN if ending != ".usd")]:
            size, writing, reading, exact = measure_format(Path(temporary), ending, vertices, polygons, args.repeats)
            row = f"{size / 1000:,.0f} | {1000 * writing:.1f} | {1000 * reading:.1f} | {'yes' if exact else 'no'}"
            print(f"| `{ending}` | {row} |", flush=True)
        measure_onnx(Path(temporary), points, faces, args.repeats)


if __name__ == "__main__":
    main()
