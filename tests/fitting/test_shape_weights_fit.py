"""Fits of weights to a skeleton's motion: a loop over runs that are kept out, and answers that are linear in what is seen."""

import numpy as np
import torch
from bar import RATE, Bar
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from data.formats.gltf_reading import animated_character
from utils.fitting.shape_weights_fit import features_of, fit_shape_weights, kept_out, shape_weights_of
from utils.predicting.principal_shapes import PrincipalShapes

RANDOM = np.random.default_rng(0)


def moving_bar(path, num_frames):
    character = Bar()
    character.times = np.arange(1, num_frames + 1) / RATE
    turns = gaussian_filter1d(RANDOM.normal(size=(3, num_frames, 3)), 4, axis=1)
    character.turns = np.stack([Rotation.from_rotvec(each).as_quat() for each in turns])
    character.moves = gaussian_filter1d(RANDOM.normal(size=(num_frames, 3)), 4, axis=0)
    character.scales, character.morphing = np.ones((num_frames, 3)), np.zeros(num_frames)
    return animated_character(character.write(path), RATE)


def test_runs_are_kept_out_of_what_answers_them():
    seen, weights = RANDOM.normal(size=(24, 5)), RANDOM.normal(size=(24, 2))
    found = kept_out(seen @ seen.T, weights, 0.1)
    for run in range(8):
        own = np.arange(3 * run, 3 * run + 3)
        others = np.setdiff1d(np.arange(24), own)
        mean = weights[others].mean(axis=0)
        normal = seen[others].T @ seen[others] + 0.1 * len(others) * np.eye(5)
        solution = np.linalg.solve(normal, seen[others].T @ (weights[others] - mean))
        np.testing.assert_allclose(found[own], seen[own] @ solution + mean)


def test_weights_that_follow_from_what_is_seen_are_found(tmp_path):
    """In frames of two animations that are fitted nearly all of it, and most of it in those kept out."""
    characters = [moving_bar(tmp_path / f"{number}.glb", 90) for number in range(2)]
    anchors, shapes = np.arange(0, 28, 3), RANDOM.normal(size=(2, 28, 3)).astype(np.float32)
    mean, zeros = np.zeros((28, 3), np.float32), np.zeros((1, 2))
    untrained = shape_weights_of(characters[0], anchors, PrincipalShapes(mean, shapes, zeros), "fading")
    moved = [each.joints_to_world() for each in characters]
    seen = np.concatenate([features_of(untrained, joints) for joints in moved])
    weights = (seen - seen.mean(axis=0)) @ RANDOM.normal(size=(seen.shape[1], 2))
    weights /= weights.std(axis=0)
    module, answers = fit_shape_weights(
        characters, torch.from_numpy(anchors), PrincipalShapes(mean, shapes, weights), "fading"
    )
    assert ((answers - weights) ** 2).mean() < 0.3
    state = tuple(torch.zeros(shape) for shape in module.state_shapes.values())
    shares = (weights - weights.min(axis=0)) / (weights.max(axis=0) - weights.min(axis=0))
    for joints, expected in zip(moved[0], shares, strict=False):
        found, *state = module(torch.tensor(joints, dtype=torch.float32), *state)
        np.testing.assert_allclose(found, [1, *expected], atol=0.1)
