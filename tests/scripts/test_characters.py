"""A character with its animation as the source, and a cache as the scans: a whole training set."""

import re

import numpy as np
import pytest
from bar import RATE, Bar
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from terminal import COARSE, ROOT, run_script, script_with

import fit_mesh_with_joints
from data.formats.alembic import write_alembic
from data.formats.usd import Scene
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

pytestmark = pytest.mark.starts_scripts


def test_a_character_and_a_cache_are_a_training_set(tmp_path):
    character, random = Bar(), np.random.default_rng(0)
    character.times = np.arange(1, 31) / RATE
    turns = gaussian_filter1d(3 * random.normal(size=(3, 30, 3)), 4, axis=1)
    character.turns = np.stack([Rotation.from_rotvec(each).as_quat() for each in turns])
    character.moves = gaussian_filter1d(random.normal(size=(30, 3)), 4, axis=0)
    character.scales, character.morphing = np.ones((30, 3)), np.zeros(30)
    character.write(tmp_path / "bar.glb")
    frames = load_frames(tmp_path / "bar.glb", frame_rate=RATE)
    scans = frames.vertices + 0.1 * np.diff(frames.vertices, axis=0, prepend=frames.vertices[:1])
    write_alembic(tmp_path / "scan.abc", frames.frame_numbers, scans, frames.polygons, Scene("y", 1.0, RATE))
    fit = script_with(tmp_path, "fit_mesh_with_joints.py", "sampling.STEPS_PER_EPOCH = 30", COARSE)
    rate = ["--frame_rate", RATE]
    done = run_script(tmp_path, fit, "-src", "bar.glb", "-tar", "scan.abc", "-n_cond", 3, "-n_ep", 1, *rate)
    assert done.returncode == 0, done.stderr
    assert "as bar.glb says: up_axis y, units m" in done.stdout
    assert "bar.glb: frames 1 to 30, 28 vertices" in done.stdout
    infer = script_with(tmp_path, "inference_mesh_with_joints.py", COARSE)
    flags = ["-src", "bar.glb", "-tar", "scan.abc", "-tar_avail", "-saved_path", "saved_model/with_joints"]
    done = run_script(
        tmp_path, infer, *flags, *rate, "--export", "abc", "pc2", "mdd", "usd", "--report", "--output_dir", "out"
    )
    assert done.returncode == 0, done.stderr
    assert ">bone 2<" in (tmp_path / "out/report.html").read_text(encoding="utf-8")  # a region's name
    predicted = [load_frames(tmp_path / f"out/bar{ending}") for ending in (".abc", ".pc2", ".mdd", ".usdc")]
    for each in predicted:
        assert each.frame_numbers == list(range(1, 31))
        np.testing.assert_array_equal(each.vertices, predicted[0].vertices)
    before, after = (np.linalg.norm(each - scans, axis=2).mean() for each in (frames.vertices, predicted[0].vertices))
    assert after < 0.5 * before

    # as morph targets: as many as there are frames are all that there is
    given = ["saved_model/with_joints", "-src", "bar.glb", *rate, "--count", 40]
    done = run_script(tmp_path, ROOT / "export_morphs.py", *given)
    assert done.returncode == 0, done.stderr
    row = r"\n +(\d\d) +0\.0 % +\d+\.\d % +\d\.\d +\d\.\d\d\n\1 morph targets of 30 frames in morphs\n"
    assert re.search(row, done.stdout), done.stdout
    size = np.ptp(scans[0], axis=0).max()
    for name in ("bar.glb", "bar.usdc"):
        shaped = load_frames(tmp_path / "morphs" / name, frame_rate=RATE).vertices
        np.testing.assert_allclose(shaped, predicted[0].vertices, atol=1e-4 * size)
    play = ROOT / "examples/play_morphs.py"
    done = run_script(tmp_path, play, "morphs/shape_weights.onnx", "morphs/bar.npz", "played.npz")
    assert done.returncode == 0, done.stderr
    played = load_frames(tmp_path / "played.npz")
    assert played.frame_numbers == list(range(1, 31))
    left = np.linalg.norm(played.vertices - predicted[0].vertices, axis=2).mean()
    assert left < 0.5 * np.linalg.norm(frames.vertices - predicted[0].vertices, axis=2).mean()

    again = run_script(tmp_path, ROOT / "export_morphs.py", *given)
    assert again.returncode == 2
    assert "morphs: holds morph targets already, expected another --output_dir, or --overwrite" in again.stderr


def test_a_mesh_alone_has_no_joints(tmp_path):
    (tmp_path / "sbs").mkdir()
    given = ["-src", str(tmp_path / "sbs"), "-tar", str(tmp_path / "sbs")]
    with pytest.raises(
        InputError, match=r"--joint_files_dir: found none, expected the joints of .*sbs, which has none"
    ):
        fit_mesh_with_joints.main(given)
