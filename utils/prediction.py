"""Predicted meshes for whole sequences, a few frames at a time."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from data.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.metrics import vertex_errors

FRAMES_AT_ONCE = 4


def predict_windows(
    model: MeshAutoencoder, windows: MeshWindows, device: torch.device
) -> Iterator[tuple[Int[ndarray, " B"], Float[ndarray, "B V 3"], Float[ndarray, "B V 3"]]]:
    """Yield indices (B,) of frames, their skinned meshes and their predictions (B, V, 3), file units."""
    for start in range(0, len(windows), FRAMES_AT_ONCE):
        some = np.arange(start, min(start + FRAMES_AT_ONCE, len(windows)))
        window, joints = windows.skinned(some), windows.joints(some)
        with torch.no_grad():
            predicted = model.predict(
                torch.from_numpy(window).to(device), None if joints is None else torch.from_numpy(joints).to(device)
            )
        yield some, window[:, -1], predicted.cpu().numpy()


def mean_errors(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> tuple[float, float]:
    """Return the mean vertex errors of skinned meshes and of predictions against the scans, file units."""
    skinned_sum = predicted_sum = 0.0
    for some, skinned, predicted in predict_windows(model, windows, device):
        scan = windows.scan(some)
        skinned_sum += float(vertex_errors(skinned, scan).mean(axis=1).sum())
        predicted_sum += float(vertex_errors(predicted, scan).mean(axis=1).sum())
    return skinned_sum / len(windows), predicted_sum / len(windows)
