"""An interactive viewer in the browser: meshes on a stage, and a panel beside it with a timeline and errors over time."""

import time
from threading import Event
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from utils.showing.clip import Clip, highest_value, some_frames
from utils.showing.measuring import Measuring
from utils.showing.panel import SPEEDS, STEPS, Panel, as_text
from utils.showing.plots import as_png
from utils.showing.stage import Stage, name_with_mean

ASPECT = 1.2  # of the window beside the panel
DRAWN_AGAIN = 1.0  # seconds between pictures of curves that are still being measured
LONGEST_WAIT = 10.0  # seconds, for a page to draw a picture
TICK = 1 / 120  # seconds between looks at what has changed


def send_picture(client: Any, name: str) -> None:
    """Send someone what they see, as a file of some frame's name."""
    size = client.camera.image_height, client.camera.image_width
    try:
        picture = client.get_render(*size, transport_format="png", timeout=LONGEST_WAIT)
    except (TimeoutError, RuntimeError):  # a page that is hidden draws nothing, one that was closed never will
        return
    client.send_file_download(f"{as_text(name)}.png", as_png(picture), save_immediately=True)


class Viewer:
    """What everyone who has the page open sees.

    Callbacks only note what someone wants and that something changed; `run` alone draws.
    """

    def __init__(self, server: Any, clips: list[Clip], faces: Int[ndarray, "F 3"], up_axis: str, frame_rate: float):
        self.server, self.clips, self.clip, self.frame_rate = server, clips, clips[0], frame_rate
        self.frame, self.playing = 0, False
        self.vertex: int | None = None
        self.changed, self.measured, self.turned = Event(), Event(), Event()
        self.measuring = Measuring(clips, self.measured)
        skinned = np.concatenate([clip.centred(clip.sequence.skinned[some]) for clip, some in some_frames(clips)])
        _, some = next(some_frames(clips))
        joints = None if (found := self.clip.sequence.joints) is None else self.clip.centred(found[some])
        self.stage = Stage(server, [*self.clip.stored(), "blend"], skinned, joints, faces, up_axis, ASPECT)
        highest: dict[str, float] = {coloring: highest_value(clips, coloring) for coloring in self.clip.colorings()}
        self.panel = Panel(server.gui, clips, highest, has_joints=joints is not None)
        self.connect()
        self.changed.set()

    def connect(self) -> None:
        """Connect the panel and the stage with what they do."""
        panel = self.panel
        panel.clip.on_update(lambda _: self.choose_clip(self.clips[panel.clip_names.index(panel.clip.value)]))
        panel.timeline.on_update(self.jump)
        panel.play.on_click(lambda _: self.go_on(not self.playing, self.frame))
        panel.step.on_click(lambda _: self.go_on(False, self.frame + STEPS[panel.step.value]))
        panel.worst.on_click(lambda _: self.go_to_worst(panel.worst.value))
        panel.save_picture.on_click(
            lambda event: send_picture(event.client, self.clip.sequence.frame_names[self.frame])
        )
        for handle in panel.looks():
            handle.on_update(lambda _: self.changed.set())
        for handle in (panel.strength, panel.dynamics, panel.steady):
            handle.on_update(lambda _: self.turned.set())
        clicked = self.server.scene.on_click()
        clicked(lambda event: self.choose_vertex(self.stage.pick(event.ray_origin, event.ray_direction)))

    def go_on(self, playing: bool, frame: int) -> None:
        """Play or not, from a frame on."""
        self.playing, self.frame = playing, min(max(frame, 0), self.clip.length - 1)
        self.changed.set()

    async def jump(self, event: Any) -> None:
        """Go to the frame that someone chose on the timeline; at once, before another one is written there."""
        if event.client is not None:  # not what this program wrote there
            self.go_on(self.playing, int(np.abs(self.clip.sequence.frame_numbers - self.panel.timeline.value).argmin()))

    def choose_clip(self, clip: Clip) -> None:
        """Look at another sequence, from its first frame."""
        self.clip, self.vertex = clip, None
        first, last = (int(number) for number in clip.sequence.frame_numbers[[0, -1]])
        self.panel.timeline.min, self.panel.timeline.max = first, last
        self.go_on(False, 0)
        self.measured.set()

    def go_to_worst(self, what: str) -> None:
        """Go to the frame with the highest mean, or to the vertex with the highest value of all, of those measured so far."""
        found = self.clip.worst_frame(what)
        if found is not None:
            if what == "vertex":
                self.choose_vertex(self.clip.worst_vertex_of(found))
            self.go_on(False, found)

    def choose_vertex(self, vertex: int | None) -> None:
        """Mark a vertex, none where a click was beside the meshes, and draw its curve."""
        self.vertex = vertex
        self.measured.set()
        self.changed.set()

    def run(self) -> None:
        """Draw whenever something changes, and measure all frames meanwhile, until interrupted.

        Raises what goes wrong in measuring: predictions that cannot be kept, say.
        """
        self.measuring.start()
        exact, drawn, last = 0.0, 0.0, time.perf_counter()
        while True:
            now = time.perf_counter()
            if self.measuring.failure is not None:
                raise self.measuring.failure
            if self.playing:
                exact = exact if int(exact) == self.frame else float(self.frame)
                exact = (exact + (now - last) * self.frame_rate * SPEEDS[self.panel.speed.value]) % self.clip.length
                if int(exact) != self.frame:
                    self.go_on(True, int(exact))
            last = now
            if self.turned.is_set():
                self.turned.clear()
                self.measuring.turn(self.panel.dials)
                self.changed.set()
            if self.changed.is_set():
                self.changed.clear()
                self.draw()
            if self.measured.is_set() and now - drawn > DRAWN_AGAIN:
                self.measured.clear()
                self.panel.draw_curves(self.clip, self.vertex)
                drawn = now
            time.sleep(max(0.0, TICK - (time.perf_counter() - now)))

    def draw(self) -> None:
        """Show the frame as the panel says."""
        clip, panel = self.clip, self.panel
        frame = min(self.frame, clip.length - 1)  # another clip may just have been chosen
        meshes = clip.meshes(frame)
        values = clip.values(panel.coloring.value, frame) if panel.coloring.value in panel.highest else {}
        meshes["blend"] = panel.blended(meshes)
        shown = {name: vertices for name, vertices in meshes.items() if panel.shown[name].value}
        trust = clip.sequence.weights_of(frame) if panel.coloring.value == "error" else None
        labels = {name: name_with_mean(name, values, trust) for name in shown}
        look = panel.look(self.vertex)
        with self.server.atomic():
            self.stage.show(shown, values, labels, clip.joints(frame) if panel.joints.value else None, look)
            panel.tell(clip, frame, self.playing, look.highest)
