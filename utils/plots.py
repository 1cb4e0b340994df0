"""Pictures for people: the loss curve, and meshes side by side with their errors."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from numpy import ndarray

from data.safe_write import write_beside
from utils.rendering import frame_camera, render_mesh

ERROR_COLORS = colormaps["YlOrRd"]  # light to dark: reads the same without colour vision
INK, FAINT = "#333333", "#bbbbbb"


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all."""
    FigureCanvasAgg(figure)
    with write_beside(path) as partial:
        figure.savefig(partial, format="png")


def plot_loss_curve(history: list[dict[str, float]], path: Path) -> None:
    """Draw training and held-out error over the epochs, mm, log scale, and the skinned error as the line to beat."""
    figure = Figure(figsize=(7, 4.2), dpi=120, layout="constrained")
    axes = figure.subplots()
    epochs = [row["epoch"] for row in history]
    curves = [
        ("losses/training_mm", "training (mean over the epoch)", "#4477aa", "o"),
        ("losses/held_out_mm", "held out (after the epoch)", "#cc6677", "s"),
    ]
    for name, label, color, marker in curves:
        if name in history[-1]:
            axes.plot(epochs, [row[name] for row in history], color=color, marker=marker, markersize=4, label=label)
    if "losses/held_out_skinned_mm" in history[-1]:
        skinned = history[-1]["losses/held_out_skinned_mm"]
        axes.axhline(
            skinned, color=INK, linestyle="--", linewidth=1, label=f"held out, skinned mesh as it is ({skinned:.2f} mm)"
        )
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(min(epochs) - 0.5, max(epochs) + 0.5)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean vertex error (mm)")
    axes.grid(True, which="both", color=FAINT, linewidth=0.4)
    axes.legend(frameon=False)
    save_figure(figure, path)


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
    # a few far-off vertices must not wash out the rest
    top = max(float(np.percentile(np.concatenate(shown), 99.5)), 1e-6)
    width = 5.2 * camera.pixels[0] / camera.pixels[1]
    figure = Figure(figsize=(width * len(panels) + 1.1, 6.0), dpi=100, layout="constrained", facecolor="white")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (name, (vertices, values)) in zip(all_axes, panels.items(), strict=True):
        colors = None if values is None else ERROR_COLORS(np.clip(values / top, 0, 1))[:, :3]
        axes.imshow(render_mesh(vertices, faces, camera, colors), interpolation="antialiased")
        axes.set_title(name, fontsize=11, color=INK)
        axes.set_axis_off()
    scale = ScalarMappable(Normalize(0, top), ERROR_COLORS)
    bar = figure.colorbar(scale, ax=all_axes.tolist(), shrink=0.7, pad=0.01, aspect=30, extend="max")
    bar.set_label(color_label, color=INK)
    figure.suptitle(title, fontsize=12, color=INK)
    save_figure(figure, path)
