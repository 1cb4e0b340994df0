"""A sequence as it is looked at: its meshes frame by frame, how far apart they are, and how that changes over time."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from tempfile import TemporaryFile
from threading import Lock
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Shaped
from numpy import ndarray

from data.sequences.mesh_sequence import MeshSequence
from data.sequences.mesh_windows import MeshWindows, all_windows
from models.dials import Dials
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.metrics import largest_known, mean_of_known, vertex_errors
from utils.predicting.prediction import FRAMES_TO_LOOK_AT, PredictedFrame, map_predictions, spread
from utils.showing.plots import end_of_scale

Colored = Literal["error", "correction", "expected error"]
REFERENCE: dict[Colored, str] = {"error": "target", "correction": "skinned"}  # what the distances are from
LOWEST_SCALE = 0.001  # mm
PREDICTED_AT_ONCE = 8  # frames


class LivePredictions:
    """A model's predictions of a sequence's frames and the errors to expect of them, file units: made when first asked for,
    kept in a temporary file, and made anew when the model's dials are turned."""

    def __init__(self, model: MeshAutoencoder, sequence: MeshSequence, device: torch.device):
        self.model, self.device = model, device
        self.windows: MeshWindows = all_windows([sequence], model.settings.num_condition_frames)
        num_vertices = len(model.surface.vertices)
        expected = ("expected_error", np.float32, num_vertices if self.says_what_to_expect else 0)
        self.of_frame = np.dtype([("points", sequence.skinned.dtype, (num_vertices, 3)), expected])
        self.there, self.turns = np.zeros(len(self.windows), dtype=bool), 0
        self.file, self.lock = TemporaryFile(), Lock()  # noqa: SIM115 (as long as this object)

    @property
    def says_what_to_expect(self) -> bool:
        """Whether the error to expect is known."""
        return self.model.leverage is not None

    def turn(self, dials: Dials) -> None:
        """Turn the model's dials; what was predicted so far counts no more."""
        self.model.dials = dials
        with self.lock:
            self.there[:] = False
            self.turns += 1

    def keep(self, frame: PredictedFrame, turns: int) -> None:
        """Keep a prediction, given relative to its frame's origin, unless dials have been turned since so many turns."""
        stored = np.zeros((), self.of_frame)
        stored["points"] = frame.predicted + self.windows.origin(frame.index)
        stored["expected_error"] = frame.expected_error
        with self.lock:
            if turns == self.turns:
                self.file.seek(frame.index * self.of_frame.itemsize)
                self.file.write(stored.tobytes())
                self.there[frame.index] = True

    def predict(self, frames: Int64[ndarray, " K"]) -> None:
        """Predict those of the frames that have not been predicted yet, several at the same time."""
        missing = frames[~self.there[frames]]
        if len(missing):
            keep = partial(self.keep, turns=self.turns)
            deque(map_predictions(keep, self.model, self.windows, missing, self.device), maxlen=0)

    def kept(self, frame: int, what: str) -> Shaped[ndarray, "V *B"]:
        """Return the points of a frame, or the error to expect, as they were kept."""
        while True:
            self.predict(np.array([frame]))
            with self.lock:
                if self.there[frame]:  # unless somebody has turned the dials
                    self.file.seek(frame * self.of_frame.itemsize)
                    return np.frombuffer(self.file.read(self.of_frame.itemsize), self.of_frame)[what][0]

    def __getitem__(self, frame: int) -> Float[ndarray, "V 3"]:
        return self.kept(frame, "points")

    def expected_error(self, frame: int) -> Float[ndarray, " V"]:
        """Return the mean error to expect of a frame (V,), file units."""
        return self.kept(frame, "expected_error")


@dataclass
class Scans:
    """The scans of a sequence by frame; of some frames there may be none."""

    sequence: MeshSequence

    def __getitem__(self, frame: int) -> Float[ndarray, "V 3"]:
        return self.sequence.scan_of(frame)


Positions = Float[ndarray, "T V 3"] | LivePredictions | Scans


@dataclass
class Clip:
    """A sequence with the predictions of its frames, and what has been measured of them so far.

    `mean` and `worst` (T,), mm, and `worst_vertex` (T,) are of the distances from the scan or, where there is no scan, of the
    correction; for frames that have not been measured, or cannot be, `mean` and `worst` are NaN. Means are weighted by how far
    the scan is trusted.
    """

    sequence: MeshSequence
    predicted: Positions | None
    units_in_mm: float
    mean: dict[str, Float[ndarray, " T"]] = field(init=False, default_factory=dict)
    worst: dict[str, Float[ndarray, " T"]] = field(init=False, default_factory=dict)
    worst_vertex: dict[str, Int64[ndarray, " T"]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.length = len(self.sequence.frame_numbers)
        self.centre = self.sequence.skinned[0].mean(axis=0, dtype=np.float64)
        for name in [name for name in self.stored() if name != REFERENCE[self.measured]]:
            self.mean[name], self.worst[name] = np.full(self.length, np.nan), np.full(self.length, np.nan)
            self.worst_vertex[name] = np.zeros(self.length, dtype=np.int64)

    @property
    def measured(self) -> Colored:
        """What is measured: errors, where there are scans."""
        return "correction" if self.sequence.scan is None else "error"

    def meshes(self, frame: int) -> dict[str, Float32[ndarray, "V 3"]]:
        """Return what there is of a frame by name, skinned, predicted and target, relative to the clip's centre, file units.

        Where the target is not observed, the skinned mesh stands for it: in a browser, a mesh has no holes in some frames
        alone.
        """
        meshes = {name: each[frame] for name, each in self.stored_at(frame).items()}
        if "target" in meshes:
            meshes["target"] = np.where(np.isnan(meshes["target"]), meshes["skinned"], meshes["target"])
        return {name: self.centred(each) for name, each in meshes.items()}

    def joints(self, frame: int) -> Float32[ndarray, "J 3"] | None:
        """Return the joints of a frame, relative to the clip's centre, file units."""
        return None if self.sequence.joints is None else self.centred(self.sequence.joints[frame])

    def centred(self, positions: Float[ndarray, "*B 3"]) -> Float32[ndarray, "*B 3"]:
        """Return positions relative to the clip's centre, to be looked at: single precision is enough for that."""
        return (positions - self.centre).astype(np.float32)

    def stored(self) -> dict[str, Positions]:
        """Return what there is of skinned, predicted and target, as it is stored, file units."""
        scans = None if self.sequence.scan is None else Scans(self.sequence)
        positions = {"skinned": self.sequence.skinned, "predicted": self.predicted, "target": scans}
        return {name: each for name, each in positions.items() if each is not None}

    def stored_at(self, frame: int) -> dict[str, Positions]:
        """Return what there is of a frame, as `stored` does: a frame may have no scan."""
        return {name: each for name, each in self.stored().items() if name != "target" or self.sequence.has_scan(frame)}

    def values(self, colored: Colored, frame: int) -> dict[str, Float32[ndarray, " V"]]:
        """Return how far vertices are (V,), mm, from the scan (error) or from the skinned mesh (correction), by mesh; or how
        far the prediction is expected to be off."""
        if colored == "expected error":
            if not isinstance(self.predicted, LivePredictions):
                return {}
            return {"predicted": (self.units_in_mm * self.predicted.expected_error(frame)).astype(np.float32)}
        stored = self.stored_at(frame)
        reference = stored.pop(REFERENCE[colored], None)
        if reference is None:
            return {}
        there = reference[frame]
        return {
            name: (self.units_in_mm * vertex_errors(each[frame], there)).astype(np.float32)
            for name, each in stored.items()
        }

    def colorings(self) -> list[Colored]:
        """Return what meshes can be coloured by."""
        there = self.stored()
        colorings: list[Colored] = ["error"] if "target" in there else []
        if "predicted" in there:
            colorings.append("correction")
        if isinstance(self.predicted, LivePredictions) and self.predicted.says_what_to_expect:
            colorings.append("expected error")
        return colorings

    def measure(self, frame: int) -> None:
        """Measure one frame."""
        for name, values in self.values(self.measured, frame).items():
            self.mean[name][frame] = mean_of_known(values, self.sequence.weights_of(frame))
            self.worst[name][frame] = largest_known(values)
            self.worst_vertex[name][frame] = np.where(np.isnan(values), -1, values).argmax()

    def measure_all(self) -> Iterator[None]:
        """Measure all frames; yield after each."""
        for frame in range(self.length):
            if isinstance(self.predicted, LivePredictions) and frame % PREDICTED_AT_ONCE == 0:
                self.predicted.predict(np.arange(frame, min(frame + PREDICTED_AT_ONCE, self.length)))
            self.measure(frame)
            yield

    def worst_frame(self, what: str) -> int | None:
        """Return the frame with the highest mean (`what` is "frame"), or with the highest value of a vertex ("vertex"), of the
        last mesh that is measured; None where nothing was measured so far."""
        measured = (self.mean if what == "frame" else self.worst)[list(self.mean)[-1]]
        return int(np.nanargmax(measured)) if np.isfinite(measured).any() else None

    def worst_vertex_of(self, frame: int) -> int:
        """Return the vertex with the highest value in a frame of the last mesh that is measured."""
        return int(self.worst_vertex[list(self.mean)[-1]][frame])

    def over_time(self, vertex: int) -> dict[str, Float[ndarray, " T"]]:
        """Return what is measured of one vertex (T,), mm, by mesh; NaN for frames that were not measured yet."""
        curves, stored = {name: np.full(self.length, np.nan) for name in self.mean}, self.stored()
        reference = stored[REFERENCE[self.measured]]
        for name, curve in curves.items():
            for frame in np.flatnonzero(np.isfinite(self.mean[name])).tolist():
                difference = stored[name][frame][vertex] - reference[frame][vertex]
                curve[frame] = self.units_in_mm * np.linalg.norm(difference)
        return curves


def some_frames(clips: list[Clip]) -> Iterator[tuple[Clip, list[int]]]:
    """Yield clips, and a few frames from all over each."""
    for clip in clips:
        yield clip, spread(clip.length, max(2, FRAMES_TO_LOOK_AT // len(clips))).tolist()


def highest_value(clips: list[Clip], colored: Colored) -> float:
    """Return the end of a colour scale (mm) that fits frames from all over the clips.

    For errors, it is taken from the skinned mesh, which needs no predictions.
    """
    values: list[Float[ndarray, " V"]] = []
    for clip, frames in some_frames(clips):
        if colored == "expected error":
            values += [clip.values(colored, frame)["predicted"] for frame in frames]
            continue
        shown = clip.stored()["target" if colored == "error" else "predicted"]
        if colored == "error":
            frames = clip.sequence.scanned[spread(len(clip.sequence.scanned), len(frames))].tolist()
        if isinstance(shown, LivePredictions):
            shown.predict(np.array(frames))
        skinned = clip.sequence.skinned
        values += [clip.units_in_mm * vertex_errors(skinned[frame], shown[frame]) for frame in frames]
    return max(end_of_scale(values), LOWEST_SCALE)
