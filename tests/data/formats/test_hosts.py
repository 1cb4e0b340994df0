"""Files that we write, opened by a program that artists sit in."""

import numpy as np
import pytest
from bar import RATE, Bar, translated
from terminal import ROOT, run_fresh
from tube import tube_frames, tube_quads

from data.formats.gltf_morphs import write_morphs
from data.formats.gltf_reading import animated_character
from data.formats.mesh_formats import write_sequence
from data.formats.obj_writing import write_obj
from data.formats.polygons import Polygons
from data.formats.usd import Scene
from data.formats.usd_character import write_usd_character
from data.sequences.mesh_frames import load_frames

NUMBERS = range(3, 13)
BLENDER = ROOT / ".venv-blender/bin/python"  # an environment of its own: it wants an older NumPy


pytestmark = [
    pytest.mark.starts_scripts,
    pytest.mark.skipif(not BLENDER.exists(), reason="Blender is not there: see requirements-blender.txt"),
]


def test_blender_sees_the_same_mesh_at_the_same_frames(tmp_path):
    vertices = tube_frames(len(NUMBERS)).astype(np.float32)
    for kind in ("abc", "usdc", "mdd", "pc2"):
        scene = Scene("y", 1.0, 24.0)
        write_sequence(tmp_path / f"tube.{kind}", list(NUMBERS), vertices, Polygons.from_rows(tube_quads()), scene)
    write_obj(tmp_path / "rest.obj", vertices[0], tube_quads())
    frames = (3, 7, 12)
    run = run_fresh(tmp_path, ROOT / "tests/in_blender.py", tmp_path, *frames, interpreter=BLENDER)
    assert run.returncode == 0, run.stderr[-3000:]
    for kind in ("abc", "usdc", "mdd", "pc2"):
        seen = np.load(tmp_path / f"tube.{kind}.npz")
        np.testing.assert_allclose(seen["vertices"], vertices[[frame - NUMBERS[0] for frame in frames]], atol=1e-6)
        # the same side of a face is its front
        first = seen["vertices"][:, tube_quads()[0]]
        front = np.cross(first[:, 1] - first[:, 0], first[:, 2] - first[:, 0])
        assert ((front * seen["normals"]).sum(axis=1) > 0).all(), kind
        assert sorted(seen["corners"].tolist()) == sorted(tube_quads()[0].tolist())


def test_blender_moves_morph_targets_as_we_do(tmp_path):
    """A character of three bones with a morph target of its own, and two that were added, whose weights are within 0 and 1."""
    character, random = Bar(), np.random.default_rng(0)
    character.scales[:], character.helper = 1, translated([0.1, 0.2, 0.3])
    character.bind = [np.linalg.inv(character.helper @ translated([0, height, 0])) for height in range(3)]
    character.joints[:, :3], character.weights[:, 3:] = [2, 0, 1], 0  # glTF forbids a joint to be named twice
    character.weights /= character.weights.sum(axis=1, keepdims=True)
    opened = animated_character(character.write(tmp_path / "bar.glb"), RATE)
    shapes, weights = 0.1 * random.normal(size=(2, 28, 3)), random.random((5, 2))
    write_morphs(tmp_path / "morphs.glb", opened, ["one", "two"], shapes, shapes, weights)
    write_usd_character(tmp_path / "morphs.usdc", opened, ["one", "two"], shapes, weights, RATE)
    expected = load_frames(tmp_path / "morphs.glb", frame_rate=RATE).vertices[[0, 2, 4]]
    run = run_fresh(tmp_path, ROOT / "tests/in_blender.py", tmp_path, 1, 3, 5, interpreter=BLENDER)
    assert run.returncode == 0, run.stderr[-3000:]
    for kind, places in (("glb", opened.character.places), ("usdc", np.arange(28))):
        seen = np.load(tmp_path / f"morphs.{kind}.npz")["vertices"]
        np.testing.assert_allclose(seen, expected[:, places], atol=1e-5, err_msg=kind)
