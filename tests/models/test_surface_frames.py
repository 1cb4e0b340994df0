import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation
from tube import tube_frames, tube_triangles

from models.edges import longest_edge_ends, unique_edges
from models.local_features import ROUNDING
from models.surface_frames import rotations_between, surface_frames, to_local, to_world, vertex_normals

FACES = torch.from_numpy(tube_triangles())
TUBE = torch.from_numpy(tube_frames(3))
ENDS = torch.from_numpy(longest_edge_ends(tube_frames(1)[0], unique_edges(tube_triangles())))


def test_normals_against_a_naive_loop():
    normals = vertex_normals(TUBE, FACES)
    for frame in range(len(TUBE)):
        expected = np.zeros(TUBE.shape[1:])
        for face in FACES.tolist():
            a, b, c = TUBE[frame, face].numpy()
            expected[face] += np.cross(b - a, c - a)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        np.testing.assert_allclose(normals[frame], expected, atol=1e-12)


def test_frames_are_right_handed_and_turn_with_the_body():
    frames = surface_frames(TUBE, FACES, ENDS)
    identity = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(frames @ frames.transpose(-1, -2), identity.expand_as(frames))
    torch.testing.assert_close(torch.linalg.det(frames), torch.ones(frames.shape[:2], dtype=torch.float64))
    turn = torch.from_numpy(Rotation.from_rotvec([0.3, -2.0, 0.7]).as_matrix())
    moved = surface_frames(TUBE @ turn.T + torch.tensor([3.0, -1.0, 2.0], dtype=torch.float64), FACES, ENDS)
    torch.testing.assert_close(moved, frames @ turn.T)


def test_local_and_world_undo_each_other():
    frames = surface_frames(TUBE, FACES, ENDS)
    vectors = torch.randn(*TUBE.shape[:2], 4, 3, dtype=torch.float64)
    torch.testing.assert_close(to_world(frames, to_local(frames, vectors)), vectors)
    torch.testing.assert_close(to_local(frames, frames), torch.eye(3, dtype=torch.float64).expand_as(frames))


def test_degenerate_geometry_has_a_defined_frame():
    flat = torch.zeros(2, 6, 3)  # all in one point
    line = torch.linspace(0, 1, 6)[None, :, None] * torch.tensor([0.0, 0.0, 1.0])  # all on the fallback normal
    lonely = torch.randn(1, 6, 3)  # vertices 3, 4 and 5 without a face
    faces = torch.tensor([[0, 1, 2]])
    ends = torch.tensor([1, 2, 0, 3, 4, 5])
    for vertices in (flat, line, lonely, 1e-30 * lonely, 1e15 * lonely):
        frames = surface_frames(vertices, faces, ends)
        torch.testing.assert_close(frames @ frames.transpose(-1, -2), torch.eye(3).expand_as(frames), atol=1e-5, rtol=0)


@pytest.mark.parametrize("angle", [0.0, 1e-3, 0.5, 1.5, 3.0])
def test_rotations_between_axes_in_closed_form(angle):
    torch.manual_seed(0)
    axis = torch.nn.functional.normalize(torch.randn(3), dim=0)
    turn = torch.from_numpy(Rotation.from_rotvec(angle * axis.numpy()).as_matrix()).float()
    before = torch.linalg.qr(torch.randn(7, 2, 3, 3)).Q
    found = rotations_between(before, torch.stack([before, before @ turn.T]))
    assert found[0].abs().max() < 1e-6
    torch.testing.assert_close(found[1], (2 * np.sin(angle / 2) * axis).float().expand(7, 2, 3), atol=1e-5, rtol=1e-4)


def test_rotations_by_rounding_are_smaller_than_what_counts():
    sphere = trimesh.creation.icosphere(5)
    vertices = torch.from_numpy(sphere.vertices * [0.3, 0.9, 0.2]).float()
    faces = torch.from_numpy(sphere.faces)
    ends = torch.from_numpy(longest_edge_ends(vertices.numpy(), unique_edges(sphere.faces)))
    frames = [surface_frames(each, faces, ends) for each in (vertices, vertices + torch.tensor([0.3, 1.1, -0.7]))]
    turns = frames[0].transpose(1, 2) @ frames[1]
    assert (turns - torch.eye(3)).abs().max() > 1e-6
    assert rotations_between(turns.unsqueeze(1), turns.roll(5, 0).unsqueeze(1)).abs().max() < ROUNDING


def test_half_a_turn_is_a_number():
    before = torch.eye(3).expand(1, 1, 3, 3)
    turned = before @ torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    assert torch.isfinite(rotations_between(before, turned)).all()
