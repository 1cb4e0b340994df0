"""What a model sees of some frames, read from disk to the device, and what it should answer."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.sequences.mesh_windows import MeshWindows
from data.sequences.run_up import RunUp
from models.mesh_autoencoder import MeshAutoencoder, change_of
from models.oscillators import HISTORY

Inputs = tuple[Float[Tensor, "B N V 3"], Float[Tensor, "B N J 3"] | None, Float[Tensor, "B H A 3"] | None]


def read_inputs(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " B"], device: torch.device
) -> Inputs:
    """Return the windows of skinned meshes and joints, and the anchors' history, of the given frames, file units.

    Joints, or the history, are None where the model does not look at them. Sequences begin as the windows say, or else as the
    model knows.
    """
    if windows.run_up.kind == "first":
        windows = replace(windows, run_up=RunUp(model.settings.past))
    joints = windows.joints(frames) if model.coordinates.sees_joints else None
    history = None
    if model.coordinates.periods:
        history = torch.from_numpy(windows.history(frames, model.surface.anchors_to_read, HISTORY)).to(device)
    return (
        torch.from_numpy(windows.skinned(frames)).to(device),
        None if joints is None else torch.from_numpy(joints).to(device),
        history,
    )


@dataclass
class Meshes:
    """What a model sees of some frames, and what it is to learn of them: their scans, and how far these are trusted (B, V), 0
    to 1; None where they are wholly."""

    inputs: Inputs
    scan: Float[Tensor, "B V 3"]
    weights: Float[Tensor, "B V"] | None = None


def read_meshes(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " B"], device: torch.device
) -> Meshes:
    """Read what a model sees of the given frames, and what it is to learn of them, to the device."""
    scan, weights = windows.to_learn(frames)
    return Meshes(
        read_inputs(model, windows, frames, device),
        torch.from_numpy(scan).to(device),
        None if weights is None else torch.from_numpy(weights).to(device),
    )


@dataclass
class Samples:
    """Vertices to train on: S of them, shuffled, or whole meshes of (B, V).

    `features` (*S, D) is what the network sees of them, `targets` (*S, 3) what it should answer, file units, and `vertex` (*S,)
    which vertices they are; `trust` (*S,) is how far the targets are trusted, where they are not wholly. Whole meshes also have
    skinned positions (*S, 3), surface frames (*S, 3, 3) and the linear part's answer (*S, 3).
    """

    features: Float[Tensor, "*S D"]
    targets: Float[Tensor, "*S 3"]
    vertex: Int[Tensor, "*S"]
    skinned: Float[Tensor, "*S 3"] | None = None
    frames: Float[Tensor, "*S 3 3"] | None = None
    linear: Float[Tensor, "*S 3"] | None = None
    trust: Float[Tensor, "*S"] | None = None
    weight: float = 1.0


@torch.no_grad()
def whole_meshes(model: MeshAutoencoder, meshes: Meshes) -> Samples:
    """Return all vertices (B, V) of some frames as samples."""
    skinned = meshes.inputs[0][:, -1]
    vertex = torch.arange(skinned.shape[1], device=skinned.device).expand(len(skinned), -1)
    frames = model.surface.frames_of(skinned)
    features = model.features(*meshes.inputs, frames)
    change = change_of(model, features)
    linear = model.coordinates.answer(features, change, frames)
    targets = model.targets(skinned, meshes.scan, frames) - linear
    if model.settings.answer_seen:
        features = torch.cat([features, change], dim=2)
    return Samples(features, targets, vertex, skinned, frames, linear, meshes.weights)


@torch.no_grad()
def asked_vertices(model: MeshAutoencoder, meshes: Meshes) -> Samples:
    """Return the vertices (B, Q) where the network is asked, of some frames, as samples."""
    first = model.coordinates.first_answer(*meshes.inputs, model.up)
    targets = model.coordinates.asked_targets(first, meshes.inputs[0][:, -1], meshes.scan)
    trust = None if meshes.weights is None else meshes.weights.index_select(1, first.asked)
    return Samples(first.of_asked, targets, first.asked.expand(len(targets), -1), trust=trust)
