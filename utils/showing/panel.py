"""The viewer's panel: what moves through time, what says how meshes are shown, and the pictures between."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

from models.dials import Dials
from utils.showing.clip import LOWEST_SCALE, Clip, LivePredictions
from utils.showing.plots import CURVE_AXES, as_source, draw_color_bar, draw_curves
from utils.showing.stage import Look

BLEND_ENDS = ("skinned", "predicted", "target")
SPEEDS = {"¼×": 0.25, "½×": 0.5, "1×": 1.0, "2×": 2.0}
STEPS = {"−10": -10, "−1": -1, "+1": 1, "+10": 10}
MEANINGS = {
    "error": "distance to the scan (mm)",
    "correction": "distance to the skinned mesh (mm)",
    "expected error": "how far the prediction is expected to be off (mm)",
}
PANEL_WIDTH = 420  # pixels

# where a curve is clicked, its frame is put into the timeline's field, as by someone who types it
JUMP = """
const box = event.currentTarget.getBoundingClientRect();
const share = ((event.clientX - box.left) / box.width - {left}) / {width};
const field = document.getElementById('{timeline}').parentElement.querySelector('input:not([type=hidden])');
const frame = Math.round({first} + Math.min(1, Math.max(0, share)) * ({last} - {first}));
Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value').set.call(field, frame);
field.dispatchEvent(new Event('input', {{bubbles: true}}));
"""


def html_picture(svg: bytes, attributes: str = "") -> str:
    """Return a picture as wide as the panel, as HTML."""
    return f'<img src="{as_source("svg+xml", svg)}" style="width: 100%; display: block" {attributes}>'


def mark_in_curves(share: float) -> str:
    """Return a line, as HTML, that stands in the picture of curves above it, at a share of their width."""
    left = 100 * (CURVE_AXES[0] + CURVE_AXES[2] * share)
    return (
        '<div style="position: relative; height: 0; pointer-events: none"><div style="position: absolute; '
        f'bottom: 31px; left: {left:.3f}%; height: 96px; border-left: 1.5px solid crimson"></div></div>'
    )


def as_text(name: str) -> str:
    """Return a file's name, whose bytes need not be text, as text that can be sent."""
    return name.encode(errors="backslashreplace").decode()


def describe(number: int, clip: Clip) -> str:
    """Return a line that tells a sequence from others."""
    first, last = clip.sequence.frame_numbers[[0, -1]]
    return f"{number}: {as_text(clip.sequence.name)}, frames {first} to {last}"


class Panel:
    """Handles of all that can be set or read beside the stage. Whoever makes it connects them with what they do."""

    def __init__(self, gui: Any, clips: list[Clip], highest: dict[str, float], has_joints: bool):
        """Add everything to viser's panel `gui`, for clips alike in what they hold; `highest` (mm) ends the automatic scale of
        each colouring."""
        gui.configure_theme(show_logo=False, show_share_button=False)
        gui.set_panel_label("skin2scan")
        gui.main_panel.dock_right()
        gui.main_panel.set_width(PANEL_WIDTH)
        self.highest = highest
        self.add_timeline(gui, clips)
        self.add_looks(gui, list(clips[0].stored()), has_joints)
        self.add_dials(gui, isinstance(clips[0].predicted, LivePredictions))
        self.save_picture = gui.add_button("Save picture")

    def add_timeline(self, gui: Any, clips: list[Clip]) -> None:
        """Add what moves through time: a slider, curves that can be clicked, buttons."""
        self.clip_names = [describe(number, clip) for number, clip in enumerate(clips, 1)]
        self.clip = gui.add_dropdown("sequence", self.clip_names, visible=len(clips) > 1)
        first, last = (int(number) for number in clips[0].sequence.frame_numbers[[0, -1]])
        self.timeline = gui.add_slider("frame", first, last, 1, first)
        self.curves, self.mark = gui.add_html(""), gui.add_html("")
        self.play = gui.add_button("Play")
        self.step = gui.add_button_group("step", list(STEPS))
        self.speed = gui.add_dropdown("speed", list(SPEEDS), initial_value="1×")
        self.worst = gui.add_button_group("go to the worst", ["frame", "vertex"], visible=bool(clips[0].mean))
        self.vertex_curves = gui.add_html("")

    def add_looks(self, gui: Any, names: list[str], has_joints: bool) -> None:
        """Add what says how the meshes of these names are shown."""
        ends = [name for name in BLEND_ENDS if name in names]
        several = len(ends) > 1
        with gui.add_folder("Meshes"):
            self.shown = {name: gui.add_checkbox(name, True) for name in names}
            self.shown["blend"] = gui.add_checkbox("blend", False, visible=several)
            marks = tuple(enumerate(ends))
            self.blend = gui.add_slider(
                "blended", 0.0, max(len(ends) - 1.0, 1.0), 0.01, 0.0, marks=marks, visible=several
            )
            self.overlaid = gui.add_checkbox("overlaid", False, visible=several)
            self.flat = gui.add_checkbox("flat shading", False)
            self.wireframe = gui.add_checkbox("wireframe", False)
            self.joints = gui.add_checkbox("joints", False, visible=has_joints)
        with gui.add_folder("Heat map", visible=bool(self.highest)):
            self.coloring = gui.add_dropdown("colour", [*self.highest, "none"])
            self.automatic = gui.add_checkbox("automatic scale", True)
            self.scale = gui.add_number("up to (mm)", 1.0, min=0.001, step=0.1, disabled=True)
            self.color_bar, self.color_bar_shows = gui.add_html(""), ("none", 0.0)

    def add_dials(self, gui: Any, predicts: bool) -> None:
        """Add what says how much of the answer is wanted, where a model predicts while one looks."""
        with gui.add_folder("Dials", visible=predicts):
            marks = ((0.0, "0"), (1.0, "as trained"), (2.0, "2"))
            self.strength = gui.add_slider("strength", 0.0, 2.0, 0.05, 1.0, marks=marks)
            self.dynamics = gui.add_slider("dynamics", 0.0, 2.0, 0.05, 1.0, marks=marks)
            self.steady = gui.add_slider("steady (frames)", 0, 6, 1, 0)

    def dials(self, before: Dials) -> Dials:
        """Return what the dials say, and what they do not as before."""
        strength, dynamics = float(self.strength.value), float(self.dynamics.value)
        return before._replace(strength=strength, dynamics=dynamics, steady=int(self.steady.value))

    def looks(self) -> list[Any]:
        """Return the handles after whose change the same frame has to be drawn again."""
        looks = [self.blend, self.overlaid, self.flat, self.wireframe, self.joints]
        return [*looks, *self.shown.values(), self.coloring, self.automatic, self.scale]

    def look(self, vertex: int | None) -> Look:
        """Return how a frame is to be shown, with a mark on a vertex."""
        highest = self.highest.get(self.coloring.value, 1.0) if self.automatic.value else self.scale.value
        return Look(
            side_by_side=not self.overlaid.value,
            smooth=not self.flat.value,
            edges=self.wireframe.value,
            highest=max(highest, LOWEST_SCALE),
            vertex=vertex,
        )

    def blended(self, meshes: dict[str, Float32[ndarray, "V 3"]]) -> Float32[ndarray, "V 3"]:
        """Return the mesh that the slider asks for, between skinned, predicted and target."""
        ends = [meshes[name] for name in BLEND_ENDS if name in meshes]
        first = min(int(self.blend.value), max(len(ends) - 2, 0))
        share = np.float32(self.blend.value - first)
        return ends[first] + share * (ends[min(first + 1, len(ends) - 1)] - ends[first])

    def tell(self, clip: Clip, frame: int, playing: bool, highest: float) -> None:
        """Say which frame is shown, whether it plays, and up to what value (mm) the colours go."""
        self.timeline.value = int(clip.sequence.frame_numbers[frame])
        self.play.label = "Pause" if playing else "Play"
        self.scale.disabled = self.automatic.value
        if self.automatic.value:
            self.scale.value = float(f"{highest:.3g}")
        if self.color_bar_shows != (self.coloring.value, highest):
            self.color_bar_shows = self.coloring.value, highest
            meaning = MEANINGS.get(self.coloring.value)
            self.color_bar.content = html_picture(draw_color_bar(highest, meaning)) if meaning else ""
        if clip.mean:
            self.mark.content = mark_in_curves(frame / max(clip.length - 1, 1))

    def draw_curves(self, clip: Clip, vertex: int | None) -> None:
        """Draw what is measured of a clip by now: of whole meshes, and of a vertex."""
        if not clip.mean:
            return
        curves = {(name, "mean"): values for name, values in clip.mean.items()}
        curves |= {(name, "worst"): values for name, values in clip.worst.items()}
        self.curves.content = self.clickable(clip, curves)
        of_vertex = {} if vertex is None else clip.over_time(vertex)
        curves = {(name, f"vertex {vertex}"): values for name, values in of_vertex.items()}
        self.vertex_curves.content = self.clickable(clip, curves) if curves else ""

    def clickable(self, clip: Clip, curves: dict[tuple[str, str], Float[ndarray, " T"]]) -> str:
        """Return curves over a clip's frames as HTML; a click on them goes to the frame there."""
        numbers, (left, _, width, _) = clip.sequence.frame_numbers, CURVE_AXES
        jump = JUMP.format(
            left=left, width=width, first=numbers[0], last=numbers[-1], timeline=self.timeline._impl.uuid
        )
        svg = draw_curves(numbers, curves, f"{clip.measured} (mm)")
        return html_picture(svg, f'onclick="{jump}" role="button" title="click: go to this frame"')
