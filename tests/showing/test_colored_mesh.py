import io

import numpy as np
import pytest
import trimesh
from tube import tube_frames, tube_triangles

from utils.showing.colored_mesh import ColoredMesh

TUBE, FACES = tube_frames(2), tube_triangles()


@pytest.mark.parametrize("smooth", [True, False])
def test_a_mesh_comes_back_in_order_with_its_colours(smooth):
    mesh = ColoredMesh(FACES, TUBE.shape[1], smooth)
    colors = np.random.default_rng(0).uniform(size=(TUBE.shape[1], 3))
    mesh.glb(TUBE[0], 1 - colors)
    content = mesh.glb(TUBE[1], colors).tobytes()
    ((_, read),) = trimesh.load(io.BytesIO(content), file_type="glb", process=False).geometry.items()
    np.testing.assert_array_equal(read.vertices, TUBE[1].astype(np.float32))
    np.testing.assert_array_equal(read.faces, FACES)
    assert (b'"NORMAL"' in content) == smooth
    light = read.visual.vertex_attributes["color"][:, :3] / 255
    np.testing.assert_allclose(light, colors**2.2, atol=0.02)  # sRGB is close to that


def test_large_meshes_have_large_indices():
    faces = np.array([[0, 1, 70_000]])
    content = ColoredMesh(faces, 70_001, False).glb(np.zeros((70_001, 3)), np.zeros((70_001, 3))).tobytes()
    ((_, read),) = trimesh.load(io.BytesIO(content), file_type="glb", process=False).geometry.items()
    np.testing.assert_array_equal(read.faces, faces)
