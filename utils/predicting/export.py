"""Predictions of all frames, passed on to be written, and how far they are from the scans or are expected to be."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from tqdm import tqdm

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.metrics import ERRORS, VERTEX_ERROR, Errors, MeshErrors, mean_of_known
from utils.predicting.prediction import PredictedFrame, map_predictions
from utils.runs.processes import combine, own_share, rank


@dataclass
class Expectation:
    """How far to trust the predictions of T frames: by how much each is corrected (T,), its mean error to expect (T,), in mm,
    its leverage at the anchors (T, A) and, where there are scans, the share of its vertices whose errors are within their
    intervals of 68 % and 95 % (T, 2)."""

    correction: Float[ndarray, " T"]
    mean: Float[ndarray, " T"]
    leverage: Float[ndarray, "T A"]
    within: Float[ndarray, "T 2"] | None


def export_predictions(
    model: MeshAutoencoder,
    windows: MeshWindows,
    write: Callable[[PredictedFrame], None],
    device: torch.device,
    units_in_mm: float,
    measured: bool,
) -> tuple[Errors | None, Expectation | None]:
    """Pass the prediction of every frame to `write`, while the next ones are computed.

    Return the errors of the skinned meshes and of the predictions against the scans, where they are `measured`. Return also
    what is expected, which is not known in world coordinates.
    """
    num_frames, known = len(windows), model.leverage is not None
    errors_of = MeshErrors(model.surface, units_in_mm) if measured else None
    shape = (num_frames, len(model.surface.vertices))
    errors = {name: (np.zeros(shape, np.float32), np.zeros(shape, np.float32)) for name in ERRORS} if measured else {}
    trusted = all(each.trusted_wholly for each in windows.sequences)
    weights = None if trusted or not measured else np.zeros(shape, np.float32)
    leverage = np.zeros((num_frames, len(model.surface.anchors) if known else 0), np.float32)
    within = np.zeros((num_frames, 2), np.float32) if measured else None
    expected = Expectation(np.zeros(num_frames, np.float32), np.zeros(num_frames, np.float32), leverage, within)

    def finish(frame: PredictedFrame) -> None:
        write(frame)
        if errors_of is not None and not windows.has_scan(frame.index):
            for each in (each for pair in errors.values() for each in pair):
                each[frame.index] = np.nan
        elif errors_of is not None:
            scan, trust = windows.scan(np.array([frame.index])), windows.weights(np.array([frame.index]))
            if weights is not None:
                weights[frame.index] = 1 if trust is None else trust[0]
            before, after = errors_of(frame.skinned[None], scan), errors_of(frame.predicted[None], scan)
            for name, (skinned_errors, predicted_errors) in errors.items():
                skinned_errors[frame.index], predicted_errors[frame.index] = before[name][0], after[name][0]
        if model.leverage is not None:
            in_mm = units_in_mm * frame.expected_error
            correction = np.linalg.norm(frame.predicted - frame.skinned, axis=1)
            expected.correction[frame.index] = units_in_mm * correction.mean()
            expected.mean[frame.index], expected.leverage[frame.index] = in_mm.mean(), frame.leverage
            if expected.within is not None:
                limits = model.leverage.within.cpu().numpy()[:, None] * in_mm
                found = errors[VERTEX_ERROR][1][frame.index]
                expected.within[frame.index] = mean_of_known(np.where(np.isfinite(found), found <= limits, np.nan))

    own = own_share(np.arange(num_frames))
    with tqdm(total=len(own), desc="predicting", unit="frame", disable=rank() > 0) as bar:
        for _ in map_predictions(finish, model, windows, own, device):
            bar.update()
    for array in [*vars(expected).values(), weights, *(array for arrays in errors.values() for array in arrays)]:
        if array is not None:
            combine(torch.from_numpy(array))
    return Errors(errors, weights) if measured else None, expected if known else None


def describe_expectation(model: MeshAutoencoder, windows: MeshWindows, expected: Expectation | None) -> str:
    """Return for people which frames go beyond the motion of training, by how much they are corrected, and the error to expect;
    where there are scans, also how many of the vertices are within their intervals."""
    here, there = windows.sequences[0].step, model.settings.frame_step
    apart = (
        f"warning: frames are {here} apart, in training {there}: motion per frame is another\n"
        if abs(here - there) > 0.1 * max(here, there)  # times in milliseconds are not exact
        else ""
    )
    if expected is None or model.leverage is None:
        return f"{apart}world coordinates: nothing is known about how far the frames are from those of training"
    beyond = np.flatnonzero(expected.leverage.mean(axis=1) > float(model.leverage.farthest))
    line = f"{apart}{len(beyond)} of {len(windows)} frames go beyond the motion of training"
    if len(beyond):
        vertex = int(model.surface.anchors[int(expected.leverage[beyond].mean(axis=0).argmax())])
        where = ", ".join(f"{each:.3g}" for each in model.surface.vertices[vertex].tolist())
        line += (
            f", from {windows.name(int(beyond[0]))} on, most near vertex {vertex + 1} (at rest {where} from the middle)"
        )
    mean, correction = expected.mean, expected.correction
    line += f"\ncorrected by {correction.mean():.3g} mm, expected mean error {mean.mean():.3g} mm"
    if expected.within is not None:
        shares = " and ".join(f"{100 * share:.0f} %" for share in np.nanmean(expected.within, axis=0))
        line += f"; {shares} of the vertices are within the intervals for 68 % and 95 % of them"
    if len(beyond):
        line += f"; in the frames beyond {correction[beyond].mean():.3g} mm and {mean[beyond].mean():.3g} mm"
    return line
