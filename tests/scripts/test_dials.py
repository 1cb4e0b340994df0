"""Dials of a trained model, from the command line to the files that it writes."""

import json

import numpy as np
import pytest
from tube import write_tube

import fit_mesh
import inference_mesh
from data.sequences.mesh_frames import load_frames
from utils.fitting import linear_fit, sampling

pytestmark = pytest.mark.starts_scripts


def test_dials_of_a_trained_model(tmp_path, monkeypatch, capsys):
    """What flags ask for, in files: no correction, all of it, half of it but none of half the tube, still motion, and a film of
    all that."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 30)
    monkeypatch.setattr(linear_fit, "FOLDS", 3)
    source, target = write_tube(tmp_path, num_frames=30)
    fit_mesh.main(["-src", str(source), "-tar", str(target), "-n_cond", "3", "-n_ep", "1"])
    np.save("half.npy", np.repeat([0, 1], 36))

    def predicted(name, *flags):
        given = [
            "-src",
            source,
            "-tar",
            target,
            "-tar_avail",
            "-saved_path",
            "saved_model/without_joints",
            "--export",
            "npz",
        ]
        inference_mesh.main(list(map(str, [*given, "--output_dir", name, *flags])))
        return load_frames(tmp_path / name / "tube_sbs.npz")

    skinned = load_frames(source).vertices
    trained_as_it_is = predicted("whole").vertices
    np.testing.assert_array_equal(predicted("nothing", "--strength", 0).vertices, skinned)
    np.testing.assert_array_equal(predicted("again", "--strength", 1, "--dynamics", 1).vertices, trained_as_it_is)
    half = predicted("half", "--strength", 0.5, "--region_strength", "half.npy", "--video", "gif").vertices
    np.testing.assert_array_equal(half[:, :36], skinned[:, :36])
    np.testing.assert_allclose(half[:, -8:], (skinned + trained_as_it_is)[:, -8:] / 2, atol=1e-6)
    capsys.readouterr()
    still = predicted("still", "--dynamics", 0, "--skip", 10, "--run_up", "rest", 5, "--steady", 2)
    assert "20 meshes in still" in capsys.readouterr().out
    assert still.frame_numbers == list(range(11, 31))
    assert np.abs(still.vertices - trained_as_it_is[10:]).max() > 1e-4
    record = json.loads((tmp_path / "still/tube_sbs.json").read_text())
    assert (record["flags"]["dynamics"], record["flags"]["skip"], record["flags"]["steady"]) == (0, 10, 2)
