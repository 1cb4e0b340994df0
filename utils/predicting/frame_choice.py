"""Which frames of an animation to scan next: those that leave the least uncertainty in all others.

The linear part is a ridge regression for each vertex. How uncertain it is in a frame depends on what is seen in the frames that
it was fitted to, not on their scans; so the scans that help most can be named before they are made (Bayesian V-optimal design;
Chaloner and Verdinelli 1995, "Bayesian experimental design: a review"). Frames are taken one after the other, each the best
given those before it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.input_error import InputError
from data.sequences.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from utils.predicting.model_inputs import read_inputs

PENALTY = 0.1  # of the regression where nothing is known, per frame
FRAMES_AT_ONCE = 16  # of features
FRAMES_OF_RUNS = 256  # at once


@dataclass
class Design:
    """What is seen in the T frames to choose from, and what is known: at each anchor (A) `seen` (A, T, K), in units in which
    all directions are equally uncertain before anything is chosen, and the `weights` (A,) of its uncertainty."""

    seen: Float[Tensor, "A T K"]
    weights: Float[Tensor, " A"]


def seen_at_anchors(model: MeshAutoencoder, windows: MeshWindows, device: torch.device) -> Float[Tensor, "T A C"]:
    """Return what the anchors see in all frames, file units."""
    parts = []
    for start in range(0, len(windows), FRAMES_AT_ONCE):
        frames = np.arange(start, min(start + FRAMES_AT_ONCE, len(windows)))
        with torch.no_grad():
            parts.append(
                model.coordinates.first_answer(*read_inputs(model, windows, frames, device), model.up).of_anchors
            )
    return torch.cat(parts)


def design_of_model(model: MeshAutoencoder, windows: MeshWindows, device: torch.device, num_scans: int) -> Design:
    """Return the design for a trained model, which was fitted to `num_scans` frames.

    Raises `InputError` for one in world coordinates, and for one that looks at joints where there are none.
    """
    if model.leverage is None:
        raise InputError("--model_saved_path: found a model in world coordinates, expected one in local coordinates")
    if model.coordinates.sees_joints and windows.sequences[0].joints is None:
        raise InputError("--joint_files_dir: found none, expected one per source: the model looks at joints")
    trust, seen = model.leverage, seen_at_anchors(model, windows, device)
    whitened = ((seen - trust.mean) / trust.scale).transpose(0, 1) @ trust.root / trust.least.sqrt()[:, None, None]
    return Design(with_constant(whitened) / max(1, num_scans) ** 0.5, trust.residual[model.surface.anchors].square())


def design_of_motion(model: MeshAutoencoder, windows: MeshWindows, device: torch.device, num_scans: int) -> Design:
    """Return the design where nothing is known but the motion, for `num_scans` frames to be chosen."""
    seen = seen_at_anchors(model, windows, device)
    centred = seen - seen.mean(dim=0)
    # a vector's components have one scale, the same at all anchors, as in a fit
    scale = centred.unflatten(2, (-1, 3)).square().mean(dim=(0, 1, 3)).sqrt().clamp_min(1e-12).repeat_interleave(3)
    whitened = (centred / scale).transpose(0, 1) / PENALTY**0.5
    return Design(with_constant(whitened) / num_scans**0.5, torch.ones(seen.shape[1]).to(seen))


def with_constant(seen: Float[Tensor, "A T C"]) -> Float[Tensor, "A T K"]:
    """Return features with a constant one beside them."""
    return torch.cat([seen, torch.ones_like(seen[..., :1])], dim=2)


def runs_of(windows: MeshWindows, run_length: int) -> Int[ndarray, "R N"]:
    """Return the runs (R, N) of consecutive frames of a sequence to choose from: a new one begins every quarter of a run.

    Raises `InputError` where no sequence is as long as that.
    """
    runs = [np.empty((0, run_length), np.int64)]
    for sequence in np.unique(windows.entries[:, 0]):
        own = np.flatnonzero(windows.entries[:, 0] == sequence)
        starts = np.arange(0, len(own) - run_length + 1, max(1, run_length // 4))
        runs.append(own[starts[:, None] + np.arange(run_length)])
    if not sum(map(len, runs)):
        longest = max(len(sequence.frame_numbers) for sequence in windows.sequences)
        raise InputError(
            f"--run_length: found {run_length}, expected at most {longest}, as many frames as a sequence has"
        )
    return np.concatenate(runs)


def choose_runs(design: Design, runs: Int[ndarray, "R N"], count: int) -> Iterator[tuple[int, float]]:
    """Yield which runs to scan, the best first, and the share of the uncertainty in all frames that is left after each.

    Each comes from another of `count` equal shares of the animation, where these have runs: what a linear map is most uncertain
    of are extremes, and those alone say little about what is usual. With z what is seen, P the covariance of what is not known,
    and S the sum of z zᵀ over all frames, the uncertainty is tr(P S); a run Z takes P Zᵀ (1 + Z P Zᵀ)⁻¹ Z P from P.
    """
    seen = design.seen.double()
    covariance = torch.eye(seen.shape[2]).to(seen).expand(len(seen), -1, -1)
    weighted = design.weights.double()[:, None, None] * (seen.transpose(1, 2) @ seen)
    whole = float((covariance * weighted).sum())
    share, taken = runs[:, runs.shape[1] // 2] * count // seen.shape[1], np.zeros(count, np.int64)
    left = np.ones(len(runs), bool)
    for _ in range(count):
        if not left.any():
            return
        least = left & (taken[share] == taken[share[left]].min())
        candidates = np.flatnonzero(least)
        spread = covariance @ weighted @ covariance
        gain = np.concatenate(
            [
                gains(seen[:, torch.from_numpy(runs[some])], covariance, spread)
                for some in np.array_split(candidates, -(-len(candidates) * runs.shape[1] // FRAMES_OF_RUNS))
            ]
        )
        best = int(candidates[gain.argmax()])
        taken[share[best]] += 1
        left &= ~np.isin(runs, runs[best]).any(axis=1)  # no frame is chosen twice
        rows = seen[:, torch.from_numpy(runs[best])]
        half = rows @ covariance
        covariance = covariance - half.transpose(1, 2) @ torch.linalg.solve(plus_one(half @ rows.transpose(1, 2)), half)
        yield best, float((covariance * weighted).sum()) / whole


def gains(
    rows: Float[Tensor, "A R N K"], covariance: Float[Tensor, "A K K"], spread: Float[Tensor, "A K K"]
) -> Float[ndarray, " R"]:
    """Return by how much each run of frames lessens the uncertainty of `choose_runs`; `spread` is P S P."""
    flat = rows.flatten(1, 2)
    of_run, of_all = ((flat @ each).view_as(rows) @ rows.transpose(2, 3) for each in (covariance, spread))
    shares = torch.linalg.solve(plus_one(of_run), of_all)
    return shares.diagonal(dim1=2, dim2=3).sum(dim=(0, 2)).cpu().numpy()


def plus_one(matrices: Float[Tensor, "*A N N"]) -> Float[Tensor, "*A N N"]:
    """Return matrices with one added on the diagonal."""
    return matrices + torch.eye(matrices.shape[-1]).to(matrices)
