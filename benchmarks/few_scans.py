"""Which frames to scan: those that choose_frames.py names, evenly spread and random ones, by what a fit to their scans leaves.

    python benchmarks/few_scans.py
    python benchmarks/few_scans.py --src geo/rom_sbs/obj geo/dyna_sbs/obj --tar geo/rom_target/obj geo/dyna_target/obj

Fits the linear part alone, for the network's chance is as large as the differences. Evenly spread frames begin at several
places, random ones are drawn ten times: means, and behind ± the spread. Without flags, on make_sample_data.py's data.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import MeshWindows, all_windows, split_windows
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.rest_surface import RestSurface
from utils.fitting.linear_fit import fit_linear_part
from utils.predicting.frame_choice import choose_runs, design_of_model, design_of_motion, runs_of
from utils.predicting.metrics import vertex_errors
from utils.predicting.prediction import map_predictions

CPU = torch.device("cpu")
STARTS, DRAWS = np.linspace(0, 1, 6)[:-1], 10


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for flag, kind, default in (("src", "skinned meshes", "sbs"), ("tar", "scans", "target")):
        for name, folder, use in ((flag, "geo", "choose from"), (f"test_{flag}", "geo_test", "test on")):
            path = [Path(f"{folder}/dyna_{default}/obj")]
            parser.add_argument(f"--{name}", type=Path, nargs="+", default=path, help=f"{kind} to {use}")
    parser.add_argument("--counts", type=int, nargs="+", default=[15, 30, 60], help="of scans (default: 15 30 60)")
    parser.add_argument(
        "--known", type=int, default=0, help="the first sources, all scanned: a model knows them (default: 0)"
    )
    return parser.parse_args(argv)


class Trial:
    """Fits of the linear part to scans of some frames, and what they leave of the skinned error on the test sequences."""

    def __init__(self, args):
        sequences, faces = load_sequences(args.src, args.tar)
        self.windows, _ = split_windows(sequences, 3, 0)
        self.test = all_windows(load_sequences(args.test_src, args.test_tar)[0], 3)
        self.surface = RestSurface.from_mesh(sequences[0].skinned[0], faces)
        self.known = np.flatnonzero(self.windows.entries[:, 0] < args.known)
        self.to_choose_from = np.flatnonzero(self.windows.entries[:, 0] >= args.known)

    def model(self):
        return MeshAutoencoder(ModelSettings(num_condition_frames=3), self.surface)

    def some(self, frames):
        return MeshWindows(self.windows.sequences, 3, self.windows.entries[np.sort(frames)])

    def fitted(self, frames):
        model = self.model()
        fit_linear_part(model, self.some(frames), CPU)
        model.network_strength.zero_()
        return model

    def left(self, frames):
        """Return what a fit to the known frames and some more leaves, %."""

        def errors(frame):
            scan = self.test.scan(np.array([frame.index]))[0]
            return [vertex_errors(each, scan).mean() for each in (frame.skinned, frame.predicted)]

        model = self.fitted(np.concatenate([self.known, self.to_choose_from[frames]]))
        before, after = np.mean(list(map_predictions(errors, model, self.test, np.arange(len(self.test)), CPU)), axis=0)
        return 100 * after / before

    def chosen(self, count):
        """Return the frames that choose_frames.py names."""
        windows = self.some(self.to_choose_from)
        if len(self.known):
            design = design_of_model(self.fitted(self.known), windows, CPU, len(self.known))
        else:
            design = design_of_motion(self.model(), windows, CPU, count)
        return [run for run, _ in choose_runs(design, runs_of(windows, 1), count)]


def main(argv=None):
    args = parse_arguments(argv)
    trial, random = Trial(args), np.random.default_rng(0)
    length = len(trial.to_choose_from)
    print(f"{length} frames to choose from; all of them leave {trial.left(np.arange(length)):.2f} %")
    print("| scans | evenly spread | random | chosen | chosen / evenly spread |\n|---|---|---|---|---|")
    for count in args.counts:
        spacing = (np.arange(count) + STARTS[:, None]) * length / count
        even = np.array([trial.left(frames) for frames in spacing.astype(int)])
        drawn = np.array([trial.left(random.choice(length, count, replace=False)) for _ in range(DRAWS)])
        chosen = trial.left(np.array(trial.chosen(count)))
        cells = [f"{each.mean():.1f} ± {each.std():.1f}" for each in (even, drawn)]
        print(f"| {count} | {cells[0]} | {cells[1]} | {chosen:.1f} | {chosen / even.mean():.2f} |", flush=True)


if __name__ == "__main__":
    main()
