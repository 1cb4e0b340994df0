"""Ridge regressions of many vertices at once, from sums of products (moments), so that frames need not be kept."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from models.loops import arrays
from models.threads import in_ranges
from utils.runs.processes import combine

VERTICES_AT_ONCE = 2048
PRODUCTS_AT_ONCE = 256  # vertices, whose products stay in a processor's caches
ROUNDING = 1e-6  # of a matrix' mean diagonal: features in single precision are no more certain than this
FEWEST_FRAMES = 1e-6  # as weights add up to: what has less was not seen
PENALTY_OF_SHARES = 1e-4  # hardly any: a share is one number in place of nine


def has_loops(moments: Float[Tensor, "V D D"]) -> bool:
    """Say whether compiled loops serve: on the CPU."""
    return moments.is_cpu


def add_products(
    moments: Float[Tensor, "V D D"], rows: Float[Tensor, "B V D"], weights: Float[Tensor, "B V"] | None = None
) -> None:
    """Add the products of all pairs of columns, summed over frames (B), to each vertex' moments; weighted, where weights are
    given."""
    for start in range(0, len(moments), PRODUCTS_AT_ONCE):
        some = slice(start, start + PRODUCTS_AT_ONCE)
        by_vertex = rows[:, some].transpose(0, 1).double()
        weighted = by_vertex if weights is None else by_vertex * weights[:, some].T.double().unsqueeze(2)
        moments[some].baddbmm_(weighted.transpose(1, 2), by_vertex)


def moments_of(rows: Float[Tensor, "T V D"], weights: Float[Tensor, "T V"] | None = None) -> Float[Tensor, "V D D"]:
    """Return each vertex' sums over the frames of all processes of the products of all pairs of columns; weighted, where
    weights are given."""
    moments = torch.zeros(*rows.shape[1:], rows.shape[2], dtype=torch.float64, device=rows.device)
    add_products(moments, rows, weights)
    return combine(moments)


def solve(
    moments: Float[Tensor, "V D D"], columns: list[int], penalty: float, vectors: Sequence[int] = ()
) -> tuple[Float[Tensor, "V 3"], Float[Tensor, "V K 3"], list[int]]:
    """Return ridge regressions: the mean target (V, 3), coefficients (V, K, 3) of its change, and the row of the moments that
    each coefficient belongs to.

    The coefficients are those of `columns` and, last, of a constant one. `moments` are sums over frames of products of
    [features, 1, targets]; the penalty is per frame, and the constant has none. Without columns, the mean is zero, and the
    constant takes its place.

    Each of `vectors` is the first of three columns that are a vector in the axes of the targets. The nine coefficients of such
    a vector are not drawn to zero, but to a multiple of the identity: a mass on a spring answers along the acceleration. That
    multiple, the vector's share, has a regression of its own, with hardly any penalty.
    """
    ones = moments.shape[1] - 4
    rows = [*columns, ones]
    ridge = torch.full((len(rows),), penalty, dtype=torch.float64, device=moments.device)
    ridge[-1] = 0
    along = [[rows.index(first + axis) for first in vectors] for axis in range(3)]
    if has_loops(moments):
        coefficients = solve_by_vertex(moments, rows, along, penalty)
        return *about_the_mean(moments, coefficients, bool(columns)), rows
    solutions = []
    for some in moments.split(VERTICES_AT_ONCE):
        seen, count = some[:, rows], some[:, ones, ones, None, None].clamp_min(FEWEST_FRAMES)
        matrix, right = seen[:, :, rows] / count, seen[:, :, ones + 1 :] / count
        diagonal = matrix.diagonal(dim1=1, dim2=2)
        size = diagonal.mean(dim=1, keepdim=True).clamp_min(1)
        diagonal += ridge + ROUNDING * size
        root = torch.linalg.cholesky(matrix)
        solution = torch.cholesky_solve(right, root)
        if vectors:
            add_shares(solution, root, along, penalty)
        solutions.append(solution)
    return *about_the_mean(moments, torch.cat(solutions), bool(columns)), rows


def about_the_mean(
    moments: Float[Tensor, "V D D"], coefficients: Float[Tensor, "V K 3"], has_mean: bool
) -> tuple[Float[Tensor, "V 3"], Float[Tensor, "V K 3"]]:
    """Return the mean target, zero where there is to be none, and the coefficients of its change, whose constant is less by
    that."""
    ones = moments.shape[1] - 4
    mean = torch.zeros_like(coefficients[:, -1])
    if has_mean:
        mean = moments[:, ones, ones + 1 :] / moments[:, ones, ones, None].clamp_min(FEWEST_FRAMES)
    coefficients[:, -1] -= mean
    return mean, coefficients


def solve_by_vertex(
    moments: Float[Tensor, "V D D"], rows: list[int], along: list[list[int]], penalty: float
) -> Float[Tensor, "V K 3"]:
    """Return what `solve` finds, the mean included, by compiled loops."""
    from utils.fitting import ridge_kernels

    coefficients = moments.new_empty(len(moments), len(rows), 3)
    places = np.array(rows), np.array(along, dtype=np.int64).reshape(3, -1)
    numbers = float(penalty), ROUNDING, PENALTY_OF_SHARES, FEWEST_FRAMES
    given = (*arrays(moments), *places, *numbers, coefficients.numpy())
    in_ranges(ridge_kernels.solve, len(moments), *given, fewest=ridge_kernels.FEWEST_VERTICES)
    return coefficients


def leverage(
    moments: Float[Tensor, "V D D"], columns: list[int], penalty: float
) -> tuple[Float[Tensor, "V K K"], Float[Tensor, " V"]]:
    """Return what gives the leverage of ridge regressions as in `solve`: roots R (V, K, K) and degrees of freedom d (V,).

    Features that are x from their mean over T frames have the leverage (1 + |x R|²) / T; over these frames it adds up to d.
    """
    ones = moments.shape[1] - 4
    count = moments[:, ones, ones, None].clamp_min(FEWEST_FRAMES)
    mean = moments[:, columns, ones] / count
    matrix = moments[:, columns][:, :, columns] / count.unsqueeze(2) - mean.unsqueeze(2) * mean.unsqueeze(1)
    size = matrix.diagonal(dim1=1, dim2=2).sum(dim=1) / max(1, len(columns))
    ridge = penalty + ROUNDING * size.clamp_min(1)
    unit = torch.eye(len(columns), dtype=moments.dtype, device=moments.device)
    factor = torch.linalg.cholesky(matrix + ridge[:, None, None] * unit)
    root = torch.linalg.solve_triangular(factor, unit.expand_as(factor), upper=False)
    return root.transpose(1, 2), 1 + len(columns) - ridge * root.square().sum(dim=(1, 2))


def add_shares(
    solution: Float[Tensor, "V K 3"], root: Float[Tensor, "V K K"], along: list[list[int]], penalty: float
) -> None:
    """Turn ridge regressions towards zero into ones towards a share of some vectors, given the Cholesky factor of each.

    `along` are the coefficients (3, S) of the vectors' components on the targets' own. With M the matrix of the regression, P
    the penalty and w = M⁻¹ b its solution, the one towards shares s is w + P M⁻¹ s; and the s that leave the least, their own
    penalty included, solve (Σ P - P² M⁻¹) s = Σ P w, summed over the three directions, each at its own coefficients.
    """
    size, places = len(along[0]), [place for own in along for place in own]
    unit = torch.eye(root.shape[1], dtype=root.dtype, device=root.device)[:, places]
    answers = penalty * torch.cholesky_solve(unit.expand(len(root), -1, -1), root)
    by_axis = answers.split(size, dim=2)
    left = torch.eye(size, dtype=root.dtype, device=root.device) * (3 * penalty + PENALTY_OF_SHARES)
    left = left - penalty * sum(each[:, own] for each, own in zip(by_axis, along, strict=True))
    right = penalty * sum(solution[:, own, axis] for axis, own in enumerate(along))
    shares = torch.linalg.solve(left, right)
    for axis, each in enumerate(by_axis):
        solution[:, :, axis] += torch.einsum("vks,vs->vk", each, shares)


def squares(
    moments: Float[Tensor, "V D D"], mean: Float[Tensor, "V 3"], coefficients: Float[Tensor, "V K 3"], rows: list[int]
) -> Float[Tensor, "V 4"]:
    """Return each vertex' sums over frames of target², of rest², of rest · change and of change² (V, 4), for the outcome of
    `solve`.

    The rest is the target less the mean; the change is what the coefficients predict of it.
    """
    if has_loops(moments):
        from utils.fitting import ridge_kernels

        sums = moments.new_empty(len(moments), 4)
        given = (*arrays(moments, mean, coefficients), np.array(rows), sums.numpy())
        in_ranges(ridge_kernels.squares, len(moments), *given, fewest=ridge_kernels.FEWEST_VERTICES)
        return sums
    ones = moments.shape[1] - 4
    seen = moments[:, rows]
    whole = moments[:, -3:, -3:].diagonal(dim1=1, dim2=2).sum(dim=1)
    rest = whole + (mean * (moments[:, ones, ones, None] * mean - 2 * moments[:, ones, -3:])).sum(dim=1)
    shared = ((seen[:, :, -3:] - seen[:, :, ones, None] * mean.unsqueeze(1)) * coefficients).sum(dim=(1, 2))
    size = (seen[:, :, rows] @ coefficients * coefficients).sum(dim=(1, 2))
    return torch.stack([whole, rest, shared, size], dim=1)


def spread_of_targets(moments: Float[Tensor, "V D D"]) -> Float[Tensor, " V"]:
    """Return how far each vertex' targets are from their mean over the frames, RMS, in units of the targets."""
    count = moments[:, -4, -4].clamp_min(FEWEST_FRAMES)
    mean = moments[:, -4, -3:] / count.unsqueeze(1)
    return (
        (moments[:, -3:, -3:].diagonal(dim1=1, dim2=2).sum(dim=1) / count - mean.square().sum(dim=1))
        .clamp_min(0)
        .sqrt()
    )
