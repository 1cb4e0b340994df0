"""Corrections without jitter: smoothed over the frames around them, in the vertices' own frames, without lag."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from numpy import ndarray
from torch import Tensor

from data.sequences.mesh_windows import MeshWindows
from models.conclusion import Prediction
from models.rest_surface import RestSurface
from models.surface_frames import to_local, to_world

KEPT = 64  # frames, beyond those around one: as many as several threads are ahead
Predict = Callable[
    [int], tuple[Float[Tensor, "1 V 3"], Prediction]
]  # of a frame: its skinned mesh, and what is predicted


def local_line(places: Int64[ndarray, " K"], reach: int) -> Float64[ndarray, " K"]:
    """Return the weights (K,) of values at some places that add up to the height at 0 of the straight line through them, those
    further away counting less, nothing beyond `reach` (Cleveland 1979, "Robust locally weighted regression": tricube weights).

    Around 0 on both sides that is a weighted mean; at a sequence's end, where places are on one side, there is still no lag.
    """
    root = np.sqrt((1 - (np.abs(places) / (reach + 1)) ** 3) ** 3)
    line = np.stack([np.ones(len(places)), places], axis=1)[:, : min(2, len(places))]
    return (np.linalg.pinv(line * root[:, None]) * root)[0]


def frames_around(windows: MeshWindows, index: int, reach: int) -> Int64[ndarray, " K"]:
    """Return which windows are of frames of the same sequence, so many before and after one at most, itself among them."""
    near = np.arange(max(0, index - reach), min(len(windows), index + reach + 1))
    apart = windows.entries[near] - windows.entries[index]
    return near[(apart[:, 0] == 0) & (np.abs(apart[:, 1]) <= reach)]


class Kept(NamedTuple):
    """A frame's skinned mesh (1, V, 3), what is predicted of it, its surface frames (1, V, 3, 3), and the correction in these
    (1, V, 1, 3)."""

    skinned: Float[Tensor, "1 V 3"]
    prediction: Prediction
    axes: Float[Tensor, "1 V 3 3"]
    correction: Float[Tensor, "1 V 1 3"]


class Steadied:
    """Predictions of frames whose corrections are smoothed over `reach` frames on either side; each is predicted once, as long
    as frames come about in order. For several threads."""

    def __init__(self, predict: Predict, surface: RestSurface, reach: int):
        self.predict, self.surface, self.reach = predict, surface, reach
        self.kept: OrderedDict[int, Future[Kept]] = OrderedDict()
        self.lock = Lock()

    def __call__(self, frame: int, around: Int64[ndarray, " K"]) -> tuple[Float[Tensor, "1 V 3"], Prediction]:
        """Return the skinned mesh of a frame and its prediction, smoothed over the frames `around` it, itself among them."""
        own = self.of(frame)
        weights = local_line(around - frame, self.reach).tolist()
        correction = torch.zeros_like(own.correction)
        for each, weight in zip(around.tolist(), weights, strict=True):
            correction = correction + weight * self.of(each).correction
        points = own.skinned + to_world(own.axes, correction).squeeze(2)
        return own.skinned, own.prediction._replace(points=points)

    def of(self, frame: int) -> Kept:
        """Return what is known of a frame, predicted here or by another thread."""
        with self.lock:
            future = self.kept.get(frame)
            mine = future is None
            if future is None:
                future = self.kept[frame] = Future()
                while len(self.kept) > 4 * self.reach + KEPT:
                    self.kept.popitem(last=False)
        if mine:
            try:
                skinned, prediction = self.predict(frame)
                axes = self.surface.frames_of(skinned)
                away = (prediction.points - skinned).unsqueeze(2)
                future.set_result(Kept(skinned, prediction, axes, to_local(axes, away)))
            except BaseException as error:
                future.set_exception(error)
        return future.result()
