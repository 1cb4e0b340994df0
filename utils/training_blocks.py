"""What the optimiser sees: blocks of frames, read ahead, their vertices shuffled.

All of it follows from (seed, epoch, block), so that a run gone on with sees the batches that the uninterrupted run would
have seen.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.model_inputs import read_inputs
from utils.processes import num_processes, own_share

# An epoch shows every training vertex at least once; where that takes fewer steps, it goes over the frames again until it has
# about so many, so that a hundred frames train as well as a thousand without anybody counting steps.
STEPS_PER_EPOCH = 400  # about, at least
FRAMES_AT_ONCE = 8  # whole frames through the feature code

Read = TypeVar("Read")


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

    weight: float = 1.0


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


def weight_of_share(num_own: int, num_all: int) -> float:
    """Return the weight of a process' samples in a step of all processes."""
    return num_own * num_processes() / num_all


def read_whole_meshes(
    model: MeshAutoencoder,
    windows: MeshWindows,
    frames: Int[ndarray, " B"],
    num_steps: int,
    seed: list[int],
    device: torch.device,
) -> list[Samples]:
    """Return steps over the given frames, already in random order, as whole meshes (B, V); `seed` is not needed."""
    steps = []
    for step in np.array_split(frames, num_steps):
        own = own_share(step)
        # a process without frames in a step looks at one without weight, for all have to take the step together
        parts = [vars(part) for part in read_a_few(model, windows, own if len(own) else step[:1], device)]
        whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0] if name != "weight"}
        steps.append(Samples(**whole, weight=weight_of_share(len(own), len(step))))
    return steps


def read_shuffled_vertices(
    model: MeshAutoencoder,
    windows: MeshWindows,
    frames: Int[ndarray, " B"],
    num_steps: int,
    seed: list[int],
    device: torch.device,
) -> list[Samples]:
    """Return steps over all vertices of the given frames, shuffled by `seed`, without what only whole meshes need."""
    num_vertices = len(model.surface.vertices)
    places = np.random.default_rng(seed).permutation(len(frames) * num_vertices).reshape(len(frames), num_vertices)
    own = own_share(np.arange(len(frames)))
    has_share = len(own) > 0
    own = own if has_share else np.array([0])
    is_own = np.zeros(places.size, dtype=np.int64)
    is_own[places[own]] = 1
    own_before = np.concatenate([[0], np.cumsum(is_own)])  # each place
    target = torch.from_numpy(own_before[places[own].ravel()]).to(device)
    shuffled: list[Tensor] = []
    start = 0
    for meshes in read_a_few(model, windows, frames[own], device):
        parts = [part.flatten(0, 1) for part in (meshes.features, meshes.targets, meshes.vertex)]
        shuffled = shuffled or [part.new_empty(len(target), *part.shape[1:]) for part in parts]
        for whole, part in zip(shuffled, parts, strict=True):
            whole[target[start : start + len(part)]] = part
        start += len(parts[0])
    steps = []
    for step in np.array_split(np.arange(places.size), num_steps):
        first, last = (int(own_before[place]) for place in (step[0], step[-1] + 1))
        # a process without samples in a step looks at one without weight, for all have to take the step together
        some = slice(first, last) if last > first else slice(0, 1)
        weight = weight_of_share(last - first, len(step)) if has_share else 0.0
        features, targets, vertex = (part[some] for part in shuffled)
        steps.append(Samples(features, targets, vertex, weight=weight))
    return steps


@dataclass(frozen=True)
class Sampling:
    """What a training step is made of: how frames become steps of samples, and how many of V vertices one sample holds."""

    read: Callable[[MeshAutoencoder, MeshWindows, ndarray, int, list[int], torch.device], list[Samples]]
    vertices_per_sample: Callable[[int], int]


SHUFFLED_VERTICES = Sampling(read_shuffled_vertices, lambda num_vertices: 1)
WHOLE_MESHES = Sampling(read_whole_meshes, lambda num_vertices: num_vertices)


def one_thread() -> ThreadPoolExecutor:
    """Return a thread for work beside the main one's, whose tensor operations take turns with no others of its own."""
    return ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))


def read_ahead(reads: Iterator[Callable[[], Read]]) -> Iterator[Read]:
    """Yield the result of each read, while the next one is under way in a thread."""
    with one_thread() as reader:
        following: Future[Read] | None = None
        for read in reads:
            current, following = following, reader.submit(read)
            if current is not None:
                yield current.result()
        if following is not None:
            yield following.result()
