"""What the linear part of the model looks at, and how far to trust it: whatever does best in frames kept out of a fit.

The frames are cut into blocks of consecutive ones, and each block is predicted by a fit to all others. This serves few frames
and many, and motion that says nothing about the scan, without tuning by anybody.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from models.coordinates import DRIVING_GROUPS, OPTIONAL_GROUPS, OSCILLATORS
from models.linear_correction import MOST_SMOOTHING_STEPS
from models.mesh_autoencoder import MeshAutoencoder
from models.rest_surface import mean_over_neighbours
from models.surface_frames import to_world
from utils.fitting.ridge_regression import solve, spread_of_targets, squares
from utils.predicting.prediction import spread
from utils.runs.processes import agreed, combine

PENALTIES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 10.0)
SMOOTHING_STEPS = range(MOST_SMOOTHING_STEPS + 1)
# choices whose error in frames kept out is at most so many times the least:
AS_GOOD_AS_BEST = 1.01  # of these, the one with fewer oscillators, a stronger penalty and more smoothing is taken
NO_JOINTS_FOR = 1.1  # of these, the one without joints: joints tell the known poses apart, and a new motion has others
MOST_PATCHES = 32
VERTICES_PER_PATCH = 20
INNER_VERTICES = 8  # of a patch: their neighbours are in it, too, and most of their neighbours' neighbours
VERTICES_FOR_GROUPS = 64  # about; the inner vertices of one patch are much alike


@dataclass
class Choice:
    """What cross-validation chose for the linear part.

    The features of some `groups` change each vertex' mean correction, through a regression with this `penalty`. The change is
    smoothed over the surface `smoothing_steps` times and counts `strength`, 0 to 1; without groups, the mean correction itself
    does. An `isotropic` regression is drawn towards answering along the `DRIVING_GROUPS`, any other towards not answering.
    `left` is the share of the correction that is left in frames kept out of the fit: RMS, the squares weighted by
    `weights_of`.
    """

    groups: tuple[str, ...]
    penalty: float
    isotropic: bool
    smoothing_steps: int = 0
    strength: float = 1.0
    left: float = 1.0

    def __str__(self) -> str:
        along = ", isotropic" if self.isotropic else ""
        added = (
            f" and what follows from {', '.join(self.groups)}; penalty {self.penalty:g}{along}" if self.groups else ""
        )
        smooth = f", smoothed {self.smoothing_steps} x over neighbours" if self.smoothing_steps else ""
        damped = f", damped to {self.strength:.2f}" if self.strength < 0.995 else ""
        return (
            f"linear part: each vertex' mean correction{added}{smooth}{damped}; "
            f"leaves {100 * self.left:.1f} % of the correction (weighted RMS) in frames kept out of its fit"
        )


def candidate_groups(model: MeshAutoencoder) -> list[tuple[str, ...]]:
    """Return the sets of feature groups to choose from: none, or all but joints with more and more oscillators, fast ones
    first."""
    always = [name for name in model.coordinates.groups if name not in OPTIONAL_GROUPS]
    oscillators = [name for name in model.coordinates.groups if name in OSCILLATORS]
    return [(), *((*always, *oscillators[:count]) for count in range(len(oscillators) + 1))]


@dataclass
class Patches:
    """Small parts of a surface that the choice is made on: S vertices in all, their neighbours (S, K) among them, and the
    inner ones (I,).

    A neighbour outside the patch is replaced by the vertex itself.
    """

    vertices: Int[ndarray, " S"]
    neighbours: Int[Tensor, "S K"]
    inner: Int[ndarray, " I"]

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
    """Some frames (B) of a fold as the vertices (S) of patches see them: rows of [features, 1, target], and surface frames."""

    rows: Float[Tensor, "B S D"]
    frames: Float[Tensor, "B S 3 3"]


def rated(choice: Choice, sums: Float[Tensor, "4"]) -> Choice:
    """Return a choice at its best strength, and what it leaves, from its sums of `squares` in frames kept out of the fit."""
    whole, rest, shared, size = sums.tolist()
    strength = float(np.clip(shared / size, 0, 1)) if size > 0 else 1.0
    left = max(0.0, rest - 2 * strength * shared + strength**2 * size)
    return replace(choice, strength=strength, left=(left / whole) ** 0.5 if whole > 0 else 0.0)


def columns_and_vectors(model: MeshAutoencoder, choice: Choice) -> tuple[list[int], list[int]]:
    """Return the features that a choice looks at, and the first components of the vectors that it is drawn to answer along."""
    driving = [name for name in choice.groups if name in DRIVING_GROUPS and choice.isotropic]
    return model.coordinates.groups.columns_of(choice.groups), model.coordinates.groups.columns_of(driving)[::3]


def weights_of(moments: Float[Tensor, "S D D"]) -> Float[Tensor, " S"]:
    """Return the weight of each vertex' squared errors: the more its targets vary, the less they count.

    In plain sums of squares a few soft vertices would outweigh all others, and which of those are among the patches is chance.
    """
    spread_of_each = spread_of_targets(moments)
    return 1 / (spread_of_each + 0.1 * spread_of_each.mean()).clamp_min(1e-6)  # targets are about one in size


def best_penalty(
    model: MeshAutoencoder,
    folds: Float[Tensor, "K S D D"],
    weights: Float[Tensor, " S"],
    groups: tuple[str, ...],
    isotropic: bool,
    start: float,
) -> Choice:
    """Return the choice of these feature groups whose penalty leaves the least squared error, when each fold (K) of frames is
    predicted by a fit to the others.

    Every other penalty is a candidate. The search begins at `start` and goes on in the direction that improves, until none
    does.
    """
    penalties = PENALTIES[::2] if groups else (start,)
    unrated = Choice(groups, start, isotropic)
    columns, vectors = columns_and_vectors(model, unrated)
    looked_at = [*columns, *range(folds.shape[2] - 4, folds.shape[2])]
    parts = folds[:, :, looked_at][:, :, :, looked_at]
    others, places, first = parts.sum(dim=0) - parts, list(range(len(columns))), [columns.index(v) for v in vectors]
    known: dict[int, Choice] = {}
    place, lowest = penalties.index(start), -1
    while place != lowest:
        lowest = place
        for number in {*range(max(0, place - 1), min(len(penalties), place + 2))} - known.keys():
            fits = (solve(other, places, penalties[number], first) for other in others)
            sums = [squares(part, *fit) for part, fit in zip(parts, fits, strict=True)]
            known[number] = rated(replace(unrated, penalty=penalties[number]), weights @ torch.stack(sums).sum(dim=0))
        place = min(known, key=lambda number: known[number].left)
    return known[lowest]


def choose_groups(model: MeshAutoencoder, folds: Float[Tensor, "K S D D"], weights: Float[Tensor, " S"]) -> Choice:
    """Return the fewest feature groups that leave about the least squared error; joints are tried last, and have to improve
    more."""
    choices = []
    for isotropic in (True, False):
        penalty = PENALTIES[-1]
        for groups in candidate_groups(model):
            choices.append(best_penalty(model, folds, weights, groups, isotropic, penalty))
            penalty = choices[-1].penalty
    least = min(choice.left for choice in choices)
    as_good = [choice for choice in choices if choice.left <= AS_GOOD_AS_BEST * least]
    best = min(as_good, key=lambda choice: (len(choice.groups), choice.left))
    if model.coordinates.sees_joints:
        beside = best if best.groups else min(choices, key=lambda choice: (not choice.groups, choice.left))
        groups = (*beside.groups, "joints")
        with_joints = best_penalty(model, folds, weights, groups, beside.isotropic, beside.penalty)
        if best.left > NO_JOINTS_FOR * with_joints.left:
            return with_joints
    return best


def with_smoothing(
    choice: Choice,
    columns: list[int],
    vectors: list[int],
    folds: Float[Tensor, "K S D D"],
    seen: list[list[SeenFrames]],
    patches: Patches,
    weights: Float[Tensor, " S"],
) -> list[Choice]:
    """Return a choice with every number of smoothing steps, rated by the frames `seen` of each fold (K).

    `columns` and `vectors` are its `columns_and_vectors`.
    """
    total = folds.sum(dim=0)
    neighbours, inner = patches.neighbours.to(folds.device), patches.inner
    numbers = SMOOTHING_STEPS if columns else SMOOTHING_STEPS[:1]
    sums = torch.zeros(len(numbers), 4, dtype=torch.float64, device=folds.device)
    for fold, parts in zip(folds, seen, strict=True):
        mean, coefficients, rows = solve(total - fold, columns, choice.penalty, vectors)
        for part in parts:
            values, frames = part.rows.double(), part.frames.double()
            target = values[..., -3:]
            change = torch.einsum("bsk,sko->bso", values[..., rows], coefficients)
            rest, change = (to_world(frames, each.unsqueeze(2)).squeeze(2) for each in (target - mean, change))
            done = 0
            for place, steps in enumerate(numbers):
                change, done = mean_over_neighbours(change, neighbours, steps - done), steps
                pairs = ((target, target), (rest, rest), (rest, change), (change, change))
                sums[place] += torch.stack([weights[inner] @ (a * b)[:, inner].sum(dim=(0, 2)) for a, b in pairs])
    smoothed = (replace(choice, smoothing_steps=steps) for steps in numbers)
    return [rated(each, own_sums) for each, own_sums in zip(smoothed, combine(sums), strict=True)]


def choose(
    model: MeshAutoencoder, folds: Float[Tensor, "K S D D"], seen: list[list[SeenFrames]], patches: Patches
) -> Choice:
    """Return what does best in frames kept out of a fit, from the moments of the patches in each fold (K) of frames, and from
    some of these frames themselves.

    Of choices that leave about as much, the one with the fewest inputs is taken, then with the strongest penalty, then with
    the most smoothing: motion that was not seen asks for more of all that than these folds do.
    """
    weights = weights_of(folds.sum(dim=0))
    some = patches.inner[:: -(-len(patches.inner) // VERTICES_FOR_GROUPS)]
    best = agreed(choose_groups(model, folds[:, some], weights[some]))
    place = PENALTIES.index(best.penalty)
    near = [replace(best, penalty=penalty) for penalty in PENALTIES[max(0, place - 1) : place + 2]]
    looks_at = columns_and_vectors(model, best)
    choices = [with_smoothing(each, *looks_at, folds, seen, patches, weights) for each in near]
    least = [min(choice.left for choice in of_penalty) for of_penalty in choices]
    strongest = max(i for i, left in enumerate(least) if left <= AS_GOOD_AS_BEST * min(least))
    as_good = [choice for choice in choices[strongest] if choice.left <= AS_GOOD_AS_BEST * least[strongest]]
    return agreed(max(as_good, key=lambda choice: choice.smoothing_steps))
