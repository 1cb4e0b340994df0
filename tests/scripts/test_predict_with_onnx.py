"""The examples that run exported models without torch, on what the scripts train, predict and export."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from terminal import ROOT, run_script
from tube import write_tube

import convert_meshes
import export_onnx
import fit_mesh_smoothened
import fit_mesh_with_joints
import inference_mesh
import inference_mesh_with_joints
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from utils.fitting import linear_fit, sampling

pytestmark = pytest.mark.starts_scripts

EXAMPLES = {"": ROOT / "examples" / "predict_with_onnx.py", "--streaming": ROOT / "examples" / "stream_with_onnx.py"}


def arguments(*values):
    return list(map(str, values))


@pytest.mark.parametrize("fit", [fit_mesh_with_joints, fit_mesh_smoothened])  # whose models are like those of fit_mesh
def test_the_examples_predict_what_inference_does(tmp_path, monkeypatch, capsys, fit):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 60)
    monkeypatch.setattr(linear_fit, "FOLDS", 3)
    source, target, joints = write_tube(tmp_path, num_frames=20, with_joints=True)
    has_joints = fit is fit_mesh_with_joints
    joint_flags = ["-src_joint", joints] if has_joints else []
    fit.main(
        arguments(
            "-src", source, "-tar", target, *joint_flags, "-n_cond", 3, "-n_ep", 1, "-m_type", "m", "--units", "cm"
        )
    )
    infer = inference_mesh_with_joints if has_joints else inference_mesh
    infer.main(arguments("-src", source, *joint_flags, "-saved_path", "saved_model/m", "--export", "npz"))
    (expected,) = Path("inference_meshes/m").glob("*/*/tube_sbs.npz")
    capsys.readouterr()

    convert_meshes.main(arguments(source, "skinned.npz"))
    convert_meshes.main(arguments(joints, "joints.npz"))
    skinned = load_frames(source).vertices
    flag = "--streaming" if has_joints else ""  # one form for each: an export takes long
    export_onnx.main(["saved_model/m", "out/tube.onnx", *flag.split()])
    assert "as out/tube.onnx: within" in capsys.readouterr().out
    command = [sys.executable, EXAMPLES[flag], "out/tube.onnx", "skinned.npz", "predicted.npz"]
    ended = subprocess.run(
        arguments(*command, *(["joints.npz"] if has_joints else [])), check=True, capture_output=True, text=True
    )
    assert (ended.stdout, ended.stderr) == ("", "")
    predicted = load_frames(Path("predicted.npz"))
    assert predicted.frame_numbers == list(range(1, 21))
    assert np.abs(predicted.vertices - skinned).max() > 1e-3  # it does something
    known = 2 if flag else 0  # live, the first two frames do not know what comes
    np.testing.assert_allclose(predicted.vertices[known:], load_frames(expected).vertices[known:], atol=1e-5)

    about = onnxruntime.InferenceSession("out/tube.onnx").get_modelmeta().custom_metadata_map
    assert (about["units"], about["window"], about["up_axis"], about["model_type"]) == ("cm", "3", "y", "m")
    assert len(about["topology"]) == 64
    assert len(json.loads(about["anchors"])) > 0


def test_the_examples_are_short_and_know_no_torch():
    for example in EXAMPLES.values():
        lines = example.read_text().splitlines()
        assert len([line for line in lines if line.strip()]) <= 30
        assert "import torch" not in example.read_text()


def test_wrong_checkpoints_end_in_one_line(tmp_path):
    process = run_script(tmp_path, "export_onnx.py", tmp_path / "none.pt", "tube.onnx")
    assert process.returncode == 2
    assert process.stderr.splitlines() == [f"error: {tmp_path / 'none.pt'}: no such file, expected a checkpoint (.pt)"]
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_not_named_as_onnx_is_not_replaced(tmp_path):
    for name in ("2.pt", "", "."):
        with pytest.raises(InputError, match=r"found as FILE, expected the name of a file that ends in \.onnx"):
            export_onnx.parse_arguments(["saved_model", str(tmp_path / name)])
