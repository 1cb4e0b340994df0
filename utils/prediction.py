"""Predicted meshes for whole sequences, a few frames at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from data.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.metrics import vertex_errors
from utils.model_inputs import read_inputs
from utils.processes import combine, own_share
from utils.training_blocks import read_a_few

FRAMES_AT_ONCE = 4


def predict_windows(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " K"], device: torch.device
) -> Iterator[tuple[Int[ndarray, " B"], Float[ndarray, "B V 3"], Float[ndarray, "B V 3"]]]:
    """Yield, a few at a time, indices (B,) of the given frames, their skinned meshes and predictions (B, V, 3), file units."""
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        some = frames[start : start + FRAMES_AT_ONCE]
        inputs = read_inputs(model, windows, some, device)
        with torch.no_grad():
            predicted = model.predict(*inputs)
        yield some, inputs[0][:, -1].cpu().numpy(), predicted.cpu().numpy()


def best_network_strength(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> float:
    """Return how much of the network's answer, 0 to 1, leaves the least squared error in frames that it was not trained on."""
    shared = size = 0.0
    for meshes in read_a_few(model, windows, own_share(np.arange(len(windows))), device):
        with torch.no_grad():
            answer = model(meshes.features.flatten(0, 1), meshes.vertex.flatten()).view_as(meshes.targets)
        shared, size = shared + float((answer * meshes.targets).sum()), size + float(answer.square().sum())
    shared, size = combine(torch.tensor([shared, size], dtype=torch.float64)).tolist()
    return min(1.0, max(0.0, shared / size)) if size > 0 else 1.0


def mean_errors(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> tuple[float, float]:
    """Return the mean vertex errors of skinned meshes and of predictions against the scans, file units."""
    skinned_sum = predicted_sum = 0.0
    for some, skinned, predicted in predict_windows(model, windows, own_share(np.arange(len(windows))), device):
        scan = windows.scan(some)
        skinned_sum += float(vertex_errors(skinned, scan).mean(axis=1).sum())
        predicted_sum += float(vertex_errors(predicted, scan).mean(axis=1).sum())
    sums = combine(torch.tensor([skinned_sum, predicted_sum], dtype=torch.float64))
    skinned_mean, predicted_mean = (sums / len(windows)).tolist()
    return skinned_mean, predicted_mean
