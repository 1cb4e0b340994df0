"""Predictions of all frames, how far they are from the scans, and a picture of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from tqdm import tqdm

from data.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.metrics import ERRORS, VERTEX_ERROR, MeshErrors, vertex_errors
from utils.plots import draw_comparison
from utils.prediction import map_predictions
from utils.processes import combine, own_share, rank

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


def frame_to_show(errors: Errors, windows: MeshWindows) -> int:
    """Return the frame that skinning gets most wrong; the middle one where there are no errors."""
    return int(errors[VERTEX_ERROR][0].mean(axis=1).argmax()) if errors else len(windows) // 2


def picture_prediction(
    model: MeshAutoencoder, windows: MeshWindows, errors: Errors, units_in_mm: float, device: torch.device, path: Path
) -> None:
    """Draw the frame that skinning gets most wrong: skinned, predicted and target, coloured by error.

    Without errors of `export_predictions`, the middle frame, its prediction coloured by the length of the correction.
    """
    if rank() > 0:
        return
    frame = frame_to_show(errors, windows)
    ((skinned, predicted),) = map_predictions(lambda _, *meshes: meshes, model, windows, np.array([frame]), device)
    name = windows.name(frame)
    faces, up_axis = model.surface.faces.cpu().numpy(), model.settings.up_axis
    if not errors:
        panels = {"skinned": (skinned, None), "predicted": (predicted, vertex_errors(skinned, predicted) * units_in_mm)}
        draw_comparison(panels, faces, up_axis, "correction (mm)", name, path)
        return
    skinned_mm, predicted_mm = (each[frame] for each in errors[VERTEX_ERROR])
    panels = {
        "skinned": (skinned, None),
        "predicted": (predicted, None),
        "target": (windows.scan(np.array([frame]))[0], None),
        f"skinned error\nmean {skinned_mm.mean():.2f} mm": (skinned, skinned_mm),
        f"predicted error\nmean {predicted_mm.mean():.2f} mm": (predicted, predicted_mm),
    }
    draw_comparison(
        panels, faces, up_axis, "distance to the scan (mm)", f"{name}, the frame furthest from its scan", path
    )
