"""What the linear part of the model looks at, and how far to trust it: whatever does best in frames kept out of a fit.

Frames are kept out in two ways (`utils.fitting.folds`): in blocks of consecutive ones, whose like is among the others, and by
kinds of motion, whose like is not. Both count alike. This serves few frames and many, motion like that of training and unlike
it, and motion that says nothing about the scan, without tuning by anybody.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.linear_correction import MOST_SMOOTHING_STEPS
from models.local_features import DRIVING_GROUPS, MOVING_GROUPS, OPTIONAL_GROUPS, OSCILLATORS
from models.mesh_autoencoder import MeshAutoencoder
from models.rest_surface import mean_over_neighbours
from models.surface_frames import to_world
from utils.fitting.kept_frames import KeptFrames, Patches, SeenFrames
from utils.fitting.leverage_fit import Regression, choose_damping
from utils.fitting.ridge_regression import solve, spread_of_targets, squares
from utils.runs.processes import agreed, combine

PENALTIES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)
SMOOTHING_STEPS = range(MOST_SMOOTHING_STEPS + 1)
# choices whose error in frames kept out is at most so many times the least:
AS_GOOD_AS_BEST = 1.01  # of these, the one with fewer oscillators and more smoothing is taken
NO_JOINTS_FOR = 1.1  # of these, the one without joints: joints tell the known poses apart, and a new motion has others


@dataclass
class Choice:
    """What cross-validation chose for the linear part.

    The features of some `groups` change each vertex' mean correction, through a regression with this `penalty`. The change is
    smoothed over the surface `smoothing_steps` times and counts `strength`, 0 to 1; without groups, the mean correction itself
    does. An `isotropic` regression is drawn towards answering along the `DRIVING_GROUPS`, any other towards not answering.
    `left` is the share of the correction that is left in frames kept out of the fit, blocks of them, and `left_unlike` in
    kinds of motion kept out: RMS, the squares weighted by `weights_of`. `variance` is what the errors' variance is taken times
    where answers are damped (`utils.fitting.leverage_fit`).
    """

    groups: tuple[str, ...]
    penalty: float
    isotropic: bool
    smoothing_steps: int = 0
    strength: float = 1.0
    left: float = 1.0
    left_unlike: float = 1.0
    variance: float = 0.0

    @property
    def score(self) -> float:
        """What choices are compared by: the less, the better."""
        return float((self.left * self.left_unlike) ** 0.5)

    def __str__(self) -> str:
        along = ", isotropic" if self.isotropic else ""
        added = (
            f" and what follows from {', '.join(self.groups)}; penalty {self.penalty:g}{along}" if self.groups else ""
        )
        smooth = f", smoothed {self.smoothing_steps} x over neighbours" if self.smoothing_steps else ""
        damped = f", damped to {self.strength:.2f}" if self.strength < 0.995 else ""
        return (
            f"linear part: each vertex' mean correction{added}{smooth}{damped}; "
            f"leaves {100 * self.left:.1f} % of the correction (weighted RMS) in frames kept out of its fit, "
            f"{100 * self.left_unlike:.1f} % in kinds of motion kept out; variance of errors x {self.variance:g}"
        )


def candidate_groups(model: MeshAutoencoder) -> list[tuple[str, ...]]:
    """Return the sets of feature groups to choose from: none, or all but joints with more and more oscillators, fast ones
    first."""
    always = [name for name in model.coordinates.groups if name not in OPTIONAL_GROUPS]
    oscillators = [name for name in model.coordinates.groups if name in OSCILLATORS]
    return [(), *((*always, *oscillators[:count]) for count in range(len(oscillators) + 1))]


def share_left(sums: Float[Tensor, "4"], strength: float) -> float:
    """Return the share of the correction (RMS) that a change of some strength leaves, from its sums of `squares`."""
    whole, rest, shared, size = sums.tolist()
    left = max(0.0, rest - 2 * strength * shared + strength**2 * size)
    return float((left / whole) ** 0.5) if whole > 0 else 0.0


def rated(choice: Choice, sums: Float[Tensor, "4"]) -> Choice:
    """Return a choice at its best strength, and what it leaves, from its sums of `squares` in frames kept out of the fit."""
    shared, size = sums[2:].tolist()
    strength = float(np.clip(shared / size, 0, 1)) if size > 0 else 1.0
    return replace(choice, strength=strength, left=share_left(sums, strength))


def columns_and_vectors(model: MeshAutoencoder, choice: Choice) -> tuple[list[int], list[int]]:
    """Return the features that a choice looks at, and the first components of the vectors that it is drawn to answer along."""
    driving = [name for name in choice.groups if name in DRIVING_GROUPS and choice.isotropic]
    return model.coordinates.groups.columns_of(choice.groups), model.coordinates.groups.columns_of(driving)[::3]


def regression_of(model: MeshAutoencoder, choice: Choice) -> Regression:
    """Return the regression that was chosen, for the feature groups that the model has."""
    left = [name for name in model.coordinates.groups if not choice.groups or name in choice.groups]
    motion = model.coordinates.groups.slices_of([name for name in left if name in MOVING_GROUPS])
    looks_at = columns_and_vectors(model, choice)
    return Regression(*looks_at, choice.penalty, choice.strength, choice.smoothing_steps, motion)


def weights_of(moments: Float[Tensor, "S D D"]) -> Float[Tensor, " S"]:
    """Return the weight of each vertex' squared errors: the more its targets vary, the less they count.

    In plain sums of squares a few soft vertices would outweigh all others, and which of those are among the patches is chance.
    """
    spread_of_each = spread_of_targets(moments)
    return 1 / (spread_of_each + 0.1 * spread_of_each.mean()).clamp_min(1e-6)  # targets are about one in size


class FoldMoments:
    """The moments of S vertices in each of K folds (K S, D, D), and in all others, by a fit to which a fold is predicted."""

    def __init__(self, folds: Float[Tensor, "K S D D"]):
        self.num_folds = len(folds)
        self.inside, self.others = folds.flatten(0, 1), (folds.sum(dim=0) - folds).flatten(0, 1)

    def sums_kept_out(
        self, weights: Float[Tensor, " S"], columns: list[int], penalty: float, vectors: list[int]
    ) -> Float[Tensor, "4"]:
        """Return the weighted sums of `squares` (4,), when each fold of frames is predicted by a fit to the others."""
        sums = squares(self.inside, *solve(self.others, columns, penalty, vectors))
        return weights @ sums.view(self.num_folds, -1, 4).sum(dim=0)


def best_penalty(
    model: MeshAutoencoder,
    like: FoldMoments,
    unlike: FoldMoments,
    weights: Float[Tensor, " S"],
    groups: tuple[str, ...],
    isotropic: bool,
    start: float,
) -> Choice:
    """Return the choice of these feature groups with the penalty of the best score, in folds of like frames and of unlike ones.

    The search begins at the penalty `start` and goes on in the direction that improves, until none does.
    """
    penalties = PENALTIES if groups else (start,)
    unrated = Choice(groups, start, isotropic)
    columns, vectors = columns_and_vectors(model, unrated)
    known: dict[int, Choice] = {}
    place, best = penalties.index(start), -1
    while place != best:
        best = place
        for number in {*range(max(0, place - 1), min(len(penalties), place + 2))} - known.keys():
            penalty = penalties[number]
            choice = rated(replace(unrated, penalty=penalty), like.sums_kept_out(weights, columns, penalty, vectors))
            sums = unlike.sums_kept_out(weights, columns, penalty, vectors)
            known[number] = replace(choice, left_unlike=share_left(sums, choice.strength))
        place = min(known, key=lambda number: known[number].score)
    return known[best]


def choose_groups(
    model: MeshAutoencoder, like: FoldMoments, unlike: FoldMoments, weights: Float[Tensor, " S"]
) -> Choice:
    """Return the fewest feature groups with about the best score; joints are tried last, and have to improve it more."""
    choices = []
    for isotropic in (True, False):
        penalty = PENALTIES[-3:][0]  # the search goes on from there; of a few, from the first
        for groups in candidate_groups(model):
            choices.append(best_penalty(model, like, unlike, weights, groups, isotropic, penalty))
            penalty = choices[-1].penalty
    least = min(choice.score for choice in choices)
    as_good = [choice for choice in choices if choice.score <= AS_GOOD_AS_BEST * least]
    best = min(as_good, key=lambda choice: (len(choice.groups), choice.score))
    if model.coordinates.sees_joints:
        beside = best if best.groups else min(choices, key=lambda choice: (not choice.groups, choice.score))
        groups = (*beside.groups, "joints")
        with_joints = best_penalty(model, like, unlike, weights, groups, beside.isotropic, beside.penalty)
        if best.score > NO_JOINTS_FOR * with_joints.score:
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
            of_targets = weights[inner] * part.weights[:, inner].double()
            done = 0
            for place, steps in enumerate(numbers):
                change, done = mean_over_neighbours(change, neighbours, steps - done), steps
                pairs = ((target, target), (rest, rest), (rest, change), (change, change))
                sums[place] += torch.stack([(of_targets * (a * b)[:, inner].sum(dim=2)).sum() for a, b in pairs])
    smoothed = (replace(choice, smoothing_steps=steps) for steps in numbers)
    return [rated(each, own_sums) for each, own_sums in zip(smoothed, combine(sums), strict=True)]


def choose(model: MeshAutoencoder, kept: KeptFrames) -> Choice:
    """Return what does best in frames kept out of a fit.

    Of choices that leave about as much, the one with the fewest inputs is taken, then with the most smoothing: motion that was
    not seen asks for more of all that than these folds do.
    """
    weights, few = weights_of(kept.like.sum(dim=0)), kept.patches.few
    folds = FoldMoments(kept.like[:, few]), FoldMoments(kept.unlike())
    best = agreed(choose_groups(model, *folds, weights[few]))
    looks_at = columns_and_vectors(model, best)
    smoothed = with_smoothing(best, *looks_at, kept.like, kept.seen, kept.patches, weights)
    least = min(choice.left for choice in smoothed)
    best = max(
        (choice for choice in smoothed if choice.left <= AS_GOOD_AS_BEST * least),
        key=lambda choice: choice.smoothing_steps,
    )
    strength, variance = choose_damping(kept, regression_of(model, best))
    return agreed(replace(best, strength=strength, variance=variance))
