"""Real processes, started as a user starts them: by torchrun."""

import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from terminal import ROOT, run_fresh, run_script, script_with
from tube import write_tube

from data.formats.obj import read_obj
from data.sequences.mesh_frames import load_frames
from utils.runs.checkpoint import find_checkpoint, load_checkpoint

pytestmark = pytest.mark.starts_scripts

FIT = ["-src", "geo/tube_sbs/obj", "-tar", "geo/tube_target/obj", "-n_cond", "3", "-n_frames", "5", "-min_batch", "300"]
NEW = ["-src", "geo_test/tube_sbs/obj", "-tar", "geo_test/tube_target/obj", "-tar_avail", "-saved_path"]


def torchrun_command(processes, script, *arguments):
    options = ["--standalone", f"--nproc_per_node={processes}"]
    return ["-m", "torch.distributed.run", *options, ROOT / script, *arguments]


def torchrun(folder, processes, script, *arguments):
    return run_fresh(folder, *torchrun_command(processes, script, *arguments))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a tube to train on, and another to test on."""
    folder = tmp_path_factory.mktemp("processes")
    write_tube(folder, num_frames=14)
    write_tube(folder, name="geo_test/tube", num_frames=7, seed=1)
    return folder


def trained(folder, name, processes, script="fit_mesh.py"):
    # few steps, and small: rounding differs with the order of sums, and grows with every step and its length
    short = script_with(folder, script, "sampling.STEPS_PER_EPOCH = 8")
    flags = [*FIT, "-n_ep", "1", "--learning_rate", "0.001", "-m_type", name]
    run = torchrun(folder, processes, short, *flags) if processes > 1 else run_script(folder, short, *flags)
    assert run.returncode == 0, run.stderr
    (checkpoint,) = (folder / "saved_model" / name).glob("*/1.pt")
    (logs,) = (folder / "logs" / name).iterdir()
    written, printed = (logs / "log.txt").read_text().splitlines(), run.stdout
    # the rest is printed and written once
    assert len(written) == len(printed.splitlines()) - printed.count("no CUDA") - printed.count("given: ")
    return load_checkpoint(checkpoint)["model"]


@pytest.mark.parametrize("script", ["fit_mesh.py", "fit_mesh_smoothened.py"])
def test_two_processes_reach_the_weights_of_one(folder, script):
    one, two = (trained(folder, f"{script[:-3]}_{count}", count, script) for count in (1, 2))
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(
            two[name], one[name], atol=1e-5, rtol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_processes_share_the_frames_of_an_export(folder):
    saved = folder / "saved_model/fit_mesh_1"
    if not saved.exists():  # where this test runs alone
        trained(folder, "fit_mesh_1", 1)
    once = run_script(folder, "inference_mesh.py", *NEW, saved, "-m_type", "once", "--export", "obj", "npz")
    shared = torchrun(
        folder, 2, "inference_mesh.py", *NEW, saved, "-m_type", "shared", "--export", "obj", "npz"
    )  # 7 frames: 4 and 3
    assert once.returncode == shared.returncode == 0, shared.stderr
    table = re.findall(r"^.*→.*$", once.stdout, re.MULTILINE)
    assert len(table) == 4
    assert re.findall(r"^.*→.*$", shared.stdout, re.MULTILINE) == table
    (first,) = (folder / "inference_meshes/once").glob("*/*")
    (other,) = (folder / "inference_meshes/shared").glob("*/*")
    names = sorted(path.name for path in first.iterdir())
    assert sorted(path.name for path in other.iterdir()) == names
    assert len(names) == 10  # seven meshes, all of them in one file, what they were made from, and a picture
    for name in names:
        if name.endswith(".obj"):
            np.testing.assert_allclose(read_obj(other / name)[0], read_obj(first / name)[0], atol=1e-7)
    clips = [load_frames(each / "tube_sbs.npz").vertices for each in (first, other)]
    np.testing.assert_allclose(clips[1], clips[0], atol=1e-7)


@contextmanager
def training(folder, name, steps, until):
    """Give a running torchrun of two processes, epochs of so many steps, and their numbers, once there is a file `until`."""
    short = script_with(folder, "fit_mesh.py", f"sampling.STEPS_PER_EPOCH = {steps}")
    command = torchrun_command(2, short, *FIT, "-n_ep", "100000", "-m_type", name)
    command = list(map(str, [sys.executable, *command]))
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        deadline = time.monotonic() + 60
        while not list(folder.glob(until)) and time.monotonic() < deadline:
            time.sleep(0.1)
        workers = subprocess.run(["pgrep", "-P", str(run.pid)], capture_output=True, text=True).stdout.split()
        assert len(workers) == 2
        yield run, workers


def test_a_process_that_dies_ends_the_run_with_a_message(folder):
    with training(folder, "dying", 8, "saved_model/dying/*/2.pt") as (run, workers):
        subprocess.run(["kill", f"-{signal.SIGKILL}", workers[1]], check=True)
        _, errors = run.communicate(timeout=60)
    assert run.returncode != 0
    assert "error: process 0: another process of this run ended" in errors
    assert "Traceback" not in errors.split("torch/distributed")[0], errors


def test_a_stop_saves_before_any_process_ends(folder):
    with training(folder, "stopped", 400, "loss_curves/stopped/*.png") as (run, workers):  # an epoch's last file
        time.sleep(0.5)  # into the next epoch
        for worker in workers:  # as a cluster's scheduler does it: to all of them, and torchrun passes its own on
            subprocess.run(["kill", f"-{signal.SIGTERM}", worker], check=True)
        run.send_signal(signal.SIGTERM)
        output, _ = run.communicate(timeout=60)
    assert "stopped; the same command with --load_saved_model goes on from here" in output
    newest = find_checkpoint(folder / "saved_model/stopped")
    assert "_" in newest.name  # inside an epoch
    assert load_checkpoint(newest)["progress"]["step"] > 0


def test_processes_with_different_data_end_with_a_message(folder):
    script = folder / "unlike.py"
    lines = [
        "import os, sys",
        f"sys.path.insert(0, {str(ROOT)!r})",
        "import fit_mesh",
        "from utils.command_line.run_main import run_main",
        "run_main(lambda: fit_mesh.main([*sys.argv[1:], '-num_inf', str(1 + int(os.environ['RANK']))]))",
    ]
    script.write_text("\n".join(lines))
    run = torchrun(folder, 2, script, *FIT, "-m_type", "unlike")
    assert run.returncode != 0
    assert "expected the same in all processes: they are [0, 0, 12, 1, 72] to [0, 0, 13, 2, 72]" in run.stderr


def test_wrong_input_ends_all_processes(folder):
    run = torchrun(folder, 2, "fit_mesh.py", *FIT, "-m_type", "wrong", "--up_axis", "y", "-num_inf", "99")
    assert run.returncode != 0
    assert "expected more than the 99 of --num_inference_meshes" in run.stderr
