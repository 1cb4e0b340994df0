"""The command line: what is read, and what is said of it before anything is done."""

import argparse
from pathlib import Path

from data.formats.mesh_formats import CHARACTERS
from data.formats.named_parts import named_part
from data.input_error import InputError
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.plausibility import check_plausible, what_files_say
from models.model_settings import UNITS_IN_MM, ModelSettings
from utils.runs.processes import rank


def given_files(
    args: argparse.Namespace, joints: list[Path] | None = None
) -> tuple[list[Path], list[Path] | None, list[Path] | None, list[Path] | None, float]:
    """Return what `load_sequences` takes: sources, targets where they are to be looked at, joints, weights and frame rate."""
    targets = args.target_files_dir if getattr(args, "is_target_available", True) else None
    return args.source_files_dir, targets, joints, args.scan_weights, args.frame_rate


def joint_files(args: argparse.Namespace) -> list[Path]:
    """Return the files of joints that are given, or else the sources where these are characters, which have joints.

    Raises `InputError` for other sources.
    """
    if args.joint_files_dir is not None:
        return args.joint_files_dir
    others = [path for path in args.source_files_dir if named_part(path)[0].suffix.lower() not in CHARACTERS]
    if others:
        raise InputError(
            f"--joint_files_dir: found none, expected the joints of {others[0]}, which has none of its own"
        )
    return args.source_files_dir


def say_what_was_given(sequences: list[MeshSequence], settings: ModelSettings) -> None:
    """Print what was given to train on, in the first process; raise `InputError` for what cannot be meant."""
    metres_per_unit = UNITS_IN_MM[settings.units] / 1000
    lines = check_plausible(sequences, metres_per_unit) + what_files_say(sequences, settings.up_axis, metres_per_unit)
    if rank() == 0:
        print("\n".join(lines))


def count_joints(args: argparse.Namespace, sequence: MeshSequence) -> int:
    """Return the number of joints in a sequence; raise `InputError` where `--num_joints` says another."""
    assert sequence.joints is not None
    found = sequence.joints.shape[1]
    if args.num_joints not in (None, found):
        raise InputError(f"{joint_files(args)[0]}: found {found} joints, expected {args.num_joints} (--num_joints)")
    return found
