import json
import shutil
import subprocess

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data.formats.gltf_writing import Rig, influences_of, write_character
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


VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1]))).then(
  report => console.log(JSON.stringify(report.issues)))
"""


@pytest.mark.starts_scripts
@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there, which the validator of Khronos runs in")
def test_the_validator_of_khronos_finds_nothing(written, tmp_path):
    path, _ = written
    found = subprocess.run(["node", "-e", VALIDATE, str(path)], capture_output=True, text=True, encoding="utf-8")
    if "Cannot find module" in found.stderr:
        pytest.skip("the validator of Khronos is not there: npm install --global gltf-validator, and NODE_PATH")
    issues = json.loads(found.stdout)
    assert (issues["numErrors"], issues["numWarnings"]) == (0, 0), issues["messages"]
