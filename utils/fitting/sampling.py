"""What a training step sees: blocks of frames, read ahead, their vertices shuffled.

All of it follows from (seed, epoch, block), so that a run that was stopped and goes on sees the same batches as one that never
stopped.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Int, Shaped
from numpy import ndarray
from torch import Tensor

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.fitting.progress import TrainingOptions
from utils.predicting.model_inputs import Meshes, Samples, read_meshes, whole_meshes
from utils.runs.processes import num_processes, own_share

# An epoch shows every training vertex at least once. Where that takes fewer steps than this, it goes over the frames again
# and again, so that a hundred frames train as well as a thousand without anybody counting steps.
STEPS_PER_EPOCH = 400  # about, and at least two thirds of it
VERTICES_AT_ONCE_ON_DEVICES = 400_000  # fewer would take longer to start than to compute
VERTICES_AT_ONCE = 30_000  # about, of whole frames through the feature code: more do not fit into a processor's caches

Read = TypeVar("Read")


@dataclass
class Block:
    """Frames whose vertices are shuffled among each other, how many optimisation steps they make, and the shuffling's seed."""

    frames: Int[ndarray, " _"]
    num_steps: int
    seed: list[int]


def plan_epoch(
    num_training: int, samples_per_frame: int, num_frames: int, samples_per_step: int, seed: int, epoch: int
) -> list[Block]:
    """Return the blocks of an epoch, of up to `num_frames` training frames, shuffled over all sequences."""
    sizes = [min(num_frames, num_training - start) for start in range(0, num_training, num_frames)]
    steps = [max(1, round(size * samples_per_frame / samples_per_step)) for size in sizes]
    passes = max(1, round(STEPS_PER_EPOCH / sum(steps)))
    random = np.random.default_rng([seed, epoch])
    blocks: list[Block] = []
    for _ in range(passes):
        parts = np.split(random.permutation(num_training), np.cumsum(sizes)[:-1])
        blocks += [
            Block(part, n, [seed, epoch, len(blocks) + i]) for i, (part, n) in enumerate(zip(parts, steps, strict=True))
        ]
    return blocks


@dataclass(frozen=True)
class Sampling:
    """What training steps are made of.

    `parts` returns the frames of a block that this process reads, cut into parts that are processed together; it takes the
    block, the number of vertices and the device. `steps` makes the samples of every step out of what was read.
    `vertices_per_sample` returns how many of V vertices one sample holds.
    """

    parts: Callable[[Block, int, torch.device], list[Int[ndarray, " _"]]]
    steps: Callable[[MeshAutoencoder, list[Meshes], Block], list[Samples]]
    vertices_per_sample: Callable[[int], int]


def weight_of_share(num_own: int, num_all: int) -> float:
    """Return the weight of a process' samples in a step of all processes."""
    return num_own * num_processes() / num_all


def share_or_first(items: Shaped[ndarray, "K *B"]) -> Shaped[ndarray, "_ *B"]:
    """Return this process' share of some items; where it has none, the first item, which then counts with a weight of zero.

    All processes have to take every step together.
    """
    own = own_share(items)
    return own if len(own) else items[:1]


def mesh_parts(block: Block, num_vertices: int, device: torch.device) -> list[Int[ndarray, " _"]]:
    """Return this process' share of the frames of every step."""
    return [share_or_first(step) for step in np.array_split(block.frames, block.num_steps)]


def mesh_steps(model: MeshAutoencoder, meshes: list[Meshes], block: Block) -> list[Samples]:
    """Return steps over whole meshes (B, V)."""
    steps = [whole_meshes(model, part) for part in meshes]
    for samples, frames in zip(steps, np.array_split(block.frames, block.num_steps), strict=True):
        samples.weight = weight_of_share(len(own_share(frames)), len(frames))
    return steps


def shuffled_parts(block: Block, num_vertices: int, device: torch.device) -> list[Int[ndarray, " _"]]:
    """Return this process' share of the frames, a few at a time."""
    own = share_or_first(block.frames)
    at_once = VERTICES_AT_ONCE if device.type == "cpu" else VERTICES_AT_ONCE_ON_DEVICES
    return np.array_split(own, min(len(own), -(-len(own) * num_vertices // at_once)))


def shuffled_steps(model: MeshAutoencoder, meshes: list[Meshes], block: Block) -> list[Samples]:
    """Return steps over all vertices of the frames, shuffled by the block's seed; without what only whole meshes need."""
    shape = len(block.frames), len(model.surface.vertices)
    places = np.random.default_rng(block.seed).permutation(shape[0] * shape[1]).reshape(shape)
    own, has_share = share_or_first(places), len(own_share(places)) > 0
    is_own = np.zeros(places.size, dtype=np.int64)
    is_own[own] = 1
    own_before = np.concatenate([[0], np.cumsum(is_own)])  # each place
    target = torch.from_numpy(own_before[own.ravel()]).to(model.up.device)
    shuffled: list[Tensor] = []
    start = 0
    for part in meshes:
        samples = whole_meshes(model, part)
        flat = [each.flatten(0, 1) for each in (samples.features, samples.targets, samples.vertex)]
        shuffled = shuffled or [each.new_empty(len(target), *each.shape[1:]) for each in flat]
        for whole, each in zip(shuffled, flat, strict=True):
            whole[target[start : start + len(each)]] = each
        start += len(flat[0])
    steps = []
    for step in np.array_split(np.arange(places.size), block.num_steps):
        first, last = (int(own_before[place]) for place in (step[0], step[-1] + 1))
        some = slice(first, last) if last > first else slice(1)
        features, targets, vertex = (each[some] for each in shuffled)
        weight = weight_of_share(last - first, len(step)) if has_share else 0.0
        steps.append(Samples(features, targets, vertex, weight=weight))
    return steps


def read_block(
    model: MeshAutoencoder, windows: MeshWindows, sampling: Sampling, block: Block, device: torch.device
) -> list[Meshes]:
    """Read what this process needs of a block's frames for its steps, in parts."""
    parts = sampling.parts(block, len(model.surface.vertices), device)
    return [read_meshes(model, windows, part, device) for part in parts]


SHUFFLED_VERTICES = Sampling(shuffled_parts, shuffled_steps, lambda num_vertices: 1)
WHOLE_MESHES = Sampling(mesh_parts, mesh_steps, lambda num_vertices: num_vertices)


def read_ahead(reads: Iterator[Callable[[], Read]]) -> Iterator[Read]:
    """Yield the result of each read, while the next one is under way in a thread.

    Only for reading: computations would take turns with the main thread on a CPU, which costs more than it saves.
    """
    with ThreadPoolExecutor(1) as reader:
        following: Future[Read] | None = None
        for read in reads:
            current, following = following, reader.submit(read)
            if current is not None:
                yield current.result()
        if following is not None:
            yield following.result()


def blocks_of_epoch(
    sampling: Sampling, model: MeshAutoencoder, windows: MeshWindows, options: TrainingOptions, epoch: int
) -> list[Block]:
    """Return the blocks of an epoch, for a model's meshes and with a run's options."""
    num_vertices = len(model.surface.vertices)
    vertices_per_sample = sampling.vertices_per_sample(num_vertices)
    samples_per_frame = num_vertices // vertices_per_sample
    samples_per_step = max(1, round(options.mini_batch_size / vertices_per_sample))
    return plan_epoch(len(windows), samples_per_frame, options.num_frames, samples_per_step, options.seed, epoch)


def samples_of_steps(
    sampling: Sampling,
    model: MeshAutoencoder,
    windows: MeshWindows,
    blocks: list[Block],
    first_step: int,
    device: torch.device,
) -> Iterator[Samples]:
    """Yield the samples of each step of an epoch, from its step `first_step` on; the next block is read meanwhile."""
    starts = np.cumsum([0, *(block.num_steps for block in blocks)])
    first = int(np.searchsorted(starts, first_step, side="right")) - 1
    read = partial(read_block, model, windows, sampling, device=device)
    reads = (partial(read, block) for block in blocks[first:])
    for number, meshes in enumerate(read_ahead(reads), first):
        steps = sampling.steps(model, meshes, blocks[number])
        yield from steps[max(0, first_step - int(starts[number])) :]
