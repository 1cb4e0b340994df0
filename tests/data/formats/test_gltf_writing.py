import json
import shutil
import subprocess

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tube import tube_frames, tube_quads

from data.formats.gltf_file import GltfFile
from data.formats.gltf_morphs import write_morphs
from data.formats.gltf_reading import animated_character
from data.formats.gltf_writing import Rig, influences_of, write_character, write_gltf
from data.formats.polygons import Polygons
from data.formats.usd import Scene
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames


def test_influences_are_kept_four_at_a_time():
    weights = np.random.default_rng(0).random((20, 7)) * (np.random.default_rng(1).random((20, 7)) < 0.7)
    weights[0] = [0, 0, 1, 0, 0, 0, 0]
    sets = influences_of(weights)
    assert len(sets) == 2
    found = np.zeros_like(weights)
    for joints, own in sets:
        assert joints.shape == own.shape == (20, 4)
        np.add.at(found, (np.arange(20)[:, None], joints), own)
    np.testing.assert_allclose(found, weights)
    assert len(influences_of(np.eye(3))) == 1


@pytest.fixture
def written(tmp_path):
    """A chain of three joints, the root moved, all of them turned; its file, and what a loop makes of it."""
    random = np.random.default_rng(0)
    points = random.normal(size=(30, 3))
    weights = random.random((30, 3))
    weights /= weights.sum(axis=1, keepdims=True)
    heads, parents = np.array([[0.0, 0, 0], [0, 1, 0], [0.3, 2, 0]]), np.array([-1, 0, 1])
    local = Rotation.from_rotvec(random.normal(size=(12, 3))).as_matrix().reshape(4, 3, 3, 3)
    rotations, positions = np.empty((4, 3, 3, 3)), np.empty((4, 3, 3))
    for joint, parent in enumerate(parents):
        if parent < 0:
            rotations[:, joint], positions[:, joint] = local[:, joint], random.normal(size=(4, 3))
        else:
            rotations[:, joint] = rotations[:, parent] @ local[:, joint]
            positions[:, joint] = positions[:, parent] + rotations[:, parent] @ (heads[joint] - heads[parent])
    rig = Rig(points, random.integers(0, 30, (40, 3)), weights, heads, parents, ["a", "b", "c"])
    path = tmp_path / "chain.glb"
    write_character(path, rig, rotations, positions, [5, 6, 8, 9], 25.0)
    expected = np.zeros((4, 30, 3))
    for frame in range(4):
        for vertex in range(30):
            for joint in range(3):
                moved = rotations[frame, joint] @ (points[vertex] - heads[joint]) + positions[frame, joint]
                expected[frame, vertex] += weights[vertex, joint] * moved
    return path, expected


def test_a_character_is_read_as_it_was_written(written):
    path, expected = written
    frames = load_frames(path, frame_rate=25.0)
    assert frames.frame_numbers == [5, 6, 7, 8, 9]
    np.testing.assert_allclose(frames.vertices[[0, 1, 3, 4]], expected, atol=1e-5)


def textured_tube():
    polygons = Polygons.from_rows(tube_quads())
    polygons.texture = np.random.default_rng(0).random((50, 2)).astype(np.float32)
    polygons.texture_corners = np.random.default_rng(1).integers(0, 50, len(polygons.corners))
    return polygons


@pytest.mark.parametrize(("up_axis", "metres"), [("y", 1.0), ("z", 0.01), ("x", 0.001)])
def test_a_cache_is_read_as_it_was_written(tmp_path, up_axis, metres):
    """Morph targets in place of frames; two vertices in one place, and one without a face, stay what they are."""
    vertices, polygons = tube_frames(6).astype(np.float32), textured_tube()
    vertices[:, 5] = vertices[:, 6]
    vertices = np.concatenate([vertices, vertices[:, :1] + 1], axis=1)
    path = tmp_path / "tube.glb"
    write_gltf(path, [3, 4, 5, 7, 8, 9], vertices, polygons, Scene(up_axis, metres, 24.0))
    frames = load_frames(path, frame_rate=24.0)
    assert frames.frame_numbers == list(range(3, 10))
    upright = {"y": vertices, "z": vertices[..., [0, 2, 1]] * [1, 1, -1], "x": vertices[..., [1, 0, 2]] * [-1, 1, 1]}
    np.testing.assert_allclose(frames.vertices[[0, 1, 2, 4, 5, 6]] / metres, upright[up_axis], atol=1e-6)
    assert frames.polygons.are_like(polygons)
    expected = polygons.texture[Polygons(polygons.sizes, polygons.texture_corners).triangles().ravel()]
    np.testing.assert_allclose(frames.polygons.texture[frames.polygons.texture_corners], expected, atol=1e-6)


def test_values_are_attributes_by_their_means_over_the_frames(tmp_path):
    vertices, polygons, values = (
        tube_frames(3).astype(np.float32),
        textured_tube(),
        np.random.default_rng(0).random((3, 72)),
    )
    write_gltf(tmp_path / "a.glb", [1, 2, 3], vertices, polygons, Scene(), {"expected_error": values})
    file = GltfFile(tmp_path / "a.glb")
    attributes = vars(file.tree.meshes[0].primitives[0].attributes)
    found, numbers = (file.array(attributes[name]) for name in ("_EXPECTED_ERROR", "_VERTEX"))
    np.testing.assert_allclose(found, values.mean(axis=0)[numbers.astype(int)], rtol=1e-6)


def test_caches_that_gltf_cannot_hold(tmp_path):
    vertices = tube_frames(2).astype(np.float32)
    with pytest.raises(InputError, match=r"a\.glb: frame -1, expected none before 0: glTF knows no times before zero"):
        write_gltf(tmp_path / "a.glb", [-1, 0], vertices, textured_tube(), Scene())
    with pytest.raises(InputError, match=r"a\.glb: found no faces, expected a mesh"):
        write_gltf(tmp_path / "a.glb", [1, 2], vertices, Polygons(), Scene())
    vertices[1, 7] = np.nan
    with pytest.raises(InputError, match=r"a\.glb: vertices that are not observed \(nan\), expected none"):
        write_gltf(tmp_path / "a.glb", [1, 2], vertices, textured_tube(), Scene())
    assert not list(tmp_path.iterdir())


VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1]))).then(
  report => console.log(JSON.stringify(report.issues)))
"""


@pytest.mark.starts_scripts
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there, which the validator of Khronos runs in")
def test_the_validator_of_khronos_finds_nothing(written, tmp_path):
    values = {"expected_error": np.ones((3, 72))}
    write_gltf(tmp_path / "tube.glb", [3, 4, 6], tube_frames(3).astype(np.float32), textured_tube(), Scene(), values)
    opened = animated_character(written[0], 25.0)
    shape = np.zeros((1, len(opened.character.points), 3))
    write_morphs(tmp_path / "morphs.glb", opened, ["shape"], shape, shape, np.ones((len(opened.numbers), 1)))
    for path in (written[0], tmp_path / "tube.glb", tmp_path / "morphs.glb"):
        found = subprocess.run(["node", "-e", VALIDATE, str(path)], capture_output=True, text=True, encoding="utf-8")
        if "Cannot find module" in found.stderr:
            pytest.skip("the validator of Khronos is not there: npm install --global gltf-validator, and NODE_PATH")
        issues = json.loads(found.stdout)
        assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
