"""The command line: every flag that several scripts share, in the group it belongs to.

Flags that shape the model have no default in the parser, so that a flag given and one left out can be told apart: a loaded
checkpoint decides, and a flag that contradicts it is an error.
"""

import argparse
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from data.input_error import InputError
from data.sequences.mesh_sequence import MeshSequence
from models.coordinates import COORDINATES
from models.model_settings import ModelSettings
from utils.command_line.flag_values import folder_name, not_negative, positive, positive_number, said_by
from utils.fitting.progress import TrainingOptions
from utils.predicting.mesh_writer import EXPORTS
from utils.runs.checkpoint import find_checkpoint, newest_checkpoint
from utils.runs.processes import join_processes, local_rank, num_processes
from utils.runs.run_folders import checkpoint_folder

FILMS = ("mp4", "gif")


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
        "--coordinates", choices=COORDINATES,
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


def checkpoint_to_go_on_from(args: argparse.Namespace) -> Path | None:
    """Return the checkpoint that `--load_saved_model` means, the newest of the model type where none is named; else None."""
    if args.load_saved_model and args.model_saved_path is None:
        return newest_checkpoint(checkpoint_folder(args.model_type))
    if args.load_saved_model:
        return find_checkpoint(args.model_saved_path)
    if args.model_saved_path is not None:
        raise InputError("--model_saved_path: found without --load_saved_model, expected both or neither")
    return None


def training_options(args: argparse.Namespace) -> TrainingOptions:
    """Return the options of training that the flags give."""
    return TrainingOptions(**{field.name: getattr(args, field.name) for field in fields(TrainingOptions)})


def choose_settings(
    args: argparse.Namespace, stored: ModelSettings | None, sequences: list[MeshSequence] | None = None
) -> ModelSettings:
    """Return the model's settings: the checkpoint's where one is loaded, else flags, what the first source's file says of its
    up axis and units, and defaults.

    Raises `InputError` where a flag contradicts the checkpoint.
    """
    asked = {field.name: getattr(args, field.name, None) for field in fields(ModelSettings)}  # some have no flag
    given: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if stored is None:
        said = said_by(sequences[0].files[0], args) if sequences else {}
        return ModelSettings(**said | given)
    if stored.num_joints and given["num_joints"] == 0:
        raise InputError(f"the checkpoint expects {stored.num_joints} joints, found none: use the script with joints")
    check_agreement(args, stored, given)
    return stored


def check_agreement(args: argparse.Namespace, stored: ModelSettings, names: Iterable[str]) -> None:
    """Raise `InputError` where one of these flags is given and contradicts the checkpoint."""
    for name in names:
        if getattr(args, name) not in (None, getattr(stored, name)):
            raise InputError(
                f"--{name}: found {getattr(args, name)}, expected {getattr(stored, name)} as in the checkpoint"
            )


def choose_device(name: str | None, seed: int | None = None) -> torch.device:
    """Return the device asked for; where none was, this process' CUDA device, or the CPU. Join the other processes, if any;
    what is random follows from the seed, where one is given.

    Raises `InputError`, listing the devices that there are, for one that is not there.
    """
    join_processes()
    if seed is not None:
        torch.manual_seed(seed)
    there = [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        there.append("mps")
    there.append("cpu")
    if name is None and there[0] == "cpu":
        print("no CUDA device: computing on the CPU")
    if name is None or (name == "cuda" and num_processes() > 1):
        name = f"cuda:{local_rank()}" if there[0].startswith("cuda") else there[0]
    elif name.startswith("cuda:") and num_processes() > 1:
        raise InputError(f"--device: found {name}, expected cuda or nothing where several processes take a device each")
    if name not in there and f"{name}:0" not in there:
        raise InputError(f"--device: found {name}, expected one of those there are: {', '.join(there)}")
    device = torch.device(name)
    if device.type == "cuda" and num_processes() > 1:
        torch.cuda.set_device(device)  # where what the processes tell each other is kept
    return device
