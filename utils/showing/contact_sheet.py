"""A contact sheet: many frames of an animation, each a small picture."""

import math
from pathlib import Path

import numpy as np
import torch
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import UNITS_IN_MM
from utils.predicting.prediction import map_predictions
from utils.showing.plots import ERROR_COLORS, INK, end_of_scale, error_colors, save_figure
from utils.showing.rendering import frame_camera, render_mesh

MOST_PICTURES, COLUMNS, LONGEST = 60, 10, 200


def draw_contact_sheet(
    path: Path, model: MeshAutoencoder, windows: MeshWindows, frames: list[int], known: bool, device: torch.device
) -> None:
    """Draw the skinned meshes of some frames, the first of them first, at most `MOST_PICTURES`; where something is `known` to
    the model, coloured by the error to expect."""
    shown = frames[:MOST_PICTURES]
    seen = list(map_predictions(lambda frame: frame, model, windows, np.array(shown), device))
    values = [UNITS_IN_MM[model.settings.units] * frame.expected_error for frame in seen]
    top = end_of_scale(values) if known else 0.0
    across = min(COLUMNS, len(shown))
    down = math.ceil(len(shown) / across)
    figure = Figure(figsize=(1.5 * across, 2.0 * down + 0.8), dpi=100, layout="constrained", facecolor="white")
    all_axes = figure.subplots(down, across, squeeze=False).ravel()
    faces = model.surface.faces.cpu().numpy()
    centred = [frame.skinned - 0.5 * (frame.skinned.min(axis=0) + frame.skinned.max(axis=0)) for frame in seen]
    camera = frame_camera(np.stack(centred), model.settings.up_axis, longest=LONGEST)
    for axes in all_axes:
        axes.set_axis_off()
    for number, (axes, vertices, each) in enumerate(zip(all_axes, centred, values, strict=False)):
        picture = render_mesh(vertices, faces, camera, error_colors(each, top) if known else None)
        axes.imshow(picture, interpolation="antialiased")
        axes.set_title(f"{number + 1}: {windows.name(shown[number])}", fontsize=6, color=INK)
    if known:
        scale = ScalarMappable(Normalize(0, top), ERROR_COLORS)
        bar = figure.colorbar(
            scale, ax=all_axes.tolist(), orientation="horizontal", shrink=0.5, pad=0.02, aspect=40, extend="max"
        )
        bar.set_label("expected error (mm)", color=INK)
    left_out = f", the first {len(shown)}" if len(frames) > len(shown) else ""
    figure.suptitle(f"{len(frames)} chosen, the one that helps most first{left_out}", fontsize=10, color=INK)
    save_figure(figure, path)
