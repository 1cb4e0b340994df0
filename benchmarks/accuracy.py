"""How accurate: the skinned input, simple baselines, the first design and the three variants on sequences never trained on.

    python benchmarks/accuracy.py

Trains every row as often as --seeds says, with the project's own scripts, and prints one table: mean and, behind ±, spread over
the seeds. Writes it as CSV and as a chart into --output_dir, and a picture of one frame's errors beside them. Without flags, on
the sample data (make_sample_data.py).
"""

import argparse
import csv
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.baselines import GlobalNetwork, MeanCorrection, RidgeRegression, pose_features
from benchmarks.runs import run_measured
from data.formats.arrays import write_npz
from data.sequences.mesh_frames import load_frames
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows, split_windows
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import UNITS_IN_MM, ModelSettings
from models.rest_surface import RestSurface
from utils.predicting.metrics import MeshErrors, acceleration_errors, dihedral_errors, vertex_errors
from utils.predicting.prediction import map_predictions
from utils.runs.checkpoint import build_model, find_checkpoint, load_checkpoint
from utils.showing.comparison import draw_comparison
from utils.showing.plots import save_figure

CPU = torch.device("cpu")
SAMPLE = {"src": "geo/dyna_sbs/obj", "joint": "geo/dyna_joints/obj", "tar": "geo/dyna_target/obj"}
COMMANDS = {
    "first design": ["fit_mesh.py", "--coordinates", "world", "--num_embeddings", "0"],
    "variant 1": ["fit_mesh.py"],
    "variant 2": ["fit_mesh_with_joints.py"],
    "variant 3": ["fit_mesh_smoothened.py"],
    "variant 1, every 4th frame scanned": ["fit_mesh.py"],
    "variant 1, a third of each scan missing": ["fit_mesh.py"],
}
SKINNED = "skinned mesh as it is"
BASELINES = {
    "mean correction": lambda groups: MeanCorrection(),
    "PCA + ridge on joints": RidgeRegression,
    "global network, morph targets": GlobalNetwork,
}
ROWS = [*BASELINES, *COMMANDS]
COLUMNS = (
    "mean (mm)", "RMSE (mm)", "95 % (mm)", "max (mm)", "mean (% of size)", "skinned error left (%)", "normals (degrees)",
    "Laplacian (mm)", "acceleration (mm/frame²)", "dihedral (degrees)", "training (s)",
)  # fmt: skip


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag, kind in (("src", "skinned meshes"), ("joint", "joints"), ("tar", "scans")):
        parser.add_argument(f"--{flag}", type=Path, nargs="+", default=[Path(SAMPLE[flag])], help=f"{kind} to train on")
        test = SAMPLE[flag].replace("geo/", "geo_test/")
        parser.add_argument(f"--test_{flag}", type=Path, nargs="+", default=[Path(test)], help=f"{kind} to test on")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=ROWS, metavar="ROW", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--seeds", type=int, default=3, help="runs of every row that is trained at random (default: 3)")
    parser.add_argument("--units", choices=UNITS_IN_MM, default="m", help="of the files (default: m)")
    parser.add_argument("--num_condition_frames", type=int, default=3, help="frames in the window (default: 3)")
    parser.add_argument("--mini_batch_size", type=int, default=8192, help="of the networks (default: 8192, the demo's)")
    parser.add_argument(
        "--output_dir", type=Path, default=Path("accuracy"), help="for table and chart (default: accuracy)"
    )
    return parser.parse_args(argv)


def measure(predicted, scan, skinned, surface, units_in_mm):
    """Return the columns but the last for predictions, scans and skinned meshes (T, V, 3) of several sequences."""
    vertex, before, normal, rough, acceleration, dihedral = [], [], [], [], [], []
    errors_of = MeshErrors(surface, units_in_mm)
    for ours, theirs, source in zip(predicted, scan, skinned, strict=True):
        before.append(vertex_errors(source, theirs) * units_in_mm)
        acceleration.append(acceleration_errors(ours, theirs) * units_in_mm)
        for start in range(0, len(ours), 8):
            some = slice(start, start + 8)
            errors = errors_of(ours[some], theirs[some]).values()
            for kind, found in zip((vertex, rough, normal), errors, strict=True):
                kind.append(found)
            dihedral.append(dihedral_errors(ours[some], theirs[some], surface.faces.numpy()))
    error = np.concatenate(vertex)
    size = units_in_mm * float(torch.linalg.vector_norm(surface.vertices.amax(0) - surface.vertices.amin(0)))
    means = [np.concatenate(each).mean() for each in (normal, rough, acceleration, dihedral)]
    spread = [error.mean(), np.sqrt((error**2).mean()), np.percentile(error, 95), error.max()]
    return [*spread, 100 * error.mean() / size, 100 * error.mean() / np.concatenate(before).mean(), *means]


class Data:
    """Training and test sequences, and what the baselines see and learn of them."""

    def __init__(self, args):
        self.args = args
        sequences, faces = load_sequences(args.src, args.tar, args.joint)
        tests, _ = load_sequences(args.test_src, args.test_tar, args.test_joint)
        self.training, _ = split_windows(sequences, args.num_condition_frames, 2)
        self.test = all_windows(tests, args.num_condition_frames)
        self.surface = RestSurface.from_mesh(sequences[0].skinned[0], faces, sequences[0].joints[0])
        self.frames_of = MeshAutoencoder(ModelSettings(num_condition_frames=3), self.surface)
        self.rest_joints = np.array(sequences[0].joints[0], dtype=float)
        self.skinned, self.scan = (np.concatenate([getattr(s, kind) for s in tests]) for kind in ("skinned", "scan"))
        self.pictured_frame = int(vertex_errors(self.skinned, self.scan).mean(axis=1).argmax())
        self.pictured = {}

    def inputs(self, windows):
        return pose_features(self.rest_joints, windows.joints(np.arange(len(windows))))

    def corrections(self, windows):
        pairs = ((windows.skinned(np.array([i]))[:, -1], windows.scan(np.array([i]))) for i in range(len(windows)))
        return np.concatenate([self.frames_of.targets(*map(torch.from_numpy, pair)).numpy() for pair in pairs])

    def measured(self, name, predicted):
        """Return the columns but the last for predictions of all test frames (T, V, 3); keep one of them for the picture."""
        self.pictured.setdefault(name, predicted[self.pictured_frame])
        ends = np.cumsum([len(sequence.frame_numbers) for sequence in self.test.sequences])[:-1]
        parts = [np.split(meshes, ends) for meshes in (predicted, self.scan, self.skinned)]
        return measure(*parts, self.surface, UNITS_IN_MM[self.args.units])


def run_baseline(data, name, seed):
    """Return the columns of a baseline that predicts corrections from whole poses."""
    torch.manual_seed(seed)
    started = time.monotonic()
    baseline = BASELINES[name](min(data.args.num_condition_frames, 3))  # position, velocity, acceleration
    baseline.fit(data.inputs(data.training), data.corrections(data.training))
    seconds = time.monotonic() - started
    skinned = torch.from_numpy(data.skinned)
    answer = torch.from_numpy(np.asarray(baseline.predict(data.inputs(data.test)), dtype=np.float32))
    predicted = [
        data.frames_of.coordinates.to_points(some, here, data.frames_of.surface.frames_of(here))
        for some, here in zip(answer.split(8), skinned.split(8), strict=True)
    ]
    return [*data.measured(name, torch.cat(predicted).numpy()), seconds]


def every_4th(scans, folder):
    """Return a folder of every fourth of the scans in another one."""
    folder.mkdir()
    for path in sorted(scans.iterdir())[::4]:
        (folder / path.name).symlink_to(path.resolve())
    return folder


def with_a_hole(scans, folder):
    """Return a file of the scans in a folder, each without the third of its vertices that is nearest, in the first frame, to a
    point that wanders over the body: from one of twelve vertices to the next."""
    frames = load_frames(scans)
    vertices = np.array(frames.vertices)
    rest, count = vertices[0].copy(), len(vertices)
    stations = rest[np.random.default_rng(0).integers(0, len(rest), 12)]
    times = np.linspace(0, 11, count)
    for frame in range(count):
        middle = [np.interp(times[frame], np.arange(12), stations[:, axis]) for axis in range(3)]
        distances = np.linalg.norm(rest - middle, axis=1)
        vertices[frame, distances <= np.quantile(distances, 1 / 3)] = np.nan
    path = folder.with_suffix(".npz")
    write_npz(path, frames.frame_numbers, vertices, frames.polygons)
    return path


SCANS = {"variant 1, every 4th frame scanned": every_4th, "variant 1, a third of each scan missing": with_a_hole}


def run_script(data, name, seed):
    """Return the columns of a fit script, trained as a user would, in a folder of its own."""
    args, command = data.args, COMMANDS[name]
    flags = ["-src", *args.src, "-n_cond", args.num_condition_frames, "--seed", seed]
    flags += ["-min_batch", args.mini_batch_size, "--units", args.units, "-m_type", "row"]
    if "joints" in command[0]:
        flags += ["-src_joint", *args.joint]
    flags = [str(flag.resolve() if isinstance(flag, Path) else flag) for flag in flags]
    with tempfile.TemporaryDirectory() as folder:
        scans = [scans.resolve() for scans in args.tar]
        if name in SCANS:
            scans = [SCANS[name](each, Path(folder) / f"scans_{number}") for number, each in enumerate(scans)]
        seconds, _ = run_measured(Path(folder), *command, *flags, "-tar", *scans)
        path = find_checkpoint(Path(folder) / "saved_model" / "row")
        model = build_model(load_checkpoint(path), path)
    sequences = data.test.sequences
    if not model.settings.num_joints:
        sequences = [replace(sequence, joints=None) for sequence in sequences]
    windows = all_windows(sequences, args.num_condition_frames)
    frames = np.arange(len(windows))
    predicted = np.stack(list(map_predictions(lambda frame: frame.predicted, model, windows, frames, CPU)))
    return [*data.measured(name, predicted), seconds]


def draw_chart(rows, path):
    """Draw what share of the skinned error each row leaves."""
    figure = Figure(figsize=(7.5, 0.45 * len(rows) + 1.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    for place, (name, runs) in enumerate(rows.items()):
        values = np.array([columns[5] for columns in runs])
        color = "#cc6677" if name.startswith("variant") else "#4477aa"
        axes.barh(place, values.mean(), color=color, xerr=values.std() if len(values) > 1 else None, ecolor="#333333")
        axes.text(values.max() + 2, place, f"{values.mean():.1f} %", va="center", color="#333333")
    axes.set_yticks(range(len(rows)), rows)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set_xlabel("mean vertex error left on unseen motion (% of the skinned mesh's)")
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path)


def draw_errors(data, path):
    """Draw skinned mesh, first design and variants on the frame that skinning gets most wrong, coloured by error."""
    scan, units_in_mm = data.scan[data.pictured_frame], UNITS_IN_MM[data.args.units]
    panels = {"target": (scan, None)}
    for name in (SKINNED, *(name for name in COMMANDS if name in data.pictured)):
        errors = vertex_errors(data.pictured[name], scan) * units_in_mm
        title = name.replace(", ", ",\n")  # no wider than a mesh
        panels[f"{title}\nmean {errors.mean():.2f} mm"] = (data.pictured[name], errors)
    title = f"test frame {data.pictured_frame + 1}, the furthest from its scan"
    draw_comparison(panels, data.surface.faces.numpy(), "y", "distance to the scan (mm)", title, path)


def main(argv=None):
    args = parse_arguments(argv)
    data = Data(args)
    rows = {SKINNED: [[*data.measured(SKINNED, data.skinned), 0.0]]}
    for name in args.rows:
        if name in COMMANDS:
            rows[name] = [run_script(data, name, seed) for seed in range(args.seeds)]
        else:
            seeds = args.seeds if name.startswith("global") else 1  # the others leave nothing to chance
            rows[name] = [run_baseline(data, name, seed) for seed in range(seeds)]
    args.output_dir.mkdir(parents=True, exist_ok=True)
    with open(args.output_dir / "accuracy.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["row", "seed", *COLUMNS])
        table.writerows([name, seed, *columns] for name, runs in rows.items() for seed, columns in enumerate(runs))
    draw_chart(rows, args.output_dir / "accuracy.png")
    draw_errors(data, args.output_dir / "errors.png")
    print("| |" + "|".join(COLUMNS) + "|\n|---|" + "---|" * len(COLUMNS))
    for name, runs in rows.items():
        mean, spread = np.mean(runs, axis=0), np.std(runs, axis=0)
        cells = [f"{m:.3g}" + (f" ± {s:.2g}" if len(runs) > 1 else "") for m, s in zip(mean, spread, strict=True)]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
