"""Checkpoints: one plain dict each, loaded without running code, that hold all that inference and resuming need."""

import os
import re
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray
from tqdm import tqdm

from data.input_error import InputError
from data.safe_write import write_beside
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.plausibility import ALIKE, what_files_say
from data.sequences.same_topology import edge_lengths, in_the_same_order
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import UNITS_IN_MM
from utils.runs.checkpoint_checks import check_archive, check_contents, checked_model, why_not_loaded
from utils.runs.run_folders import runs_by_age

FORMAT = "skin2scan checkpoint 9"
CHECKPOINT_NAME = re.compile(r"(\d+)(?:_(\d+))?\.pt")  # 2.pt: two epochs; 2_150.pt: stopped 150 steps into the third


def save_checkpoint(path: Path, model: MeshAutoencoder, **contents: Any) -> None:
    """Write a model and whatever else is given (plain values, tensors, dicts and lists of them), whole or not at all.

    The content has reached the disk before the file takes its name, in case a power cut comes next.
    """
    checkpoint = {
        "format": FORMAT,
        "settings": model.settings.to_dict(),
        "model": model.state_dict(),
        **contents,
    }
    content = BytesIO()
    torch.save(checkpoint, content)  # not straight to the disk: torch does not say when that is full
    with write_beside(path) as partial, open(partial, "wb") as file:
        file.write(content.getbuffer())
        file.flush()
        os.fsync(file.fileno())


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return a checkpoint's dict, tensors on the CPU.

    Raises `InputError` for a file that is not there, not whole, or not a checkpoint of this project; nothing in the file
    is ever run (`weights_only`).
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file, expected a checkpoint (.pt)")
    check_archive(path)
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds here, by how the file is broken
        raise InputError(f"{path}: not a whole checkpoint that is safe to load ({why_not_loaded(error)})") from None
    found = checkpoint.get("format") if isinstance(checkpoint, dict) else type(checkpoint).__name__
    if found != FORMAT:
        raise InputError(f"{path}: found {found!r}, expected {FORMAT!r}")
    check_contents(checkpoint, path)
    return checkpoint


def build_model(checkpoint: dict[str, Any], path: Path) -> MeshAutoencoder:
    """Return the model of a checkpoint; raise `InputError`, naming `path`, where its parts do not fit together."""
    try:
        return checked_model(checkpoint["settings"], checkpoint["model"])
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise InputError(f"{path}: settings and weights do not fit together ({str(error)[:200]})") from None


def check_topology(model: MeshAutoencoder, sequence: MeshSequence, faces: Int[ndarray, "F 3"], path: Path) -> None:
    """Raise `InputError` where meshes or joints are not of the topology that the checkpoint at `path` was trained on."""
    expected, found = len(model.surface.vertices), sequence.skinned.shape[1]
    if found != expected:
        raise InputError(f"{sequence.files[0]}: {found} vertices, expected {expected} as in {path}")
    rest, own_faces = model.surface.vertices.cpu().numpy(), model.surface.faces.cpu().numpy()
    if not np.array_equal(own_faces, faces):
        if not in_the_same_order(rest, sequence.skinned[0], own_faces):
            raise InputError(f"{sequence.files[0]}: other faces than the meshes that {path} was trained on")
        tqdm.write(f"{sequence.name}: other faces than {path} was trained on, but vertices in the same order: taken")
    here, there = (float(np.median(edge_lengths(each, own_faces))) for each in (sequence.skinned[0], rest))
    times = here / max(there, 1e-30)
    if not ALIKE[0] < times < ALIKE[1]:
        raise InputError(
            f"{sequence.files[0]}: a body {times:.3g} times as large as the one that {path} was trained on, expected the same "
            "units: scale it"
        )
    for line in what_files_say([sequence], model.settings.up_axis, UNITS_IN_MM[model.settings.units] / 1000):
        tqdm.write(line)
    joints = 0 if sequence.joints is None else sequence.joints.shape[1]
    if model.settings.num_joints not in (0, joints):
        raise InputError(f"{sequence.name}: found {joints} joints, expected {model.settings.num_joints} as in {path}")


def farthest_checkpoint(run_folder: Path) -> Path | None:
    """Return the checkpoint of a run's folder that is farthest on, None where there is none."""
    matches = [match for path in run_folder.glob("*.pt") if (match := CHECKPOINT_NAME.fullmatch(path.name))]
    farthest = max(matches, key=lambda match: (int(match[1]), int(match[2] or 0)), default=None)
    return run_folder / farthest[0] if farthest else None


def newest_checkpoint(model_folder: Path) -> Path:
    """Return the farthest checkpoint of the newest run in saved_model/<model_type>; raise `InputError` where there is none."""
    for run_folder in runs_by_age(model_folder):
        if checkpoint := farthest_checkpoint(run_folder):
            return checkpoint
    raise InputError(f"{model_folder}: no checkpoint found, expected <timestamp>/<epoch>.pt in it")


def find_checkpoint(path: Path) -> Path:
    """Return the checkpoint that a path means: the file itself, the farthest one of a run's folder, or the newest run's."""
    if not path.is_dir():
        return path
    return farthest_checkpoint(path) or newest_checkpoint(path)
