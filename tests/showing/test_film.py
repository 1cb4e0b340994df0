import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from tube import tube_frames, tube_triangles

import inference_mesh
from data.input_error import InputError
from data.sequences.mesh_windows import all_windows
from utils.predicting.prediction import PredictedFrame
from utils.showing.film import GAP, TOP, Film, encoder, make_strip, panels_of
from utils.showing.rendering import cast_rays, frame_camera, paint, render_mesh, turning_cameras

imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")

TUBE, FACES = tube_frames(1)[0], tube_triangles()
CAMERA = frame_camera(TUBE[None], longest=80)
NOTHING = np.empty(0)


def read_film(path):
    """Pictures (T, height, width, 3) of a film."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    decoded = subprocess.run(command, capture_output=True)
    width, height = map(int, re.search(rb"Video: .*?, (\d+)x(\d+)", decoded.stderr).groups())
    return np.frombuffer(decoded.stdout, np.uint8).reshape(-1, height, width, 3)


def test_one_cast_serves_all_colours():
    red = np.tile([1.0, 0, 0], (len(TUBE), 1))
    hits = cast_rays(TUBE, FACES, CAMERA)
    for colors in (None, red):
        np.testing.assert_array_equal(paint(hits, CAMERA, colors), render_mesh(TUBE, FACES, CAMERA, colors))


@pytest.mark.parametrize("up_axis", ["x", "y", "z"])
def test_a_turning_mesh_stays_in_the_picture(up_axis):
    cameras = turning_cameras(TUBE[None] + 5, up_axis, 60, 7)
    assert len({camera.pixels for camera in cameras}) == 1
    for camera in cameras:
        alpha = render_mesh(TUBE + 5, FACES, camera)[..., 3]
        assert alpha.max() == 1
        assert not np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]]).any()
    front, back = (cast_rays(TUBE, FACES, camera).corners for camera in turning_cameras(TUBE[None], up_axis, 60, 2))
    assert not {*map(tuple, front)} <= {*map(tuple, back)}  # another side


def test_errors_are_in_colour_and_the_rest_is_clay():
    scan = TUBE + [0.002, 0, 0]
    panels, caption = panels_of(PredictedFrame(0, TUBE, scan, NOTHING, NOTHING), scan, 1000.0)
    assert list(panels) == ["skinned", "predicted", "target", "skinned error", "predicted error"]
    assert caption == "mean error 2.00 → 0.00 mm"
    strip = make_strip(list(panels), FACES, CAMERA, 2.0, "distance to the scan (mm)")
    picture = strip.draw(panels, "caption").astype(int)
    assert picture.shape[1] % 2 == 0
    width = CAMERA.pixels[0]
    saturation = []
    for number in range(5):
        left = GAP + number * (width + GAP)
        mesh = picture[TOP : TOP + CAMERA.pixels[1], left : left + width]
        saturation.append((mesh.max(axis=2) - mesh.min(axis=2)).max())
        assert (mesh < 250).any()
    assert max(saturation[:3]) < 20  # grey
    assert saturation[3] > 80  # dark red
    red, _, blue = picture[TOP : TOP + CAMERA.pixels[1], GAP + 4 * (width + GAP) :][:, :width].reshape(-1, 3).T
    assert (red >= blue).all()  # no error: the light end, yellow
    end = TOP + CAMERA.pixels[1]
    below = picture[end:, : 5 * (width + GAP)]
    assert (strip.background[end:, : 5 * (width + GAP)] == 255).all()
    assert (below < 100).any()  # the caption


def test_without_scans_the_correction_is_in_colour():
    expected_error = np.full(len(TUBE), 0.0005)
    frame = PredictedFrame(0, TUBE, TUBE + [0, 0.001, 0], expected_error, NOTHING)
    panels, caption = panels_of(frame, None, 1000.0)
    assert list(panels) == ["skinned", "predicted", "correction", "expected error"]
    assert caption == "mean correction 1.00 mm     expected 0.50 mm"
    np.testing.assert_allclose(panels["expected error"][1], 0.5)


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_pictures_come_back_in_order(tmp_path, ending):
    path = tmp_path / "new" / f"film{ending}"
    greys = [20, 120, 220]
    with encoder(path, 25.0, (96, 64)) as add:
        for grey in greys:
            add(np.full((64, 96, 3), grey, np.uint8))
        assert not path.exists()
    pictures = read_film(path)
    assert len(pictures) == 3
    np.testing.assert_allclose(pictures.mean(axis=(1, 2, 3)), greys, atol=6)
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_without_an_encoder_nothing_begins(monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    flags = ["-src", "skinned", "-saved_path", "1.pt", "--turntable", "gif"]
    with pytest.raises(InputError, match=r"imageio_ffmpeg is not installed; pip install -r requirements-pipeline\.txt"):
        inference_mesh.parse_arguments(flags)


def test_what_goes_wrong_leaves_no_film(tmp_path):
    def fail_after_one(add):
        add(np.zeros((64, 96, 3), np.uint8))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), encoder(tmp_path / "film.mp4", 25.0, (96, 64)) as add:
        fail_after_one(add)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_loses_a_part(tmp_path, monkeypatch):
    def fail(path):
        raise RuntimeError("FFMPEG call failed")

    monkeypatch.setattr(imageio_ffmpeg, "count_frames_and_secs", fail)
    with (
        pytest.raises(OSError, match=r"did not write all frames.*film\.mp4"),
        encoder(tmp_path / "film.mp4", 25.0, (96, 64)) as add,
    ):
        add(np.zeros((64, 96, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.starts_scripts
def test_films_of_a_model(make_model, make_tube_sequence, tmp_path, monkeypatch):
    monkeypatch.setattr("utils.showing.film.TURNTABLE_STEPS", 4)
    monkeypatch.setattr("utils.showing.rendering.SAMPLES_PER_SIDE", 1)
    windows = all_windows([make_tube_sequence(5)], 3)
    film = Film(make_model(num_condition_frames=3), windows, 1000.0, torch.device("cpu"), 10.0)
    film.sequence([1, 2, 3], tmp_path / "tube.mp4")
    pictures = read_film(tmp_path / "tube.mp4")
    assert len(pictures) == 3
    assert np.abs(pictures[0].astype(int) - pictures[2]).max() > 100  # it moves
    film.turntable(2, tmp_path / "turntable.gif")
    turned = read_film(tmp_path / "turntable.gif").astype(int)
    assert len(turned) == 4
    assert np.abs(turned[0] - turned[2]).max() > 100
    still = film.still(2, longest=120)
    assert still.shape[0] < pictures.shape[1]
    windows.sequences[0].scan = None
    assert film.still(2, longest=120).shape[1] < still.shape[1]  # two panels fewer
