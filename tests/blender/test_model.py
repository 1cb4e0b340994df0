"""What the extension asks of a model, and its own way to run one, held against the toolkit; without Blender."""

import importlib
import sys
from types import ModuleType

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from terminal import ROOT
from tube import (
    export_streaming,
    filled,
    tube_frames,
    tube_joints,
    tube_quads,
    tube_surface_with_joints,
    untrained_model,
)

from models.dials import Dials
from utils.predicting.onnx_forms import windows_of

UNITS = {"m": 1.0, "cm": 0.01}


@pytest.fixture(scope="module")
def parts():
    """The extension's modules that do not import Blender, by name."""
    package = ModuleType("blender_parts")
    package.__path__ = [str(ROOT / "blender")]
    sys.modules["blender_parts"] = package
    return {name: importlib.import_module(f"blender_parts.{name}") for name in ("model", "numpy_graph", "refused")}


MODELS = {
    "joints": {"num_condition_frames": 3, "num_joints": 5, "up_axis": "y"},
    "no window": {"num_condition_frames": 1, "num_embeddings": 0, "up_axis": "x", "units": "cm"},
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A model's file and the model, by its name."""
    folder, made = tmp_path_factory.mktemp("models"), {}

    def of(name):
        if name not in made:
            surface = tube_surface_with_joints(MODELS[name].get("num_joints", 0))
            made[name] = folder / f"{name}.onnx", filled(untrained_model(surface, True, **MODELS[name]))
            export_streaming(*made[name])
        return made[name]

    return of


@pytest.mark.starts_scripts
@pytest.mark.parametrize(
    ("name", "to_model"),
    [("joints", [[1, 0, 0], [0, 0, 1], [0, -1, 0]]), ("no window", [[0, 0, 1], [1, 0, 0], [0, 1, 0]])],
)
def test_answers_are_those_of_the_toolkit_in_blenders_axes_and_units(exported, parts, name, to_model):
    (file, model), to_model = exported(name), np.array(to_model, float)
    np.testing.assert_allclose(to_model @ [0, 0, 1], model.up)
    assert np.linalg.det(to_model) == 1
    frames, joints = tube_frames(80), tube_joints(80)
    points = {"skinned": torch.from_numpy(frames).float()}
    if model.coordinates.sees_joints:
        points["joints"] = torch.from_numpy(joints).float()
    size = UNITS[model.settings.units] / 0.01  # of the toolkit's unit in Blender's, which is a centimetre here
    seen = [
        (size * each @ to_model + 3, size * other @ to_model + 3) for each, other in zip(frames, joints, strict=True)
    ]
    for with_runtime in (True, False):
        opened = parts["model"].Model(file, with_runtime)
        opened.check(72, tube_quads().tolist(), 5, "tube")
        kind = "RuntimeGraph" if with_runtime else "NumpyGraph"
        assert type(opened.graph).__name__ == kind
        for number in (0, 1, 2, 40, 79):
            dials = {"strength": 1.5, "dynamics": 0.5} if number == 40 else {}
            with torch.no_grad():
                inputs = windows_of(model, points, [number])
                window, history = inputs["window"], inputs.get("anchor_history")
                predicted = model.predict(window, inputs.get("joints"), history, Dials(**dials))
            expected = (predicted - window[:, -1])[0].numpy() @ to_model * size
            first = max(0, number - opened.history + 1)
            found = opened.corrections(seen[first : number + 1], seen[:3], dials, metres=0.01)
            np.testing.assert_allclose(found, expected, atol=2e-6 * size)
            assert np.abs(found).max() > 0.01 * size


@pytest.mark.starts_scripts
def test_numpy_runs_a_file_as_the_runtime_does(exported, parts):
    file, _ = exported("joints")
    graph = parts["numpy_graph"].NumpyGraph(file)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options)
    assert {each.name: tuple(each.shape) for each in session.get_inputs()} == graph.shapes
    assert {each.name for each in session.get_overridable_initializers()} == graph.defaults
    assert session.get_modelmeta().custom_metadata_map == graph.metadata
    random = np.random.default_rng(0)
    for before in range(4):
        feeds = {name: random.normal(size=shape).astype(np.float32) for name, shape in graph.shapes.items()}
        feeds |= {"frames_before": np.array([before], np.float32), "steady": np.array(2, np.float32)}
        for name, expected, found in zip(graph.outputs, session.run(None, feeds), graph.run(None, feeds), strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-6, rtol=1e-5, err_msg=name)
            assert found.dtype == expected.dtype


@pytest.mark.starts_scripts
def test_what_a_model_was_not_trained_on_is_a_line(exported, parts):
    opened, refused = parts["model"].Model(exported("joints")[0]), parts["refused"].Refused
    quads = tube_quads().tolist()
    for given, line in (
        ((71, quads, 5), "tube: found 71 vertices, expected 72 as joints.onnx was trained on"),
        ((72, [each[::-1] for each in quads], 5), "tube: found other faces, or vertices in another order"),
        ((72, quads, 4), "tube: found 4 bones, expected 5 as joints.onnx was trained on"),
    ):
        with pytest.raises(refused, match=line):
            opened.check(*given, "tube")


@pytest.mark.starts_scripts
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("units", "inch"),
        ("up_axis", "w"),
        ("anchors", "none"),
        ("anchors", "[]"),
        ("anchors", "[0, 72]"),
        ("before_first", "null"),
        ("before_first", "[[1, 0, 0]]"),
        ("topology", None),
    ],
)
def test_what_a_file_says_wrongly_is_a_line(exported, tmp_path, parts, key, value):
    proto = onnx.load(exported("joints")[0])
    entry = next(each for each in proto.metadata_props if each.key == key)
    if value is None:
        proto.metadata_props.remove(entry)
    else:
        entry.value = value
    onnx.save(proto, tmp_path / "tube.onnx")
    with pytest.raises(parts["refused"].Refused, match=r"tube\.onnx: found .* export the model again"):
        parts["model"].Model(tmp_path / "tube.onnx", with_runtime=False)


@pytest.mark.parametrize("with_runtime", [True, False])
@pytest.mark.parametrize("content", [b"", b"no model", bytes(range(256)), b"\x3a\x02\x08\x01"])
def test_a_file_that_is_none_is_a_line(tmp_path, parts, content, with_runtime):
    (tmp_path / "tube.onnx").write_bytes(content)
    with pytest.raises(parts["refused"].Refused, match=r"tube\.onnx: found (no whole|an) ONNX file"):
        parts["model"].Model(tmp_path / "tube.onnx", with_runtime)
