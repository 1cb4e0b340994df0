"""The command line: what follows from the flags for the model, its training, and where to compute."""

import argparse
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from data.input_error import InputError
from data.sequences.mesh_sequence import MeshSequence
from models.model_settings import ModelSettings
from utils.command_line.flag_values import said_by
from utils.fitting.progress import TrainingOptions
from utils.runs.checkpoint import find_checkpoint, newest_checkpoint
from utils.runs.processes import join_processes, local_rank, num_processes
from utils.runs.run_folders import checkpoint_folder


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
