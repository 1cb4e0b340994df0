"""Files that we write, opened by a program that artists sit in."""

import numpy as np
import pytest
from terminal import ROOT, run_fresh
from tube import tube_frames, tube_quads

from data.formats.mesh_formats import write_sequence
from data.formats.obj_writing import write_obj
from data.formats.polygons import Polygons
from data.formats.usd import Scene

NUMBERS = range(3, 13)
BLENDER = ROOT / ".venv-blender/bin/python"  # an environment of its own: it wants an older NumPy


@pytest.mark.starts_scripts
@pytest.mark.skipif(not BLENDER.exists(), reason="Blender is not there: see requirements-blender.txt")
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
        seen = np.load(tmp_path / f"{kind}.npz")
        np.testing.assert_allclose(seen["vertices"], vertices[[frame - NUMBERS[0] for frame in frames]], atol=1e-6)
        # the same side of a face is its front
        first = seen["vertices"][:, tube_quads()[0]]
        front = np.cross(first[:, 1] - first[:, 0], first[:, 2] - first[:, 0])
        assert ((front * seen["normals"]).sum(axis=1) > 0).all(), kind
        assert sorted(seen["corners"].tolist()) == sorted(tube_quads()[0].tolist())
