"""The real command lines, from a terminal's point of view, on a tiny moving tube."""

import json
import re
import shlex
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from imageio_ffmpeg import count_frames_and_secs
from matplotlib import image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from terminal import COARSE, ROOT, run_fresh, run_script, script_with, start_script, wait_for
from tube import tube_frames, tube_quads, write_tube

import convert_meshes
import export_onnx
import fit_mesh
import fit_mesh_smoothened
import fit_mesh_with_joints
import inference_mesh
import inference_mesh_with_joints
import view_meshes
from data.formats.obj import read_obj
from data.formats.obj_writing import write_obj
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from utils.fitting import linear_fit, sampling

pytestmark = pytest.mark.starts_scripts

SCRIPTS = (
    fit_mesh,
    fit_mesh_with_joints,
    fit_mesh_smoothened,
    inference_mesh,
    inference_mesh_with_joints,
    convert_meshes,
    export_onnx,
    view_meshes,
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a tube's meshes and a checkpoint trained on them, and what the training printed."""
    folder = tmp_path_factory.mktemp("trained")
    source, target = write_tube(folder, num_frames=30)
    script = script_with(folder, "fit_mesh.py", "sampling.STEPS_PER_EPOCH = 120")
    process = run_script(folder, script, "-src", source, "-tar", target, "-n_cond", 3, "-n_ep", 1, "-min_batch", 1000)
    assert process.returncode == 0, process.stderr
    (checkpoint,) = (folder / "saved_model/without_joints").glob("*/1.pt")
    return source, target, checkpoint, process


def test_fit_leaves_checkpoint_logs_and_curve(trained):
    source, _, checkpoint, process = trained
    assert "epoch 1/1: training" in process.stdout
    assert "saved saved_model/without_joints" in process.stdout.replace("\\", "/")
    assert re.search(r"epoch 1/1: 100%.*<00:00", process.stderr)  # a bar, with time left
    folder, stamp = source.parents[2], checkpoint.parent.name
    assert (folder / f"loss_curves/without_joints/{stamp}.png").exists()
    events = EventAccumulator(str(folder / f"logs/without_joints/{stamp}")).Reload()
    (picture,) = events.Images("held_out")
    assert picture.width > 320
    assert {"losses/training_reconstruction_mm", "losses/held_out_mm"} <= set(events.Tags()["scalars"])
    assert "frames 1 to 30" in (folder / f"logs/without_joints/{stamp}/log.txt").read_text()


def add_texture(path):
    """Give an OBJ file texture coordinates and a normal, as an artist's mesh has them."""
    text = path.read_text().replace("f ", "vt 0.25 0.5\nvn 0 1 0\nusemtl skin\nf ", 1)
    path.write_text(text.replace("f 1 2 10 9", "f 1/1/1 2/1/1 10/1/1 9/1/1"))


def test_inference_on_motion_never_trained_on(trained, tmp_path):
    checkpoint = trained[2]
    source, target = write_tube(tmp_path, "geo_test/tube", num_frames=10, seed=5)
    for path in source.iterdir():
        add_texture(path)
    script = script_with(tmp_path, "inference_mesh.py", COARSE)
    process = run_script(
        tmp_path, script, "--source_files_dir", source, "--target_files_dir", target,
        "--num_condition_frames", 3, "--is_target_available", "--model_saved_path", checkpoint,
        "--model_type", "inference_without_joints", "--video", "mp4",
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    folder = (
        tmp_path / "inference_meshes/inference_without_joints" / checkpoint.parent.name / f"{checkpoint.stem}_tube_sbs"
    )
    assert sorted(path.name for path in folder.glob("*.obj")) == sorted(path.name for path in source.iterdir())
    errors = []
    for path in sorted(source.iterdir()):
        vertices, polygons = read_obj(folder / path.name)
        skinned, expected = read_obj(path)
        scan, _ = read_obj(target / path.name.replace("sbs", "target"))
        assert polygons.are_like(expected)
        texts = [each.read_text().splitlines() for each in (path, folder / path.name)]
        without_positions = [[line for line in text if not line.startswith("v ")] for text in texts]
        assert without_positions[0] == without_positions[1]
        errors.append([np.linalg.norm(points - scan, axis=1).mean() * 1000 for points in (skinned, vertices)])
    before, after = np.mean(errors, axis=0)
    assert after < 0.6 * before
    assert f"{before:.2f} → {after:6.2f}" in process.stdout
    assert image.imread(folder / "comparison.png").ndim == 3
    assert count_frames_and_secs(str(folder / "tube_sbs.mp4")) == (10, pytest.approx(10 / 30, abs=0.01))


def test_inference_without_scans(trained, tmp_path, monkeypatch, capsys):
    source, _, checkpoint, _ = trained
    monkeypatch.chdir(tmp_path)
    inference_mesh.main(["-src", str(source), "-saved_path", str(checkpoint)])
    folder = tmp_path / "inference_meshes/without_joints" / checkpoint.parent.name / f"{checkpoint.stem}_tube_sbs"
    assert len(list(folder.glob("*.obj"))) == 30
    assert (folder / "comparison.png").exists()
    assert "→" not in capsys.readouterr().out


def test_data_and_exports_in_other_formats(short, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source, target = write_tube(tmp_path, num_frames=20)
    convert_meshes.main([str(source), "skinned.usdc"])
    convert_meshes.main([str(target), "scans", "--export", "drc"])
    fit_mesh.main(["-src", "skinned.usdc", "-tar", "scans", "-n_cond", "3", "-n_ep", "1"])
    data = ["-tar", "scans", "-tar_avail", "-saved_path", "saved_model/without_joints"]
    inference_mesh.main(["-src", "skinned.usdc", *data, "--export", "npz", "usd", "--frame_rate", "60"])
    (folder,) = Path("inference_meshes/without_joints").glob("*/*")
    names = ["comparison.png", "skinned.json", "skinned.npz", "skinned.usdc"]
    assert sorted(path.name for path in folder.iterdir()) == names
    inference_mesh.main(["-src", str(source), *data, "--output_dir", "objs"])
    with pytest.raises(
        InputError, match="objs: holds predictions already, expected another --output_dir, or --overwrite"
    ):
        inference_mesh.main(["-src", str(source), *data, "--output_dir", "objs"])
    inference_mesh.main(["-src", str(source), *data, "--output_dir", "objs", "--overwrite"])
    for path in ("skinned.npz", "skinned.usdc"):
        frames = load_frames(folder / path)
        for number, vertices in zip(frames.frame_numbers, frames.vertices, strict=True):
            np.testing.assert_allclose(vertices, read_obj(Path("objs") / f"tube_sbs.{number:05d}.obj")[0], atol=1e-6)


def test_going_on_from_the_newest_checkpoint(short, trained, tmp_path, monkeypatch, capsys):
    source, target, checkpoint, _ = trained
    monkeypatch.chdir(tmp_path)
    shutil.copytree(checkpoint.parents[2], "saved_model")
    fit_mesh.main(["-src", str(source), "-tar", str(target), "-n_ep", "2", "-min_batch", "1000", "--load_saved_model"])
    printed = capsys.readouterr().out
    assert "epoch 2/2" in printed
    assert "epoch 1/2" not in printed
    assert (tmp_path / "saved_model/without_joints" / checkpoint.parent.name / "2.pt").exists()


@pytest.fixture
def refused(tmp_path, monkeypatch):
    """A function that runs a script's `main` and asserts that it ends in one line that holds all `words`."""
    monkeypatch.chdir(tmp_path)

    def run(script, *arguments, words):
        with pytest.raises(InputError) as caught:
            script.main([str(argument) for argument in arguments])
        assert "\n" not in str(caught.value)
        for word in words:
            assert str(word) in str(caught.value)

    return run


def test_input_that_does_not_fit_the_checkpoint(trained, refused, tmp_path):
    source, _, checkpoint, _ = trained
    infer = (inference_mesh, "-src", source, "-saved_path")
    refused(*infer, checkpoint, "-n_cond", 2, words=["--num_condition_frames", "found 2", "expected 3"])
    refused(*infer, checkpoint, "--units", "cm", words=["--units", "found cm", "expected m"])
    refused(*infer, tmp_path / "none.pt", words=["none.pt", "no such file"])
    stored = torch.load(checkpoint, weights_only=True)
    torch.save(stored | {"timestamp": "../../outside"}, tmp_path / "outside.pt")
    refused(*infer, tmp_path / "outside.pt", words=["timestamp", "../../outside"])
    refused(
        inference_mesh, "-src", source, source, "-saved_path", checkpoint, words=["twice, expected each source once"]
    )
    other, _ = write_tube(tmp_path, "other/tube", num_frames=2)
    for path in other.iterdir():
        path.write_text(path.read_text() + "v 0 0 0\n")
    refused(inference_mesh, "-src", other, "-saved_path", checkpoint, words=["73 vertices, expected 72"])
    order = np.random.default_rng(0).permutation(72)
    write_obj(tmp_path / "sorted/tube.1.obj", tube_frames(1)[0][order], np.argsort(order)[tube_quads()])
    other = tmp_path / "sorted"
    refused(inference_mesh, "-src", other, "-saved_path", checkpoint, words=["other faces"])
    assert not (tmp_path / "inference_meshes").exists()


def test_input_that_cannot_be_trained_on(refused, tmp_path):
    source, target = write_tube(tmp_path, num_frames=4)
    fit = (fit_mesh, "-tar", target, "-src")
    refused(*fit, source, "-num_inf", 4, words=["4 frames", "more than the 4"])
    refused(*fit, source, "-dev", "cuda:99", words=["cuda:99", "cpu"])
    refused(*fit, source, "-load_model", words=["no checkpoint"])
    refused(*fit, source, "-saved_path", "x.pt", words=["--load_saved_model"])
    path = source / "tube_sbs.00003.obj"
    path.write_text(path.read_text().replace("v ", "v nan ", 1))
    refused(
        *fit, source, words=["tube_sbs.00003.obj", "vertex 0", "three finite numbers: only scans may lack vertices"]
    )
    assert not (tmp_path / "saved_model").exists()


def test_a_terminal_sees_one_line_and_exit_code_2(tmp_path):
    process = run_fresh(tmp_path, ROOT / "fit_mesh.py", "-src", tmp_path / "none", "-tar", tmp_path)
    assert process.returncode == 2
    (line,) = process.stderr.splitlines()
    assert line.startswith(
        f"error: {tmp_path / 'none'}: no such folder or file, expected a folder of .obj, .drc, .ply, .npy, .npz files"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def short(monkeypatch):
    """Epochs of few steps, and few folds to choose the linear part by."""
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 60)
    monkeypatch.setattr(linear_fit, "FOLDS", 3)


def test_variant_with_joints(short, refused, tmp_path, capsys):
    source, target, joints = write_tube(tmp_path, num_frames=20, with_joints=True)
    data = ["-src", str(source), "-tar", str(target), "-src_joint", str(joints)]
    fit_mesh_with_joints.main([*data, "-n_cond", "3", "-n_ep", "1", "-n_joints", "5"])
    (checkpoint,) = (tmp_path / "saved_model/with_joints").glob("*/1.pt")
    capsys.readouterr()
    inference_mesh_with_joints.main([*data, "-tar_avail", "-saved_path", str(checkpoint)])
    assert "vertex error (mm)" in capsys.readouterr().out
    folder = tmp_path / "inference_meshes/with_joints" / checkpoint.parent.name / "1_tube_sbs"
    assert len(list(folder.glob("*.obj"))) == 20
    fit_mesh_with_joints.main([*data, "-n_ep", "2", "-load_model"])
    assert checkpoint.with_name("2.pt").exists()
    refused(fit_mesh_with_joints, *data, "-n_joints", 4, words=["found 5 joints, expected 4"])
    refused(inference_mesh, *data[:4], "-saved_path", checkpoint, words=["expects 5 joints, found none"])
    for path in joints.iterdir():
        path.write_text(path.read_text() + "v 0 0 0\n")
    refused(inference_mesh_with_joints, *data, "-saved_path", checkpoint, words=["found 6 joints", "expected 5"])


@pytest.mark.parametrize("mini_batch_size", [10, 200])  # less than a mesh of 72 vertices, and more
def test_smoothened_variant(short, tmp_path, monkeypatch, mini_batch_size):
    monkeypatch.chdir(tmp_path)
    source, target = write_tube(tmp_path, num_frames=20)
    data = ["-src", str(source), "-tar", str(target)]
    fit_mesh_smoothened.main([*data, "-n_cond", "3", "-n_ep", "1", "-min_batch", str(mini_batch_size)])
    (checkpoint,) = (tmp_path / "saved_model/without_joints_smoothened").glob("*/1.pt")
    stamp = checkpoint.parent.name
    head = (tmp_path / "logs/without_joints_smoothened" / stamp / "metrics.csv").read_text().splitlines()[0]
    assert "losses/training_smoothing_mm" in head
    assert (tmp_path / "loss_curves/without_joints_smoothened" / f"{stamp}.png").exists()
    inference_mesh.main(["-src", str(source), "-saved_path", str(checkpoint)])
    assert len(list((tmp_path / "inference_meshes/without_joints_smoothened" / stamp).glob("1_tube_sbs/*.obj"))) == 20


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches a process in another way there")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_ctrl_c_and_the_end_of_a_terminal(tmp_path, number, code):
    source, target = write_tube(tmp_path, num_frames=20)
    script = script_with(tmp_path, "fit_mesh.py", "sampling.STEPS_PER_EPOCH = 40")
    process = start_script(tmp_path, script, "-src", source, "-tar", target, "-n_ep", 1000)
    wait_for(lambda: list(tmp_path.glob("saved_model/without_joints/*/1.pt")), process)
    process.send_signal(number)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert "the same command with --load_saved_model goes on from here" in errors
    (saved,) = re.findall(r"saved (.*\.pt)\n.*stopped", printed)
    assert (tmp_path / saved).exists()


def test_launch_configurations_parse():
    text = (ROOT / ".vscode/launch.json").read_text()
    parsers = {module.__name__: module.parse_arguments for module in SCRIPTS}
    configurations = json.loads(text)["configurations"]
    assert {Path(each["program"]).stem for each in configurations} >= parsers.keys()
    for each in configurations:
        name = Path(each["program"]).stem
        assert (ROOT / f"{name}.py").exists()
        if name in parsers:
            parsers[name](each["args"])


def test_commands_in_docstrings_parse():
    for module in SCRIPTS:
        text = module.__doc__.replace("\\\n", " ")
        commands = re.findall(r"^ +python (\w+\.py .*)$", text, re.MULTILINE)
        assert commands
        for command in commands:
            name, *arguments = shlex.split(command)
            assert name == f"{module.__name__}.py"
            module.parse_arguments(arguments)
