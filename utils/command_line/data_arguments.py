"""The command line: what is read, and what is said of it before anything is done."""

import argparse
from pathlib import Path

from data.formats.mesh_formats import CHARACTERS
from data.formats.named_parts import named_part
from data.input_error import InputError
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.plausibility import check_plausible, what_files_say
from models.model_settings import UNITS_IN_MM, ModelSettings
from utils.command_line.flag_values import Sources, positive
from utils.command_line.parser import add_frame_rate_argument
from utils.runs.processes import rank


def add_data_arguments(parser: argparse.ArgumentParser, target_required: bool) -> None:
    """Add the folders of meshes, and what the numbers in them mean."""
    group = parser.add_argument_group("data")
    group.add_argument(
        "-src", "--source_files_dir", type=Path, nargs="+", action=Sources, required=True, metavar="DIR",
        help="folders of skinned meshes (.obj, .drc or .ply), paired with the targets by the frame numbers in their names, "
        "or one file of all frames each (.npz, .npy, .usd, .usda, .usdc, .abc, .mdd, .pc2), or a character (.glb, .gltf, .fbx)",
    )  # fmt: skip
    group.add_argument(
        "-tar", "--target_files_dir", type=Path, nargs="+", action=Sources, required=target_required, metavar="DIR",
        help="folders or files of ground-truth scans, one per source; vertices that are nan are not observed",
    )  # fmt: skip
    group.add_argument(
        "--scan_weights", type=Path, nargs="+", metavar="FILE",
        help="how far each vertex of the scans is trusted, 0 to 1: .npy or .npz of (V,) or (T, V), or the alpha of a .ply's "
        "vertex colours; one for all targets, or one each",
    )  # fmt: skip
    group.add_argument(
        "--units", choices=UNITS_IN_MM,
        help="what the files' numbers are; errors are printed in mm (default: as the file or the checkpoint says, or m)",
    )  # fmt: skip
    add_frame_rate_argument(group)


def add_joint_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the joints of variant 2."""
    group = parser.add_argument_group("joints")
    group.add_argument(
        "-src_joint", "--joint_files_dir", type=Path, nargs="+", action=Sources, metavar="DIR",
        help="folders of joints (points as .obj, .drc, .ply; .npy, .txt, .csv of (J, 3)) or files of all frames, one each "
        "(default: those of the characters that are sources)",
    )  # fmt: skip
    group.add_argument(
        "-n_joints",
        "--num_joints",
        type=positive,
        default=None,
        metavar="N",
        help="joints in a file; a check (default: as found)",
    )


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
