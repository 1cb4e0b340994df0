"""Strengths by region: a loop over all pairs of vertices, and what has to stay as it was painted."""

import numpy as np
import pytest
import torch
from tube import tube_frames, tube_surface_with_joints, tube_triangles

from utils.predicting.region_strength import RAMP, region_strength, without_steps

VERTICES, FACES = tube_frames(1)[0], tube_triangles()


def ways():
    """The lengths of the shortest ways along edges between all pairs of vertices, by Floyd and Warshall."""
    far = np.full((len(VERTICES), len(VERTICES)), np.inf)
    np.fill_diagonal(far, 0)
    for one, two in np.concatenate([FACES[:, [0, 1]], FACES[:, [1, 2]], FACES[:, [2, 0]]]):
        far[one, two] = far[two, one] = np.linalg.norm(VERTICES[one] - VERTICES[two])
    for middle in range(len(far)):
        far = np.minimum(far, far[:, [middle]] + far[[middle]])
    return far


@pytest.mark.parametrize("ramp", [0.05, 0.3, 2.0])
def test_they_rise_no_faster_than_they_may(ramp):
    strengths = np.random.default_rng(0).choice([0, 1, 2], len(VERTICES)).astype(np.float32)
    found = without_steps(strengths, VERTICES, FACES, ramp)
    np.testing.assert_allclose(found, (strengths + ways() / ramp).min(axis=1), atol=1e-6)
    assert (found[strengths == 0] == 0).all()
    assert (found <= strengths).all()


def test_what_is_smooth_already_stays_to_the_bit():
    smooth = (0.5 + 0.2 * np.sin(VERTICES[:, 0])).astype(np.float32)
    np.testing.assert_array_equal(without_steps(smooth, VERTICES, FACES, 0.3), smooth)
    ones = np.ones(len(VERTICES), np.float32)
    np.testing.assert_array_equal(without_steps(ones, VERTICES, FACES, 10.0), ones)


def test_faces_turned_over_and_edges_without_length(tmp_path):
    strengths = np.repeat([0, 2], 36).astype(np.float32)
    turned = np.concatenate([FACES, FACES[:5, ::-1]])
    expected = without_steps(strengths, VERTICES, FACES, 0.3)
    np.testing.assert_array_equal(without_steps(strengths, VERTICES, turned, 0.3), expected)
    in_one_place = np.zeros_like(VERTICES)
    assert without_steps(strengths, in_one_place, FACES, 0.3).max() < 1e-6


def test_out_of_a_file(tmp_path):
    surface = tube_surface_with_joints(0)
    assert region_strength(None, surface) is None
    np.save(tmp_path / "region.npy", np.repeat([0, 2], 36))
    found = region_strength(tmp_path / "region.npy", surface)
    size = float(torch.linalg.vector_norm(surface.vertices.amax(dim=0) - surface.vertices.amin(dim=0)))
    rest = surface.vertices.numpy()
    expected = without_steps(np.repeat([0, 2], 36).astype(np.float32), rest, FACES, RAMP * size)
    np.testing.assert_array_equal(found, expected)
