"""How much faster than another state of the project: both measured in turn, in one run on one machine.

    git worktree add ../before COMMIT
    python benchmarks/before_and_after.py ../before

Makes a ball that bends, in a temporary folder; every figure is the best of --repeats, of both states in turn.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUSY = "while True: pass"
FIT = ["-src", "ball_sbs/obj", "-tar", "ball_target/obj", "-n_cond", "3", "-n_ep", "1", "-min_batch", "8192"]
INFER = ["-src", "ball_sbs/obj", "-saved_path", "saved_model/without_joints", "--overwrite"]
SCRIPTS = {
    "fit_mesh.py, 1 epoch": ["fit_mesh.py", *FIT],
    "inference_mesh.py": ["inference_mesh.py", *INFER],
    "fit_mesh.py --help": ["fit_mesh.py", "--help"],
    "convert_meshes.py --help": ["convert_meshes.py", "--help"],
}


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", type=Path, help="a folder with the other state of the project")
    parser.add_argument("--num_vertices", type=int, default=32729, help="of the mesh (default: 32729)")
    parser.add_argument("--num_frames", type=int, default=96, help="of the sequence (default: 96)")
    parser.add_argument("--repeats", type=int, default=3, help="of which the best counts (default: 3)")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)  # in a process of a state's own
    return parser.parse_args(argv)


def measure(root):
    """Return seconds by name of what one state of the project does in its own process, here, on the ball."""
    sys.path.insert(0, str(root))
    import numpy as np
    import torch

    from data.formats.obj_writing import position_template, write_positions
    from data.sequences.mesh_sequence import load_sequences
    from data.sequences.mesh_windows import all_windows
    from models.mesh_autoencoder import MeshAutoencoder
    from models.model_settings import ModelSettings
    from models.rest_surface import RestSurface
    from utils.fitting.linear_fit import fit_linear_part
    from utils.predicting.model_inputs import read_inputs
    from utils.predicting.prediction import map_predictions

    cpu = torch.device("cpu")
    sequences, faces = load_sequences([Path("ball_sbs/obj")], [Path("ball_target/obj")])
    windows = all_windows(sequences, 3)
    frames, vertices = np.arange(len(windows)), sequences[0].skinned[0]
    torch.manual_seed(0)
    model = MeshAutoencoder(ModelSettings(num_condition_frames=3), RestSurface.from_mesh(vertices, faces))

    def seconds(work):
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    def one(frame):
        inputs = read_inputs(model, windows, frames[frame : frame + 1], cpu)
        with torch.no_grad():
            return model.predict(*inputs)[0].numpy()

    found = {}
    list(map_predictions(lambda _: None, model, windows, frames[:4], cpu))  # what is compiled is compiled now
    found["predict a frame"] = seconds(lambda: list(map_predictions(lambda _: None, model, windows, frames, cpu)))
    found["predict a frame"] /= len(frames)
    times = sorted(seconds(partial(one, frame)) for frame in frames)
    found["predict one frame alone, median"] = times[len(times) // 2]
    found["predict one frame alone, 99th percentile"] = times[int(0.99 * (len(times) - 1))]
    template = position_template(sequences[0].files[0])
    found["write an OBJ file"] = min(
        seconds(lambda: write_positions(Path("written.obj"), vertices, template)) for _ in range(9)
    )
    found["linear part"] = seconds(lambda: fit_linear_part(model, windows, cpu))
    return found


def run(command):
    """Run a command of Python's; return its output."""
    done = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{done.stderr}")
    return done.stdout


def epoch_seconds():
    """Return how long the epoch of the newest run took, by its log."""
    header, *_, last = sorted(Path().glob("logs/*/*/metrics.csv"))[-1].read_text().splitlines()
    return float(dict(zip(header.split(","), last.split(","), strict=True))["time/epoch_seconds"])


def onnx_seconds(root):
    """Return how long ONNX Runtime takes for a frame of the trained model, in the form that is best for one after another."""
    import numpy as np
    import onnxruntime

    streaming = ["--streaming"] if "--streaming" in run([root / "export_onnx.py", "--help"]) else []
    run([root / "export_onnx.py", "saved_model/without_joints", "model.onnx", *streaming])
    session, random = onnxruntime.InferenceSession("model.onnx"), np.random.default_rng(0)
    shapes = {each.name: [size if isinstance(size, int) else 1 for size in each.shape] for each in session.get_inputs()}
    feeds = {name: random.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}
    seconds = []
    for _ in range(30):
        start = time.perf_counter()
        session.run(None, feeds)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure_all(root):
    """Return seconds by name of one state of the project, its scripts among them, alone and beside a busy process."""
    found = json.loads(run([__file__, root, "--measure"]).splitlines()[-1])
    for name, (script, *arguments) in SCRIPTS.items():
        start = time.perf_counter()
        run([root / script, *arguments])
        found[name] = time.perf_counter() - start
        if arguments == FIT:
            found["an epoch's steps"] = epoch_seconds()
    found["ONNX Runtime, a frame"] = onnx_seconds(root)
    busy = subprocess.Popen([sys.executable, "-c", BUSY])
    try:
        run([root / "fit_mesh.py", *FIT])
    finally:
        busy.kill()
    found["an epoch's steps, beside a busy process"] = epoch_seconds()
    return found


def main(argv=None):
    args = parse_arguments(argv)
    if args.measure:
        print(json.dumps(measure(args.before)))
        return
    sys.path.insert(0, str(ROOT))
    import os

    from benchmarks.ball import write_sequence

    states = {"before": args.before.resolve(), "now": ROOT}
    best = {name: {} for name in states}
    with tempfile.TemporaryDirectory() as temporary:
        write_sequence(Path(temporary), args.num_vertices, args.num_frames)
        os.environ["SKIN2SCAN_CACHE"] = f"{temporary}/cache"
        os.chdir(temporary)
        for _ in range(args.repeats):
            for name, root in states.items():
                for what, seconds in measure_all(root).items():
                    best[name][what] = min(seconds, best[name].get(what, seconds))
    print(f"{args.num_vertices} vertices, {args.num_frames} frames; seconds, the best of {args.repeats}")
    for what, before in best["before"].items():
        now = best["now"][what]
        print(f"{what:45} {before:8.4f} {now:8.4f}   {before / now:5.1f} x as fast")
    for name, seconds in best.items():
        share = seconds["an epoch's steps"] / seconds["an epoch's steps, beside a busy process"]
        print(f"steps beside a busy process, {name}: {share:.0%} of alone")


if __name__ == "__main__":
    main()
