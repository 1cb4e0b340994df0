"""What is seen in frames and is to be answered, read a few frames at a time, and as rows that regressions are fitted to."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.model_inputs import read_meshes

VERTICES_AT_ONCE = 500_000  # of whole frames: many frames make large products


@dataclass
class SeenRows:
    """What is seen in some frames (B) and is to be answered; features in units of their spread, from their means (V, C)."""

    features: Float[Tensor, "B V C"]
    targets: Float[Tensor, "B V 3"]
    shift: Float[Tensor, "V C"]
    scale: Float[Tensor, " C"]

    def of(self, vertices: slice | Int[ndarray, " S"]) -> Float[Tensor, "B S D"]:
        """Return rows of [features, 1, targets] of some vertices."""
        targets = self.targets[:, vertices]
        features = (self.features[:, vertices] - self.shift[vertices]) / self.scale
        return torch.cat([features, torch.ones_like(targets[..., :1]), targets], dim=2)


class SeenFeatures(NamedTuple):
    """What is seen in some frames (B), given by their numbers among windows, and is to be answered, file units; how far that is
    trusted; and surface frames."""

    current: Int[ndarray, " B"]
    features: Float[Tensor, "B V C"]
    targets: Float[Tensor, "B V 3"]
    weights: Float[Tensor, "B V"]
    axes: Float[Tensor, "B V 3 3"]


def read_features(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " T"], device: torch.device
) -> Iterator[SeenFeatures]:
    """Yield what is seen in some frames, a few at a time."""
    at_once = max(1, VERTICES_AT_ONCE // len(model.surface.vertices))
    for start in range(0, len(frames), at_once):
        some = frames[start : start + at_once]
        meshes = read_meshes(model, windows, some, device)
        skinned = meshes.inputs[0][:, -1]
        surface_frames = model.surface.frames_of(skinned)
        features = model.features(*meshes.inputs, surface_frames)
        weights = torch.ones_like(skinned[..., 0]) if meshes.weights is None else meshes.weights
        yield SeenFeatures(some, features, model.targets(skinned, meshes.scan, surface_frames), weights, surface_frames)
