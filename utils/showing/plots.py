"""Curves, histograms and colour bars, and the colours that all pictures of errors share."""

import base64
import io
from itertools import cycle
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy import ndarray
from PIL import Image

from data.input_error import InputError
from data.safe_write import write_beside
from data.sequences.frame_names import starts_of_sequences

ERROR_COLORS = colormaps["YlOrRd"]  # light to dark: reads the same without colour vision
UNKNOWN = (0.5, 0.52, 0.56)  # grey: the scan does not show it
INK, MIDDLE, FAINT = "#333333", "#777777", "#bbbbbb"  # the middle one is legible on white and on black
RUN_COLORS = ("#4477aa", "#ee6677", "#228833", "#aa3377", "#ccbb44", "#66ccee")  # Tol's bright: told apart by everybody

CURVE_AXES = (0.13, 0.2, 0.84, 0.62)  # left, bottom, width, height: where in their picture curves over time are
PICTURES = (".png", ".pdf", ".svg", ".jpg")
FEW = 30  # points, each of which gets a dot
MESH_COLORS = {"skinned": "#777777", "predicted": "#4477aa", "target": "#228833", "expected error": "#aa3377"}

Curves = dict[str, list[list[float]]]
History = list[dict[str, float]]


def check_picture_name(path: Path) -> None:
    """Raise `InputError` for the name of a file that no picture can be written to."""
    if path.suffix.lower() not in PICTURES or path.is_dir():
        raise InputError(f"{path}: expected the name of a file that ends in {', '.join(PICTURES)}")


def error_colors(values: Float[ndarray, " V"], highest: float) -> Float[ndarray, "V 3"]:
    """Return colours (V, 3), 0 to 1, of values from zero to `highest`, the end of the colour bar; of no numbers, grey."""
    colors: Float[ndarray, "V 3"] = ERROR_COLORS(np.clip(values / highest, 0, 1))[:, :3]
    colors[np.isnan(values)] = UNKNOWN
    return colors


def grey_in(values: list[Float[ndarray, "..."]]) -> str:
    """Return what to say of a colour scale beside its unit: what grey means, where some of the values are no numbers."""
    return "; grey: not observed" if any(np.isnan(each).any() for each in values) else ""


def end_of_scale(values: list[Float[ndarray, "..."]]) -> float:
    """Return the end of a colour scale for values, in their units: a few far-off vertices must not wash out the rest."""
    every = np.concatenate(values)
    every = every[np.isfinite(every)]
    return max(float(np.percentile(every, 99.5)), 1e-6) if len(every) else 1e-6


def as_source(kind: str, content: bytes) -> str:
    """Return a picture as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def as_png(picture: UInt8[ndarray, "height width channels"]) -> bytes:
    """Return a picture as a PNG file in memory."""
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "png", optimize=True)
    return content.getvalue()


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's ending, one of `PICTURES`, whole or not at all."""
    FigureCanvasAgg(figure)
    with write_beside(path) as partial:
        figure.savefig(partial, format=path.suffix[1:].lower())


def as_svg(figure: Figure) -> bytes:
    """Return a figure as SVG, its text as text."""
    FigureCanvasAgg(figure)
    content = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "skin2scan"}):
        figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    return content.getvalue()


def label_axes(axes: Axes, across: str, up: str) -> None:
    """Label axes in a colour that is legible on white and on black."""
    axes.set_xlabel(across, color=MIDDLE, labelpad=1)
    axes.set_ylabel(up, color=MIDDLE)
    axes.tick_params(colors=MIDDLE, which="both", labelsize=8)
    axes.spines[:].set_color(MIDDLE)
    axes.grid(True, color=MIDDLE, alpha=0.3, linewidth=0.4)


def draw_curves(
    frame_numbers: Int[ndarray, " T"], curves: dict[tuple[str, str], Float[ndarray, " T"]], unit: str
) -> bytes:
    """Return curves over time as SVG, on a log scale; NaN where there is no value yet. Their names are pairs: a mesh, and what
    is drawn of it."""
    figure = Figure(figsize=(5.2, 2.0), dpi=72)
    axes = figure.add_axes(CURVE_AXES)
    order = frame_numbers.argsort()
    gaps = starts_of_sequences(frame_numbers[order])[1:]
    numbers = np.insert(frame_numbers[order].astype(float), gaps, np.nan)  # where no line is drawn
    gappy = any(np.isnan(values).any() for values in curves.values())
    marker = "." if len(numbers) < FEW or gappy else None
    for (mesh, what), values in curves.items():
        line, color = ":" if what == "worst" else "-", MESH_COLORS[mesh]
        drawn = np.insert(values[order].astype(float), gaps, np.nan)
        axes.plot(numbers, drawn, line, color=color, linewidth=1.3, marker=marker, ms=4, label=f"{mesh}, {what}")
    measured = np.concatenate([values[np.isfinite(values) & (values > 0)] for values in curves.values()])
    if len(measured):
        axes.set_yscale("log")
        axes.set_ylim(0.8 * measured.min(), 1.25 * measured.max())
        narrow = measured.max() < 10 * measured.min()
        axes.yaxis.set_major_locator(
            LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0) if narrow else (1.0, 2.0, 5.0))
        )
        axes.yaxis.set_major_formatter(FormatStrFormatter("%.3g"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(frame_numbers.min(), max(frame_numbers.max(), frame_numbers.min() + 1))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    label_axes(axes, "frame", unit)
    figure.legend(
        loc="upper center", ncols=4, frameon=False, fontsize=7.5, labelcolor=MIDDLE, handlelength=1.4, columnspacing=1.2
    )
    return as_svg(figure)


def draw_histogram(values: dict[str, Float[ndarray, "T V"]], unit: str) -> bytes:
    """Return a histogram as SVG: how many of all frames' values are how large, on a log scale, by mesh. The legend says how
    many are too small for it."""
    figure = Figure(figsize=(5.2, 2.0), dpi=72)
    axes = figure.add_axes(CURVE_AXES)
    values = {mesh: each[np.isfinite(each)] for mesh, each in values.items()}
    largest = max(float(each.max()) for each in values.values())
    edges = np.geomspace(1e-3 * max(largest, 1e-9), max(largest, 1e-9), 80)
    for mesh, each in values.items():
        counts = np.histogram(each, edges)[0]
        below = f"{mesh} ({100 * (each < edges[0]).mean():.0f} % below {edges[0]:.1g} mm)"
        axes.stairs(100 * counts / each.size, edges, color=MESH_COLORS[mesh], fill=True, alpha=0.25)
        axes.stairs(100 * counts / each.size, edges, color=MESH_COLORS[mesh], linewidth=1.3, label=below)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FormatStrFormatter("%.3g"))
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    label_axes(axes, unit, "vertices (%)")
    figure.legend(loc="upper center", ncols=4, frameon=False, fontsize=7.5, labelcolor=MIDDLE, handlelength=1.4)
    return as_svg(figure)


def draw_color_bar(highest: float, label: str) -> bytes:
    """Return a colour bar from nothing to `highest` as SVG."""
    figure = Figure(figsize=(5.2, 0.62), dpi=72)
    scale = ScalarMappable(Normalize(0, highest), ERROR_COLORS)
    bar = figure.colorbar(scale, cax=figure.add_axes((0.05, 0.68, 0.9, 0.28)), orientation="horizontal", extend="max")
    bar.set_label(label, color=MIDDLE, fontsize=9, labelpad=1)
    bar.ax.tick_params(colors=MIDDLE, labelsize=8)
    return as_svg(figure)


def plot_loss_curves(runs: dict[str, tuple[Curves, History]], path: Path) -> None:
    """Draw training losses, [epochs, mm] a point, and the held-out error after each epoch, on a log scale, for runs by name.

    The dashed line is the held-out error of the skinned mesh: the line to beat.
    """
    figure = Figure(figsize=(7, 4.5), dpi=120, layout="constrained")
    axes = figure.subplots()
    beaten: set[float] = set()
    for number, (name, (curves, history)) in enumerate(runs.items()):
        # one run: a colour for each curve; several: a colour for each run
        colors = ("#4477aa", "#228833", "#cc6677") if len(runs) == 1 else 3 * (RUN_COLORS[number % len(RUN_COLORS)],)
        prefix = "" if len(runs) == 1 else f"{name}: "
        for (loss, curve), color, style in zip(
            curves.items(), cycle(colors[:2]), cycle(("-", ":", "--")), strict=False
        ):
            axes.plot(*zip(*curve, strict=True), style, color=color, linewidth=1.5, label=f"{prefix}training, {loss}")
        measured = [row for row in history if "losses/held_out_mm" in row]
        if measured:
            epochs, held_out, skinned = zip(
                *((row["epoch"], row["losses/held_out_mm"], row["losses/held_out_skinned_mm"]) for row in measured),
                strict=True,
            )
            label = f"{prefix}held out: {held_out[-1]:.3g} mm"
            axes.plot(epochs, held_out, color=colors[2], marker="o", markersize=5, linewidth=1, label=label)
            if skinned[-1] not in beaten:
                label = f"held out, skinned: {skinned[-1]:.3g} mm"
                axes.axhline(skinned[-1], color=INK, linestyle="--", linewidth=1, label=label)
                beaten.add(skinned[-1])
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)))
    axes.yaxis.set_major_formatter(FormatStrFormatter("%.3g"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlim(0, max(history[-1]["epoch"] for _, history in runs.values()) * 1.02)
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean over vertices (mm)")
    axes.grid(True, which="both", color=FAINT, linewidth=0.4)
    lines = len(axes.get_legend_handles_labels()[1])
    if len(runs) > 1:
        figure.set_figheight(4 + 0.2 * lines)
    figure.legend(loc="outside upper center", ncols=2 if len(runs) == 1 else 1, frameon=False)
    save_figure(figure, path)
