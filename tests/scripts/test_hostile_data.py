"""Names, places and geometry that nobody would call friendly: taken, or refused in one line that names them."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from terminal import ROOT, run_fresh, run_script
from tube import tube_frames, tube_triangles, write_tube

import fit_mesh
from data.formats.obj_writing import write_obj
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from utils.fitting import sampling

pytestmark = pytest.mark.starts_scripts

# names and places


def test_what_is_no_file(tmp_path):
    write_tube(tmp_path, num_frames=3)
    folder = tmp_path / "geo/tube_sbs/obj"
    path = folder / "tube_sbs.00002.obj"
    makers = [path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to(path), lambda: path.symlink_to("nowhere")]
    for make in makers:
        path.unlink(missing_ok=True) if not path.is_dir() else path.rmdir()
        make()
        with pytest.raises(InputError, match=r"tube_sbs\.00002\.obj: found no file that can be read"):
            load_frames(folder)
    for path in (Path("/dev/zero"), folder / "loop"):
        if path.name == "loop":
            path.symlink_to(path)
        with pytest.raises(InputError, match=f"{path}: (found a device|no such folder or file)"):
            load_frames(path)


def test_folders_that_lead_back_to_themselves(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    (source / "again").symlink_to(source)
    assert len(load_frames(source / "again/again/again").vertices) == 3


@pytest.mark.parametrize("name", ["with space", "naïve 身体", "two\nlines", "\x1b[31mred", os.fsdecode(b"latin \xe9")])
def test_names(tmp_path, name):
    folder = tmp_path / name
    try:
        write_tube(tmp_path, f"{name}/tube", num_frames=4)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    data = ["-src", folder / "tube_sbs/obj", "-tar", folder / "tube_target/obj"]
    run = run_script(tmp_path, "fit_mesh.py", *data, "-num_inf", 4)
    assert run.returncode == 2
    message = run.stderr.splitlines()[-1]
    assert message.startswith("error: ")
    assert message.isprintable()
    assert "a sequence of 4 frames" in message
    assert len(load_frames(folder / "tube_sbs/obj").vertices) == 4


def test_a_name_that_is_no_text_on_a_terminal_that_insists(tmp_path):
    folder = tmp_path / os.fsdecode(b"latin \xe9")
    try:
        write_tube(tmp_path, f"{folder.name}/tube", num_frames=2)
    except (OSError, UnicodeError):
        pytest.skip("this file system takes no such name")
    command = [ROOT / "convert_meshes.py", folder / "tube_sbs/obj", folder / "all.npz"]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    run = run_fresh(tmp_path, *command, env=environment, text=False, encoding=None)
    assert run.returncode == 0, run.stderr
    assert b"latin \\udce9/all.npz" in run.stdout


# geometry that is none


def test_degenerate_meshes_are_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 6)
    triangles = tube_triangles()
    faces = np.vstack(
        [
            triangles,
            [[0, 0, 1], [5, 5, 5]],  # without area
            [[0, 1, 20], [0, 1, 30], [0, 1, 40]],  # several at an edge
            triangles[:1, ::-1],  # there and back
        ]
    )
    for kind in ("sbs", "target"):
        for number, vertices in enumerate(tube_frames(8, seed=kind == "target"), 1):
            vertices[60:64] = vertices[60]  # four in one place
            lonely = np.vstack([vertices, [[0, 0, 9], [0, 0, 9]]])
            write_obj(tmp_path / kind / f"{kind}.{number}.obj", lonely, faces)
    fit_mesh.main(["-src", "sbs", "-tar", "target", "-n_cond", "3", "-n_ep", "1"])
    (log,) = (tmp_path / "logs").rglob("log.txt")
    assert "nan" not in log.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no vertices"),
        ("# nothing\n", "no vertices"),
        ("v 0 0 0\n", "no faces found"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no faces found"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 1e39\nf 1 2 3\n", "line 3: found 'v 0 1 1e39', expected `v` and three finite"),
    ],
)
def test_meshes_that_are_none(tmp_path, monkeypatch, text, message):
    monkeypatch.chdir(tmp_path)
    for kind in ("sbs", "target"):
        for number in range(1, 6):
            path = tmp_path / kind / f"{number}.obj"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    with pytest.raises(InputError, match=message):
        fit_mesh.main(["-src", "sbs", "-tar", "target"])
    assert not (tmp_path / "saved_model").exists()


def test_one_triangle_is_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 2)
    for kind in ("sbs", "target"):
        for number in range(1, 6):
            vertices = np.eye(3) + (0.1 if kind == "sbs" else 0.11) * number
            write_obj(tmp_path / kind / f"{kind}.{number}.obj", vertices, np.array([[0, 1, 2]]))
    fit_mesh.main(["-src", "sbs", "-tar", "target", "-n_ep", "1"])
    assert len(list((tmp_path / "saved_model").rglob("1.pt"))) == 1


def test_a_broken_first_frame_is_not_the_rest_mesh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 20)
    source, target = write_tube(tmp_path, num_frames=20)
    path = source / "tube_sbs.00001.obj"
    path.write_text(re.sub(r"^v .*", "v 0 0 0", path.read_text(), flags=re.MULTILINE))
    fit_mesh.main(["-src", str(source), "-tar", str(target), "-n_ep", "1"])
    (checkpoint,) = Path("saved_model/without_joints").glob("*/1.pt")
    rest = torch.load(checkpoint, weights_only=True)["model"]["surface.vertices"]
    assert float(rest.std(dim=0).min()) > 0.05
