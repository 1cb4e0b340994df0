"""What the optimiser sees: blocks of frames, read ahead, their vertices shuffled.

All of it follows from (seed, epoch, block), so that a run gone on with sees the batches that the uninterrupted run would
have seen.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder

# An epoch shows every training vertex at least once; where that takes fewer steps, it goes over the frames again, so that
# a hundred frames train as well as a thousand without anybody counting steps.
FEWEST_STEPS_PER_EPOCH = 400
FRAMES_AT_ONCE = 8  # whole frames through the feature code


@dataclass
class Samples:
    """Vertices to train on: features (*S, C) and targets (*S, 3), file units, and which vertices they are (*S,)."""

    features: Float[Tensor, "*S C"]
    targets: Float[Tensor, "*S 3"]
    vertex: Int[Tensor, "*S"]

    def steps(self, num_steps: int) -> list["Samples"]:
        """Return the samples cut along their first axis into `num_steps` parts of equal size, give or take one."""
        parts = (self.features, self.targets, self.vertex)
        return [Samples(*step) for step in zip(*(part.tensor_split(num_steps) for part in parts), strict=True)]


@dataclass
class EpochPlan:
    """The blocks of one epoch: frames of each, and how many optimisation steps it is cut into."""

    frames: list[Int[ndarray, " _"]]
    steps: list[int]
    seeds: list[list[int]]

    @property
    def total_steps(self) -> int:
        return sum(self.steps)


def plan_epoch(
    num_training: int, num_vertices: int, num_frames: int, mini_batch_size: int, seed: int, epoch: int
) -> EpochPlan:
    """Return blocks of up to `num_frames` training frames, shuffled over all sequences, in steps of about
    `mini_batch_size` vertices."""
    sizes = [min(num_frames, num_training - start) for start in range(0, num_training, num_frames)]
    steps = [max(1, round(size * num_vertices / mini_batch_size)) for size in sizes]
    passes = -(-FEWEST_STEPS_PER_EPOCH // sum(steps))
    random = np.random.default_rng([seed, epoch])
    frames = []
    for _ in range(passes):
        frames += np.split(random.permutation(num_training), np.cumsum(sizes)[:-1])
    return EpochPlan(frames, steps * passes, [[seed, epoch, block] for block in range(len(frames))])


def read_features(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " B"], device: torch.device
) -> Iterator[tuple[Float[Tensor, "b V C"], Float[Tensor, "b V 3"]]]:
    """Yield features (b, V, C) and targets (b, V, 3) of the given frames, a few frames at a time."""
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        some = frames[start : start + FRAMES_AT_ONCE]
        window = torch.from_numpy(windows.skinned(some)).to(device)
        scan = torch.from_numpy(windows.scan(some)).to(device)
        with torch.no_grad():
            yield model.features(window), model.targets(window[:, -1], scan)


def shuffled_vertices(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " B"], seed: list[int], device: torch.device
) -> Samples:
    """Return all vertices of the given frames as samples, shuffled by `seed`."""
    parts = list(read_features(model, windows, frames, device))
    num_vertices = parts[0][0].shape[1]
    features = torch.cat([part.flatten(0, 1) for part, _ in parts])
    targets = torch.cat([part.flatten(0, 1) for _, part in parts])
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(features))).to(device)
    return Samples(features[order], targets[order], order % num_vertices)


def read_ahead(reads: Iterator[Callable[[], Samples]]) -> Iterator[Samples]:
    """Yield the result of each read, while the next one is under way in a thread."""
    # one thread for the reader's own tensor operations: more would only take turns with the training step's
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as reader:
        following: Future[Samples] | None = None
        for read in reads:
            current, following = following, reader.submit(read)
            if current is not None:
                yield current.result()
        if following is not None:
            yield following.result()
