"""A rig that Blender exported, as FBX and as glTF, evaluated by us and by Blender."""

import numpy as np
import pytest
from terminal import ROOT

from data.formats.mesh_formats import POINTS, said_in
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

HOSTS = ROOT / "tests/hosts"
Z_UP = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]])  # of row vectors, from y-up axes


@pytest.fixture(scope="module")
def expected():
    with np.load(HOSTS / "bar.npz") as arrays:
        return dict(arrays)


def test_fbx_is_evaluated_as_blender_does(expected):
    frames = load_frames(HOSTS / "bar.fbx", frame_rate=24.0)
    assert frames.frame_numbers == list(range(1, 9))
    assert frames.counted  # the file begins at zero
    np.testing.assert_allclose(frames.vertices @ Z_UP / 100, expected["vertices"], atol=1e-5)
    np.testing.assert_array_equal(frames.polygons.corners.reshape(-1, 4), expected["faces"])  # not split at seams
    assert len(frames.polygons.texture_corners) == 96
    joints = load_frames(HOSTS / "bar.fbx", tuple(POINTS), joints=True, frame_rate=24.0)
    np.testing.assert_allclose(joints.vertices @ Z_UP / 100, expected["joints"], atol=1e-5)
    assert joints.point_names == ["bone0", "bone1", "bone2"]
    assert said_in(HOSTS / "bar.fbx") == {"metres_per_unit": 0.01, "up_axis": "y"}
    twice = load_frames(HOSTS / "bar.fbx:Bar", frame_rate=48.0)
    np.testing.assert_allclose(twice.vertices[::2], frames.vertices, atol=1e-4)


def test_gltf_is_evaluated_as_blender_does(expected):
    frames = load_frames(HOSTS / "bar.glb", frame_rate=24.0)
    assert frames.frame_numbers == list(range(1, 9))
    # the exporter may put vertices in another order, but each in one place
    apart = np.abs((frames.vertices @ Z_UP)[:, :, None] - expected["vertices"][:, None]).max(axis=(0, 3))
    assert sorted(apart.argmin(axis=0).tolist()) == list(range(28))
    assert apart.min(axis=0).max() < 1e-5
    joints = load_frames(HOSTS / "bar.glb", tuple(POINTS), joints=True, frame_rate=24.0)
    np.testing.assert_allclose(joints.vertices @ Z_UP, expected["joints"], atol=1e-5)
    assert joints.point_names == ["bone0", "bone1", "bone2"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Kaydara FBX Binary  \0", "not a whole FBX file"),
        (b"", "not a whole FBX file"),
        (b"; FBX 7.3.0", "not a whole FBX file"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, content, message):
    (tmp_path / "a.fbx").write_bytes(content)
    with pytest.raises(InputError, match=rf"a\.fbx: {message}"):
        load_frames(tmp_path / "a.fbx")


def test_a_name_that_fits_nothing():
    with pytest.raises(InputError, match=r"bar\.fbx: found no Baz in it, expected meshes and animations .*: Bar, bar"):
        load_frames(HOSTS / "bar.fbx:Baz")
