"""Predicted meshes as OBJ files, with the skinned mesh's own faces, texture coordinates and everything else, and a picture."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from tqdm import tqdm

from data.input_error import InputError
from data.mesh_windows import MeshWindows
from data.obj import position_template, write_positions
from models.mesh_autoencoder import MeshAutoencoder
from utils.metrics import vertex_errors
from utils.plots import draw_comparison
from utils.prediction import predict_windows


def export_paths(windows: MeshWindows, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the source file and the output file of every frame; raise `InputError` where two frames would share one."""
    taken: dict[str, Path] = {}
    for sequence, frame in windows.entries:
        source = windows.sequences[sequence].files[frame]
        if source.name in taken:
            raise InputError(
                f"{source}: same file name as {taken[source.name]}, expected names that differ in one export"
            )
        taken[source.name] = source
        yield source, folder / source.name


def export_predictions(
    model: MeshAutoencoder, windows: MeshWindows, folder: Path, device: torch.device, measured: bool
) -> tuple[Float[ndarray, "T V"], Float[ndarray, "T V"]]:
    """Write the prediction of every frame into `folder`; return vertex errors of skinned meshes and predictions.

    Errors are (T, V), file units, against the scans; where they are not `measured`, (0, V).
    """
    paths = list(export_paths(windows, folder))
    num_vertices = len(model.surface.vertices)
    before = np.empty((len(windows) if measured else 0, num_vertices), np.float32)
    after = np.empty_like(before)
    with tqdm(total=len(windows), desc="predicting", unit="frame") as bar:
        for some, skinned, predicted in predict_windows(model, windows, device):
            if measured:
                scan = windows.scan(some)
                before[some], after[some] = vertex_errors(skinned, scan), vertex_errors(predicted, scan)
            for frame, vertices in zip(some, predicted, strict=True):
                source, path = paths[frame]
                write_positions(path, vertices, position_template(source))
            bar.update(len(some))
    return before, after


def picture_prediction(
    model: MeshAutoencoder,
    windows: MeshWindows,
    errors: tuple[Float[ndarray, "T V"], Float[ndarray, "T V"]],
    units_in_mm: float,
    device: torch.device,
    path: Path,
) -> None:
    """Draw the frame that skinning gets most wrong: skinned, predicted and target, coloured by error.

    Without errors of `export_predictions`, the middle frame, its prediction coloured by the length of the correction.
    """
    before, after = errors
    frame = int(before.mean(axis=1).argmax()) if len(before) else len(windows) // 2
    window = windows.skinned(np.array([frame]))
    with torch.no_grad():
        predicted = model.predict(torch.from_numpy(window).to(device))[0].cpu().numpy()
    skinned = window[0, -1]
    sequence, index = windows.entries[frame]
    name = windows.sequences[sequence].files[index].name
    faces, up_axis = model.surface.faces.cpu().numpy(), model.settings.up_axis
    if not len(before):
        panels = {"skinned": (skinned, None), "predicted": (predicted, vertex_errors(skinned, predicted) * units_in_mm)}
        draw_comparison(panels, faces, up_axis, "correction (mm)", name, path)
        return
    skinned_mm, predicted_mm = before[frame] * units_in_mm, after[frame] * units_in_mm
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
