"""Predictions of all frames, passed on to be written, and how far they are from the scans."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from tqdm import tqdm

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.metrics import ERRORS, MeshErrors
from utils.predicting.prediction import map_predictions
from utils.runs.processes import combine, own_share, rank

Errors = dict[str, tuple[Float[ndarray, "T V"], Float[ndarray, "T V"]]]
Write = Callable[[int, Float[ndarray, "V 3"]], None]


def export_predictions(
    model: MeshAutoencoder, windows: MeshWindows, write: Write, device: torch.device, units_in_mm: float, measured: bool
) -> Errors:
    """Pass the prediction of every frame to `write`, with its index in `windows`, while the next ones are computed.

    Return errors by name, of the skinned meshes and of the predictions against the scans, (T, V) each, in mm or degrees;
    no errors where they are not `measured`.
    """
    errors_of = MeshErrors(model.surface, units_in_mm)
    shape = (len(windows), len(model.surface.vertices))
    errors = {name: (np.zeros(shape, np.float32), np.zeros(shape, np.float32)) for name in ERRORS} if measured else {}

    def finish(frame: int, skinned: Float[ndarray, "V 3"], predicted: Float[ndarray, "V 3"]) -> None:
        write(frame, predicted)
        if measured:
            scan = windows.scan(np.array([frame]))
            before, after = errors_of(skinned[None], scan), errors_of(predicted[None], scan)
            for name, (skinned_errors, predicted_errors) in errors.items():
                skinned_errors[frame], predicted_errors[frame] = before[name][0], after[name][0]

    own = own_share(np.arange(len(windows)))
    with tqdm(total=len(own), desc="predicting", unit="frame", disable=rank() > 0) as bar:
        for _ in map_predictions(finish, model, windows, own, device):
            bar.update()
    for arrays in errors.values():
        for array in arrays:
            combine(torch.from_numpy(array))
    return errors
