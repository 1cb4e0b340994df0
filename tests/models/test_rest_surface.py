import numpy as np
import pytest
import torch
import trimesh
from tube import tube_frames, tube_triangles

from models import eigenfunctions
from models.edges import bridges, edge_neighbours, longest_edge_ends, spread_along_surface, unique_edges
from models.eigenfunctions import laplacian_eigenfunctions
from models.rest_surface import RestSurface, mean_over_neighbours

NO_LINKS = np.empty((0, 2), np.int64)


def test_eigenfunctions_of_the_sphere_are_its_harmonics():
    sphere = trimesh.creation.icosphere(4)
    vertices, faces = np.array(sphere.vertices), np.array(sphere.faces)
    functions = laplacian_eigenfunctions(vertices, faces, NO_LINKS, 3)
    # the three of degree one are the coordinates, up to a rotation and the scale of variance one
    fit, *_ = np.linalg.lstsq(vertices, functions, rcond=None)
    np.testing.assert_allclose(vertices @ fit, functions, atol=0.02)
    np.testing.assert_allclose(functions.std(axis=0), 1, atol=1e-6)


def test_dense_and_sparse_solvers_agree(monkeypatch):
    vertices = tube_frames(1)[0] * [1, 1, 1.3]  # an ellipse: no two eigenvalues the same
    dense = laplacian_eigenfunctions(vertices, tube_triangles(), NO_LINKS, 4)
    monkeypatch.setattr(eigenfunctions, "DENSE_SOLVER_BELOW", 0)
    np.testing.assert_allclose(laplacian_eigenfunctions(vertices, tube_triangles(), NO_LINKS, 4), dense, atol=1e-6)


def test_eigenfunctions_do_not_depend_on_size_or_place():
    vertices = tube_frames(1)[0] * [1, 1, 1.3]
    near = laplacian_eigenfunctions(vertices, tube_triangles(), NO_LINKS, 4)
    far = laplacian_eigenfunctions(1000 * vertices + 1e4, tube_triangles(), NO_LINKS, 4)
    np.testing.assert_allclose(far, near, atol=1e-5)


def test_separate_parts_are_tied_where_they_are_closest():
    vertices = np.array(
        [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [1.1, 0, 0], [2, 0, 0], [2, 1, 0], [9, 9, 9]], float
    )
    faces = np.array([[0, 1, 2], [1, 3, 2], [4, 5, 6]])
    assert bridges(vertices, unique_edges(faces)).tolist() == [[1, 4], [6, 7]]


def test_a_mesh_cut_open_along_a_seam_is_one_surface():
    vertices, faces = tube_frames(1)[0], tube_triangles()
    loose = vertices[faces].reshape(-1, 3)  # every triangle with vertices of its own
    split = np.arange(len(loose)).reshape(-1, 3)
    links = bridges(loose, unique_edges(split))
    surface = RestSurface.from_mesh(loose, split)
    assert len(links) == len(split) - 1
    assert torch.isfinite(surface.eigenfunctions).all()
    assert surface.eigenfunctions.abs().sum() > 0


def test_anchors_are_near_along_the_surface_not_through_the_air():
    # a flat strip folded back onto itself: its ends touch
    along = np.linspace(0, np.pi, 40)
    ring = np.stack([np.cos(2 * along), np.sin(2 * along), 0 * along], axis=1)[:-1]
    vertices = np.concatenate([ring, ring + [0, 0, 0.1]])
    lower = np.arange(38)
    faces = np.concatenate(
        [np.stack([lower, lower + 1, lower + 39], axis=1), np.stack([lower + 1, lower + 40, lower + 39], axis=1)]
    )
    anchors, places, distances = spread_along_surface(vertices, unique_edges(faces), 10, 2)
    assert len(set(anchors.tolist())) == 10
    assert (distances[anchors, 0] == 0).all()
    column = anchors[places] % 39
    own = np.arange(len(vertices)) % 39
    assert np.abs(column - own[:, None]).max() < 12  # the other end, closest through the air, is 38 columns away


def test_tangent_edge_is_the_longest():
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 2, 0], [5, 5, 5]], float)
    assert longest_edge_ends(vertices, np.array([[0, 1], [0, 2], [1, 2]])).tolist() == [2, 2, 1, 3]


def fan(count):
    """Triangles around the first vertex, and a vertex beside them that is in none."""
    angle = 2 * np.pi * np.arange(count) / count
    vertices = np.concatenate([[[0, 0, 0]], np.stack([np.cos(angle), np.sin(angle), 0 * angle], axis=1), [[9, 9, 9]]])
    return vertices, np.array([[0, i, i % count + 1] for i in range(1, count + 1)])


def test_neighbours_share_an_edge():
    neighbours = edge_neighbours(*fan(6))
    assert sorted(neighbours[0]) == [0, 0, 1, 2, 3, 4, 5, 6]
    assert sorted(neighbours[3]) == [0, 2, 3, 3, 3, 3, 3, 4]
    assert neighbours[7].tolist() == [7] * 8


def test_of_many_neighbours_some_from_all_sides():
    vertices, faces = fan(20)
    neighbours = edge_neighbours(vertices, faces)[0]
    assert len(set(neighbours.tolist()) - {0}) == 8
    assert np.linalg.norm(vertices[neighbours].mean(axis=0)) < 0.2


def test_a_seam_stays_closed():
    vertices, faces = fan(6)
    loose = vertices[faces].reshape(-1, 3)  # every triangle with vertices of its own
    split = np.arange(len(loose)).reshape(-1, 3)
    neighbours = torch.from_numpy(edge_neighbours(loose, split))
    vectors = torch.from_numpy(loose[None]).sin()
    after = mean_over_neighbours(vectors, neighbours, 2)[0].numpy()
    whole = torch.from_numpy(edge_neighbours(vertices, faces))
    expected = mean_over_neighbours(torch.from_numpy(vertices[None]).sin(), whole, 2)[0].numpy()
    np.testing.assert_allclose(after, expected[faces].reshape(-1, 3))


@pytest.mark.parametrize(
    ("vertices", "faces"),
    [
        (np.eye(3), [[0, 1, 2]]),
        (np.zeros((4, 3)), [[0, 1, 2], [1, 2, 3]]),
        (np.vstack([np.eye(3), np.eye(3) + 5, np.ones((1, 3))]), [[0, 1, 2], [3, 4, 5], [3, 3, 5]]),
        (np.random.default_rng(0).normal(size=(5, 3)), [[0, 1, 2], [0, 1, 3], [0, 1, 4]]),
    ],
    ids=["one triangle", "one point", "degenerate, separate, isolated", "three faces at an edge"],
)
def test_bad_meshes_have_finite_properties(vertices, faces):
    surface = RestSurface.from_mesh(vertices, np.array(faces))
    for name, buffer in surface.named_buffers():
        assert torch.isfinite(buffer).all(), name
