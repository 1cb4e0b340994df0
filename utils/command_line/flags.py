"""The command line: every flag that several scripts share, in the group it belongs to.

Flags that shape the model have no default in the parser, so that a flag given and one left out can be told apart: a loaded
checkpoint decides, and a flag that contradicts it is an error. Nothing here needs torch, so that help and wrong flags are
answered at once.
"""

import argparse
from pathlib import Path
from typing import Any

from data.formats.mesh_formats import EXPORTS
from data.sequences.run_up import RunUp
from models.model_settings import UNITS_IN_MM, ModelSettings
from utils.command_line.flag_values import (
    Sources,
    folder_name,
    frame_rate,
    not_negative,
    not_negative_number,
    positive,
    positive_number,
)

FILMS = ("mp4", "gif")
RUN_UPS = ("first", "still", "rest")


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser that shows a script's docstring as it stands."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )


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


def add_frame_rate_argument(group: argparse._ActionsContainer) -> None:
    """Add what files that count seconds, and films, are played at."""
    group.add_argument(
        "--frame_rate", type=frame_rate, default=30.0, metavar="FPS",
        help="frames per second of characters' animations, caches and films (default: 30)",
    )  # fmt: skip


def add_joint_files_argument(group: argparse._ActionsContainer) -> None:
    """Add joints to look at, where there are any."""
    group.add_argument(
        "-src_joint", "--joint_files_dir", type=Path, nargs="+", action=Sources, metavar="DIR",
        help="folders or files of joints, one per source",
    )  # fmt: skip


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


def add_model_arguments(parser: argparse.ArgumentParser, model_type: str | None) -> None:
    """Add what shapes the model; `model_type` is the script's default, None where the checkpoint's is taken."""
    default = ModelSettings()
    parser.set_defaults(num_joints=0)
    group = parser.add_argument_group("model (a loaded checkpoint brings its own)")
    group.add_argument(
        "-l_size", "--latent_size", type=positive, metavar="N",
        help=f"size of the latent (default: {default.latent_size})",
    )  # fmt: skip
    group.add_argument(
        "-n_emb", "--num_embeddings", type=not_negative, metavar="N",
        help=f"learned surface-embedding channels per vertex; 0: none (default: {default.num_embeddings})",
    )  # fmt: skip
    group.add_argument(
        "-n_exp", "--num_experts", type=positive, metavar="N",
        help=f"experts in the decoder (default: {default.num_experts})",
    )  # fmt: skip
    group.add_argument(
        "-n_cond", "--num_condition_frames", type=positive, metavar="N",
        help=f"frames in the window, the current one included (default: {default.num_condition_frames})",
    )  # fmt: skip
    group.add_argument(
        "--coordinates", choices=("local", "world"),
        help=f"frame of reference: each vertex' own, or the world's (default: {default.coordinates})",
    )  # fmt: skip
    group.add_argument(
        "--up_axis",
        choices=("x", "y", "z"),
        help=f"axis that points against gravity (default: as the file says, or {default.up_axis})",
    )
    group.add_argument(
        "-m_type", "--model_type", type=folder_name, default=model_type, metavar="NAME",
        help=f"name of the output folders (default: {model_type or 'as in the checkpoint'})",
    )  # fmt: skip


def add_machine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add where to compute, and how much at once."""
    group = parser.add_argument_group("machine")
    group.add_argument(
        "-dev", "--device", metavar="DEVICE", help="cuda:0, cpu, ... (default: cuda:0, or cpu where there is none)"
    )
    group.add_argument(
        "-n_frames", "--num_frames", type=positive, default=60, metavar="N",
        help="frames held in memory at once (default: 60)",
    )  # fmt: skip
    group.add_argument(
        "-min_batch", "--mini_batch_size", type=positive, default=32729, metavar="N",
        help="vertices, over all frames, per optimisation step (default: 32729)",
    )  # fmt: skip


def add_fit_arguments(parser: argparse.ArgumentParser, learning_rate: float = 0.01) -> None:
    """Add how long and how to train, and what to save."""
    group = parser.add_argument_group("training")
    group.add_argument(
        "-n_ep", "--num_epochs", type=positive, default=2, metavar="N", help="epochs of the whole run (default: 2)"
    )
    group.add_argument(
        "--learning_rate", type=positive_number, default=learning_rate, metavar="RATE",
        help=f"highest learning rate (default: {learning_rate:g})",
    )  # fmt: skip
    group.add_argument(
        "--seed", type=not_negative, default=0, metavar="N", help="of weights and shuffling (default: 0)"
    )
    group.add_argument(
        "-num_inf", "--num_inference_meshes", type=not_negative, default=2, metavar="N",
        help="last frames of each sequence, kept out of training and measured after every epoch; 0: none (default: 2)",
    )  # fmt: skip
    group.add_argument(
        "-save_interval", "--epoch_save_interval", type=positive, default=1, metavar="N",
        help="epochs between checkpoints; the last one is always saved (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "-load_model", "--load_saved_model", action="store_true",
        help="go on from the newest checkpoint of this model type",
    )  # fmt: skip
    group.add_argument(
        "-saved_path", "--model_saved_path", type=Path, metavar="FILE",
        help="what to go on from, with --load_saved_model: a checkpoint, or a folder: the newest in it",
    )  # fmt: skip


def add_inference_arguments(parser: argparse.ArgumentParser) -> None:
    """Add which checkpoint to use, and whether there is a scan to measure against."""
    group = parser.add_argument_group("inference")
    group.add_argument(
        "-saved_path", "--model_saved_path", type=Path, required=True, metavar="FILE",
        help="the checkpoint (.pt), or a folder: the newest in it",
    )  # fmt: skip
    group.add_argument(
        "-tar_avail", "--is_target_available", action="store_true",
        help="measure against the scans in --target_files_dir",
    )  # fmt: skip
    group.add_argument(
        "--output_dir", type=Path, metavar="DIR",
        help="where to write (default: inference_meshes/<model_type>/<timestamp>/<epoch>_<shot>)",
    )  # fmt: skip
    group.add_argument("--overwrite", action="store_true", help="replace the predictions that are there")
    group.add_argument(
        "--export", nargs="+", choices=EXPORTS, default=["obj"],
        help="formats: a file per frame (obj, drc, ply), or one of all frames (the others) (default: obj)",
    )  # fmt: skip
    group.add_argument(
        "--video", choices=FILMS, help="also film each sequence: skinned, predicted and, with -tar_avail, target"
    )
    group.add_argument(
        "--turntable", choices=FILMS, help="also film the frame furthest from its scan, turning once around"
    )
    group.add_argument(
        "--report",
        action="store_true",
        help="also write report.html: numbers, curves, pictures and a playback in one file",
    )


class RunUps(argparse.Action):
    """How a sequence begins: first, still, or rest and a number of frames."""

    def __call__(
        self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: str | None = None
    ) -> None:
        kind, *rest = values
        frames = [int(each) for each in rest if each.isdecimal() and int(each) > 0]
        if kind not in RUN_UPS or len(frames) != len(rest) or len(frames) != (kind == "rest"):
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


def parse_inference_arguments(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """Return the parsed flags; exit with code 2 where scans are announced and no folder is given.

    Raises `InputError` where a film is wanted and cannot be written.
    """
    args = parser.parse_args(argv)
    if args.is_target_available and args.target_files_dir is None:
        parser.error("--is_target_available: found without --target_files_dir, expected the folders of scans")
    if args.target_files_dir is not None and not args.is_target_available:
        print("--target_files_dir without --is_target_available: nothing is measured against the scans")
    if args.video or args.turntable:
        from utils.showing.film import check_encoder

        check_encoder()
    if args.report:
        from utils.showing.report import check_report

        check_report()
    return args
