"""What a machine around the scripts may look like."""

import os

import pytest
from terminal import ROOT, run_fresh

pytestmark = pytest.mark.starts_scripts


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        ({}, "1000 1"),
        ({"GOMP_SPINCOUNT": "7"}, "7 1"),
        ({"KMP_BLOCKTIME": "0"}, "1000 0"),
        ({"OMP_WAIT_POLICY": "passive"}, "None None"),
    ],
)
def test_threads_wait_for_one_another_for_a_short_time(tmp_path, own, expected):
    """Said before torch is loaded, unless a user says otherwise."""
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    environment = {name: value for name, value in os.environ.items() if name not in names} | own
    program = "import sys, os, builtins; real = builtins.__import__\n"
    said = "print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('KMP_BLOCKTIME')); os._exit(0)"
    program += f"def say(name, *rest):\n    if name == 'torch': {said}\n"
    program += "    return real(name, *rest)\nbuiltins.__import__ = say\n"
    for script in ("fit_mesh", "fit_mesh_with_joints", "fit_mesh_smoothened", "inference_mesh", "view_meshes"):
        result = run_fresh(ROOT, "-c", f"{program}import {script}, torch", env=environment)
        assert result.stdout.strip() == expected, (script, result.stderr)


@pytest.mark.parametrize("script", sorted(path.stem for path in ROOT.glob("*.py")))
def test_help_does_not_wait_for_torch(script):
    program = f"import sys, {script}\ntry:\n    {script}.parse_arguments(['--help'])\n"
    result = run_fresh(ROOT, "-c", f"{program}except SystemExit:\n    print('torch' in sys.modules)")
    assert result.stdout.splitlines()[-1] == "False", result.stderr
    assert "usage: " in result.stdout


@pytest.mark.parametrize("script", ["convert_meshes", "make_sample_data"])
def test_scripts_without_a_model_do_without_torch(script):
    result = run_fresh(ROOT, "-c", f"import sys, {script}; print('torch' in sys.modules)")
    assert result.stdout.strip() == "False", result.stderr
