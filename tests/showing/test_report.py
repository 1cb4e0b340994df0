import re
import sys

import fast_simplification
import numpy as np
import pytest
import torch
import trimesh
from tube import tube_joints, tube_surface_with_joints

import inference_mesh
from data.input_error import InputError
from data.sequences.mesh_windows import all_windows
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from utils.predicting.export import Expectation
from utils.predicting.metrics import VERTEX_ERROR, Errors, MeshErrors
from utils.showing import rendering, report
from utils.showing.film import Film
from utils.showing.report import decimate, record_frames, region_rows, write_report
from utils.showing.stage import Stage


@pytest.fixture
def film(make_tube_sequence, monkeypatch):
    monkeypatch.setattr(rendering, "SAMPLES_PER_SIDE", 1)
    sequence = make_tube_sequence(6)
    sequence.joints = tube_joints(6).astype(np.float32)
    model = MeshAutoencoder(ModelSettings(num_condition_frames=2, num_joints=5), tube_surface_with_joints(5))
    return Film(model, all_windows([sequence], 2), 1000.0, torch.device("cpu"), 10.0)


def errors_of(film):
    sequence = film.windows.sequences[0]
    errors = MeshErrors(film.model.surface, 1000.0)(sequence.skinned, sequence.scan)
    return Errors({name: (each, 0.5 * each) for name, each in errors.items()})


def expectation(num_frames):
    shares = np.tile(np.float32([0.6, 0.9]), (num_frames, 1))
    mean = np.linspace(2, 3, num_frames, dtype=np.float32)
    return Expectation(mean / 5, mean, np.zeros((num_frames, 128), np.float32), shares)


def test_decimated_vertices_are_some_of_all(monkeypatch):
    monkeypatch.setattr(report, "MOST_TRIANGLES", 400)
    ball = trimesh.creation.icosphere(4)
    kept, faces = decimate(ball.vertices, ball.faces)
    assert len(faces) <= 400
    assert len(np.unique(kept)) == len(kept)
    fewer = trimesh.Trimesh(ball.vertices[kept], faces, process=False)
    assert fewer.is_watertight
    assert fewer.volume == pytest.approx(ball.volume, rel=0.05)
    kept, faces = decimate(np.eye(3), np.array([[0, 1, 2]]))
    assert len(kept) == 3
    assert len(faces) == 1


def test_vertices_that_no_face_uses_are_left_out(monkeypatch):
    monkeypatch.setattr(report, "MOST_TRIANGLES", 400)
    ball = trimesh.creation.icosphere(4)
    kept, faces = decimate(np.concatenate([[[9.0, 9, 9]], ball.vertices]), ball.faces + 1)
    assert 0 not in kept
    fewer = trimesh.Trimesh(ball.vertices[kept - 1], faces, process=False)
    assert fewer.volume == pytest.approx(ball.volume, rel=0.05)


def test_the_playback_tells_means_of_all_vertices(film, monkeypatch):
    monkeypatch.setattr(report, "MOST_TRIANGLES", 40)
    told = []
    show = Stage.show
    monkeypatch.setattr(Stage, "show", lambda self, *each: told.append(each[2]["skinned"]) or show(self, *each))
    record_frames(film, [2, 4], 10.0, 1.0)
    errors = errors_of(film).by_name[VERTEX_ERROR][0]
    assert told == [f"skinned: {errors[frame].mean():.2f} mm" for frame in (2, 4)]


def test_regions_are_those_of_the_nearest_joints(film):
    errors = errors_of(film).by_name[VERTEX_ERROR]
    rows = region_rows(film.windows, dict(zip(("skinned", "predicted"), errors, strict=True)), "y")
    assert sum(int(row["vertices"]) for row in rows) == errors[0].shape[1]
    named = dict(zip("12345", ("hip", "knee", "ankle", "foot", "toe"), strict=True))
    film.windows.sequences[0].joint_names = list(named.values())
    again = region_rows(film.windows, dict(zip(("skinned", "predicted"), errors, strict=True)), "y")
    assert [row["joint"] for row in again] == [named[row["joint"]] for row in rows]
    assert {row["left"] for row in rows} == {"50.0 %"}
    means = [float(row["after"]) for row in rows]
    assert means == sorted(means, reverse=True)
    skinned, joints = film.windows.sequences[0].skinned[0], film.windows.sequences[0].joints[0]
    worst = int(rows[0]["joint"]) - 1
    region = [np.linalg.norm(joints - vertex, axis=1).argmin() == worst for vertex in skinned]
    assert means[0] == pytest.approx(errors[1][:, region].mean(), abs=1e-3)


def test_numbers_of_a_report_are_those_of_the_errors(film, tmp_path):
    errors = errors_of(film)
    path = tmp_path / "model" / "time" / "report.html"
    data = [{"name": "take", "scans left out": 2, "vertices of scans guessed": 7}, {"name": "clean"}]
    record = {"flags": {"name": "</pre><script>alert(1)</script>"}, "training": {"data": data}}
    write_report(path, film, errors, expectation(6), {"<tube>": list(range(6))}, record)
    page = path.read_text(encoding="utf-8")
    assert len(page) < 15e6
    assert f"<td>{errors.by_name[VERTEX_ERROR][0].mean():.3f}</td>" in page
    assert "corrected by 0.5 mm, expected mean error 2.5 mm; 60 % and 90 % of the vertices" in page
    assert "50.0 %" in page
    assert "<p>trained on take without 2 scans that do not belong; 7 vertices guessed</p>" in page
    assert "trained on clean" not in page
    visible = re.sub('srcdoc="[^"]*"', "", page)
    assert "<tube>" not in visible
    assert "<script" not in visible
    assert not re.search(r'(src|href)="(?!data:)', visible)
    order = errors.by_name[VERTEX_ERROR][1].mean(axis=1).argsort()
    assert re.findall(r"<h3>(\w+): tube_?\w*\.?0*(\d+)", visible) == [
        (name, str(frame + 1)) for name, frame in (("best", order[0]), ("median", order[3]), ("worst", order[-1]))
    ]


def test_a_report_without_scans_tells_corrections(film, tmp_path):
    film.windows.sequences[0].scan = None
    write_report(tmp_path / "report.html", film, None, None, {"tube": list(range(6))}, {})
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "nothing is known" in page
    assert "without scans" in page
    assert "Distance to the scans" not in page
    assert "coloured by its correction" in page


def test_a_long_playback_leaves_out_frames(film, monkeypatch):
    monkeypatch.setattr(report, "MOST_FRAMES", 3)
    page, caption = report.play_back(film, list(range(6)), 1.0)
    assert "one frame in 2" in caption
    monkeypatch.setattr(report, "LARGEST", len(page) - 1000)
    assert "one frame in 4" in report.play_back(film, list(range(6)), 1.0)[1]


def test_what_a_report_needs_is_said_at_the_start(monkeypatch):
    monkeypatch.setitem(sys.modules, fast_simplification.__name__, None)
    with pytest.raises(InputError, match="reports: the package fast_simplification is not installed"):
        inference_mesh.parse_arguments(["-src", "skinned", "-saved_path", "1.pt", "--report"])
