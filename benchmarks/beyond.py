"""Beyond the training motion: characters trained on one take and tested on takes of other motion and tempo.

    python benchmarks/beyond.py

Writes the takes of `benchmarks.characters` as NPZ files, trains variant 1 on each of them with the project's own script, and
prints a row, and draws a picture, for every pair of takes: what is left of the skinned error, and how the error that the model
expects compares with the true one, by its mean, by the share of vertices within the intervals of 68 % and 95 %, and by the
Spearman correlation over the frames. Everything stays in --output_dir; takes and models that are there are not made again.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.characters import CHARACTERS
from benchmarks.takes import TAKES
from benchmarks.trained import trained
from data.formats.arrays import write_npz
from data.formats.polygons import Polygons
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows
from utils.predicting.metrics import VERTEX_ERROR, Errors, acceleration_errors, vertex_errors
from utils.predicting.prediction import map_predictions
from utils.showing.comparison import picture_prediction

CPU = torch.device("cpu")
COLUMNS = ["skinned (mm)", "left (%)", "worst frame (%)", "frames worse (%)", "acceleration left (%)"]
COLUMNS += ["expected of true error (%)", "within 68 % (%)", "within 95 % (%)", "rank correlation"]


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--characters", nargs="+", choices=CHARACTERS, default=list(CHARACTERS), metavar="CHARACTER")
    parser.add_argument("--takes", nargs="+", choices=TAKES, default=list(TAKES), metavar="TAKE", help="two or more")
    parser.add_argument("--num_frames", type=int, default=240, help="of every take, 30 a second (default: 240)")
    parser.add_argument("--seed", type=int, default=0, help="of motions, scans and training (default: 0)")
    parser.add_argument("--output_dir", type=Path, default=Path("beyond"), help="(default: beyond)")
    return parser.parse_args(argv)


def file_of(args, character, take, kind):
    """Return where skinned meshes (sbs) or scans (target) of a take are."""
    return args.output_dir / character.replace(" ", "_") / f"{take.replace(' ', '_')}_{kind}.npz"


def write_takes(args, name):
    """Write a character's takes where they are not there yet."""
    missing = [take for take in args.takes if not file_of(args, name, take, "target").exists()]
    character = CHARACTERS[name](args.seed) if missing else None
    for take in missing:
        skinned, _, scan = map(np.stack, zip(*character.frames(take, args.num_frames), strict=True))
        numbers = list(range(1, args.num_frames + 1))
        for kind, vertices in (("sbs", skinned), ("target", scan)):
            path = file_of(args, name, take, kind)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_npz(path, numbers, vertices.astype(np.float32), Polygons.from_rows(character.triangles))


def train(args, name, take):
    """Return variant 1, trained on one take as a user would, its checkpoint kept."""
    folder = (args.output_dir / name.replace(" ", "_")).resolve()
    files = [file_of(args, name, take, kind).resolve() for kind in ("sbs", "target")]
    flags = ["-src", files[0], "-tar", files[1], "-n_cond", 3, "-min_batch", 8192, "--seed", args.seed]
    return trained(folder, take.replace(" ", "_"), "fit_mesh.py", *flags)


def measure(model, windows, picture):
    """Return the columns for a sequence that the model was not trained on; draw its errors, true and expected, in the frame
    that skinning gets most wrong."""
    frames = np.arange(len(windows))
    seen = list(map_predictions(lambda frame: frame, model, windows, frames, CPU))
    skinned, predicted, expected = (
        np.stack([getattr(frame, name) for frame in seen]) for name in ("skinned", "predicted", "expected_error")
    )
    scan = windows.scan(frames)
    skinned_error, error = vertex_errors(skinned, scan), vertex_errors(predicted, scan)
    errors = Errors({VERTEX_ERROR: (1000 * skinned_error, 1000 * error)})
    picture_prediction(model, windows, errors, 1000.0, CPU, picture)
    before, after = skinned_error.mean(axis=1), error.mean(axis=1)
    jitter = [acceleration_errors(each, scan).mean() for each in (skinned, predicted)]
    shares = [after.mean() / before.mean(), (after / before).max(), (after > before).mean(), jitter[1] / jitter[0]]
    shares += [expected.mean() / error.mean()]
    shares += [(error <= float(limit) * expected).mean() for limit in model.leverage.within]
    return [1000 * before.mean(), *(100 * share for share in shares), spearmanr(after, expected.mean(axis=1)).statistic]


def main(argv=None):
    args = parse_arguments(argv)
    print("| character | trained on | tested on | " + " | ".join(COLUMNS) + " |\n|---|---|---|" + "---|" * len(COLUMNS))
    rows = []
    for name in args.characters:
        write_takes(args, name)
        for take in args.takes:
            model = train(args, name, take)
            for other in args.takes:
                if other != take:
                    files = [[file_of(args, name, other, kind)] for kind in ("sbs", "target")]
                    windows = all_windows(load_sequences(*files)[0], 3)
                    rows.append(measure(model, windows, args.output_dir / f"{name}, {take} to {other}.png"))
                    cells = " | ".join(f"{value:.3g}" for value in rows[-1])
                    print(f"| {name} | {take} | {other} | {cells} |", flush=True)
    print("| all pairs | | | " + " | ".join(f"{value:.3g}" for value in np.mean(rows, axis=0)) + " |")


if __name__ == "__main__":
    main()
