"""The error to expect of the model: calibrated in frames that are kept out of a fit, among them kinds of motion kept out."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from models.leverage import LARGEST_DOUBT, Leverage, growth, uncertainty, wiener
from utils.fitting.kept_frames import KeptFrames
from utils.fitting.leverage_fit import Regression, fits_to_others, residual_of, set_leverage, size_and_variance
from utils.fitting.ridge_regression import squares
from utils.runs.processes import combine

DOUBTS = (0.0, *(10 ** (power / 4) for power in range(-8, 3)), LARGEST_DOUBT)
SHARES = (0.68, 0.95)  # of the errors, that are to stay within what is said
BINS, LOWEST, HIGHEST = 1200, -6.0, 6.0  # of the logarithm to base 10 of errors, in units of what is expected


@dataclass
class Calibration:
    """What `models.leverage.Leverage` calls so."""

    doubt: float
    error_scale: float
    within: tuple[float, float]


@dataclass
class KeptOut:
    """What a fit to all other folds does in the frames (B) of a fold, at a few vertices (J): its residual (J,), its answers'
    sizes (B, J), the growth of their variance (B, J), and their errors (B, J), once damped, with how far these are trusted
    (B, J)."""

    residual: Float[Tensor, " J"]
    size: Float[Tensor, "B J"]
    growth: Float[Tensor, "B J"]
    error: Float[Tensor, "B J"]
    trust: Float[Tensor, "B J"]


def frames_kept_out(kept: KeptFrames, folds: Int[ndarray, " T"], fit: Regression, variance: float) -> Iterator[KeptOut]:
    """Yield, for each fold of the frames of this process, what a regression fitted to all others does there, with the variance
    of errors taken times `variance`."""
    rows, num_features = kept.of_few, kept.of_few.shape[2] - 4
    for inside, moments, solution, double_answer in fits_to_others(
        rows, kept.weights_of_few, folds, kept.num_folds(folds), fit
    ):
        seen, answer = rows[inside], double_answer.float()
        module = Leverage(rows.shape[1], rows.shape[1], num_features, fit.motion).to(rows)
        freedom = set_leverage(module, rows[~inside], fit.columns, fit.penalty)
        count, sums = moments[:, -4, -4], squares(moments, *solution)
        size, spread = size_and_variance(sums, fit.strength, count, freedom)
        module.answer_size.copy_(size)
        grown = growth(module(seen[..., :num_features]))
        own_size = torch.linalg.vector_norm(answer, dim=2)
        damped = wiener(module.relative_square(own_size), variance * spread.float() * grown).unsqueeze(2) * answer
        error = torch.linalg.vector_norm(damped - seen[..., -3:], dim=2)
        residual = residual_of(sums, fit.strength, count, freedom).float()
        yield KeptOut(residual, own_size, grown, error, kept.weights_of_few[inside])


class Ratios:
    """Errors in units of the uncertainty, for each of `DOUBTS` (N), in one kind of folds: what of them is summed up.

    `sums` (N, 2) are of the logarithm of the uncertainty and of the ratio, weighted by the residual, whose sum is `weight`: in
    millimetres, the vertices that move most matter most. `counts` (N, BINS) are how many ratios are how large.
    """

    def __init__(self, device: torch.device):
        self.sums = torch.zeros(len(DOUBTS), 2, dtype=torch.float64, device=device)
        self.counts = torch.zeros(len(DOUBTS), BINS, dtype=torch.float64, device=device)
        self.weight = torch.zeros((), dtype=torch.float64, device=device)

    def add(self, seen: KeptOut) -> None:
        """Add some frames."""
        weights = seen.residual.double() * seen.trust
        self.weight += weights.sum()
        for sums, counts, doubt in zip(self.sums, self.counts, DOUBTS, strict=True):
            expected = uncertainty(seen.size, seen.residual, doubt * seen.growth).clamp_min(1e-30)
            ratio = (seen.error / expected).double()
            sums += torch.stack([(weights * expected.log()).sum(), (weights * ratio).sum()])
            place = (ratio.clamp_min(1e-30).log10() - LOWEST) * BINS / (HIGHEST - LOWEST)
            bins = place.long().clamp(0, BINS - 1).flatten()
            counts += torch.bincount(bins, seen.trust.double().flatten(), minlength=BINS)

    def shares(self) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N BINS"]]:
        """Return means in place of sums, and shares in place of counts, over all processes."""
        counts = combine(self.counts)
        return combine(self.sums) / combine(self.weight).clamp_min(1e-30), counts / counts.sum(dim=1, keepdim=True)


def calibrate(kept: KeptFrames, fit: Regression, variance: float) -> Calibration:
    """Return how to calibrate the error to expect of a regression, from frames kept out of its fit: blocks of like frames and
    kinds of motion, which count alike.

    The doubt is the likeliest where errors have an exponential distribution, about as in practice, about the mean that is
    expected. `variance` is what the variance of errors is taken times where answers are damped. That less is taken of frames
    whose answers drown (`models.conclusion.share_of_frame`) is left out: there, errors are not calibrated.
    """
    kinds = []
    for folds in (kept.folds, kept.unlike_folds):
        ratios = Ratios(kept.rows.device)
        for seen in frames_kept_out(kept, folds, fit, variance):
            ratios.add(seen)
        kinds.append(ratios.shares())
    if not kinds[0][1].isfinite().all():  # a single frame, and nothing to keep out
        return Calibration(0.0, 1.0, (1.0, 1.0))
    means, shares = (torch.stack(each).mean(dim=0).cpu() for each in zip(*kinds, strict=True))
    best = int((means[:, 0] + means[:, 1].clamp_min(1e-30).log()).argmin())
    scale = float(means[best, 1].clamp_min(1e-12))
    ends = torch.searchsorted(shares[best].cumsum(dim=0), torch.tensor(SHARES, dtype=torch.float64))
    limits = 10 ** (LOWEST + (ends + 1) * (HIGHEST - LOWEST) / BINS) / scale
    return Calibration(DOUBTS[best], scale, (float(limits[0]), float(limits[1])))
