"""The command line: how much of a trained model's answer is wanted, and how a sequence begins."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from data.input_error import InputError
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.mesh_windows import MeshWindows, all_windows
from data.sequences.run_up import RunUp
from models.dials import Dials
from models.mesh_autoencoder import MeshAutoencoder
from utils.command_line.flag_values import not_negative, not_negative_number
from utils.predicting.region_strength import region_strength

KINDS = ("first", "still", "rest")


class RunUps(argparse.Action):
    """How a sequence begins: first, still, or rest and a number of frames."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        kind, *rest = values
        frames = [int(each) for each in rest if each.isdecimal() and int(each) > 0]
        if kind not in KINDS or len(frames) != len(rest) or len(frames) != (kind == "rest"):
            parser.error(
                f"{option_string}: found {' '.join(values)}, expected first, still, or rest and a number of frames"
            )
        setattr(namespace, self.dest, RunUp(kind, frames[0] if frames else 0))


def add_region_argument(group: Any) -> None:
    """Add how much of the correction is wanted where."""
    group.add_argument(
        "--region_strength", type=Path, metavar="FILE",
        help="strength by vertex, times --strength: .npy or .npz of (V,), 0 or more, or the grey of a .ply's vertex colours",
    )  # fmt: skip


def add_dial_arguments(parser: argparse.ArgumentParser) -> None:
    """Add dials, and how a sequence begins."""
    group = parser.add_argument_group("dials")
    group.add_argument(
        "--strength", type=not_negative_number, default=1.0, metavar="S",
        help="of the correction: 0 skinned mesh, 1 as trained, more exaggerates (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--dynamics", type=not_negative_number, default=1.0, metavar="S",
        help="of motion: 0 what the pose alone asks for, 1 as trained, 2 twice the swing (default: 1)",
    )  # fmt: skip
    add_region_argument(group)
    group.add_argument(
        "--steady", type=not_negative, default=0, metavar="FRAMES",
        help="smooth the correction over so many frames on either side (default: 0)",
    )  # fmt: skip
    group.add_argument(
        "--run_up", nargs="+", action=RunUps, default=RunUp(), metavar="KIND",
        help="before its first frame, a sequence moved as its first ones say, by what training found (first), stood still "
        "(still), or came out of the rest pose in some frames (rest FRAMES) (default: first)",
    )  # fmt: skip
    group.add_argument(
        "--skip", type=not_negative, default=0, metavar="FRAMES",
        help="first frames of each sequence that are run-up alone, neither written nor measured (default: 0)",
    )  # fmt: skip


def turn_dials(args: argparse.Namespace, model: MeshAutoencoder) -> None:
    """Turn a model's dials as the flags say; raise `InputError` for a file of regions that is none."""
    region = region_strength(args.region_strength, model.surface)
    model.dials = Dials(args.strength, args.dynamics, region, args.steady)


def windows_to_predict(args: argparse.Namespace, sequences: list[MeshSequence], model: MeshAutoencoder) -> MeshWindows:
    """Return all frames but those to be skipped, with the run-up before them; raise `InputError` where a sequence has none."""
    short = [each for each in sequences if len(each.frame_numbers) <= args.skip]
    if short:
        found = f"{short[0].name}: a sequence of {len(short[0].frame_numbers)} frames (from {short[0].files[0].name})"
        raise InputError(f"{found}, expected more than the {args.skip} of --skip")
    windows = all_windows(sequences, model.settings.num_condition_frames)
    run_up = args.run_up
    if run_up.kind == "rest":
        run_up = replace(run_up, rest=model.surface.vertices.cpu().numpy())
    return replace(windows, entries=windows.entries[windows.entries[:, 1] >= args.skip], run_up=run_up)
