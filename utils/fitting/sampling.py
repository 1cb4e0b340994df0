"""What a training step sees: blocks of frames, read ahead, their vertices shuffled.

All of it follows from (seed, epoch, block), so that a run that was stopped and goes on sees the same batches as one that never
stopped.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Int, Shaped
from numpy import ndarray
from torch import Tensor

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.fitting.progress import TrainingOptions
from utils.predicting.model_inputs import Meshes, Samples, asked_vertices, read_meshes, whole_meshes
from utils.runs.processes import num_processes, own_share

# An epoch shows every vertex that is asked at least once. Where that takes fewer steps than this, it goes over the frames again
# and again, so that a hundred frames train as well as a thousand without anybody counting steps.
STEPS_PER_EPOCH = 270  # about, and at least two thirds of it
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
    num_training: int,
    samples_per_frame: int,
    num_frames: int,
    samples_per_step: int,
    seed: int,
    epoch: int,
    kept: bool = False,
) -> list[Block]:
    """Return the blocks of an epoch, of up to `num_frames` training frames, shuffled over all sequences.

    Where all frames are in one block and what was read is `kept`, they stay in order.
    """
    sizes = [min(num_frames, num_training - start) for start in range(0, num_training, num_frames)]
    steps = [max(1, round(size * samples_per_frame / samples_per_step)) for size in sizes]
    passes = max(1, round(STEPS_PER_EPOCH / sum(steps)))
    random = np.random.default_rng([seed, epoch])
    blocks: list[Block] = []
    for _ in range(passes):
        order = np.arange(num_training) if kept and len(sizes) == 1 else random.permutation(num_training)
        parts = np.split(order, np.cumsum(sizes)[:-1])
        blocks += [
            Block(part, n, [seed, epoch, len(blocks) + i]) for i, (part, n) in enumerate(zip(parts, steps, strict=True))
        ]
    return blocks


@dataclass(frozen=True)
class Sampling:
    """What training steps are made of.

    `parts` returns the frames of a block that this process reads, cut into parts that are processed together; it takes the
    block, the number of vertices and the device. `gather` makes samples of what is read of these parts, one after the other,
    and `steps` those of every step. `vertices_per_sample` and `samples_per_frame` return how many there are, for a model. What
    was gathered of all frames is `kept`, where it is no more than was to be held in memory.
    """

    parts: Callable[[Block, int, torch.device], list[Int[ndarray, " _"]]]
    gather: Callable[[MeshAutoencoder, Iterator[Meshes], int], list[Samples]]
    steps: Callable[[list[Samples], Block], Iterator[Samples]]
    vertices_per_sample: Callable[[MeshAutoencoder], int]
    samples_per_frame: Callable[[MeshAutoencoder], int]
    kept: bool


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


def gather_meshes(model: MeshAutoencoder, meshes: Iterator[Meshes], num_frames: int) -> list[Samples]:
    """Return whole meshes (B, V) of every step."""
    return [whole_meshes(model, part) for part in meshes]


def mesh_steps(gathered: list[Samples], block: Block) -> Iterator[Samples]:
    """Yield steps over whole meshes (B, V)."""
    for samples, frames in zip(gathered, np.array_split(block.frames, block.num_steps), strict=True):
        samples.weight = weight_of_share(len(own_share(frames)), len(frames))
        yield samples


def shuffled_parts(block: Block, num_vertices: int, device: torch.device) -> list[Int[ndarray, " _"]]:
    """Return this process' share of the frames, a few at a time."""
    own = share_or_first(block.frames)
    at_once = VERTICES_AT_ONCE if device.type == "cpu" else VERTICES_AT_ONCE_ON_DEVICES
    return np.array_split(own, min(len(own), -(-len(own) * num_vertices // at_once)))


def gather_vertices(model: MeshAutoencoder, meshes: Iterator[Meshes], num_frames: int) -> list[Samples]:
    """Return the vertices where the network is asked, of `num_frames` frames, one frame after the other, in one."""
    whole: list[Tensor] = []
    start, trusted_wholly = 0, True
    for part in meshes:
        samples = asked_vertices(model, part)
        trust = torch.ones_like(samples.targets[..., 0]) if samples.trust is None else samples.trust
        trusted_wholly &= samples.trust is None
        flat = [each.flatten(0, 1) for each in (samples.features, samples.targets, samples.vertex, trust)]
        if not whole:
            count = num_frames * samples.vertex.shape[1]
            whole = [each.new_empty(count, *each.shape[1:]) for each in flat]
        for every, each in zip(whole, flat, strict=True):
            every[start : start + len(each)] = each
        start += len(flat[0])
    features, targets, vertex, trust = whole
    return [Samples(features, targets, vertex, trust=None if trusted_wholly else trust)]


def shuffled_steps(gathered: list[Samples], block: Block) -> Iterator[Samples]:
    """Yield steps over all vertices of the frames, shuffled by the block's seed."""
    (own,) = gathered
    frames = np.arange(len(block.frames))
    mine, has_share = share_or_first(frames), len(own_share(frames)) > 0
    per_frame = len(own.vertex) // len(mine)
    place = np.full(len(frames), -1)  # of each frame among this process' own
    place[mine] = np.arange(len(mine))
    order = np.random.default_rng(block.seed).permutation(len(frames) * per_frame)
    for step in np.array_split(order, block.num_steps):
        frame, number = np.divmod(step, per_frame)
        rows = (place[frame] * per_frame + number)[place[frame] >= 0]
        weight = weight_of_share(len(rows), len(step)) if has_share else 0.0
        index = torch.from_numpy(rows if len(rows) else np.zeros(1, np.int64)).to(own.vertex.device)
        features, targets, vertex = (each.index_select(0, index) for each in (own.features, own.targets, own.vertex))
        trust = None if own.trust is None else own.trust.index_select(0, index)
        yield Samples(features, targets, vertex, trust=trust, weight=weight)


SHUFFLED_VERTICES = Sampling(
    shuffled_parts, gather_vertices, shuffled_steps, lambda model: 1, lambda model: model.coordinates.num_asked, True
)
WHOLE_MESHES = Sampling(
    mesh_parts, gather_meshes, mesh_steps, lambda model: len(model.surface.vertices), lambda model: 1, False
)


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


class TrainingSamples:
    """The samples of a run's steps, for a model's meshes and with the run's options."""

    def __init__(
        self,
        sampling: Sampling,
        model: MeshAutoencoder,
        windows: MeshWindows,
        options: TrainingOptions,
        device: torch.device,
    ):
        self.sampling, self.model, self.windows, self.options, self.device = sampling, model, windows, options, device
        self.gathered: tuple[Block, list[Samples]] | None = None

    def blocks_of_epoch(self, epoch: int) -> list[Block]:
        """Return the blocks of an epoch: as many frames each as have no more vertices in their samples than `num_frames` whole
        ones."""
        sampling, options, num_vertices = self.sampling, self.options, len(self.model.surface.vertices)
        per_sample, per_frame = sampling.vertices_per_sample(self.model), sampling.samples_per_frame(self.model)
        at_once = options.num_frames * num_vertices // (per_sample * per_frame)
        per_step = max(1, round(options.mini_batch_size / per_sample))
        return plan_epoch(len(self.windows), per_frame, at_once, per_step, options.seed, epoch, sampling.kept)

    def of_steps(self, blocks: list[Block], first_step: int) -> Iterator[Samples]:
        """Yield the samples of each step of an epoch, from its step `first_step` on; what comes next is read meanwhile."""
        starts = np.cumsum([0, *(block.num_steps for block in blocks)])
        first = int(np.searchsorted(starts, first_step, side="right")) - 1
        read = partial(read_meshes, self.model, self.windows, device=self.device)
        before = [self.gathered and self.gathered[0], *blocks[first:]]
        parts = [
            [] if self.is_same(block, other) else self.parts_of(block)
            for block, other in zip(blocks[first:], before, strict=False)
        ]
        meshes = read_ahead(partial(read, part) for some in parts for part in some)
        for block, some, start in zip(blocks[first:], parts, starts[first:], strict=False):
            if some:
                self.gathered = None  # not both in memory
                self.gathered = block, self.sampling.gather(self.model, islice(meshes, len(some)), sum(map(len, some)))
            assert self.gathered is not None
            steps = self.sampling.steps(self.gathered[1], block)
            yield from islice(steps, max(0, first_step - int(start)), None)

    def is_same(self, block: Block, other: Block | None) -> bool:
        """Say whether what was gathered of another block, if there was one, serves for a block."""
        return self.sampling.kept and other is not None and np.array_equal(block.frames, other.frames)

    def parts_of(self, block: Block) -> list[Int[ndarray, " _"]]:
        """Return the frames of a block that this process reads, in parts."""
        return self.sampling.parts(block, len(self.model.surface.vertices), self.device)
