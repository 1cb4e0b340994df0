"""The extension in a real Blender, from sequences to a baked character, held against inference_mesh.py."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from terminal import ROOT, run_fresh
from tube import export_streaming, filled, untrained_model

from data.sequences.mesh_frames import load_frames
from models.rest_surface import RestSurface
from utils.predicting.onnx_forms import windows_of

BLENDER = ROOT / ".venv-blender/bin/python"
HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.starts_scripts,
    pytest.mark.skipif(not BLENDER.exists(), reason="Blender is not there: see requirements-blender.txt"),
]


def play(folder, scenario, *more, file="scenarios.py", **options):
    """Run a scenario in Blender; return what it printed."""
    run = run_fresh(folder, HERE / file, scenario, folder, *more, interpreter=BLENDER, **options)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-4000:]
    return run.stdout


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a character, what was written of it, the model that was trained, and what inference_mesh.py predicts."""
    folder = tmp_path_factory.mktemp("trained")
    play(folder, "written_and_trained", sys.executable, ROOT)
    predict = [
        ROOT / "inference_mesh.py",
        "-src",
        "skinned.npz",
        "-saved_path",
        "saved_model/without_joints",
        "--export",
        "npz",
    ]
    run = run_fresh(folder, *predict)
    assert run.returncode == 0, run.stderr
    (predicted,) = folder.glob("inference_meshes/**/skinned.npz")
    shutil.copy(predicted, folder / "predicted.npz")
    return folder


def test_live_and_baked(trained):
    for scenario in ("played", "opened", "not_installed", "baked"):
        play(trained, scenario)
    play(trained, "rendered", file="more_scenarios.py")


def test_what_cannot_be_done_is_a_line(trained):
    window, answer = (
        helper.make_tensor_value_info(each, TensorProto.FLOAT, [1, 3]) for each in ("window", "predicted")
    )
    graph = helper.make_graph([helper.make_node("Abs", ["window"], ["predicted"])], "windows", [window], [answer])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), trained / "windows.onnx")
    play(trained, "refusing", file="more_scenarios.py")


@pytest.mark.parametrize("scenario", ["elsewhere", "linked"])
def test_where_else_a_character_stands(trained, scenario):
    play(trained, scenario, file="more_scenarios.py")


@pytest.mark.parametrize("scenario", ["edits", "places", "users_own"])
def test_what_users_do_beside_the_way(trained, scenario):
    play(trained, scenario, file="edge_scenarios.py")


def test_a_model_that_sees_joints(trained):
    skinned, joints = (load_frames(trained / f"{each}.npz") for each in ("skinned", "joints"))
    surface = RestSurface.from_mesh(skinned.vertices[0], skinned.polygons.triangles(), joints.vertices[0])
    model = filled(untrained_model(surface, True, num_condition_frames=3, num_joints=3, up_axis="z"))
    export_streaming(trained / "joints.onnx", model)
    points = {"skinned": skinned.vertices, "joints": joints.vertices}
    points = {name: torch.from_numpy(np.array(each, np.float32)) for name, each in points.items()}
    with torch.no_grad():
        predicted = model.predict(*windows_of(model, points, list(range(24))).values())
    np.savez(trained / "predicted_by_joints.npz", vertices=predicted.numpy())
    play(trained, "seeing_joints", file="more_scenarios.py")


def test_a_training_is_stopped(tmp_path):
    assert "stopped" in play(tmp_path, "stopped", sys.executable, ROOT)


def test_the_package_is_installed_and_predicts_with_the_runtime(trained, tmp_path):
    run = run_fresh(tmp_path, ROOT / "blender/pack.py", "skin2scan.zip")
    assert run.returncode == 0, run.stderr
    environment = os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "user")}
    play(trained, "installed", tmp_path / "skin2scan.zip", file="more_scenarios.py", env=environment)
