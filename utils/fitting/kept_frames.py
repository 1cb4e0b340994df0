"""What of the frames is kept beside the sums of all vertices, to choose the linear part and its damping by."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.fitting.folds import UNLIKE_FOLDS, unlike_folds
from utils.fitting.ridge_regression import add_products, moments_of
from utils.predicting.prediction import spread
from utils.runs.processes import combine, own_share

FRAMES_TO_SMOOTH_BY = 240
MOST_PATCHES = 32
VERTICES_PER_PATCH = 20
INNER_VERTICES = 8  # of a patch: their neighbours are in it, too, and most of their neighbours' neighbours
VERTICES_FOR_GROUPS = 64  # about; the inner vertices of one patch are much alike
LARGEST_FOLDS = 80_000_000  # numbers; the more features there are, the fewer vertices are chosen by


@dataclass
class Patches:
    """Small parts of a surface that the choice is made on: S vertices in all, their neighbours (S, K) among them, and the
    inner ones (I,).

    A neighbour outside the patch is replaced by the vertex itself.
    """

    vertices: Int[ndarray, " S"]
    neighbours: Int[Tensor, "S K"]
    inner: Int[ndarray, " I"]

    @property
    def few(self) -> Int[ndarray, " J"]:
        """About `VERTICES_FOR_GROUPS` of the inner vertices."""
        return self.inner[:: -(-len(self.inner) // VERTICES_FOR_GROUPS)]

    @classmethod
    def over(cls, neighbours: Int[ndarray, "V K"], most_vertices: int) -> "Patches":
        """Return patches around vertices spread over a surface; all of a small one."""
        num_patches = min(MOST_PATCHES, max(1, most_vertices // VERTICES_PER_PATCH))
        if len(neighbours) <= num_patches * VERTICES_PER_PATCH:
            everything = np.arange(len(neighbours))
            return cls(everything, torch.from_numpy(neighbours), everything)
        vertices: list[int] = []
        near: list[list[int]] = []
        inner: list[int] = []
        for centre in spread(len(neighbours), num_patches).tolist():
            patch = [centre]
            for vertex in patch:  # it grows, ring by ring
                patch += [v for v in dict.fromkeys(neighbours[vertex].tolist()) if v not in patch]
                if len(patch) >= VERTICES_PER_PATCH:
                    break
            patch = patch[:VERTICES_PER_PATCH]
            first, place = len(vertices), {vertex: i for i, vertex in enumerate(patch, len(vertices))}
            near += [[place.get(v, place[vertex]) for v in neighbours[vertex].tolist()] for vertex in patch]
            inner += range(first, first + min(len(patch), INNER_VERTICES))
            vertices += patch
        return cls(np.array(vertices), torch.tensor(near), np.array(inner))


@dataclass
class SeenFrames:
    """Some frames (B) of a fold as the vertices (S) of patches see them: rows of [features, 1, target], how far the targets are
    trusted, and surface frames."""

    rows: Float[Tensor, "B S D"]
    weights: Float[Tensor, "B S"]
    frames: Float[Tensor, "B S 3 3"]


class KeptFrames:
    """What is kept of T frames, gathered `fold` by fold: blocks of consecutive frames, whose like is in other blocks.

    Of the patches' vertices, `like` (K, S, D, D) are the moments of each fold, and `seen` some of the frames themselves. Of the
    `watched` vertices, the patches' `few` and the anchors, `rows` (T, W, D) are all frames, `folds` (T,) the fold of each, and
    `unlike_folds` (T,) its kind of motion. Rows are [features, 1, targets], features about their mean and in units of their
    spread; `weights` (T, W) say how far the targets are trusted. A process keeps its own share.
    """

    def __init__(
        self,
        model: MeshAutoencoder,
        windows: MeshWindows,
        frames: Int[ndarray, " T"],
        num_folds: int,
        size: int,
        device: torch.device,
    ):
        self.groups = model.coordinates.groups
        self.frames, self.sequences = frames, windows.entries[frames, 0]
        self.blocks = [own_share(block) for block in np.array_split(frames, min(num_folds, len(frames)))]
        self.to_smooth_by = frames[:: -(-len(frames) // FRAMES_TO_SMOOTH_BY)]
        neighbours = model.surface.neighbours.cpu().numpy()
        self.patches = Patches.over(neighbours, LARGEST_FOLDS // (len(self.blocks) * size**2))
        few = self.patches.vertices[self.patches.few]
        self.num_few = len(few)
        self.watched = np.concatenate([few, model.surface.anchors.cpu().numpy()])
        shape = (len(self.blocks), len(self.patches.vertices), size, size)
        self.like = torch.zeros(shape, dtype=torch.float64, device=device)
        # a process may have no frames of a fold
        nothing = SeenFrames(*(torch.zeros(0, shape[1], *each, device=device) for each in ((size,), (), (3, 3))))
        self.seen = [[nothing] for _ in self.blocks]
        self.parts = [torch.zeros(0, len(self.watched), size, device=device)]
        self.parts_of_weights = [torch.zeros(0, len(self.watched), device=device)]

    def add(
        self,
        fold: int,
        frames: Int[ndarray, " B"],
        rows_of: Callable[[Int[ndarray, " S"]], Float[Tensor, "B S D"]],
        weights: Float[Tensor, "B V"],
        axes: Float[Tensor, "B V 3 3"],
    ) -> None:
        """Keep what is needed of some frames of a fold, given what returns the rows of some vertices, how far their targets are
        trusted, and surface frames."""
        vertices = self.patches.vertices
        in_patches, of_patches = rows_of(vertices), weights[:, vertices]
        add_products(self.like[fold], in_patches, of_patches)
        some = np.isin(frames, self.to_smooth_by)
        self.seen[fold].append(SeenFrames(in_patches[some], of_patches[some], axes[:, vertices][some]))
        self.parts.append(rows_of(self.watched))
        self.parts_of_weights.append(weights[:, self.watched])

    def finish(self) -> None:
        """Add up over all processes, when all frames are in."""
        combine(self.like)
        self.rows, self.weights = torch.cat(self.parts), torch.cat(self.parts_of_weights)
        self.folds = np.repeat(np.arange(len(self.blocks)), [len(block) for block in self.blocks])
        own = np.searchsorted(self.frames, np.concatenate(self.blocks))
        seen = torch.zeros(len(self.frames), self.num_few, self.rows.shape[2] - 4)
        seen[torch.from_numpy(own)] = self.of_few[..., :-4].cpu()
        self.unlike_folds = unlike_folds(combine(seen).flatten(1).numpy(), self.sequences)[own]

    @property
    def of_few(self) -> Float[Tensor, "T J D"]:
        """The rows of the patches' few vertices."""
        return self.rows[:, : self.num_few]

    @property
    def weights_of_few(self) -> Float[Tensor, "T J"]:
        """How far the targets of the patches' few vertices are trusted."""
        return self.weights[:, : self.num_few]

    @property
    def of_anchors(self) -> Float[Tensor, "T A D"]:
        """The rows of the anchors."""
        return self.rows[:, self.num_few :]

    @property
    def weights_of_anchors(self) -> Float[Tensor, "T A"]:
        """How far the targets of the anchors are trusted."""
        return self.weights[:, self.num_few :]

    def num_folds(self, folds: Int[ndarray, " T"]) -> int:
        """Return how many folds there are: `folds`, or `unlike_folds`."""
        return len(self.blocks) if folds is self.folds else UNLIKE_FOLDS

    def unlike(self) -> Float[Tensor, "L J D D"]:
        """Return the moments of the few vertices in each fold (L) of frames unlike all others."""
        inside = (torch.from_numpy(self.unlike_folds == fold) for fold in range(UNLIKE_FOLDS))
        return torch.stack([moments_of(self.of_few[some], self.weights_of_few[some]) for some in inside])
