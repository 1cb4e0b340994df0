"""ONNX files of every kind of model, run by the runtime."""

import builtins

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from tube import filled, tube_surface_with_joints, untrained_model

from data.input_error import InputError
from models.local_features import OSCILLATORS
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from utils.predicting import onnx_forms
from utils.predicting.onnx_export import topology_hash, write_onnx
from utils.predicting.onnx_forms import DEFAULTS, STREAMED, StreamingForm, WindowedMap, WindowsForm, as_trained


@pytest.mark.starts_scripts  # an export takes as long
@pytest.mark.parametrize(
    "settings",
    [
        {"num_condition_frames": 2, "num_joints": 5, "left_out": ("joints", *OSCILLATORS)},
        {"num_condition_frames": 3, "num_joints": 5, "up_axis": "z", "left_out": ("oscillators of 27 frames",)},
        {"num_condition_frames": 2, "coordinates": "world"},
        {"num_condition_frames": 2, "coordinates": "world", "num_joints": 5},
    ],
)
def test_every_kind_of_model_for_any_number_of_frames(tmp_path, settings):
    torch.manual_seed(0)
    model = MeshAutoencoder(
        ModelSettings(num_experts=2, **settings), tube_surface_with_joints(settings.get("num_joints", 0))
    )
    for parameter in model.decoder.output.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    if settings.get("num_joints") and model.settings.coordinates == "local":  # as a fit may have chosen
        model.linear.smoothing_steps = 2
    form = WindowsForm(model)
    assert write_onnx(tmp_path / "tube.onnx", form, {}) <= 1e-5
    nodes = onnx.load(tmp_path / "tube.onnx").graph.node
    assert any(node.op_type == "ScatterElements" for node in nodes) == (model.settings.coordinates == "local")
    # the one with a reduction loses sums in several threads
    assert not [node for node in nodes if node.op_type == "ScatterND" and node.attribute]
    session = onnxruntime.InferenceSession(tmp_path / "tube.onnx")
    for frames in ([1], [3, 2, 4, 0]):
        inputs = form.example(frames)
        assert [each.name for each in session.get_inputs()] == list(inputs)
        (found,) = session.run(None, {name: each.numpy() for name, each in inputs.items()})
        with torch.no_grad():
            expected = WindowedMap(model)(*(inputs | as_trained(DEFAULTS)).values())
        np.testing.assert_allclose(found, expected, atol=1e-5)
    dials = {"strength": np.array(0, np.float32)}  # which is no input that has to be given
    (found,) = session.run(None, {name: each.numpy() for name, each in inputs.items()} | dials)
    np.testing.assert_array_equal(found, inputs["window"][:, -1])


@pytest.mark.starts_scripts
def test_the_streaming_form(tmp_path):
    settings = {"num_condition_frames": 3, "num_joints": 5, "left_out": ("oscillators of 27 frames",)}
    model = filled(untrained_model(tube_surface_with_joints(5), True, **settings))
    model.linear.smoothing_steps = 1
    form = StreamingForm(model)
    assert 0 < write_onnx(tmp_path / "tube.onnx", form, {}) <= 1e-6
    nodes = onnx.load(tmp_path / "tube.onnx").graph.node
    assert not [node.op_type for node in nodes if node.op_type.startswith("Scatter")]
    session = onnxruntime.InferenceSession(tmp_path / "tube.onnx")
    assert {each.name: tuple(each.shape) for each in session.get_inputs()} == {
        name: tuple(each.shape) for name, each in form.inputs.items() if name not in STREAMED
    }
    assert {each.name for each in session.get_overridable_initializers()} == {"strength", "dynamics", "steady"}
    assert [each.name for each in session.get_outputs()] == form.outputs


@pytest.mark.starts_scripts
def test_an_answer_that_is_not_torchs_is_not_written(make_model, tmp_path, monkeypatch):
    path = tmp_path / "tube.onnx"
    path.write_bytes(b"an earlier export")
    model = make_model(random_output=True, coordinates="world", num_experts=1)
    real_forward = WindowedMap.forward

    def forward(self, *inputs):
        return real_forward(self, *inputs) + (1e-4 if torch.compiler.is_exporting() else 0)

    monkeypatch.setattr(onnx_forms.WindowedMap, "forward", forward)
    with pytest.raises(InputError, match=r"tube\.onnx: ONNX Runtime is .* away from torch, expected 1e-05 at most"):
        write_onnx(path, WindowsForm(model), {})
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
        write_onnx(tmp_path / "tube.onnx", WindowsForm(make_model()), {})
