"""Predicted meshes for whole sequences, several frames at the same time, and how far they are from the scans."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from tqdm import tqdm

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.metrics import ERRORS, MeshErrors, vertex_errors
from utils.predicting.model_inputs import read_inputs, read_meshes, whole_meshes
from utils.runs.processes import combine, own_share, rank

FRAMES_TO_LOOK_AT = 24  # for camera and colour scale

Result = TypeVar("Result")
Errors = dict[str, tuple[Float[ndarray, "T V"], Float[ndarray, "T V"]]]
Write = Callable[[int, Float[ndarray, "V 3"]], None]


def spread(length: int, count: int) -> Int[ndarray, " K"]:
    """Return up to `count` indices (K,) out of `length`, evenly spread, the first and the last among them."""
    return np.linspace(0, length - 1, min(length, count)).astype(int)


def map_predictions(
    function: Callable[[int, Float[ndarray, "V 3"], Float[ndarray, "V 3"]], Result],
    model: MeshAutoencoder,
    windows: MeshWindows,
    frames: Int[ndarray, " K"],
    device: torch.device,
    leverages: Float[ndarray, "T A"] | None = None,
) -> Iterator[Result]:
    """Yield in order what `function` returns for each of the frames, its skinned mesh and its prediction (V, 3), file units.

    The frames' leverages at the anchors are written into `leverages`, where there is such an array, with a row for each window.
    Each frame is read, predicted and passed to `function` in one of several threads, so that none waits for another's files.
    """

    def predict(frame: int) -> Result:
        inputs = read_inputs(model, windows, np.array([frame]), device)
        with torch.no_grad():
            predicted, leverage = model.predict_and_judge(*inputs)
        if leverages is not None:
            leverages[frame] = leverage[0].cpu().numpy()
        return function(frame, inputs[0][0, -1].cpu().numpy(), predicted[0].cpu().numpy())

    # on a CPU, several frames with one thread each are faster than one frame with several; on CUDA, few fit into its memory
    num_threads = 3 if device.type == "cuda" else max(2, torch.get_num_threads())
    with ThreadPoolExecutor(num_threads, "predict", torch.set_num_threads, (1,)) as pool:
        try:
            yield from pool.map(predict, frames.tolist())
        finally:
            pool.shutdown(cancel_futures=True)


def best_network_strength(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> float:
    """Return the share of the network's answer, 0 to 1, that leaves the least squared error in frames that it was not trained
    on."""
    shared = size = 0.0
    for frame in own_share(np.arange(len(windows))):
        meshes = whole_meshes(model, read_meshes(model, windows, np.array([frame]), device))
        with torch.no_grad():
            answer = model(meshes.features.flatten(0, 1), meshes.vertex.flatten()).view_as(meshes.targets)
            assert meshes.frames is not None  # whole meshes have them
            answer = model.coordinates.smoothed(answer, meshes.frames)
        shared, size = shared + float((answer * meshes.targets).sum()), size + float(answer.square().sum())
    shared, size = combine(torch.tensor([shared, size], dtype=torch.float64)).tolist()
    return min(1.0, max(0.0, shared / size)) if size > 0 else 1.0


def mean_errors(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> tuple[float, float]:
    """Return the mean vertex errors of skinned meshes and of predictions against the scans, file units."""

    def measure(frame: int, skinned: Float[ndarray, "V 3"], predicted: Float[ndarray, "V 3"]) -> tuple[float, float]:
        scan = windows.scan(np.array([frame]))[0]
        return float(vertex_errors(skinned, scan).mean()), float(vertex_errors(predicted, scan).mean())

    errors = list(map_predictions(measure, model, windows, own_share(np.arange(len(windows))), device))
    sums = combine(torch.tensor(errors, dtype=torch.float64).view(-1, 2).sum(dim=0))
    skinned_mean, predicted_mean = (sums / len(windows)).tolist()
    return skinned_mean, predicted_mean


def export_predictions(
    model: MeshAutoencoder, windows: MeshWindows, write: Write, device: torch.device, units_in_mm: float, measured: bool
) -> tuple[Errors, Float[ndarray, "T A"]]:
    """Pass the prediction of every frame to `write`, with its index in `windows`, while the next ones are computed.

    Return errors by name, of the skinned meshes and of the predictions against the scans, (T, V) each, in mm or degrees;
    no errors where they are not `measured`. Return also the leverages at the anchors (T, A).
    """
    anchors = len(model.surface.anchors) if model.leverage is not None else 0
    leverages = np.zeros((len(windows), anchors), np.float32)
    errors_of = MeshErrors(model.surface, units_in_mm)
    shape = (len(windows), len(model.surface.vertices))
    errors = {name: (np.zeros(shape, np.float32), np.zeros(shape, np.float32)) for name in ERRORS} if measured else {}

    def finish(frame: int, skinned: Float[ndarray, "V 3"], predicted: Float[ndarray, "V 3"]) -> None:
        write(frame, predicted)
        if measured:
            scan = windows.scan(np.array([frame]))
            before, after = errors_of(skinned[None], scan), errors_of(predicted[None], scan)
            for name, (skinned_errors, predicted_errors) in errors.items():
                skinned_errors[frame], predicted_errors[frame] = before[name][0], after[name][0]

    own = own_share(np.arange(len(windows)))
    with tqdm(total=len(own), desc="predicting", unit="frame", disable=rank() > 0) as bar:
        for _ in map_predictions(finish, model, windows, own, device, leverages):
            bar.update()
    for array in [leverages, *(array for arrays in errors.values() for array in arrays)]:
        combine(torch.from_numpy(array))
    return errors, leverages


def describe_leverages(model: MeshAutoencoder, windows: MeshWindows, leverages: Float[ndarray, "T A"]) -> str:
    """Return in a line for people which frames go beyond the motion of training, by their leverages at the anchors (T, A)."""
    if model.leverage is None:
        return "world coordinates: nothing is known about how far the frames are from those of training"
    beyond = np.flatnonzero(leverages.mean(axis=1) > float(model.leverage.farthest))
    count = f"{len(beyond)} of {len(windows)} frames go beyond the motion of training"
    if not len(beyond):
        return count
    place = int(leverages[beyond].mean(axis=0).argmax())
    vertex = int(model.surface.anchors[place])
    where = ", ".join(f"{each:.3g}" for each in model.surface.vertices[vertex].tolist())
    return f"{count}, from {windows.name(int(beyond[0]))} on, most near vertex {vertex + 1} (at rest {where} from the middle)"
