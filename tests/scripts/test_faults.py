"""What goes wrong in the night: real scripts, killed, stopped, out of disk and memory, and what they leave behind."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from terminal import ROOT, in_one_line, leftovers, run_script, script_with, start_script, wait_for
from tube import assert_equal_weights, tube_frames, write_tube

from data.formats.obj_writing import write_obj
from utils.runs.checkpoint import build_model, farthest_checkpoint, find_checkpoint, load_checkpoint
from utils.runs.run_folders import runs_by_age

pytestmark = [
    pytest.mark.starts_scripts,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX"),
]

DATA = ["-src", "geo/tube_sbs/obj", "-tar", "geo/tube_target/obj"]
# epochs of few steps, and few folds to choose the linear part by
SHORT = "from utils.fitting import linear_fit; sampling.STEPS_PER_EPOCH, linear_fit.FOLDS = 8, 2"


def weights(folder, model_type="without_joints"):
    return load_checkpoint(find_checkpoint(folder / "saved_model" / model_type))["model"]


# killed


# a checkpoint of so many embeddings takes a while to write
FLAGS = [*DATA, *["-n_cond", "3", "-n_ep", "18", "-min_batch", "200", "-n_emb", "2000", "-num_inf", "0"]]


def survive(folder, model_type, kills, errors):
    """Kill a training again and again, every other time in the middle of a save, then let it go on to the end."""
    runs = folder / "saved_model" / model_type
    choose = random.Random(model_type)
    try:
        for kill in range(kills + 1):
            before = list(runs.glob("*/*.pt"))
            go_on = ["-load_model"] if before else []
            process = start_script(folder, folder / "changed_fit_mesh.py", *FLAGS, "-m_type", model_type, *go_on)
            if kill == kills:
                _, printed = process.communicate()
                assert process.returncode == 0, printed
            else:
                saves = len(before) + (1 if before else 2)  # one is needed to go on from
                wait_for(lambda: len([*runs.glob("*/*.pt"), *runs.glob("*/.*.partial")]) >= saves, process, pause=0.001)  # noqa: B023
                time.sleep(choose.uniform(0, 0.4) if kill % 2 else 0)
                process.kill()
                process.communicate()
                for left in leftovers(runs):
                    left.rename(left.with_suffix(".found"))  # would be counted again
            for path in runs.glob("*/*.pt"):
                build_model(load_checkpoint(path), path)
    except BaseException as error:
        errors.append(error)


def test_killed_again_and_again(tmp_path):
    write_tube(tmp_path, num_frames=12)
    script = script_with(tmp_path, "fit_mesh.py", SHORT)
    errors = []
    runs = [threading.Thread(target=survive, args=(tmp_path, name, 4, errors)) for name in ("one", "two")]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert not errors, errors
    assert list((tmp_path / "saved_model").rglob("*.found"))  # some were killed while they saved
    undisturbed = run_script(tmp_path, script, *FLAGS, "-save_interval", 18)
    assert undisturbed.returncode == 0, undisturbed.stderr
    for name in ("one", "two"):
        assert_equal_weights(weights(tmp_path, name), weights(tmp_path))
        assert len(list((tmp_path / "saved_model" / name).iterdir())) == 1


# stopped


@pytest.fixture(scope="module")
def tubes(tmp_path_factory):
    """A folder with a tube's meshes and a checkpoint of one short epoch, to be copied from."""
    folder = tmp_path_factory.mktemp("tubes")
    write_tube(folder, num_frames=12)
    run = run_script(folder, script_with(folder, "fit_mesh.py", SHORT), *DATA, "-n_cond", 3, "-n_ep", 1)
    assert run.returncode == 0, run.stderr
    return folder


def test_meshes_removed_during_training(tubes, tmp_path):
    shutil.copytree(tubes / "geo", tmp_path / "geo")
    process = start_script(tmp_path, script_with(tmp_path, "fit_mesh.py", SHORT), *DATA, "-n_ep", "1000")
    wait_for(lambda: list(tmp_path.glob("saved_model/*/*/1.pt")), process)
    shutil.rmtree(tmp_path / "geo")
    wait_for(lambda: list(tmp_path.glob("saved_model/*/*/2.pt")), process)
    process.send_signal(signal.SIGTERM)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 143
    assert in_one_line(errors) == "stopped; the same command with --load_saved_model goes on from here"
    (saved,) = re.findall(r"saved (.*\.pt)\nstopped", printed)
    assert load_checkpoint(tmp_path / saved)["progress"]["epoch"] >= 2


# full


def can_mount():
    """Whether this user may make a file system of a megabyte, seen by one process alone."""
    command = ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt"]
    return shutil.which("unshare") and subprocess.run(command, capture_output=True).returncode == 0


FILL = """
set -e
mount -t tmpfs -o size=4m none "$1"
cp -r ../tubes/. "$1"
cd "$1"
mkdir -p cache
export SKIN2SCAN_CACHE="$1/$2"
free=$(df --output=avail -B1 . | tail -n 1)
head -c $((free - $3)) /dev/zero > filler
shift 3
code=0
"$@" || code=$?
rm filler
cp -r . ../left
exit $code
"""


@pytest.mark.skipif(not can_mount(), reason="needs a file system of its own (unshare -rm): not allowed here")
@pytest.mark.parametrize(
    ("cache", "free", "command", "named"),
    [
        ("cache", 8_000, ["fit_mesh.py", *DATA], "cache/"),
        ("../cache", 100_000, ["fit_mesh.py", *DATA, "-n_ep", "2", "-load_model"], "2.pt"),
        ("../cache", 12_000, ["inference_mesh.py", *DATA[:2], "-saved_path", "saved_model/without_joints"], ".obj"),
        (
            "../cache", 12_000,
            ["inference_mesh.py", *DATA[:2], "-saved_path", "saved_model/without_joints", "--export", "npz"],
            "inference_meshes/without_joints/",
        ),
    ],
    ids=["cache", "checkpoint", "export of a file a frame", "export of one file"],
)  # fmt: skip
def test_a_full_disk(tubes, tmp_path, cache, free, command, named):
    shutil.copytree(tubes, tmp_path / "tubes")
    (tmp_path / "disk").mkdir()
    script = ROOT / command[0] if command[0] != "fit_mesh.py" else tubes / "changed_fit_mesh.py"
    shell = ["unshare", "-rm", "bash", "-c", FILL, "bash", tmp_path / "disk", cache, free]
    run = subprocess.run(
        list(map(str, [*shell, sys.executable, script, *command[1:]])),
        cwd=tmp_path / "disk",
        capture_output=True,
        text=True,
    )
    assert run.returncode == 2, run.stderr
    message = in_one_line(run.stderr)
    assert re.search(r"^error: .*No space left on device: ", message), message
    assert named in message
    assert leftovers(tmp_path / "left") == []
    for path in (tubes / "saved_model").rglob("*.pt"):
        assert (tmp_path / "left" / path.relative_to(tubes)).read_bytes() == path.read_bytes()
    for path in (tmp_path / "left/inference_meshes").rglob("*.obj"):
        assert len(path.read_text().splitlines()) == 72 + 64
    if named == "2.pt":
        assert [path.name for path in (tmp_path / "left/saved_model").rglob("*.pt")] == ["1.pt"]


def test_too_little_memory(tubes, tmp_path):
    shutil.copytree(tubes / "geo", tmp_path / "geo")
    limit = "resource.setrlimit(resource.RLIMIT_AS, 2 * [64 * 2**20 + 1024 * int(re.search(r'VmSize:\\s+(\\d+)', status)[1])])"
    lines = ["import re, resource, torch._dynamo", "status = open('/proc/self/status').read()", limit]
    script = script_with(tmp_path, "fit_mesh.py", "sampling.STEPS_PER_EPOCH = 1", *lines)
    vertices = np.repeat(tube_frames(1)[0], 2000, axis=0)
    for kind in ("sbs", "target"):
        for path in (tmp_path / "geo" / f"tube_{kind}" / "obj").iterdir():
            write_obj(path, vertices, np.arange(3)[None])
    run = run_script(tmp_path, script, *DATA)
    assert run.returncode == 2, run.stderr
    message = in_one_line(run.stderr)
    assert message.startswith("error: out of memory (")
    assert "try a smaller --mini_batch_size or --num_frames" in message


# read only


def without_privileges():
    """What to put before a command, so that permissions hold for the user that may do anything as well."""
    if os.geteuid() != 0:
        return []
    gone = "-dac_override,-dac_read_search"
    return ["setpriv", f"--bounding-set={gone}", f"--inh-caps={gone}"]


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="needs setpriv: root may read anything")
def test_permissions(tubes, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copytree(tubes / "geo", folder / "geo")
    script = script_with(tmp_path, "fit_mesh.py", SHORT)
    command = list(map(str, [*without_privileges(), sys.executable, script, *DATA, "-n_ep", 1]))
    unreadable = folder / "geo/tube_target/obj/tube_target.00003.obj"
    places = [path for path in (folder / "geo").rglob("*") if path.is_dir()]
    files = [path for path in (folder / "geo").rglob("*") if path.is_file()]
    try:
        for path in (*files, *places):
            path.chmod(0o555 if path.is_dir() else 0o444)
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert run.returncode == 0, run.stderr  # meshes that can only be read
        unreadable.chmod(0)
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert run.returncode == 2
        assert "tube_target.00003.obj: cannot be read (Permission denied)" in in_one_line(run.stderr)
        unreadable.chmod(0o444)
        (folder / "saved_model/without_joints").chmod(0o555)
        run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert run.returncode == 2
        assert re.search(r"Permission denied: 'saved_model/without_joints/[\d_-]+'$", in_one_line(run.stderr))
    finally:
        for path in (folder / "saved_model/without_joints", *places):
            path.chmod(0o755)


# the same numbers twice


def test_runs_that_share_cache_and_folder(tubes, tmp_path, monkeypatch):
    monkeypatch.setenv("SKIN2SCAN_CACHE", str(tmp_path / "cache"))
    shutil.copytree(tubes / "geo", tmp_path / "geo")
    folder = tmp_path / "saved_model/without_joints"
    (folder / "2100-01-01_00-00-00").mkdir(parents=True)  # as if the clock had been set back since
    script = script_with(tmp_path, "fit_mesh.py", SHORT)
    flags = [*DATA, "-n_cond", "3", "-n_ep", "1", "--seed", "7"]
    both = [start_script(tmp_path, script, *flags) for _ in range(2)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    entries = [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]
    assert len(entries) == 2  # one for each folder of meshes
    assert leftovers(tmp_path) == []
    names = [path.name for path in runs_by_age(folder)]
    assert names == [f"2100-01-01_00-00-00{after}" for after in ("_3", "_2", "")]
    first, second = (load_checkpoint(folder / name / "1.pt") for name in names[:2])
    assert_equal_weights(first["model"], second["model"])
    for entry in entries:
        content = bytearray((entry / "vertices.npy").read_bytes())
        content[-100] ^= 1
        (entry / "vertices.npy").write_bytes(content)
    third = run_script(tmp_path, script, *flags)
    assert third.returncode == 0
    assert third.stdout.count("damaged, so geo/tube_sbs/obj is read again") == 1
    assert third.stdout.count("damaged, so geo/tube_target/obj is read again") == 1
    assert_equal_weights(weights(tmp_path), first["model"])
    assert first["record"] == second["record"]


def test_what_checkpoints_and_exports_record(tubes, tmp_path):
    checkpoint = farthest_checkpoint(next((tubes / "saved_model/without_joints").iterdir()))
    record = load_checkpoint(checkpoint)["record"]
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    assert record["commit"].split(",")[0] == (commit or "unknown")
    assert record["versions"]["torch"] == torch.__version__
    assert record["flags"]["seed"] == 0
    assert record["flags"]["source_files_dir"] == ["geo/tube_sbs/obj"]
    (data,) = record["data"]
    assert data["frames"] == [1, 12]
    write_tube(tmp_path, "new/tube", num_frames=3)  # the first frames of the same motion
    shutil.copytree(tubes / "geo", tmp_path / "geo")
    run = run_script(tmp_path, "inference_mesh.py", *DATA[:2], "-saved_path", checkpoint)
    assert run.returncode == 0, run.stderr
    (path,) = (tmp_path / "inference_meshes").rglob("*.json")
    export = json.loads(path.read_text())
    assert path.name == "tube_sbs.json"
    assert export["training"] == record
    assert export["checkpoint"] == str(checkpoint)
    assert export["flags"]["is_target_available"] is False
    assert export["data"][0]["fingerprints"] == {"skinned": data["fingerprints"]["skinned"]}  # copied, it is the same
    new = ["-src", tmp_path / "new/tube_sbs/obj", "-tar", tmp_path / "new/tube_target/obj"]
    shutil.copytree(tubes / "saved_model", tmp_path / "saved_model")
    script = script_with(tmp_path, "fit_mesh.py", SHORT)
    run = run_script(tmp_path, script, *new, "-n_ep", 2, "-load_model", "-num_inf", 1)
    assert run.returncode == 0, run.stderr
    assert f"{new[1]}: not what this run was begun with; it goes on with other data" in run.stdout
