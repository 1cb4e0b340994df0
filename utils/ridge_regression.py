"""Ridge regressions of many vertices at once, from sums of products (moments), so that frames need not be kept."""

import torch
from jaxtyping import Float
from torch import Tensor

VERTICES_AT_ONCE = 2048
ROUNDING = 1e-6  # of a matrix' mean diagonal: what features in single precision leave uncertain


def solve(
    moments: Float[Tensor, "V D D"], columns: list[int], penalty: float
) -> tuple[Float[Tensor, "V 3"], Float[Tensor, "V K 3"], list[int]]:
    """Return the mean target (V, 3), what to add to it as coefficients (V, K, 3) of `columns` and of a constant one, and which
    rows of the moments these stand for.

    `moments` are sums over frames of products of [features, 1, targets]; the penalty is per frame; the constant has none.
    Without columns the mean is zero and the constant all there is.
    """
    ones = moments.shape[1] - 4
    rows = [*columns, ones]
    ridge = torch.full((len(rows),), penalty, dtype=torch.float64, device=moments.device)
    ridge[-1] = 0
    solutions = []
    for some in moments.split(VERTICES_AT_ONCE):
        mean = some / some[:, ones, ones].clamp_min(1)[:, None, None]
        matrix = mean[:, rows][:, :, rows]
        size = matrix.diagonal(dim1=1, dim2=2).mean(dim=1).clamp_min(1)
        matrix = matrix + torch.diag_embed(ridge + ROUNDING * size[:, None])
        solutions.append(torch.cholesky_solve(mean[:, rows, ones + 1 :], torch.linalg.cholesky(matrix)))
    coefficients = torch.cat(solutions)
    mean = torch.zeros_like(coefficients[:, -1])
    if columns:
        mean = moments[:, ones, ones + 1 :] / moments[:, ones, ones, None].clamp_min(1)
    coefficients[:, -1] -= mean
    return mean, coefficients, rows


def squares(
    moments: Float[Tensor, "V D D"], mean: Float[Tensor, "V 3"], coefficients: Float[Tensor, "V K 3"], rows: list[int]
) -> Float[Tensor, "V 4"]:
    """Return each vertex' sums over frames of target², of rest², rest · change and change², for the outcome of `solve`.

    The rest is what the mean leaves of the target; the change is what the coefficients add to the mean.
    """
    ones = moments.shape[1] - 4
    seen = moments[:, rows]
    whole = moments[:, -3:, -3:].diagonal(dim1=1, dim2=2).sum(dim=1)
    rest = whole + (mean * (moments[:, ones, ones, None] * mean - 2 * moments[:, ones, -3:])).sum(dim=1)
    shared = ((seen[:, :, -3:] - seen[:, :, ones, None] * mean.unsqueeze(1)) * coefficients).sum(dim=(1, 2))
    size = (seen[:, :, rows] @ coefficients * coefficients).sum(dim=(1, 2))
    return torch.stack([whole, rest, shared, size], dim=1)


def spread_of_targets(moments: Float[Tensor, "V D D"]) -> Float[Tensor, " V"]:
    """Return how far each vertex' targets are from their mean over the frames, RMS, in units of the targets."""
    count = moments[:, -4, -4].clamp_min(1)
    mean = moments[:, -4, -3:] / count.unsqueeze(1)
    return (
        (moments[:, -3:, -3:].diagonal(dim1=1, dim2=2).sum(dim=1) / count - mean.square().sum(dim=1))
        .clamp_min(0)
        .sqrt()
    )
