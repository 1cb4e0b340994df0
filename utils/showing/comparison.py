"""A picture of one frame: skinned, predicted and target side by side, and their errors as heat maps."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy import ndarray

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.metrics import VERTEX_ERROR, Errors, mean_of_known, vertex_errors
from utils.predicting.prediction import map_predictions
from utils.runs.processes import rank
from utils.showing.plots import ERROR_COLORS, INK, end_of_scale, error_colors, grey_in, save_figure
from utils.showing.rendering import Hits, cast_rays, frame_camera, paint


def frame_to_show(errors: Errors | None, windows: MeshWindows) -> int:
    """Return the frame that skinning gets most wrong; the middle one where there are no errors."""
    if errors is None:
        return len(windows) // 2
    return int(np.nanargmax(mean_of_known(errors.by_name[VERTEX_ERROR][0], errors.weights)))


def picture_prediction(
    model: MeshAutoencoder,
    windows: MeshWindows,
    errors: Errors | None,
    units_in_mm: float,
    device: torch.device,
    path: Path,
) -> None:
    """Draw the frame that skinning gets most wrong: skinned, predicted and target, and the first two coloured by error.

    Without errors of `export_predictions`, the middle frame: skinned, and predicted, coloured by the length of the correction.
    In both, the prediction is also coloured by the error to expect, where it is known.
    """
    if rank() > 0:
        return
    frame = frame_to_show(errors, windows)
    (seen,) = map_predictions(lambda seen: seen, model, windows, np.array([frame]), device)
    skinned, predicted, expected = seen.skinned, seen.predicted, units_in_mm * seen.expected_error
    expected_panel = {f"expected error\nmean {expected.mean():.2f} mm": (predicted, expected)} if len(expected) else {}
    name = windows.name(frame)
    faces, up_axis = model.surface.faces.cpu().numpy(), model.settings.up_axis
    if errors is None:
        correction = vertex_errors(skinned, predicted) * units_in_mm
        panels = {"skinned": (skinned, None), f"correction\nmean {correction.mean():.2f} mm": (predicted, correction)}
        label = "correction, expected error (mm)" if expected_panel else "correction (mm)"
        draw_comparison(panels | expected_panel, faces, up_axis, label, name, path)
        return
    skinned_mm, predicted_mm = (each[frame] for each in errors.by_name[VERTEX_ERROR])
    trust = None if errors.weights is None else errors.weights[frame]
    panels = {
        "skinned": (skinned, None),
        "predicted": (predicted, None),
        "target": (windows.scan(np.array([frame]))[0], None),
        f"skinned error\nmean {mean_of_known(skinned_mm, trust):.2f} mm": (skinned, skinned_mm),
        f"predicted error\nmean {mean_of_known(predicted_mm, trust):.2f} mm": (predicted, predicted_mm),
    }
    draw_comparison(
        panels | expected_panel,
        faces,
        up_axis,
        "distance to the scan (mm)",
        f"{name}, the frame furthest from its scan",
        path,
    )


def draw_comparison(
    panels: dict[str, tuple[Float[ndarray, "V 3"], Float[ndarray, " V"] | None]],
    faces: Int[ndarray, "F 3"],
    up_axis: str,
    color_label: str,
    title: str,
    path: Path,
) -> None:
    """Draw meshes (V, 3) in a row under one camera: grey where no values (V,) are given, else coloured by them in mm."""
    camera = frame_camera(np.stack([vertices for vertices, _ in panels.values()]), up_axis)
    shown = [values for _, values in panels.values() if values is not None]
    top = end_of_scale(shown)
    width, height = (max(2.0, 5.2 * pixels / max(camera.pixels)) for pixels in camera.pixels)
    figure = Figure(figsize=(width * len(panels) + 1.1, height + 0.8), dpi=100, layout="constrained", facecolor="white")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    hits: dict[int, Hits] = {}  # the same mesh is seen once, in whatever colours
    for axes, (name, (vertices, values)) in zip(all_axes, panels.items(), strict=True):
        if id(vertices) not in hits:
            hits[id(vertices)] = cast_rays(vertices, faces, camera)
        colors = None if values is None else error_colors(values, top)
        axes.imshow(paint(hits[id(vertices)], camera, colors), interpolation="antialiased")
        axes.set_title(name, fontsize=11, color=INK)
        axes.set_axis_off()
    scale = ScalarMappable(Normalize(0, top), ERROR_COLORS)
    bar = figure.colorbar(scale, ax=all_axes.tolist(), shrink=0.7, pad=0.01, aspect=30, extend="max")
    bar.set_label(color_label + grey_in(shown), color=INK)
    figure.suptitle(f"{title}\n", fontsize=12, color=INK)
    save_figure(figure, path)
