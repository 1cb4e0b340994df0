import numpy as np
import pytest
import trimesh

from utils.showing.rendering import CLAY, frame_camera, render_mesh

BALL = trimesh.creation.icosphere(3)
VERTICES, FACES = np.array(BALL.vertices), np.array(BALL.faces)


def test_what_is_not_observed_is_a_hole():
    vertices = np.array([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]])
    faces = np.array([[0, 1, 2], [1, 3, 2]])
    camera = frame_camera(vertices, turn=0.0, longest=20)
    unknown = np.where(np.arange(4)[:, None] == 3, np.nan, vertices)
    whole, broken = (render_mesh(each, faces, camera)[..., 3] for each in (vertices, unknown))
    assert 0.4 < broken.sum() / whole.sum() < 0.6
    seen = frame_camera(unknown, turn=0.0, longest=20)
    np.testing.assert_allclose(seen.size, camera.size)


def test_a_ball_is_a_disc():
    camera = frame_camera(VERTICES[None], longest=100)
    picture = render_mesh(VERTICES, FACES, camera)
    assert picture.shape == (100, 100, 4)
    row, column = np.mgrid[0:100, 0:100]
    distance = np.hypot(row - 49.5, column - 49.5) / (50 / 1.04)
    assert (picture[distance < 0.95, 3] == 1).all()
    assert (picture[distance > 1.05, 3] == 0).all()
    assert 0 < picture[np.abs(distance - 1) < 0.02, 3].mean() < 1  # anti-aliased
    assert picture[30, 30, :3].mean() > picture[80, 50, :3].mean()  # light from the upper left


def test_colours_are_interpolated():
    camera = frame_camera(VERTICES[None], longest=64, turn=0.0)
    colors = np.stack([(VERTICES[:, 1] + 1) / 2, 0 * VERTICES[:, 1], 0 * VERTICES[:, 1]], axis=1)
    picture = render_mesh(VERTICES, FACES, camera, colors)
    grey = render_mesh(VERTICES, FACES, camera)
    red = picture[:, 32, 0] / np.maximum(grey[:, 32, 0], 1e-9) * CLAY[0]
    rows = slice(6, 58)
    np.testing.assert_allclose(red[rows], (1 - (np.arange(64)[rows] + 0.5) / 32) * 1.04 / 2 + 0.5, atol=0.04)


@pytest.mark.parametrize("up_axis", ["x", "y", "z"])
def test_up_is_up(up_axis):
    axis = "xyz".index(up_axis)
    vertices = VERTICES.copy()
    vertices[:, axis] *= 3
    assert frame_camera(vertices[None], up_axis, longest=90).pixels == (30, 90)


@pytest.mark.parametrize(("scale", "shift"), [(1e-4, 0), (1e6, 0), (1, 1e4)])
def test_size_and_place_do_not_matter(scale, shift):
    vertices = VERTICES * scale + shift
    picture = render_mesh(vertices, FACES, frame_camera(vertices[None], longest=50))
    expected = render_mesh(VERTICES, FACES, frame_camera(VERTICES[None], longest=50))
    np.testing.assert_allclose(picture, expected, atol=0.02)


def test_flat_and_single_points_give_a_picture():
    for vertices in (VERTICES * [1, 0, 1], VERTICES * 0):
        assert np.isfinite(render_mesh(vertices, FACES, frame_camera(vertices[None], longest=20))).all()
