"""What a machine around the scripts may look like."""

import os

import pytest
from matplotlib.figure import Figure
from terminal import ROOT, in_one_line, run_fresh
from tube import write_tube

import plot_loss_curves
from data.input_error import InputError
from utils.showing.plots import save_figure

pytestmark = pytest.mark.starts_scripts


def test_a_notebooks_backend_for_pictures_does_no_harm(tmp_path):
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    result = run_fresh(tmp_path, ROOT / "plot_loss_curves.py", "none.pt", env=environment)
    assert in_one_line(result.stderr) == "error: none.pt: no such file, expected a checkpoint (.pt)"


@pytest.mark.parametrize(
    ("ending", "begins"), [("pdf", b"%PDF"), ("SVG", b"<?xml"), ("jpg", b"\xff\xd8"), ("png", b"\x89PNG")]
)
def test_a_picture_is_what_its_name_says(tmp_path, ending, begins):
    save_figure(Figure(), tmp_path / f"curves.{ending}")
    assert (tmp_path / f"curves.{ending}").read_bytes().startswith(begins)


def test_a_picture_of_no_known_kind(tmp_path):
    for name in ("curves.xyz", "curves", "."):
        with pytest.raises(InputError, match=r"expected the name of a file that ends in \.png, \.pdf, \.svg, \.jpg"):
            plot_loss_curves.parse_arguments(["run.pt", "-o", str(tmp_path / name)])


def test_no_place_for_a_cache(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=2)
    environment = {
        name: value for name, value in os.environ.items() if name not in ("SKIN2SCAN_CACHE", "XDG_CACHE_HOME")
    }
    environment["HOME"] = "/dev/null/nobody"
    result = run_fresh(tmp_path, ROOT / "convert_meshes.py", source, tmp_path / "out.npz", env=environment)
    assert result.returncode == 2
    line = in_one_line(result.stderr)
    assert line.startswith("error: /dev/null/nobody/")
    assert line.endswith("expected a folder that can be written to: set SKIN2SCAN_CACHE")


@pytest.mark.parametrize(
    ("own", "expected"), [({}, "1000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "passive"}, "None")]
)
def test_threads_wait_for_one_another_for_a_short_time(tmp_path, own, expected):
    """Said before torch is loaded, unless a user says otherwise."""
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    environment = {name: value for name, value in os.environ.items() if name not in names} | own
    program = "import sys, os, builtins; real = builtins.__import__\n"
    program += "def say(name, *rest):\n    if name == 'torch': print(os.environ.get('GOMP_SPINCOUNT')); os._exit(0)\n"
    program += "    return real(name, *rest)\nbuiltins.__import__ = say\n"
    for script in ("fit_mesh", "fit_mesh_with_joints", "fit_mesh_smoothened", "inference_mesh", "view_meshes"):
        result = run_fresh(ROOT, "-c", f"{program}import {script}", env=environment)
        assert result.stdout.strip() == expected, (script, result.stderr)
