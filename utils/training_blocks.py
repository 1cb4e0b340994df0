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
from utils.model_inputs import read_inputs

# An epoch shows every training vertex at least once; where that takes fewer steps, it goes over the frames again until it has
# about so many, so that a hundred frames train as well as a thousand without anybody counting steps.
STEPS_PER_EPOCH = 400  # about, at least
FRAMES_AT_ONCE = 8  # whole frames through the feature code


@dataclass
class Samples:
    """Vertices to train on, S of them shuffled or whole meshes of (B, V): features (*S, C), what the network should answer
    (*S, 3), file units, and which vertices they are (*S,). Where whole meshes need them: skinned positions (*S, 3), surface
    frames (*S, 3, 3) and what the linear part answers (*S, 3)."""

    features: Float[Tensor, "*S C"]
    targets: Float[Tensor, "*S 3"]
    vertex: Int[Tensor, "*S"]
    skinned: Float[Tensor, "*S 3"] | None = None
    frames: Float[Tensor, "*S 3 3"] | None = None
    linear: Float[Tensor, "*S 3"] | None = None

    def steps(self, num_steps: int) -> list["Samples"]:
        """Return the samples cut along their first axis into `num_steps` parts of equal size, give or take one."""
        parts = [part.tensor_split(num_steps) for part in vars(self).values() if part is not None]
        return [Samples(*step) for step in zip(*parts, strict=True)]


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
    num_training: int, samples_per_frame: int, num_frames: int, samples_per_step: int, seed: int, epoch: int
) -> EpochPlan:
    """Return blocks of up to `num_frames` training frames, shuffled over all sequences, and their steps."""
    sizes = [min(num_frames, num_training - start) for start in range(0, num_training, num_frames)]
    steps = [max(1, round(size * samples_per_frame / samples_per_step)) for size in sizes]
    passes = max(1, round(STEPS_PER_EPOCH / sum(steps)))
    random = np.random.default_rng([seed, epoch])
    frames = []
    for _ in range(passes):
        frames += np.split(random.permutation(num_training), np.cumsum(sizes)[:-1])
    return EpochPlan(frames, steps * passes, [[seed, epoch, block] for block in range(len(frames))])


def read_a_few(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " B"], device: torch.device
) -> Iterator[Samples]:
    """Yield whole meshes (B, V) of the given frames, in their order, a few at a time."""
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        some = frames[start : start + FRAMES_AT_ONCE]
        window, joints, history = read_inputs(model, windows, some, device)
        scan = torch.from_numpy(windows.scan(some)).to(device)
        with torch.no_grad():
            skinned = window[:, -1]
            vertex = torch.arange(skinned.shape[1], device=device).expand(len(some), -1)
            surface_frames = model.frames(skinned)
            features = model.features(window, joints, history, surface_frames)
            linear = model.linear_answer(features)
            targets = model.targets(skinned, scan, surface_frames) - linear
        yield Samples(features, targets, vertex, skinned, surface_frames, linear)


def read_whole_meshes(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " B"], seed: list[int], device: torch.device
) -> Samples:
    """Return the given frames, already in random order, as whole meshes (B, V); `seed` is not needed."""
    parts = [vars(part).values() for part in read_a_few(model, windows, frames, device)]
    return Samples(*(torch.cat(part) for part in zip(*parts, strict=True)))


def read_shuffled_vertices(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " B"], seed: list[int], device: torch.device
) -> Samples:
    """Return all vertices of the given frames, shuffled by `seed`, without what only whole meshes need."""
    size = len(frames) * len(model.surface.vertices)
    places = torch.from_numpy(np.random.default_rng(seed).permutation(size)).to(device)
    shuffled: list[Tensor] = []
    start = 0
    for meshes in read_a_few(model, windows, frames, device):
        parts = [part.flatten(0, 1) for part in (meshes.features, meshes.targets, meshes.vertex)]
        shuffled = shuffled or [part.new_empty(size, *part.shape[1:]) for part in parts]
        for whole, part in zip(shuffled, parts, strict=True):
            whole[places[start : start + len(part)]] = part
        start += len(parts[0])
    return Samples(*shuffled)


@dataclass(frozen=True)
class Sampling:
    """What a training step is made of: how frames become samples, and how many of V vertices one sample holds."""

    read: Callable[[MeshAutoencoder, MeshWindows, ndarray, list[int], torch.device], Samples]
    vertices_per_sample: Callable[[int], int]


SHUFFLED_VERTICES = Sampling(read_shuffled_vertices, lambda num_vertices: 1)
WHOLE_MESHES = Sampling(read_whole_meshes, lambda num_vertices: num_vertices)


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
