"""What a checkpoint from a stranger has to pass before anything is built from it.

Reading it never runs code (`torch.load` with `weights_only`). What is checked here is that it takes no more memory than the
file is long, and that its parts are what its own settings say.
"""

import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from data.input_error import InputError
from data.sequences.run_up import GUESSES
from models.coordinates import COORDINATES
from models.leverage import LARGEST_DOUBT
from models.linear_correction import in_loop_order
from models.local_features import OPTIONAL_GROUPS
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import UNITS_IN_MM, UP_AXES, ModelSettings
from models.rest_surface import BUFFERS, RestSurface
from utils.runs.folder_names import FOLDER_NAME, TIMESTAMP

CONTENTS = {"settings": dict, "model": dict, "model_type": str, "timestamp": str, "record": dict}
CONTENTS |= {"options": dict, "optimizer": dict, "progress": dict}
PROGRESS = {"epoch": int, "step": int, "recent_steps": int, "recent": dict, "curves": dict, "history": list}
LOWEST_SETTINGS = {"num_embeddings": 0, "num_joints": 0}  # 1 for all other numbers


def check_archive(path: Path) -> None:
    """Raise `InputError` where a file is no zip archive as `torch.save` writes it: a pickle, say, or one that swells."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: not a whole checkpoint, or none of this project ({error})") from None
    stored, size = sum(member.file_size for member in members), path.stat().st_size
    if stored > size or any(member.compress_type != zipfile.ZIP_STORED for member in members):
        raise InputError(f"{path}: found {stored} bytes packed into {size}, expected them as they are")


def why_not_loaded(error: Exception) -> str:
    """Return in a few words why torch did not load a file; its own advice is to load it unsafely."""
    blocked = re.search(r"GLOBAL (\S+)", str(error))
    if blocked:
        return f"it asks for {blocked[1]}: whole pickled models, as the first version wrote them, can run any code"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def tensors_in(value: Any) -> Iterator[Tensor]:
    """Yield all tensors in dicts and lists."""
    waiting, seen = [value], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:  # a list may hold itself
            continue
        seen.add(id(value))
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value


def check_kinds(parts: dict[str, Any], kinds: Mapping[str, type], path: Path) -> None:
    """Raise `InputError` where a part is missing or of another kind."""
    for name, kind in kinds.items():
        if not isinstance(parts.get(name), kind):
            found = type(parts[name]).__name__ if name in parts else "nothing"
            raise InputError(f"{path}: found {found} as its {name}, expected a {kind.__name__}")


def is_progress(progress: dict[str, Any]) -> bool:
    """Say whether a training run could have written this, given that its parts are of the right kinds."""
    curves, history, recent = progress["curves"].values(), progress["history"], progress["recent"].values()
    return (
        set(progress) == set(PROGRESS)
        and min(progress["epoch"], progress["step"], progress["recent_steps"]) >= 0
        and all(isinstance(curve, list) and curve for curve in curves)
        and all(
            isinstance(point, list) and list(map(type, point)) == [float, float] for each in curves for point in each
        )
        and all(isinstance(row, dict) and "epoch" in row and {*map(type, row.values())} == {float} for row in history)
        and all(isinstance(each, Tensor) and each.numel() == 1 for each in recent)
    )


def check_contents(checkpoint: dict[str, Any], path: Path) -> None:
    """Raise `InputError`, naming `path`, where a part is missing or of another kind, or a name could lead out of a folder."""
    check_kinds(checkpoint, CONTENTS, path)
    for name, pattern in (("model_type", FOLDER_NAME), ("timestamp", TIMESTAMP)):
        if not pattern.fullmatch(checkpoint[name]):
            raise InputError(f"{path}: found {checkpoint[name]!r} as its {name}, expected a folder's name")
    for name in ("record", "options"):
        try:
            json.dumps(checkpoint[name])
        except (TypeError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: found a {name} that no training run writes ({error})") from None
    check_kinds(checkpoint["progress"], PROGRESS, path)
    if not is_progress(checkpoint["progress"]):
        raise InputError(f"{path}: found a progress that no training run writes")
    for tensor in tensors_in(checkpoint):
        if (
            tensor.device.type != "cpu"
            or tensor.requires_grad
            or tensor.layout != torch.strided
            or tensor.is_quantized
            or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes()
        ):
            raise InputError(f"{path}: found a tensor of shape {tuple(tensor.shape)} that is not stored in full")


def checked_settings(settings: dict[str, Any], num_parts: int) -> ModelSettings:
    """Return a checkpoint's settings; raise `ValueError` where they describe no model, or one of more experts than `num_parts`
    weights can hold."""
    kinds = {field.name: type(field.default) for field in fields(ModelSettings)}
    unknown_earlier: dict[str, Any] = {"past": GUESSES[0], "answer_seen": False}
    settings = unknown_earlier | settings
    for name in sorted(kinds.keys() | settings.keys()):
        value = settings.get(name)
        if type(value) is not kinds.get(name):
            raise ValueError(f"{name} is {value!r}")
        if type(value) is int and not LOWEST_SETTINGS.get(name, 1) <= value < 2**31:
            raise ValueError(f"{name} is {value}")
        if isinstance(value, tuple) and not all(each in OPTIONAL_GROUPS for each in value):
            raise ValueError(f"{name} is {value!r}")
    found = ModelSettings(**settings)
    known = found.coordinates in COORDINATES and found.up_axis in UP_AXES and found.units in UNITS_IN_MM
    if found.answer_seen and found.coordinates != "local":
        raise ValueError(f"answer_seen in {found.coordinates} coordinates")
    if found.past not in GUESSES:
        raise ValueError(f"past is {found.past!r}")
    if not known or found.num_experts > num_parts:
        raise ValueError(
            f"{found.coordinates} coordinates in {found.units}, {found.up_axis} up, "
            f"{found.num_experts} experts in {num_parts} weights"
        )
    return found


def checked_surface(state: dict[str, Tensor], num_joints: int) -> RestSurface:
    """Return the rest surface in a model's state; raise `ValueError` or `KeyError` where its parts do not fit together."""
    buffers = {name: state[f"surface.{name}"] for name in BUFFERS}
    num_vertices = len(buffers["vertices"])
    limits = {"faces": num_vertices, "tangent_ends": num_vertices, "nearest_anchors": num_vertices}
    limits["nearest_joints"] = num_joints
    shapes = {
        "vertices": (num_vertices, 3),
        "faces": (len(buffers["faces"]), 3),
        "tangent_ends": (num_vertices,),
        "nearest_anchors": (num_vertices, buffers["nearest_anchors"].shape[-1]),
        "anchor_offsets": (*buffers["nearest_anchors"].shape, 3),
        "frames": (num_vertices, 3, 3),
        "nearest_joints": (num_vertices, buffers["nearest_joints"].shape[-1]),
        "joint_offsets": (*buffers["nearest_joints"].shape, 3),
        "eigenfunctions": (num_vertices, buffers["eigenfunctions"].shape[-1]),
    }
    for name, shape in shapes.items():
        expected = torch.int64 if name in limits else torch.float32
        if buffers[name].shape != shape or buffers[name].dtype != expected or not num_vertices:
            raise ValueError(f"{name} of shape {tuple(buffers[name].shape)}, expected {shape}")
    for name, limit in limits.items():
        outside = (buffers[name] < 0) | (buffers[name] >= limit)
        if outside.any():
            raise ValueError(f"{name} with an index of {int(buffers[name][outside][0])}, expected 0 to {limit - 1}")
    return RestSurface(buffers)


def checked_model(settings: dict[str, Any], state: dict[str, Tensor]) -> MeshAutoencoder:
    """Return the model that settings and a state describe; raise `ValueError`, `TypeError` or `KeyError` where they do not
    fit.

    The settings alone make nothing take memory: a model built without memory says which tensors there have to be, and then
    takes over those of the state.
    """
    if not all(isinstance(each, Tensor) for each in state.values()):
        raise ValueError("weights that are no tensors")
    model_settings = checked_settings(settings, len(state))
    if "leverage.least" in state:  # not known earlier: the network and the mean correction were taken wholly everywhere
        of_anchors = torch.zeros_like(state["leverage.least"])
        state = {"leverage.reached": of_anchors + torch.inf, "leverage.moving_share": of_anchors} | state
    if "leverage.doubt" in state:  # larger ones were tried earlier, though nothing told them apart
        state = state | {"leverage.doubt": state["leverage.doubt"].clamp_max(LARGEST_DOUBT)}
    surface = checked_surface(state, model_settings.num_joints)
    with torch.device("meta"):
        model = MeshAutoencoder(model_settings, surface)
    expected = {name: (tuple(each.shape), each.dtype) for name, each in model.state_dict().items()}
    found = {name: (tuple(each.shape), each.dtype) for name, each in state.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise ValueError(f"{name}: {found.get(name, 'nothing')}, expected {expected.get(name, 'nothing')}")
        # before frames were seen, no correction is too long, and no frame too far
        endless = name in ("longest", "leverage.farthest", "leverage.reached")
        is_number = ~torch.isnan(state[name]) if endless else torch.isfinite(state[name])
        if not is_number.all():
            raise ValueError(f"{name} holds numbers that are not finite")
    model.load_state_dict(state, assign=True)
    if model.linear is not None:
        model.linear.coefficients = in_loop_order(model.linear.coefficients)
    return model
