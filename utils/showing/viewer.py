"""An interactive viewer in the browser: a timeline, errors over time, and a panel that says what the stage shows."""

import time
from threading import Event, Thread
from typing import Any

import numpy as np
from jaxtyping import Float32, Int
from numpy import ndarray

from utils.showing.clip import LOWEST_SCALE, Clip, LivePredictions, highest_value, some_frames
from utils.showing.plots import CURVE_AXES, as_png, as_source, draw_color_bar, draw_curves
from utils.showing.stage import Look, Stage, name_with_mean

BLEND_ENDS = ("skinned", "predicted", "target")
SPEEDS = {"¼×": 0.25, "½×": 0.5, "1×": 1.0, "2×": 2.0}
STEPS = {"−10": -10, "−1": -1, "+1": 1, "+10": 10}
MEANINGS = {"error": "distance to the scan (mm)", "correction": "distance to the skinned mesh (mm)"}
PANEL_WIDTH = 420  # pixels
ASPECT = 1.2  # of the window beside the panel
DRAWN_AGAIN = 1.0  # seconds between pictures of curves that are still being measured
LONGEST_WAIT = 10.0  # seconds, for a page to draw a picture
TICK = 1 / 120  # seconds between looks at what has changed
PREDICTED_AT_ONCE = 8

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


class Viewer:
    """What everyone who has the page open sees.

    Callbacks only note what someone wants and that something changed; `run` alone draws.
    """

    def __init__(self, server: Any, clips: list[Clip], faces: Int[ndarray, "F 3"], up_axis: str, frame_rate: float):
        self.server, self.clips, self.clip, self.frame_rate = server, clips, clips[0], frame_rate
        self.frame, self.playing = 0, False
        self.vertex: int | None = None
        self.changed, self.measured = Event(), Event()
        self.failure: Exception | None = None
        self.names = list(self.clip.stored())
        self.highest = {coloring: highest_value(clips, coloring) for coloring in self.clip.colorings()}
        skinned = np.concatenate([clip.centred(clip.sequence.skinned[some]) for clip, some in some_frames(clips)])
        _, some = next(some_frames(clips))
        joints = None if (found := self.clip.sequence.joints) is None else self.clip.centred(found[some])
        self.stage = Stage(server, [*self.names, "blend"], skinned, joints, faces, up_axis, ASPECT)
        server.gui.configure_theme(show_logo=False, show_share_button=False)
        server.gui.set_panel_label("skin2scan")
        server.gui.main_panel.dock_right()
        server.gui.main_panel.set_width(PANEL_WIDTH)
        self.add_timeline(server.gui)
        self.add_looks(server.gui)
        server.scene.on_click()(self.pick)
        self.changed.set()

    # panel

    def add_timeline(self, gui: Any) -> None:
        """Add what moves through time: a slider, curves that can be clicked, buttons."""
        if len(self.clips) > 1:
            names = [describe(number, clip) for number, clip in enumerate(self.clips, 1)]
            chosen = gui.add_dropdown("sequence", names)
            chosen.on_update(lambda _: self.choose_clip(self.clips[names.index(chosen.value)]))
        first, last = (int(number) for number in self.clip.sequence.frame_numbers[[0, -1]])
        self.timeline = gui.add_slider("frame", first, last, 1, first)
        self.timeline.on_update(self.jump)
        self.curves, self.mark = gui.add_html(""), gui.add_html("")
        self.play = gui.add_button("Play")
        self.play.on_click(lambda _: self.go_on(not self.playing, self.frame))
        steps = gui.add_button_group("step", list(STEPS))
        steps.on_click(lambda _: self.go_on(False, self.frame + STEPS[steps.value]))
        self.speed = gui.add_dropdown("speed", list(SPEEDS), initial_value="1×")
        worst = gui.add_button_group("go to the worst", ["frame", "vertex"], visible=bool(self.clip.mean))
        worst.on_click(lambda _: self.go_to_worst(worst.value))
        self.vertex_curves = gui.add_html("")

    def add_looks(self, gui: Any) -> None:
        """Add what says how meshes are shown."""
        ends = [name for name in BLEND_ENDS if name in self.names]
        several = len(ends) > 1
        with gui.add_folder("Meshes"):
            self.shown = {name: gui.add_checkbox(name, True) for name in self.names}
            self.shown["blend"] = gui.add_checkbox("blend", False, visible=several)
            marks = tuple(enumerate(ends))
            self.blend = gui.add_slider(
                "blended", 0.0, max(len(ends) - 1.0, 1.0), 0.01, 0.0, marks=marks, visible=several
            )
            self.overlaid = gui.add_checkbox("overlaid", False, visible=several)
            self.flat = gui.add_checkbox("flat shading", False)
            self.wireframe = gui.add_checkbox("wireframe", False)
            self.joints = gui.add_checkbox("joints", False, visible=self.stage.bones is not None)
        with gui.add_folder("Heat map", visible=bool(self.highest)):
            self.coloring = gui.add_dropdown("colour", [*self.highest, "none"])
            self.automatic = gui.add_checkbox("automatic scale", True)
            self.scale = gui.add_number("up to (mm)", 1.0, min=0.001, step=0.1, disabled=True)
            self.color_bar, self.color_bar_shows = gui.add_html(""), ("none", 0.0)
        picture = gui.add_button("Save picture")
        picture.on_click(lambda event: self.save_picture(event.client))
        looks = [self.blend, self.overlaid, self.flat, self.wireframe, self.joints]
        for handle in [*looks, *self.shown.values(), self.coloring, self.automatic, self.scale]:
            handle.on_update(lambda _: self.changed.set())

    def go_on(self, playing: bool, frame: int) -> None:
        """Play or not, from a frame on."""
        self.playing, self.frame = playing, min(max(frame, 0), self.clip.length - 1)
        self.changed.set()

    async def jump(self, event: Any) -> None:
        """Go to the frame that someone chose on the timeline; at once, before another one is written there."""
        if event.client is not None:  # not what this program wrote there
            self.go_on(self.playing, int(self.timeline.value - self.clip.sequence.frame_numbers[0]))

    def choose_clip(self, clip: Clip) -> None:
        """Look at another sequence, from its first frame."""
        self.clip, self.vertex = clip, None
        first, last = (int(number) for number in clip.sequence.frame_numbers[[0, -1]])
        self.timeline.min, self.timeline.max = first, last
        self.go_on(False, 0)
        self.measured.set()

    def go_to_worst(self, what: str) -> None:
        """Go to the frame with the highest mean, or to the vertex with the highest value of all, of those measured so far."""
        name = list(self.clip.mean)[-1]
        measured = (self.clip.mean if what == "frame" else self.clip.worst)[name]
        if np.isfinite(measured).any():
            frame = int(np.nanargmax(measured))
            if what == "vertex":
                self.choose_vertex(int(self.clip.worst_vertex[name][frame]))
            self.go_on(False, frame)

    def choose_vertex(self, vertex: int | None) -> None:
        """Mark a vertex, and draw its curve."""
        self.vertex = vertex
        self.measured.set()
        self.changed.set()

    def pick(self, event: Any) -> None:
        """Choose the vertex that someone clicked; none beside the meshes."""
        self.choose_vertex(self.stage.pick(event.ray_origin, event.ray_direction))

    def save_picture(self, client: Any) -> None:
        """Send someone what they see, as a file."""
        size = client.camera.image_height, client.camera.image_width
        try:
            picture = client.get_render(*size, transport_format="png", timeout=LONGEST_WAIT)
        except (TimeoutError, RuntimeError):  # a page that is hidden draws nothing, one that was closed never will
            return
        name = f"{as_text(self.clip.sequence.frame_names[self.frame])}.png"
        client.send_file_download(name, as_png(picture), save_immediately=True)

    # pictures

    def run(self) -> None:
        """Draw whenever something changes, and measure all frames meanwhile, until interrupted.

        Raises what goes wrong in measuring: predictions that cannot be kept, say.
        """
        Thread(target=self.measure, daemon=True).start()
        exact, drawn, last = 0.0, 0.0, time.perf_counter()
        while True:
            now = time.perf_counter()
            if self.failure is not None:
                raise self.failure
            if self.playing:
                exact = exact if int(exact) == self.frame else float(self.frame)
                exact = (exact + (now - last) * self.frame_rate * SPEEDS[self.speed.value]) % self.clip.length
                if int(exact) != self.frame:
                    self.go_on(True, int(exact))
            last = now
            if self.changed.is_set():
                self.changed.clear()
                self.draw()
            if self.measured.is_set() and now - drawn > DRAWN_AGAIN:
                self.measured.clear()
                self.draw_curves()
                drawn = now
            time.sleep(max(0.0, TICK - (time.perf_counter() - now)))

    def measure(self) -> None:
        """Measure all frames of all clips; keep the error, if there is one, for `run`."""
        try:
            for clip in self.clips:
                for frame in range(clip.length):
                    if isinstance(clip.predicted, LivePredictions) and frame % PREDICTED_AT_ONCE == 0:
                        clip.predicted.predict(np.arange(frame, min(frame + PREDICTED_AT_ONCE, clip.length)))
                    clip.measure(frame)
                    self.measured.set()
        except Exception as error:
            self.failure = error

    def draw(self) -> None:
        """Show the frame as the panel says."""
        clip, coloring = self.clip, self.coloring.value
        frame = min(self.frame, clip.length - 1)  # another clip may just have been chosen
        meshes = clip.meshes(frame)
        values = clip.values(coloring, frame) if coloring in self.highest else {}
        meshes["blend"] = self.blended(meshes)
        shown = {name: vertices for name, vertices in meshes.items() if self.shown[name].value}
        highest = self.highest.get(coloring, 1.0) if self.automatic.value else max(self.scale.value, LOWEST_SCALE)
        labels = {name: name_with_mean(name, values) for name in shown}
        look = Look(
            side_by_side=not self.overlaid.value,
            smooth=not self.flat.value,
            edges=self.wireframe.value,
            highest=highest,
            vertex=self.vertex,
        )
        with self.server.atomic():
            self.stage.show(shown, values, labels, clip.joints(frame) if self.joints.value else None, look)
            self.timeline.value = int(clip.sequence.frame_numbers[frame])
            self.play.label = "Pause" if self.playing else "Play"
            self.scale.disabled = self.automatic.value
            if self.automatic.value:
                self.scale.value = float(f"{highest:.3g}")
            if self.color_bar_shows != (coloring, highest):
                self.color_bar_shows = coloring, highest
                meaning = MEANINGS.get(coloring)
                self.color_bar.content = html_picture(draw_color_bar(highest, meaning)) if meaning else ""
            if clip.mean:
                self.mark.content = mark_in_curves(frame / max(clip.length - 1, 1))

    def blended(self, meshes: dict[str, Float32[ndarray, "V 3"]]) -> Float32[ndarray, "V 3"]:
        """Return the mesh that the slider asks for, between skinned, predicted and target."""
        ends = [meshes[name] for name in BLEND_ENDS if name in meshes]
        first = min(int(self.blend.value), max(len(ends) - 2, 0))
        share = np.float32(self.blend.value - first)
        return ends[first] + share * (ends[min(first + 1, len(ends) - 1)] - ends[first])

    def draw_curves(self) -> None:
        """Draw what is measured by now, of whole meshes and of the vertex that was clicked."""
        clip, vertex = self.clip, self.vertex
        if not clip.mean:
            return
        numbers, unit = clip.sequence.frame_numbers, f"{clip.measured} (mm)"
        jump = JUMP.format(
            left=CURVE_AXES[0],
            width=CURVE_AXES[2],
            first=numbers[0],
            last=numbers[-1],
            timeline=self.timeline._impl.uuid,
        )
        clickable = f'onclick="{jump}" role="button" title="click: go to this frame"'
        curves = {(name, "mean"): values for name, values in clip.mean.items()}
        curves |= {(name, "worst"): values for name, values in clip.worst.items()}
        self.curves.content = html_picture(draw_curves(numbers, curves, unit), clickable)
        of_vertex = {} if vertex is None else clip.over_time(vertex)
        curves = {(name, f"vertex {vertex}"): values for name, values in of_vertex.items()}
        self.vertex_curves.content = html_picture(draw_curves(numbers, curves, unit), clickable) if curves else ""
