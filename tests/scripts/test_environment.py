"""What a machine around the scripts may look like."""

import os

import pytest
from terminal import ROOT, in_one_line, run_fresh
from tube import write_tube

pytestmark = pytest.mark.starts_scripts


def test_a_notebooks_backend_for_pictures_does_no_harm(tmp_path):
    environment = os.environ | {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    result = run_fresh(tmp_path, ROOT / "plot_loss_curves.py", "none.pt", env=environment)
    assert in_one_line(result.stderr) == "error: none.pt: no such file, expected a checkpoint (.pt)"


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
