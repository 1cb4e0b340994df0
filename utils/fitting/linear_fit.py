"""The linear part of the model, solved for before the network is trained, and the scales of what the network sees.

A ridge regression for each vertex, on what the vertex sees; `utils.fitting.cross_validation` chooses what that is, and how
far to regularise, smooth and trust the outcome.
"""

import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor
from tqdm import tqdm

from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder, change_of
from utils.fitting.cross_validation import Choice, choose, columns_and_vectors, regression_of
from utils.fitting.expected_error_fit import Calibration, calibrate
from utils.fitting.kept_frames import KeptFrames
from utils.fitting.leverage_fit import residual_of, set_leverage, set_moving_share, set_reach, size_and_variance
from utils.fitting.ridge_regression import FEWEST_FRAMES, add_products, solve, squares
from utils.fitting.run_up_fit import choose_run_up
from utils.fitting.seen_features import SeenRows, read_features
from utils.predicting.prediction import spread
from utils.runs.processes import combine, rank

FOLDS = 8
VERTICES_IN_CACHE = 1024
FRAMES_TO_FIT = 1200
FRAMES_FOR_SCALES = 48
LARGEST_MOMENTS = (
    205_000_000  # numbers; where the moments are more, vertices are fitted in several rounds over the frames
)


def set_scales(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " T"], device: torch.device
) -> tuple[Float[Tensor, "V C"], Float[Tensor, " C"]]:
    """Set the mean and scale of each feature, and of the targets, from some frames.

    Return also the scales of the linear fit: each vertex' mean (V, C), and the spread about it (C,), which is the same for the
    three components of a vector.
    """
    num_vertices, num_features = len(model.surface.vertices), len(model.feature_mean)
    vertex_mean = torch.zeros(num_vertices, num_features, dtype=torch.float64, device=device)
    mean_square = torch.zeros(num_features, dtype=torch.float64, device=device)
    targets, weights = [], []
    for _, features, target, weight, _ in read_features(model, windows, frames, device):
        vertex_mean += features.sum(0, dtype=torch.float64) / len(frames)
        mean_square += features.square().sum((0, 1), dtype=torch.float64) / (len(frames) * num_vertices)
        targets.append(target)
        weights.append(weight)
    mean = vertex_mean.mean(dim=0)
    deviation = (mean_square - mean.square()).clamp_min(0).sqrt()
    within = (mean_square - vertex_mean.square().mean(dim=0)).clamp_min(0).sqrt()
    # a feature that never changes says nothing: leave it unscaled rather than blow up rounding
    model.feature_mean.copy_(mean)
    model.feature_scale.copy_(torch.where(deviation > 1e-6 * mean.abs(), deviation, 1.0))
    within = torch.where(within > 1e-6 * deviation, within, 0.0).view(-1, 3).square().mean(dim=1).sqrt()
    within = torch.where(within > 0, within, 1.0).repeat_interleave(3)
    stacked, trust = torch.cat(targets).flatten(0, 1), torch.cat(weights).flatten()
    model.target_mean.copy_(model.coordinates.target_mean(stacked[trust > 0]))
    set_target_scale(model, mean_square_of(stacked - model.target_mean, trust))
    return vertex_mean.float(), within.float()


def mean_square_of(values: Float[Tensor, "*B 3"], weights: Float[Tensor, "*B"]) -> float:
    """Return the mean square of the numbers of vectors, weighted; zero where no weight is."""
    square = (values.double().square().mean(dim=-1) * weights).sum()
    return float(square / weights.double().sum().clamp_min(FEWEST_FRAMES))


def set_target_scale(model: MeshAutoencoder, mean_square: float) -> None:
    """Set the unit of the network's answer, from the mean square of its targets."""
    model.target_scale.fill_(mean_square**0.5 if mean_square > 0 else 1.0)


@torch.no_grad()
def fit_linear_part(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> Choice | None:
    """Set all that is not trained step by step: the scales and, where the coordinates have one, the linear part and the
    leverage.

    Feature groups that were not chosen are left out of the model, whose network is made anew: optimizers have to be, too.
    Return what was chosen, None where there is no linear part.
    """
    model.settings.frame_step = windows.sequences[0].step
    a_few = spread(len(windows), FRAMES_FOR_SCALES)
    shift, scale = set_scales(model, windows, a_few, device)
    if model.linear is None:
        return None
    model.settings.past = choose_run_up(model, windows, shift, scale, device)
    num_vertices, size = len(shift), len(scale) + 4
    kept = KeptFrames(model, windows, spread(len(windows), FRAMES_TO_FIT), FOLDS, size, device)
    at_once = max(1, LARGEST_MOMENTS // size**2)
    parts = [slice(start, start + at_once) for start in range(0, num_vertices, at_once)]
    choice, trusted = None, all(each.trusted_wholly for each in windows.sequences)
    longest = torch.zeros(num_vertices, device=device)
    sums, counts = (torch.zeros(num_vertices, *each, dtype=torch.float64, device=device) for each in ((4,), ()))
    with tqdm(
        total=len(parts) * sum(map(len, kept.blocks)), desc="linear part", unit="frame", disable=rank() > 0
    ) as bar:
        for part in parts:
            moments = torch.zeros(len(shift[part]), size, size, dtype=torch.float64, device=device)
            for fold, block in enumerate(kept.blocks):
                for current, features, targets, weights, axes in read_features(model, windows, block, device):
                    seen = SeenRows(features, targets / model.target_scale, shift, scale)
                    for some in range(part.start, part.start + len(moments), VERTICES_IN_CACHE):
                        few = slice(some, min(some + VERTICES_IN_CACHE, part.start + len(moments)))
                        own = moments[few.start - part.start : few.stop - part.start]
                        add_products(own, seen.of(few), None if trusted else weights[:, few])
                    if choice is None:  # in the first round, all that the choice is made by is gathered, too
                        kept.add(fold, current, seen.of, weights, axes)
                        longest = torch.linalg.vector_norm(targets, dim=2).amax(dim=0).maximum(longest)
                    bar.update(len(features))
            if choice is None:
                kept.finish()
                choice = choose(model, kept)
                model.longest = combine(longest, dist.ReduceOp.MAX)
            sums[part] = set_linear_part(model, combine(moments), part, choice, shift[part], scale)
            counts[part] = moments[:, -4, -4]
    assert choice is not None
    calibration = calibrate(kept, regression_of(model, choice), choice.variance)
    model.linear.smoothing_steps = choice.smoothing_steps
    # inputs that do not help a linear map are kept from the network, too: it would learn chance from them even sooner. Where
    # no linear map was better than none, the network may look at everything, and has to prove itself
    model.leave_out([name for name in model.coordinates.groups if choice.groups and name not in choice.groups])
    set_damping(model, kept, choice, (sums, counts), shift, scale)
    set_calibration(model, calibration)
    set_scale_of_the_rest(model, windows, a_few, device)
    return choice


def set_linear_part(
    model: MeshAutoencoder,
    moments: Float[Tensor, "V D D"],
    part: slice,
    choice: Choice,
    shift: Float[Tensor, "V C"],
    scale: Float[Tensor, " C"],
) -> Float[Tensor, "V 4"]:
    """Set the linear correction of some vertices from their moments, with the inputs and the penalty that were chosen.

    Return its sums of `squares` (V, 4).
    """
    assert model.linear is not None
    columns, vectors = columns_and_vectors(model, choice)
    mean, coefficients, rows = solve(moments, columns, choice.penalty, vectors)
    sums = squares(moments, mean, coefficients, rows)
    coefficients, unit = choice.strength * coefficients, float(model.target_scale)
    weights = model.linear.coefficients[part].zero_()
    weights[:, rows[:-1]] = (unit * coefficients[:, :-1] / scale[rows[:-1], None]).float()
    model.linear.constant[part] = unit * coefficients[:, -1] - torch.einsum("vc,vco->vo", shift, weights)
    model.linear.mean[part] = unit * mean
    return sums


def set_damping(
    model: MeshAutoencoder,
    kept: KeptFrames,
    choice: Choice,
    sums: tuple[Float[Tensor, "V 4"], Float[Tensor, " V"]],
    shift: Float[Tensor, "V C"],
    scale: Float[Tensor, " C"],
) -> None:
    """Set the leverage of the linear part, whose groups are those of the model now, and how far to trust answers by it.

    `sums` are the linear part's `squares` and how many frames they are of; `shift` and `scale` those of the rows that were
    kept.
    """
    leverage, groups = model.leverage, model.coordinates.groups
    assert leverage is not None
    left = kept.groups.columns_of(groups)
    rows = kept.of_anchors[..., [*left, *range(len(scale), len(scale) + 4)]]
    freedom = set_leverage(leverage, rows, groups.columns_of(choice.groups), choice.penalty)
    set_reach(leverage, rows[..., : len(left)], freedom, float(len(kept.frames)))
    set_moving_share(leverage, rows, kept.weights_of_anchors, kept.unlike_folds, regression_of(model, choice))
    leverage.scale.copy_(scale[left])
    leverage.mean.copy_(shift[model.surface.anchors][:, left] + leverage.mean * leverage.scale)
    of_all = model.surface.spread_from_anchors(freedom.float().unsqueeze(0))[0]
    of_regression, unit = (sums[0], choice.strength, sums[1], of_all.double()), float(model.target_scale)
    size, variance = size_and_variance(*of_regression)
    leverage.residual.copy_(unit * residual_of(*of_regression))
    leverage.answer_size.copy_(unit * size)
    leverage.relative_variance.copy_(choice.variance * variance)


def set_calibration(model: MeshAutoencoder, calibration: Calibration) -> None:
    """Set how the error to expect was calibrated."""
    assert model.leverage is not None
    model.leverage.doubt.fill_(calibration.doubt)
    model.leverage.error_scale.fill_(calibration.error_scale)
    model.leverage.within.copy_(torch.tensor(calibration.within))


def set_scale_of_the_rest(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " T"], device: torch.device
) -> None:
    """Set the unit of the network's answer from what the linear part leaves over in some frames, and that of what the network
    sees the linear part answer."""
    assert model.answer_scale is not None
    whole = rest = answered = 0.0
    for _, features, targets, weights, surface_frames in read_features(model, windows, frames, device):
        whole += mean_square_of(targets, weights) * len(targets) / len(frames)
        change = change_of(model, features)
        left = targets - model.coordinates.answer(features, change, surface_frames)
        rest += mean_square_of(left, weights) * len(left) / len(frames)
        answered += mean_square_of(change, weights) * len(left) / len(frames)
    model.answer_scale.fill_(answered**0.5 if answered > 0 else 1.0)
    set_target_scale(model, max(1e-6 * whole, rest))  # less than that is rounding
