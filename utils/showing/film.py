"""Films: skinned mesh, prediction and target side by side, over a sequence or turning once around; MP4 or GIF.

Rays are cast without a display, as for all pictures here. Needs imageio-ffmpeg, an optional package that brings its encoder.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from data.input_error import InputError, optional_packages
from data.safe_write import write_beside
from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.metrics import mean_of_known, vertex_errors
from utils.predicting.prediction import FRAMES_TO_LOOK_AT, PredictedFrame, map_predictions, spread
from utils.runs.processes import rank
from utils.showing.plots import ERROR_COLORS, INK, end_of_scale, error_colors, grey_in
from utils.showing.rendering import Camera, cast_rays, frame_camera, paint, turning_cameras

LONGEST, GAP, TOP, BOTTOM, BAR = 480, 24, 56, 44, 110  # pixels: of a mesh, and of what is around it
TURNTABLE_STEPS = 120
DOTS_PER_INCH = 100

Panels = dict[
    str, tuple[Float[ndarray, "V 3"], Float[ndarray, " V"] | None]
]  # vertices, and values (mm) to colour them by
Picture = UInt8[ndarray, "height width 3"]


@dataclass
class Strip:
    """A row of meshes under one camera and one colour scale: what all frames of a film share."""

    camera: Camera
    faces: Int[ndarray, "F 3"]
    highest: float  # mm: the end of the colour scale
    background: Picture

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.background.shape[1], self.background.shape[0]

    def draw(self, panels: Panels, caption: str, camera: Camera | None = None) -> Picture:
        """Return the picture (height, width, 3) of some meshes, with the caption below them."""
        picture = Image.fromarray(self.background)
        camera = camera or self.camera
        seen = {}
        for number, (vertices, values) in enumerate(panels.values()):
            if id(vertices) not in seen:
                seen[id(vertices)] = cast_rays(vertices, self.faces, camera)
            colors = None if values is None else error_colors(values, self.highest)
            mesh = Image.fromarray(np.round(255 * paint(seen[id(vertices)], camera, colors)).astype(np.uint8))
            picture.paste(mesh, (GAP + number * (self.camera.pixels[0] + GAP), TOP), mesh)
        font = ImageFont.truetype(font_manager.findfont("DejaVu Sans"), 17)
        place = (picture.width // 2, picture.height - BOTTOM // 2)
        ImageDraw.Draw(picture).text(place, caption, fill=INK, font=font, anchor="mm")
        return np.asarray(picture)


def make_strip(titles: list[str], faces: Int[ndarray, "F 3"], camera: Camera, highest: float, label: str) -> Strip:
    """Return a row with room for as many meshes as there are titles, and a colour bar, labelled, up to `highest` mm."""
    width = len(titles) * (camera.pixels[0] + GAP) + GAP + BAR
    height = TOP + camera.pixels[1] + BOTTOM
    width, height = width + width % 2, height + height % 2  # encoders want even numbers
    figure = Figure(figsize=(width / DOTS_PER_INCH, height / DOTS_PER_INCH), dpi=DOTS_PER_INCH, facecolor="white")
    for number, title in enumerate(titles):
        middle = GAP + number * (camera.pixels[0] + GAP) + camera.pixels[0] / 2
        figure.text(middle / width, 1 - TOP / 2 / height, title, fontsize=12, color=INK, ha="center", va="center")
    axes = figure.add_axes(
        (
            1 - (BAR - 14) / width,
            (BOTTOM + 0.15 * camera.pixels[1]) / height,
            14 / width,
            0.7 * camera.pixels[1] / height,
        )
    )
    bar = figure.colorbar(ScalarMappable(Normalize(0, highest), ERROR_COLORS), cax=axes, extend="max")
    bar.set_label(label, color=INK, fontsize=11)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Strip(camera, faces, highest, np.asarray(canvas.buffer_rgba())[..., :3].copy())


def panels_of(
    frame: PredictedFrame,
    scan: Float[ndarray, "V 3"] | None,
    units_in_mm: float,
    trust: Float[ndarray, " V"] | None = None,
) -> tuple[Panels, str]:
    """Return what to show of a frame, and in words its errors or the length of its correction, and the error to expect. Errors
    are weighted by how far the scan is trusted, where that is given."""
    skinned, predicted = frame.skinned, frame.predicted
    panels: Panels = {"skinned": (skinned, None), "predicted": (predicted, None)}
    if scan is None:
        correction = units_in_mm * vertex_errors(skinned, predicted)
        panels |= {"correction": (predicted, correction)}
        said = f"mean correction {correction.mean():.2f} mm"
    else:
        before, after = (units_in_mm * vertex_errors(each, scan) for each in (skinned, predicted))
        panels |= {"target": (scan, None), "skinned error": (skinned, before), "predicted error": (predicted, after)}
        means = [mean_of_known(each, trust) for each in (before, after)]
        said = f"mean error {means[0]:.2f} → {means[1]:.2f} mm"
    if len(frame.expected_error):
        expected = units_in_mm * frame.expected_error
        panels["expected error"] = predicted, expected
        said += f"     expected {expected.mean():.2f} mm"
    return panels, said


def check_encoder() -> None:
    """Raise `InputError` where no film can be written: the package is not there."""
    with optional_packages("writing films"):
        import imageio_ffmpeg
    try:
        imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise InputError(f"writing films: {error}") from None


@contextmanager
def encoder(path: Path, frame_rate: float, size: tuple[int, int]) -> Iterator[Callable[[Picture], None]]:
    """Give a function that adds a picture of `size`, width and height, to the film at `path`, .mp4 or .gif.

    The film appears whole or not at all. The encoder's process is started with the block, at a moment when no other thread may
    multiply matrices: a fork in the middle of that leaves OpenBLAS, NumPy's library, waiting for ever.
    """
    check_encoder()
    import imageio_ffmpeg

    sent = 0
    # half as large, or it is huge; a palette of its own, or greys are banded
    gif = ["-vf", "scale=iw/2:-1:flags=lanczos,split[a][b];[a]palettegen[p];[b][p]paletteuse", "-f", "gif"]
    mp4 = ["-crf", "20", "-movflags", "+faststart", "-f", "mp4"]
    kind: dict[str, Any] = {"codec": "gif", "pix_fmt_out": "pal8", "output_params": gif}
    if path.suffix == ".mp4":
        kind = {"codec": "libx264", "pix_fmt_out": "yuv420p", "output_params": mp4, "quality": None}

    def add(picture: Picture) -> None:
        nonlocal sent
        process.send(np.ascontiguousarray(picture))
        sent += 1

    with write_beside(path) as partial_path:
        options = {"fps": frame_rate, "macro_block_size": 2, "ffmpeg_log_level": "error", **kind}
        process = imageio_ffmpeg.write_frames(str(partial_path), size, **options)
        try:
            process.send(None)
            yield add
        finally:
            process.close()
        try:
            written = imageio_ffmpeg.count_frames_and_secs(str(partial_path))[0]
        except RuntimeError:
            written = 0
        if written != sent:
            raise OSError(errno.EIO, "the encoder did not write all frames; is the disk full?", str(path))


def label_of(panels: Panels) -> str:
    """Return the label of the colour bar."""
    if "correction" not in panels:
        return "distance to the scan (mm)" + grey_in([values for _, values in panels.values() if values is not None])
    return "correction, expected error (mm)" if "expected error" in panels else "correction (mm)"


def highest_value(panels: list[Panels]) -> float:
    """Return the end of a colour scale (mm) for the first coloured mesh of each: the skinned one, where there are scans."""
    return end_of_scale([next(values for _, values in each.values() if values is not None) for each in panels])


@dataclass
class Film:
    """Films of a model's predictions for windows of meshes."""

    model: MeshAutoencoder
    windows: MeshWindows
    units_in_mm: float
    device: torch.device
    frame_rate: float = 30.0

    def have_scans(self, frames: Int[ndarray, " K"]) -> bool:
        """Say whether all of the windows' frames have scans: pictures of some show what there is of all."""
        return all(self.windows.has_scan(int(frame)) for frame in frames)

    def see(self, frame: PredictedFrame, measured: bool) -> tuple[Panels, str]:
        """Return what to show of one of the windows' frames, with its scan where errors are to be seen, and what to say."""
        scan = self.windows.scan(np.array([frame.index]))[0] if measured else None
        weights = self.windows.weights(np.array([frame.index])) if measured else None
        panels, errors = panels_of(frame, scan, self.units_in_mm, None if weights is None else weights[0])
        # far from the origin, each frame is relative to one of its own: all are shown relative to that of the first
        moved = self.windows.origin(frame.index) - self.windows.origin(0)
        if moved.any():
            shifted = {id(vertices): vertices + moved for vertices, _ in panels.values()}
            panels = {name: (shifted[id(vertices)], values) for name, (vertices, values) in panels.items()}
        return panels, f"{self.windows.name(frame.index)}     {errors}"

    def see_one(self, frame: int) -> tuple[Panels, str]:
        """Predict one of the windows' frames; return what to show of it, and what to say of it."""
        see = partial(self.see, measured=self.have_scans(np.array([frame])))
        (seen,) = map_predictions(see, self.model, self.windows, np.array([frame]), self.device)
        return seen

    def strip(self, panels: list[Panels], camera: Camera) -> Strip:
        """Return the row that frames like the given ones fit into."""
        return make_strip(
            list(panels[0]), self.model.surface.faces.cpu().numpy(), camera, highest_value(panels), label_of(panels[0])
        )

    def sequence(self, indices: list[int], path: Path) -> None:
        """Film some of the windows' frames, one after the other, under a camera that stands still."""
        frames = np.array(indices)
        predict = partial(map_predictions, model=self.model, windows=self.windows, device=self.device)
        see = partial(self.see, measured=self.have_scans(frames))
        some = frames[spread(len(frames), FRAMES_TO_LOOK_AT)]
        shown = [panels for panels, _ in predict(see, frames=some)]
        skinned = np.stack([panels["skinned"][0] for panels in shown])
        strip = self.strip(shown, frame_camera(skinned, self.model.settings.up_axis, longest=LONGEST))
        with (
            encoder(path, self.frame_rate, strip.size) as add,
            tqdm(total=len(frames), desc="filming", unit="frame") as bar,
        ):
            for picture in predict(lambda frame: strip.draw(*see(frame)), frames=frames):
                add(picture)
                bar.update()

    def still(self, frame: int, longest: int) -> Picture:
        """Return the picture of one of the windows' frames, meshes of `longest` pixels along their longer side.

        With a scan, camera and colours depend on the skinned mesh and the scan alone: pictures of the same frame can be
        compared.
        """
        panels, caption = self.see_one(frame)
        camera = frame_camera(panels["skinned"][0][None], self.model.settings.up_axis, longest=longest)
        return self.strip([panels], camera).draw(panels, caption)

    def turntable(self, frame: int, path: Path) -> None:
        """Film one of the windows' frames while it turns once around."""
        panels, caption = self.see_one(frame)
        vertices = np.stack([vertices for vertices, _ in panels.values()])
        cameras = turning_cameras(vertices, self.model.settings.up_axis, LONGEST, TURNTABLE_STEPS)
        strip = self.strip([panels], cameras[0])
        with encoder(path, self.frame_rate, strip.size) as add:
            for camera in tqdm(cameras, desc="filming", unit="frame"):
                add(strip.draw(panels, caption, camera))

    def make(
        self, folder: Path, clips: dict[str, list[int]], worst: int, video: str | None, turntable: str | None
    ) -> None:
        """Film all clips, given as their frames by name, and the worst frame turning, each where its kind of file is given.

        The first process of several does it alone.
        """
        if rank() > 0:
            return
        if video:
            for name, indices in clips.items():
                self.sequence(indices, folder / f"{name}.{video}")
        if turntable:
            self.turntable(worst, folder / f"turntable.{turntable}")
