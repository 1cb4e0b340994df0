"""Predicted meshes for whole sequences, several frames at the same time, and how far to trust the network in them."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.sequences.mesh_windows import MeshWindows
from models.conclusion import Prediction
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.metrics import mean_of_known, vertex_errors
from utils.predicting.model_inputs import asked_vertices, read_inputs, read_meshes
from utils.predicting.steadying import Steadied, frames_around
from utils.runs.processes import combine, own_share

FRAMES_TO_LOOK_AT = 24  # for camera and colour scale

Result = TypeVar("Result")


@dataclass
class PredictedFrame:
    """One frame, `index` among the windows: its skinned mesh and its prediction (V, 3), the mean error to expect of it (V,),
    file units, and its leverage at the anchors (A,). In world coordinates the last two are empty."""

    index: int
    skinned: Float[ndarray, "V 3"]
    predicted: Float[ndarray, "V 3"]
    expected_error: Float[ndarray, " _"]
    leverage: Float[ndarray, " A"]


def spread(length: int, count: int) -> Int[ndarray, " K"]:
    """Return up to `count` indices (K,) out of `length`, evenly spread, the first and the last among them."""
    return np.linspace(0, length - 1, min(length, count)).astype(int)


def map_predictions(
    function: Callable[[PredictedFrame], Result],
    model: MeshAutoencoder,
    windows: MeshWindows,
    frames: Int[ndarray, " K"],
    device: torch.device,
) -> Iterator[Result]:
    """Yield in order what `function` returns for the prediction of each of the frames.

    Each frame is read, predicted and passed to `function` in one of several threads, so that none waits for another's files.
    Where the model's dials say so, its correction is smoothed over the frames around it.
    """

    def predicted(frame: int) -> tuple[Float[Tensor, "1 V 3"], Prediction]:
        inputs = read_inputs(model, windows, np.array([frame]), device)
        with torch.no_grad():
            return inputs[0][:, -1], model.predict_and_judge(*inputs)

    steadied = Steadied(predicted, model.surface, model.dials.steady)

    def predict(frame: int) -> Result:
        around = frames_around(windows, frame, model.dials.steady)
        skinned, found = steadied(frame, around) if len(around) > 1 else predicted(frame)
        points, leverage, expected_error = (each[0].cpu().numpy() for each in found)
        return function(PredictedFrame(frame, skinned[0].cpu().numpy(), points, expected_error, leverage))

    # on a CPU, several frames with one thread each are faster than one frame with several; on CUDA, few fit into its memory
    num_threads = 3 if device.type == "cuda" else max(2, torch.get_num_threads())
    with ThreadPoolExecutor(num_threads, "predict", torch.set_num_threads, (1,)) as pool:
        try:
            yield from pool.map(predict, frames.tolist())
        finally:
            pool.shutdown(cancel_futures=True)


def best_network_strength(
    model: MeshAutoencoder, held_out: MeshWindows, fitted: MeshWindows, share_fitted: float, device: torch.device
) -> float:
    """Return the share of the network's answer, 0 to 1, that leaves the least squared error in frames that it was not trained
    on, where it is asked: held out, or such that the linear part was `fitted` to.

    In these the linear part has taken `share_fitted` of what it leaves over elsewhere, on average.
    """
    shared, size = network_and_targets(model, held_out, device)
    shared_of_fitted, size_of_fitted = network_and_targets(model, fitted, device)
    shared, size = shared + shared_of_fitted / (1 - share_fitted), size + size_of_fitted
    return min(1.0, max(0.0, shared / size)) if size > 0 else 1.0


def network_and_targets(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> tuple[float, float]:
    """Return the sums over frames of the product of the network's answers with their targets, and of their squares."""
    shared = size = 0.0
    for frame in own_share(np.arange(len(windows))):
        samples = asked_vertices(model, read_meshes(model, windows, np.array([frame]), device))
        with torch.no_grad():
            answer = model(samples.features.flatten(0, 1), samples.vertex.flatten()).view_as(samples.targets)
        if samples.trust is not None:  # of squares
            answer, samples.targets = (samples.trust.sqrt().unsqueeze(2) * each for each in (answer, samples.targets))
        shared, size = shared + float((answer * samples.targets).sum()), size + float(answer.square().sum())
    shared, size = combine(torch.tensor([shared, size], dtype=torch.float64)).tolist()
    return shared, size


def mean_errors(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> tuple[float, float]:
    """Return the mean vertex errors of skinned meshes and of predictions against the scans, file units."""

    def measure(frame: PredictedFrame) -> tuple[float, float]:
        scan, weights = windows.scan(np.array([frame.index]))[0], windows.weights(np.array([frame.index]))
        trust = None if weights is None else weights[0]
        before, after = (mean_of_known(vertex_errors(each, scan), trust) for each in (frame.skinned, frame.predicted))
        return float(before), float(after)

    errors = list(map_predictions(measure, model, windows, own_share(np.arange(len(windows))), device))
    sums = combine(torch.tensor(errors, dtype=torch.float64).view(-1, 2).sum(dim=0))
    skinned_mean, predicted_mean = (sums / len(windows)).tolist()
    return skinned_mean, predicted_mean
