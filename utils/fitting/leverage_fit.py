"""How far to trust the model beyond the motion of training: its leverage, and the variance that this stands for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.distributed as dist
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from models.leverage import Leverage, growth, wiener
from models.rest_surface import mean_over_neighbours
from models.surface_frames import to_local, to_world
from utils.fitting.folds import UNLIKE_FOLDS
from utils.fitting.kept_frames import KeptFrames
from utils.fitting.ridge_regression import FEWEST_FRAMES, leverage, moments_of, solve, squares
from utils.runs.processes import combine

QUIETEST = 0.01  # of the mean energy of motion: what moves less than that counts as still
AS_GOOD_AS_BEST = 1.005
LEAST_LEFT = 0.01  # of the mean square that is left over
FRAMES_ALIKE = 8
VARIANCES = (0.0, *(step * 10.0**power for power in range(-1, 4) for step in (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))


@dataclass
class Regression:
    """A ridge regression: the `columns` that it looks at, the first of each three that are a vector to answer along, its
    penalty, the strength of its answers, how often they are smoothed, and where its features say how lively the motion is."""

    columns: list[int]
    vectors: list[int]
    penalty: float
    strength: float
    smoothing_steps: int
    motion: list[slice]


def set_leverage(
    module: Leverage, rows: Float[Tensor, "T A D"], columns: list[int], penalty: float
) -> Float[Tensor, " A"]:
    """Set the leverage of a regression at some vertices (A) from what they see in T frames: rows of [features, 1, targets].

    It is that of the frames, however far their targets are trusted. Features are in units of their spread; `columns` are those
    that the regression looks at. Return its degrees of freedom (A,).
    """
    moments = moments_of(rows)
    root, freedom = leverage(moments, columns, penalty)
    ones = rows.shape[2] - 4
    count = moments[0, ones, ones]
    module.mean.copy_(moments[:, :ones, ones] / count)
    module.root.zero_()
    looked_at = torch.tensor(columns, dtype=torch.long, device=rows.device)
    module.root[:, looked_at.unsqueeze(1), looked_at] = (root / freedom[:, None, None].sqrt()).float()
    module.least.copy_(1 / freedom)
    if module.motion:
        energy = module.energy(rows[..., :ones] - module.mean).double()
        module.quietest.copy_(QUIETEST * combine(energy.sum(dim=0)) / count + 1e-12)
        level = (energy + module.quietest).log()
        module.log_mean.copy_(combine(level.sum(dim=0)) / count)
        spread = combine((level - module.log_mean).square().sum(dim=0)) / count
        module.log_spread.copy_(spread.sqrt().clamp_min(1e-3))
    return freedom


def set_reach(module: Leverage, features: Float[Tensor, "T A C"], freedom: Float[Tensor, " A"], count: float) -> None:
    """Set the highest leverage of a frame of training, when it is kept out of the fit: in the mean over the anchors (A), and at
    each of them. Here are this process' T of `count` frames.

    With h the leverage of a frame that is in the fit, it is h / (1 - h): what sets a frame apart it also holds to itself.
    """
    leverages = module(features)
    within = (leverages * freedom.to(features) / count).clamp_max(0.95)
    kept_out = torch.cat([leverages / (1 - within), torch.zeros_like(module.reached).unsqueeze(0)])
    module.farthest.copy_(combine(kept_out.mean(dim=1).amax(), dist.ReduceOp.MAX))
    module.reached.copy_(combine(kept_out.amax(dim=0), dist.ReduceOp.MAX))


class FitToOthers(NamedTuple):
    """A regression fitted to all frames but those `inside` a fold (T,): the moments (V, D, D) of the others, what `solve` makes
    of these, and what it answers in the B frames of the fold (B, V, 3)."""

    inside: Bool[Tensor, " T"]
    moments: Float[Tensor, "V D D"]
    solution: tuple[Float[Tensor, "V 3"], Float[Tensor, "V K 3"], list[int]]
    answer: Float[Tensor, "B V 3"]


def fits_to_others(
    rows: Float[Tensor, "T V D"],
    weights: Float[Tensor, "T V"],
    folds: Int[ndarray, " T"],
    num_folds: int,
    fit: Regression,
) -> Iterator[FitToOthers]:
    """Yield, for each fold of the frames of this process, a fit to all others; not where there are no others in any process."""
    for fold in range(num_folds):
        inside = torch.from_numpy(folds == fold)
        if not float(combine(torch.tensor(float((~inside).sum())))):
            continue
        moments = moments_of(rows[~inside], weights[~inside])
        mean, coefficients, places = solve(moments, fit.columns, fit.penalty, fit.vectors)
        change = torch.einsum("bvk,vko->bvo", rows[inside][..., places].double(), coefficients)
        yield FitToOthers(inside, moments, (mean, coefficients, places), mean + fit.strength * change)


def errors_along_the_mean(
    rows: Float[Tensor, "T A D"], weights: Float[Tensor, "T A"], folds: Int[ndarray, " T"], fit: Regression
) -> tuple[Float[Tensor, "T A"], Float[Tensor, "T A"]]:
    """Return the products (T, A) of a regression's errors in folds kept out of its fit with its mean target, and the squares
    of that mean."""
    along, square = (torch.zeros_like(weights, dtype=torch.float64) for _ in range(2))
    for other in fits_to_others(rows, weights, folds, UNLIKE_FOLDS, fit):
        mean, errors = other.solution[0], rows[other.inside][..., -3:] - other.answer
        along[other.inside], square[other.inside] = (errors * mean).sum(dim=2), mean.square().sum(dim=1)
    return along, square


def set_moving_share(
    module: Leverage,
    rows: Float[Tensor, "T A D"],
    weights: Float[Tensor, "T A"],
    folds: Int[ndarray, " T"],
    fit: Regression,
) -> None:
    """Set how much of the mean correction comes of the motion, at each anchor (A), from folds of unlike frames.

    What a fit to the others leaves over along its mean, as a share of that, is regressed on the amplitude of motion. The slope
    is taken as far as it is certain, where `FRAMES_ALIKE` frames say no more than one. `weights` say how far the targets are
    trusted; the leverage of the rows has been set.
    """
    if not module.motion:
        return
    along, square = errors_along_the_mean(rows, weights, folds, fit)
    weights = weights.double()
    amplitude = (module.level(rows[..., :-4] - module.mean).double() / 2).exp()
    count = combine(weights.sum(dim=0)).clamp_min(FEWEST_FRAMES)
    amplitude = amplitude - combine((weights * amplitude).sum(dim=0)) / count
    size = combine((weights * amplitude.square() * square).sum(dim=0)).clamp_min(1e-12)
    slope = combine((weights * amplitude * along).sum(dim=0)) / size
    errors = weights * amplitude * (along - slope * amplitude * square)
    variance = FRAMES_ALIKE * combine(errors.square().sum(dim=0)) / size.square()
    module.moving_share.copy_(slope.clamp(0, 1) * wiener(slope.square(), variance + 1e-12))


def size_and_variance(
    sums: Float[Tensor, "S 4"], strength: float, count: Float[Tensor, " S"], freedom: Float[Tensor, " S"]
) -> tuple[Float[Tensor, " S"], Float[Tensor, " S"]]:
    """Return the size of a regression's answers, RMS, and the variance of their errors at a leverage of one, in units of that
    size squared, at each vertex (S,).

    `sums` are its `squares` over `count` frames that it was fitted to, as their weights add up, `freedom` its degrees of
    freedom.
    """
    whole, rest, _, size = sums.T / count.clamp_min(FEWEST_FRAMES)
    answer = (whole - rest + strength**2 * size).clamp_min(1e-12 * whole.mean() + 1e-30)
    variance = left_over(sums, strength, count, freedom) * share_of_freedom(count, freedom)
    return answer.sqrt(), (variance / answer).clamp_max(1e6)


def share_of_freedom(count: Float[Tensor, " S"], freedom: Float[Tensor, " S"]) -> Float[Tensor, " S"]:
    """Return the degrees of freedom per frame that a regression was fitted to."""
    return (freedom / count.clamp_min(FEWEST_FRAMES)).clamp_max(0.95)


def left_over(
    sums: Float[Tensor, "S 4"], strength: float, count: Float[Tensor, " S"], freedom: Float[Tensor, " S"]
) -> Float[Tensor, " S"]:
    """Return the mean square that a regression leaves over in frames that it was not fitted to, from what `size_and_variance`
    takes.

    Golub, Heath and Wahba 1979, "Generalized cross-validation as a method for choosing a good ridge parameter".
    """
    _, rest, shared, size = sums.T / count.clamp_min(FEWEST_FRAMES)
    left = (rest - 2 * strength * shared + strength**2 * size).clamp_min(0)
    return left / (1 - share_of_freedom(count, freedom)).square()


def residual_of(
    sums: Float[Tensor, "S 4"], strength: float, count: Float[Tensor, " S"], freedom: Float[Tensor, " S"]
) -> Float[Tensor, " S"]:
    """Return the RMS of what is `left_over`, with a little of that of all vertices beside it: no answer is certain."""
    left = left_over(sums, strength, count, freedom)
    return (left + LEAST_LEFT * left.mean() + 1e-30).sqrt()


def changes_kept_out(
    kept: KeptFrames, fold: int, fit: Regression, coefficients: Float[Tensor, "S K 3"], places: list[int]
) -> Float[Tensor, "B S 3"]:
    """Return how a fit to all other folds changes the mean in some frames of a fold, smoothed, given its coefficients and the
    columns that these belong to."""
    rows = torch.cat([part.rows for part in kept.seen[fold]])
    change = torch.einsum("bsk,sko->bso", rows[..., places].double(), coefficients)
    if fit.smoothing_steps:
        axes = torch.cat([part.frames for part in kept.seen[fold]]).double()
        change = to_world(axes, change.unsqueeze(2)).squeeze(2)
        change = mean_over_neighbours(change, kept.patches.neighbours.to(change.device), fit.smoothing_steps)
        change = to_local(axes, change.unsqueeze(2)).squeeze(2)
    return change


def errors_kept_out(
    kept: KeptFrames, total: Float[Tensor, "S D D"], fold: int, fit: Regression, strengths: list[float]
) -> Float[Tensor, "N M"]:
    """Return the share of the correction that is left in the frames of a fold, by a fit to all others, for each of the
    strengths (N) and of `VARIANCES` (M). `total` are the moments of all folds."""
    fitted, few = kept.of_few[torch.from_numpy(kept.folds != fold)], kept.patches.few
    num_features = fitted.shape[2] - 4
    module = Leverage(len(few), len(few), num_features, fit.motion).to(fitted)
    freedom = set_leverage(module, fitted, fit.columns, fit.penalty)
    others = total - kept.like[fold]
    count = others[few][:, -4, -4]
    mean, coefficients, places = solve(others, fit.columns, fit.penalty, fit.vectors)
    sums_of_fit = squares(others[few], mean[few], coefficients[few], places)
    change = changes_kept_out(kept, fold, fit, coefficients, places)[:, few]
    rows = torch.cat([part.rows[:, few] for part in kept.seen[fold]])
    weights = torch.cat([part.weights[:, few] for part in kept.seen[fold]])
    target, leverages = rows[..., -3:], module(rows[..., :num_features])
    times = torch.tensor(VARIANCES, device=rows.device)[:, None, None]
    sums = [(weights * torch.linalg.vector_norm(target, dim=2)).sum().view(1)]
    for strength in strengths:
        size, variance = size_and_variance(sums_of_fit, strength, count, freedom)
        module.answer_size.copy_(size)
        answer = (mean[few] + strength * change).float()
        square = module.relative_square(torch.linalg.vector_norm(answer, dim=2))
        damped = wiener(square, times * (variance.float() * growth(leverages))).unsqueeze(3) * answer
        sums.append((weights * torch.linalg.vector_norm(damped - target, dim=3)).sum(dim=(1, 2)))
    left = combine(torch.cat(sums).double())
    return (left[1:] / left[0].clamp_min(1e-30)).view(len(strengths), -1)


def choose_damping(kept: KeptFrames, fit: Regression) -> tuple[float, float]:
    """Return the strength of a regression's answers and what to take their errors' variance times.

    The strength is the one of `fit` or 1, whichever leaves less when damped. The variance is as large as costs next to nothing
    in motion like that of training. Only like frames decide: unlike ones are so unlike in some takes that they would damp
    nothing, in others that they would damp everything. Of a mean alone the variance is what it is: to damp that any further
    costs nothing, but what a network adds to it would be lost.
    """
    folds, strengths = range(len(kept.like)), sorted({fit.strength, 1.0})
    if len(folds) < 2 or not fit.columns:
        return fit.strength, float(len(folds) > 1)
    total = kept.like.sum(dim=0)
    left = torch.stack([errors_kept_out(kept, total, fold, fit, strengths) for fold in folds]).mean(dim=0).cpu()
    best = int(left.amin(dim=1).argmin())
    as_good = left[best] <= AS_GOOD_AS_BEST * left[best].min()
    return strengths[best], VARIANCES[int(torch.nonzero(as_good).max())]
