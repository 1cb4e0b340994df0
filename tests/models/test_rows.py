"""Surface frames in rows are those of `surface_frames`."""

import numpy as np
import pytest
import torch
import trimesh
from tube import tube_frames, tube_triangles

from models import rows, surface_frames
from models.edges import longest_edge_ends, unique_edges


def frames_in_rows(vertices, faces, ends):
    around, further = rows.faces_around(faces, len(vertices))
    corners = torch.from_numpy(np.concatenate([faces, np.zeros((1, 3), np.int64)]).T.copy())
    given = (corners, torch.from_numpy(around), torch.from_numpy(further), ends)
    return rows.surface_frames_in_rows(vertices, *given).permute(2, 0, 1)


def test_faces_around_a_vertex():
    around, further = rows.faces_around(np.array([[0, 1, 2], [2, 1, 3]]), 5)
    assert around.T.tolist() == [[0, 2], [0, 1], [0, 1], [1, 2], [2, 2]]
    assert len(further) == 0


def test_a_vertex_with_many_faces_has_further_columns():
    rim = np.arange(1, 21)
    fan = np.stack([np.zeros(20, np.int64), rim, np.roll(rim, -1)], axis=1)
    around, further = rows.faces_around(fan, 21)
    assert around.shape == (rows.MOST_FACES, 21 + 2)
    assert further.tolist() == [0, 0]
    assert sorted(around[:, [0, 21, 22]].ravel()[:]) == [*range(20), *[20] * 4]


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
@pytest.mark.parametrize("shape", ["tube", "fan", "flat", "lonely", "line", "point"])
def test_surface_frames_of_any_geometry(shape, scale):
    torch.manual_seed(0)
    faces = np.array([[0, 1, 2]])
    vertices = torch.randn(6, 3)  # of which three have no face
    if shape == "tube":
        faces, vertices = tube_triangles(), torch.from_numpy(tube_frames(1)[0]).float()
    if shape == "fan":
        cone = trimesh.creation.cone(1, 2, sections=30)
        faces, vertices = np.array(cone.faces), torch.from_numpy(np.array(cone.vertices)).float()
    if shape == "flat":
        vertices[:, 1] = 0
    if shape == "line":
        vertices[:, :2] = 0
    if shape == "point":
        vertices[:] = 0
    ends = torch.from_numpy(longest_edge_ends(vertices.numpy(), unique_edges(faces)))
    found = frames_in_rows(scale * vertices, faces, ends)
    expected = surface_frames.surface_frames(scale * vertices, torch.from_numpy(faces), ends)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(
        found @ found.transpose(1, 2), torch.eye(3).expand(len(vertices), 3, 3), atol=1e-5, rtol=0
    )


def test_any_normal_has_a_perpendicular():
    normals = torch.cat([torch.eye(3), -torch.eye(3), torch.nn.functional.normalize(torch.randn(50, 3), dim=1)])
    found = rows.perpendicular(normals.T).T
    torch.testing.assert_close(found, surface_frames.perpendicular(normals))


def test_turns_are_those_between_frames():
    before, now = (torch.linalg.qr(torch.randn(9, 3, 3)).Q for _ in range(2))
    before, now = (each * torch.linalg.det(each)[:, None, None] for each in (before, now))
    turns = rows.turned(before.permute(1, 2, 0), now.permute(1, 2, 0))
    found = rows.rotation_vectors(turns).T
    torch.testing.assert_close(found, surface_frames.rotations_between(before, now))
    local = rows.rotated(now.permute(1, 2, 0), found.T).T
    torch.testing.assert_close(local, surface_frames.to_local(now, found.unsqueeze(1)).squeeze(1))
