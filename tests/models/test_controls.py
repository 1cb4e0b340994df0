import numpy as np
import pytest
import trimesh

from models import controls
from models.controls import controls_along_surface
from models.edges import unique_edges

SPHERE = trimesh.creation.icosphere(3)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(controls, "MOST_CONTROLS", 60)


def test_all_vertices_of_a_small_mesh_are_controls():
    chosen, places, weights = controls_along_surface(np.eye(3), np.array([[0, 1], [1, 2]]))
    assert chosen.tolist() == [0, 1, 2]
    assert places.tolist() == [[0], [1], [2]]
    assert (weights == 1).all()


def test_controls_are_spread_and_the_nearest_along_edges(few):
    edges = unique_edges(SPHERE.faces)
    chosen, places, weights = controls_along_surface(SPHERE.vertices, edges)
    assert len({*chosen.tolist()}) == 60
    apart = np.linalg.norm(SPHERE.vertices[chosen][:, None] - SPHERE.vertices[chosen], axis=2) + 9 * np.eye(60)
    assert apart.min() > 0.5 * np.sqrt(4 * np.pi / 60)  # of what a share of the sphere is wide
    distances = np.full((len(SPHERE.vertices), len(SPHERE.vertices)), np.inf)
    length = np.linalg.norm(SPHERE.vertices[edges[:, 0]] - SPHERE.vertices[edges[:, 1]], axis=1)
    distances[edges[:, 0], edges[:, 1]] = distances[edges[:, 1], edges[:, 0]] = length
    np.fill_diagonal(distances, 0)
    for middle in range(len(distances)):  # Floyd and Warshall
        distances = np.minimum(distances, distances[:, middle, None] + distances[middle])
    to_controls = distances[:, chosen]
    np.testing.assert_allclose(np.take_along_axis(to_controls, places, 1), np.sort(to_controls)[:, :5], atol=1e-9)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    assert (np.diff(weights, axis=1) <= 1e-12).all()


def test_smooth_functions_are_interpolated(few):
    chosen, places, weights = controls_along_surface(SPHERE.vertices, unique_edges(SPHERE.faces))
    found = (weights[..., None] * SPHERE.vertices[chosen][places]).sum(axis=1)
    assert np.linalg.norm(found - SPHERE.vertices, axis=1).mean() < 0.12


def test_vertices_that_no_edge_reaches(few):
    vertices = np.concatenate([SPHERE.vertices, [[0.0, 5.0, 0.0], [0.0, 6.0, 0.0]]])
    chosen, places, weights = controls_along_surface(vertices, unique_edges(SPHERE.faces))
    assert {642, 643} <= {*chosen.tolist()}  # the farthest of all
    assert chosen[places[642, 0]] == 642
    assert weights[642].tolist() == [1, 0, 0, 0, 0]
