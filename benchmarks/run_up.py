"""What came before a take: the error in its first frames by each guess, and where the frames before it are known.

    python benchmarks/run_up.py saved_model/without_joints -src geo_test/dyna_sbs/obj -tar geo_test/dyna_target/obj

Cuts the sequence, from its --known-th frame on, into takes of 16 frames that begin in the middle of its motion, and predicts
each by every run-up, and with the frames before it. Prints the mean vertex error (mm) in each of the first frames, and in all.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.trained import parsed_and_loaded
from data.sequences.mesh_windows import all_windows
from data.sequences.run_up import RunUp
from models.model_settings import UNITS_IN_MM
from utils.predicting.metrics import mean_of_known, vertex_errors
from utils.predicting.prediction import map_predictions

LENGTH, APART, SHOWN = 16, 7, 5  # frames: of a take, from one take's first to the next one's, and in the table


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--known", type=int, default=12, help="frames before the first take (default: 12)")
    args, model, (whole, *_), _ = parsed_and_loaded(parser, argv)
    firsts = np.arange(args.known, len(whole.frame_numbers) - LENGTH + 1, APART)
    takes = all_windows(
        [whole.piece(first, first + LENGTH) for first in firsts.tolist()], model.settings.num_condition_frames
    )
    every = all_windows([whole], model.settings.num_condition_frames)
    known = replace(every, entries=every.entries[(firsts[:, None] + np.arange(LENGTH)).ravel()])
    rest = model.surface.vertices.numpy()
    guesses = {
        "first": takes,
        "still": replace(takes, run_up=RunUp("still")),
        "rest 10": replace(takes, run_up=RunUp("rest", 10, rest)),
        "rest 30": replace(takes, run_up=RunUp("rest", 30, rest)),
        "known": known,
    }
    errors = {}
    for name, windows in guesses.items():

        def measure(frame, windows=windows):
            scan = windows.scan(np.array([frame.index]))[0]
            return [float(mean_of_known(vertex_errors(each, scan))) for each in (frame.skinned, frame.predicted)]

        found = list(map_predictions(measure, model, windows, np.arange(len(windows)), torch.device("cpu")))
        found = UNITS_IN_MM[model.settings.units] * np.array(found).reshape(len(firsts), LENGTH, 2).mean(axis=0)
        errors |= {"skinned mesh": found[:, 0], name: found[:, 1]}
    print(f"{len(firsts)} takes of {LENGTH} frames; mean vertex error (mm) in frames 1 to {SHOWN}, and in all")
    for name, each in errors.items():
        print(f"{name:14}", *(f"{error:8.3f}" for error in [*each[:SHOWN], each.mean()]))
    return errors


if __name__ == "__main__":
    main()
