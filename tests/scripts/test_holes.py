"""Scans that lack vertices, and scans that are trusted more here than there, from the command line to the report."""

import numpy as np
import pytest
import torch
from matplotlib import image
from terminal import COARSE, run_script, script_with
from tube import tube_frames, tube_quads, tube_scans, write_tube

import check_data
from data.formats.arrays import write_npz
from data.formats.polygons import Polygons
from data.sequences.mesh_frames import load_frames
from utils.runs.checkpoint import load_checkpoint

pytestmark = pytest.mark.starts_scripts


@pytest.fixture
def given(tmp_path):
    """A folder with a tube's skinned meshes, scans with a hole that wanders and a vertex that none shows, and weights."""
    source, _ = write_tube(tmp_path, num_frames=20)
    scans = tube_scans(tube_frames(20)).astype(np.float32)
    for frame in range(20):
        scans[frame, (np.arange(20) + 5 * frame) % 72] = np.nan
    scans[:, 33] = np.nan
    write_npz(tmp_path / "scans.npz", list(range(1, 21)), scans, Polygons.from_rows(tube_quads()))
    np.save(tmp_path / "weights.npy", np.random.default_rng(0).choice([0, 0.5, 1], 72))
    return source, tmp_path / "scans.npz", tmp_path / "weights.npy", scans


@pytest.mark.parametrize("script", ["fit_mesh.py", "fit_mesh_smoothened.py"])
def test_training_and_errors_take_what_is_observed(given, tmp_path, script):
    source, target, weights, scans = given
    flags = ["-src", source, "-tar", target, "--scan_weights", weights, "-n_cond", 3]
    few_steps = script_with(tmp_path, script, "sampling.STEPS_PER_EPOCH = 30", COARSE)
    fit = run_script(tmp_path, few_steps, *flags, "-n_ep", 1, "-min_batch", 1000)
    assert fit.returncode == 0, fit.stderr
    assert "% of the scans' vertices are not observed or not trusted" in fit.stdout
    trusted = np.load(weights)
    count = (trusted == 0).sum() + (trusted[33] > 0)
    assert f"{count} vertices are in no scan (the first is vertex " in fit.stdout
    (path,) = (tmp_path / "saved_model").glob("*/*/1.pt")
    for name, value in load_checkpoint(path)["model"].items():
        assert not torch.is_tensor(value) or not torch.isnan(value).any(), name
    predict = script_with(tmp_path, "inference_mesh.py", COARSE)
    out = tmp_path / "out"
    flags += ["-tar_avail", "-saved_path", path, "--output_dir", out, "--export", "npz", "--report"]
    inference = run_script(tmp_path, predict, *flags)
    assert inference.returncode == 0, inference.stderr
    predicted = load_frames(out / "tube_sbs.npz").vertices
    assert np.isfinite(predicted).all()
    of_vertices = np.where(np.isnan(scans[..., 0]), 0, trusted)
    means = []
    for meshes in (tube_frames(20), predicted):
        distances = 1000 * np.linalg.norm(meshes - np.where(np.isnan(scans), 0, scans), axis=2)
        means.append((of_vertices * distances).sum() / of_vertices.sum())
    row = next(line for line in inference.stdout.splitlines() if line.startswith("vertex error"))
    assert f"{means[0]:.2f} → {means[1]:6.2f}" in row
    assert image.imread(out / "comparison.png").ndim == 3
    assert ">nan" not in (out / "report.html").read_text(encoding="utf-8")


def test_data_with_holes_is_looked_at(given, tmp_path, monkeypatch, capsys):
    source, target, weights, _ = given
    monkeypatch.chdir(tmp_path)
    check_data.main(["-src", str(source), "-tar", str(target), "--scan_weights", str(weights), "-o", "look.png"])
    printed = capsys.readouterr().out
    assert "are in no scan" in printed
    assert "nan" not in printed
