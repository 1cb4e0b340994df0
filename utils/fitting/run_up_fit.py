"""How the sequences of the training data begin: which guess of what came before their first frames fits these best."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.sequences.mesh_windows import MeshWindows
from data.sequences.run_up import GUESSES, RunUp
from models.mesh_autoencoder import MeshAutoencoder
from utils.fitting.ridge_regression import moments_of, solve
from utils.fitting.seen_features import SeenRows, read_features
from utils.runs.processes import agreed

EARLY, LATE = 8, 24  # frames whose error is compared; and those behind which what came before is hardly remembered
FEWEST, MOST = 24, 160  # late frames that are fitted to
PENALTY = 0.1
BETTER = 0.95  # times the squared error of the first guess: another has to leave no more


def choose_run_up(
    model: MeshAutoencoder,
    windows: MeshWindows,
    shift: Float[Tensor, "V C"],
    scale: Float[Tensor, " C"],
    device: torch.device,
) -> str:
    """Return the guess, one of `GUESSES`, by which regressions at the anchors, fitted to frames far behind the first ones,
    leave the least squared error in the first frames of the sequences; the first guess, where others are hardly better and
    where too few frames tell.

    A take that was cut out of a motion and a simulation that starts abruptly begin in different ways, and a correction swings
    on for many frames from what was before. `shift` and `scale` are the means of features and their spread.
    """
    frames = windows.entries[:, 1]
    early, late = np.flatnonzero(frames < EARLY), np.flatnonzero(frames >= LATE)
    if not len(early) or len(late) < FEWEST or model.settings.num_condition_frames < 2:
        return GUESSES[0]
    late = late[np.linspace(0, len(late) - 1, min(len(late), MOST)).astype(int)]
    rows, trust = rows_at_anchors(model, windows, late, shift, scale, device)
    moments = moments_of(rows, trust)
    groups = model.coordinates.groups
    columns = groups.columns_of([name for name in groups if name != "joints"])
    mean, coefficients, used = solve(moments, columns, PENALTY)
    left = {}
    for kind in GUESSES:
        rows, trust = rows_at_anchors(model, replace(windows, run_up=RunUp(kind)), early, shift, scale, device)
        answer = mean + torch.einsum("bvk,vko->bvo", rows[..., used].double(), coefficients)
        left[kind] = float((trust * (rows[..., -3:] - answer).square().sum(dim=2)).sum())
    best = min(left, key=lambda kind: left[kind])
    return agreed(best if left[best] <= BETTER * left[GUESSES[0]] else GUESSES[0])


def rows_at_anchors(
    model: MeshAutoencoder,
    windows: MeshWindows,
    frames: Int[ndarray, " T"],
    shift: Float[Tensor, "V C"],
    scale: Float[Tensor, " C"],
    device: torch.device,
) -> tuple[Float[Tensor, "T A D"], Float[Tensor, "T A"]]:
    """Return rows of [features, 1, targets] at the anchors in some frames, in units of their spread, and how far to trust
    them."""
    anchors, rows, trust = model.surface.anchors.cpu().numpy(), [], []
    for seen in read_features(model, windows, frames, device):
        rows.append(SeenRows(seen.features, seen.targets / model.target_scale, shift, scale).of(anchors))
        trust.append(seen.weights[:, anchors])
    return torch.cat(rows), torch.cat(trust)
