"""ONNX files of all three variants, run by the runtime, with and without torch."""

import builtins
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from terminal import ROOT, run_script
from tube import tube_surface_with_joints, write_tube

import convert_meshes
import export_onnx
import fit_mesh
import fit_mesh_smoothened
import fit_mesh_with_joints
import inference_mesh
import inference_mesh_with_joints
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from models.coordinates import OSCILLATORS
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from utils.fitting import sampling
from utils.predicting import onnx_export
from utils.predicting.onnx_export import ExportedMap, example_inputs, topology_hash, write_onnx

EXAMPLE = ROOT / "examples" / "predict_with_onnx.py"


def arguments(*values):
    return list(map(str, values))


@pytest.mark.parametrize("fit", [fit_mesh, fit_mesh_with_joints, fit_mesh_smoothened])
def test_the_example_predicts_what_inference_does(tmp_path, monkeypatch, capsys, fit):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 60)
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
    (expected,) = Path("inference_meshes/m").glob("*/tube_sbs.npz")
    capsys.readouterr()

    export_onnx.main(["saved_model/m", "out/tube.onnx"])
    assert "as out/tube.onnx: within" in capsys.readouterr().out
    convert_meshes.main(arguments(source, "skinned.npz"))
    convert_meshes.main(arguments(joints, "joints.npz"))
    command = [sys.executable, EXAMPLE, "out/tube.onnx", "skinned.npz", "predicted.npz"]
    subprocess.run(arguments(*command, *(["joints.npz"] if has_joints else [])), check=True)
    predicted = load_frames(Path("predicted.npz"))
    assert predicted.frame_numbers == list(range(1, 21))
    skinned = load_frames(source).vertices
    assert np.abs(predicted.vertices - skinned).max() > 1e-3  # it does something
    np.testing.assert_allclose(predicted.vertices, load_frames(expected).vertices, atol=1e-5)

    about = onnxruntime.InferenceSession("out/tube.onnx").get_modelmeta().custom_metadata_map
    assert (about["units"], about["window"], about["up_axis"], about["model_type"]) == ("cm", "3", "y", "m")
    assert len(about["topology"]) == 64
    assert len(json.loads(about["anchors"])) > 0


def test_the_example_is_short_and_knows_no_torch():
    lines = EXAMPLE.read_text().splitlines()
    assert len([line for line in lines if line.strip()]) <= 30
    assert "import torch" not in EXAMPLE.read_text()


@pytest.mark.parametrize(
    "settings",
    [
        {"num_condition_frames": 1, "num_embeddings": 0},
        {"num_condition_frames": 2, "coordinates": "world"},
        {"num_condition_frames": 2, "coordinates": "world", "num_joints": 5},
        {"num_condition_frames": 3, "num_joints": 5, "up_axis": "z"},
        {"num_condition_frames": 2, "num_joints": 5, "left_out": ("oscillators of 27 frames", "joints")},
        {"num_condition_frames": 3, "left_out": tuple(OSCILLATORS)},
    ],
)
def test_every_kind_of_model_for_any_number_of_frames(tmp_path, settings):
    torch.manual_seed(0)
    model = MeshAutoencoder(ModelSettings(**settings), tube_surface_with_joints(settings.get("num_joints", 0)))
    for parameter in model.decoder.output.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    if settings.get("num_joints") and model.settings.coordinates == "local":  # as a fit may have chosen
        model.linear.smoothing_steps = 2
    assert write_onnx(tmp_path / "tube.onnx", model, {}) <= 1e-5
    nodes = onnx.load(tmp_path / "tube.onnx").graph.node
    assert any(node.op_type == "ScatterElements" for node in nodes) == (model.settings.coordinates == "local")
    # the one with a reduction loses sums in several threads
    assert not [node for node in nodes if node.op_type == "ScatterND" and node.attribute]
    session = onnxruntime.InferenceSession(tmp_path / "tube.onnx")
    for batch in (1, 4):
        inputs = example_inputs(model, batch)
        assert [each.name for each in session.get_inputs()] == list(inputs)
        (found,) = session.run(None, {name: each.numpy() for name, each in inputs.items()})
        with torch.no_grad():
            expected = ExportedMap(model)(*inputs.values())
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_an_answer_that_is_not_torchs_is_not_written(make_model, tmp_path, monkeypatch):
    path = tmp_path / "tube.onnx"
    path.write_bytes(b"an earlier export")
    model = make_model(random_output=True, num_condition_frames=2)
    real_forward = ExportedMap.forward

    def forward(self, *inputs):
        return real_forward(self, *inputs) + (1e-4 if torch.compiler.is_exporting() else 0)

    monkeypatch.setattr(onnx_export.ExportedMap, "forward", forward)
    with pytest.raises(InputError, match=r"tube\.onnx: ONNX Runtime is .* away from torch, expected 1e-05 at most"):
        write_onnx(path, model, {})
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"an earlier export"]


def test_topology_hash_tells_faces_and_vertices_apart(make_model):
    model = make_model()
    first = topology_hash(model)
    assert first == topology_hash(make_model())
    model.surface.faces[0] = model.surface.faces[0].flip(0)
    assert topology_hash(model) != first


def test_without_the_packages(make_model, tmp_path, monkeypatch):
    real_import = builtins.__import__

    def import_all_but_onnx(name, *rest):
        if name == "onnxruntime":
            raise ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime")
        return real_import(name, *rest)

    monkeypatch.setattr(builtins, "__import__", import_all_but_onnx)
    with pytest.raises(InputError, match=r"onnxruntime is not installed; pip install -r requirements-pipeline\.txt"):
        write_onnx(tmp_path / "tube.onnx", make_model(), {})


def test_wrong_checkpoints_end_in_one_line(tmp_path):
    process = run_script(tmp_path, "export_onnx.py", tmp_path / "none.pt", "tube.onnx")
    assert process.returncode == 2
    assert process.stderr.splitlines() == [f"error: {tmp_path / 'none.pt'}: no such file, expected a checkpoint (.pt)"]
    assert list(tmp_path.iterdir()) == []
