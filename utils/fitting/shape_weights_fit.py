"""Fitting the weights of a few shapes to a skeleton's motion: a ridge regression, chosen by cross-validation."""

from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor

from data.formats.gltf_reading import AnimatedCharacter
from data.sequences.run_up import before_first
from models.oscillators import HISTORY
from models.shape_weights import ShapeWeights
from utils.predicting.principal_shapes import PrincipalShapes

FOLDS = 8  # of consecutive frames
PENALTIES = (0.1, 0.03, 0.01, 3e-3, 1e-3, 3e-4)
MOVING = (0.03, 0.1, 0.3, 1.0)  # how much motion and an oscillator count beside the joints


def shape_weights_of(
    opened: AnimatedCharacter, anchors: Int64[ndarray, " A"], found: PrincipalShapes, run_up: str
) -> ShapeWeights:
    """Return an untrained map from a character's skeleton to the weights of shapes, with some vertices as anchors; sequences
    begin as `data.sequences.run_up` has it."""
    character = opened.character
    lowest, highest = (torch.tensor(each, dtype=torch.float32) for each in (found.lowest, found.highest))
    module = ShapeWeights(
        torch.from_numpy(opened.parent_joints()),
        torch.tensor(character.inverse_bind, dtype=torch.float32),
        torch.tensor(character.points[anchors], dtype=torch.float32),
        torch.tensor(character.influences[anchors].toarray(), dtype=torch.float32),
        torch.tensor([0.0, 1.0, 0.0]),  # of glTF
        torch.from_numpy(before_first(HISTORY, run_up)).float(),
        len(found.shapes),
    )
    module.lowest, module.highest = lowest, highest
    return module.eval()


def features_of(module: ShapeWeights, joints: Float[ndarray, "T J 4 4"]) -> Float32[ndarray, "T D"]:
    """Return what is seen in every frame of a sequence."""
    state: tuple[Tensor, ...] = tuple(torch.zeros(shape) for shape in module.state_shapes.values())
    seen = []
    for frame in torch.tensor(joints, dtype=torch.float32):
        now, state = module.features(frame, state)
        seen.append(now.numpy())
    return np.stack(seen)


def fit_shape_weights(
    characters: list[AnimatedCharacter], anchors: Int64[Tensor, " A"], found: PrincipalShapes, run_up: str
) -> tuple[ShapeWeights, Float64[ndarray, "T K"]]:
    """Return a map from a character's joints to the weights of shapes, fitted to the frames (T) of one or several animations;
    and what it answers, unclamped, to frames that were kept out of the fit. Some vertices serve as anchors; `run_up` says how
    sequences begin.

    All kinds of features have the same mean square, but motion and oscillators a share of it; that, and the penalty, are those
    that leave least in eight runs of consecutive frames, each kept out once.
    """
    module = shape_weights_of(characters[0], anchors.cpu().numpy(), found, run_up)
    seen = np.concatenate([features_of(module, each.joints_to_world()) for each in characters]).astype(np.float64)
    mean = seen.mean(axis=0)
    kinds = np.split(seen - mean, np.cumsum(module.groups())[:-1], axis=1)
    sizes = [float(np.sqrt((kind**2).sum(axis=1).mean())) or 1.0 for kind in kinds]
    turned, up, *moving = (kind @ kind.T / size**2 for kind, size in zip(kinds, sizes, strict=True))
    of_shapes = np.linalg.norm(found.shapes.reshape(len(found.shapes), -1), axis=1)
    tried = {}
    for share, penalty in product(MOVING, PENALTIES):
        answers = kept_out(turned + up + share * sum(moving), found.weights, penalty)
        tried[share, penalty] = float((((answers - found.weights) * of_shapes) ** 2).sum()), answers
    share, penalty = min(tried, key=lambda pair: tried[pair][0])
    dual, constant = ridge(turned + up + share * sum(moving), found.weights, penalty)
    shares = [1.0, 1.0, *[share] * len(moving)]
    coefficients = [part / size**2 * kind.T @ dual for part, size, kind in zip(shares, sizes, kinds, strict=True)]
    module.mean.copy_(torch.from_numpy(mean))
    module.coefficients.copy_(torch.from_numpy(np.concatenate(coefficients)))
    module.constant.copy_(torch.from_numpy(constant))
    return module, tried[share, penalty][1]


def ridge(
    products: Float64[ndarray, "T T"], weights: Float[ndarray, "T K"], penalty: float
) -> tuple[Float64[ndarray, "T K"], Float64[ndarray, " K"]]:
    """Return a ridge regression in its dual form: what is multiplied with the products of features, and what is added."""
    mean = weights.mean(axis=0)
    return np.linalg.solve(products + penalty * len(weights) * np.eye(len(weights)), weights - mean), mean


def kept_out(
    products: Float64[ndarray, "T T"], weights: Float[ndarray, "T K"], penalty: float
) -> Float64[ndarray, "T K"]:
    """Return the answers to runs of frames of regressions to all others."""
    answers = np.zeros_like(weights)
    frames = np.arange(len(weights))
    for run in np.array_split(frames, min(FOLDS, len(frames))):
        others = np.setdiff1d(frames, run)
        dual, constant = ridge(products[np.ix_(others, others)], weights[others], penalty)
        answers[run] = products[np.ix_(run, others)] @ dual + constant
    return answers
