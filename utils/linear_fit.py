"""The linear part of the model, solved for before the network is trained, and the scales of what the network sees.

A ridge regression for each vertex, on what the vertex sees. How much to regularise, whether to look at the optional inputs, and
how far to trust the outcome at all is chosen by cross-validation over blocks of consecutive frames, so that few frames and
many, and motion that says nothing about the scan, all come out well without anybody tuning.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor
from tqdm import tqdm

from data.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.processes import combine, own_share, rank
from utils.training_blocks import FRAMES_AT_ONCE, read_meshes

FOLDS = 8
PENALTIES = (3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 10.0)
AS_GOOD_AS_BEST = 1.02
VERTICES_TO_CHOOSE_BY = 256
FRAMES_TO_FIT = 1200
FRAMES_FOR_SCALES = 48
VERTICES_AT_ONCE = 2048
ROUNDING = 1e-6  # of a matrix' mean diagonal: what features in single precision leave uncertain
LARGEST_MOMENTS = 120_000_000  # numbers; more vertices than that are fitted in several rounds over the frames


@dataclass
class Choice:
    """What cross-validation chose: feature groups, penalty, strength of the answer, and the share of the RMS correction that is
    left in frames not fitted to."""

    groups: tuple[str, ...]
    penalty: float
    strength: float
    left: float

    def __str__(self) -> str:
        damped = f", damped to {self.strength:.2f}" if self.strength < 0.995 else ""
        seen = ", ".join(self.groups) or "nothing: each vertex' mean correction"
        return (
            f"linear part: sees {seen}; penalty {self.penalty:g}{damped}; "
            f"leaves {100 * self.left:.1f} % of the correction (RMS) in frames kept out of its fit"
        )


def columns_of(model: MeshAutoencoder, groups: tuple[str, ...]) -> list[int]:
    """Return the features that belong to some groups."""
    columns: list[int] = []
    start = 0
    for name, vectors in model.groups.items():
        if name in groups:
            columns += range(start, start + 3 * vectors)
        start += 3 * vectors
    return columns


def candidate_groups(model: MeshAutoencoder) -> list[tuple[str, ...]]:
    """Return the sets of feature groups to choose from: with and without joints, and ever slower oscillators, or nothing."""
    oscillators = [name for name in model.groups if name.startswith("oscillators")]
    joints = [name for name in model.groups if name.startswith("joint")]
    always = [name for name in model.groups if name not in oscillators and name not in joints]
    candidates: list[tuple[str, ...]] = [()]
    for count, extra in product(range(len(oscillators) + 1), ([], joints) if joints else ([],)):
        candidates.append((*always, *oscillators[:count], *extra))
    return candidates


def read_features(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " T"], device: torch.device
) -> Iterator[tuple[Float[Tensor, "B V C"], Float[Tensor, "B V 3"]]]:
    """Yield features and targets of some frames, a few at a time."""
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        some = frames[start : start + FRAMES_AT_ONCE]
        meshes = read_meshes(model, windows, some, device)
        skinned = meshes.inputs[0][:, -1]
        surface_frames = model.frames(skinned)
        yield model.features(*meshes.inputs, surface_frames), model.targets(skinned, meshes.scan, surface_frames)


def solve(
    moments: Float[Tensor, "V D D"], columns: list[int], penalty: float
) -> tuple[Float[Tensor, "V K 3"], list[int]]:
    """Return coefficients (V, K, 3) of `columns` and a constant one, and which rows of the moments they stand for.

    `moments` are sums over frames of products of [features, 1, targets]; the penalty is per frame; the constant has none.
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
    return torch.cat(solutions), rows


def squares(
    moments: Float[Tensor, "V D D"], coefficients: Float[Tensor, "V K 3"], rows: list[int]
) -> Float[Tensor, "3"]:
    """Return the sums over vertices and frames of target², target · answer and answer²."""
    targets = list(range(moments.shape[1] - 3, moments.shape[1]))
    sums = torch.zeros(3, dtype=torch.float64, device=moments.device)
    for some, weights in zip(moments.split(VERTICES_AT_ONCE), coefficients.split(VERTICES_AT_ONCE), strict=True):
        answer = some[:, rows][:, :, rows] @ weights
        sums[0] += some[:, targets, targets].sum()
        sums[1] += (some[:, rows][:, :, targets] * weights).sum()
        sums[2] += (answer * weights).sum()
    return sums


def choose(model: MeshAutoencoder, folds: Float[Tensor, "K V D D"]) -> Choice:
    """Return what leaves the least squared error in each fold (K) of frames when fitted to the others.

    Of penalties that leave about as much, the strongest: other motions will ask for more than these folds do.
    """
    total = folds.sum(dim=0)
    choices = []
    for groups in candidate_groups(model):
        columns = columns_of(model, groups)
        for penalty in PENALTIES if groups else PENALTIES[-1:]:
            sums = torch.zeros(3, dtype=torch.float64, device=folds.device)
            for fold in folds:
                sums += squares(fold, *solve(total - fold, columns, penalty))
            target, shared, answer = sums.tolist()
            strength = float(np.clip(shared / answer, 0, 1)) if answer > 0 else 1.0
            left = max(0.0, target - 2 * strength * shared + strength**2 * answer)
            choices.append(Choice(groups, penalty, strength, (left / target) ** 0.5 if target > 0 else 0.0))
    best = min(choices, key=lambda choice: choice.left)
    as_good = [c for c in choices if c.groups == best.groups and c.left <= AS_GOOD_AS_BEST * best.left]
    return max(as_good, key=lambda choice: choice.penalty)


def set_scales(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " T"], device: torch.device
) -> tuple[Float[Tensor, "V C"], Float[Tensor, " C"]]:
    """Set the mean and scale of each feature, and of the targets, from some frames.

    Return also what the linear fit is scaled by: each vertex' mean (V, C), and the spread about it (C,).
    """
    num_vertices, num_features = len(model.surface.vertices), len(model.feature_mean)
    vertex_mean = torch.zeros(num_vertices, num_features, dtype=torch.float64, device=device)
    mean_square = torch.zeros(num_features, dtype=torch.float64, device=device)
    targets = []
    for features, target in read_features(model, windows, frames, device):
        vertex_mean += features.double().sum(0) / len(frames)
        mean_square += features.double().square().sum((0, 1)) / (len(frames) * num_vertices)
        targets.append(target)
    mean = vertex_mean.mean(dim=0)
    deviation = (mean_square - mean.square()).clamp_min(0).sqrt()
    within = (mean_square - vertex_mean.square().mean(dim=0)).clamp_min(0).sqrt()
    # a feature that never changes says nothing: leave it unscaled rather than blow up rounding
    model.feature_mean.copy_(mean)
    model.feature_scale.copy_(torch.where(deviation > 1e-6 * mean.abs(), deviation, 1.0))
    within = torch.where(within > 1e-6 * deviation, within, 1.0)
    stacked = torch.cat(targets).flatten(0, 1)
    if model.settings.coordinates == "world":
        model.target_mean.copy_(stacked.mean(dim=0))
    set_target_scale(model, float((stacked - model.target_mean).double().square().mean()))
    return vertex_mean.float(), within.float()


def set_target_scale(model: MeshAutoencoder, mean_square: float) -> None:
    """Set the unit of the network's answer, from the mean square of what it is to answer."""
    model.target_scale.fill_(mean_square**0.5 if mean_square > 0 else 1.0)


@torch.no_grad()
def fit_linear_part(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> Choice | None:
    """Set all that is not trained step by step: the scales and, in local coordinates, the linear correction.

    Return what was chosen for it, None in world coordinates.
    """
    spread = np.linspace(0, len(windows) - 1, min(len(windows), FRAMES_FOR_SCALES)).astype(int)
    shift, scale = set_scales(model, windows, spread, device)
    if model.settings.coordinates == "world":
        return None
    frames = np.linspace(0, len(windows) - 1, min(len(windows), FRAMES_TO_FIT)).astype(int)
    blocks = [own_share(block) for block in np.array_split(frames, min(FOLDS, len(frames)))]
    num_vertices, size = len(shift), len(scale) + 4
    at_once = max(1, LARGEST_MOMENTS // size**2)
    sampled = np.linspace(0, num_vertices - 1, min(num_vertices, VERTICES_TO_CHOOSE_BY)).astype(int)
    parts = [slice(start, start + at_once) for start in range(0, num_vertices, at_once)]
    choice, left = None, 0.0
    model.longest.zero_()
    with tqdm(total=len(parts) * sum(map(len, blocks)), desc="linear part", unit="frame", disable=rank() > 0) as bar:
        for part in parts:
            moments = torch.zeros(len(shift[part]), size, size, dtype=torch.float64, device=device)
            folds = torch.zeros(len(blocks), len(sampled), size, size, dtype=torch.float64, device=device)
            for fold, block in zip(folds, blocks, strict=True):
                for features, targets in read_features(model, windows, block, device):
                    ones = torch.ones_like(targets[..., :1])
                    row = torch.cat([(features - shift) / scale, ones, targets / model.target_scale], dim=2)
                    row = row.transpose(0, 1).double()  # (V, B, D)
                    moments.baddbmm_(row[part].transpose(1, 2), row[part])
                    if choice is None:
                        fold.baddbmm_(row[sampled].transpose(1, 2), row[sampled])
                        lengths = torch.linalg.vector_norm(targets, dim=2).amax(dim=0)
                        model.longest.copy_(lengths.maximum(model.longest))
                    bar.update(len(features))
            if choice is None:
                choice = choose(model, combine(folds))
                combine(model.longest, dist.ReduceOp.MAX)
            left += set_linear_part(model, combine(moments), part, choice, shift[part], scale)
    set_target_scale(model, left / (3 * num_vertices * len(frames)))
    return choice


def set_linear_part(
    model: MeshAutoencoder,
    moments: Float[Tensor, "V D D"],
    part: slice,
    choice: Choice,
    shift: Float[Tensor, "V C"],
    scale: Float[Tensor, " C"],
) -> float:
    """Set the linear correction of some vertices from their moments; return the sum of squares that it leaves, file units²."""
    coefficients, rows = solve(moments, columns_of(model, choice.groups), choice.penalty)
    coefficients = choice.strength * coefficients
    target, shared, answer = squares(moments, coefficients, rows).tolist()
    unit = float(model.target_scale)
    weights = model.linear.coefficients[part].zero_()
    weights[:, rows[:-1]] = (coefficients[:, :-1] * unit / scale[rows[:-1], None]).float()
    model.linear.mean[part] = coefficients[:, -1] * unit - torch.einsum("vc,vco->vo", shift, weights)
    return max(1e-6 * target, target - 2 * shared + answer) * unit**2  # below, it is rounding that is left
