import numpy as np
import pytest
import torch

from data.sequences.mesh_windows import all_windows
from utils.predicting.prediction import map_predictions
from utils.showing.clip import Clip, LivePredictions, highest_value


def test_what_is_measured_is_how_far_vertices_are_from_the_scan(make_tube_sequence):
    sequence = make_tube_sequence(6)
    clip = Clip(sequence, sequence.scan + np.float32([0.003, 0, 0.004]), 1000.0)
    for frame in range(5):
        clip.measure(frame)
    np.testing.assert_allclose(clip.mean["predicted"][:5], 5, rtol=1e-3)
    np.testing.assert_allclose(clip.worst["predicted"][:5], 5, rtol=1e-3)
    assert np.isnan([clip.mean["predicted"][5], clip.worst["skinned"][5]]).all()
    distances = 1000 * np.linalg.norm(sequence.skinned - sequence.scan, axis=2)
    np.testing.assert_allclose(clip.mean["skinned"][:5], distances.mean(axis=1)[:5], rtol=1e-3)
    np.testing.assert_array_equal(clip.worst_vertex["skinned"][1:5], distances.argmax(axis=1)[1:5])
    of_vertex = clip.over_time(7)
    np.testing.assert_allclose(of_vertex["skinned"][:5], distances[:5, 7], rtol=1e-3)
    assert np.isnan(of_vertex["predicted"][5])


def test_what_meshes_are_coloured_by(make_tube_sequence):
    sequence = make_tube_sequence(4)
    moved = sequence.skinned + np.float32([0, 0.002, 0])
    clip = Clip(sequence, moved, 1000.0)
    assert clip.colorings() == ["error", "correction"]
    assert set(clip.values("error", 1)) == {"skinned", "predicted"}
    assert set(clip.values("correction", 1)) == {"predicted", "target"}
    assert highest_value([clip], "correction") == pytest.approx(2, rel=1e-3)
    further = Clip(sequence, moved + np.float32([0, 0.005, 0]), 1000.0)
    assert highest_value([clip, further], "correction") == pytest.approx(7, rel=1e-3)
    assert highest_value([Clip(sequence, sequence.skinned, 1000.0)], "correction") == 0.001
    sequence.scan = None
    clip = Clip(sequence, moved, 1000.0)
    assert clip.colorings() == ["correction"]
    clip.measure(2)
    assert clip.mean["predicted"][2] == pytest.approx(2, rel=1e-3)
    assert Clip(sequence, None, 1000.0).mean == {}


def test_a_clip_far_away_keeps_its_differences(make_tube_sequence):
    sequence = make_tube_sequence(3)
    sequence.skinned = sequence.skinned.astype(np.float64)
    sequence.skinned[1:] += 1e4  # its first frame is where the others are not
    sequence.scan = sequence.skinned + [0, 0, 1e-4]
    clip = Clip(sequence, None, 1000.0)
    for frame in range(3):
        clip.measure(frame)
    np.testing.assert_allclose(clip.mean["skinned"], 0.1, rtol=1e-3)
    np.testing.assert_allclose(clip.over_time(3)["skinned"], 0.1, rtol=1e-3)


def test_predictions_are_made_when_asked_for_and_once(make_model, make_tube_sequence):
    model, sequence = make_model(random_output=True, num_condition_frames=3), make_tube_sequence(6)
    windows = all_windows([sequence], 3)
    cpu = torch.device("cpu")
    model.leverage.residual.copy_(torch.linspace(1e-3, 2e-3, 72))
    seen = list(map_predictions(lambda frame: frame, model, windows, np.arange(6), cpu))
    expected = [frame.predicted for frame in seen]
    live = LivePredictions(model, sequence, cpu)
    clip = Clip(sequence, live, 1000.0)
    assert clip.colorings() == ["error", "correction", "expected error"]
    with live.file:
        for frame in (4, 0, 4):
            np.testing.assert_array_equal(live[frame], expected[frame])
        assert np.flatnonzero(live.there).tolist() == [0, 4]
        live.predict(np.arange(6))
        assert highest_value([clip], "expected error") == pytest.approx(2, rel=0.01)
        values = clip.values("expected error", 3)
        live.model = None  # no more of it
        np.testing.assert_array_equal(np.stack([live[frame] for frame in range(6)]), expected)
        np.testing.assert_allclose(values["predicted"], 1000 * seen[3].expected_error, rtol=1e-6)
        assert list(values) == ["predicted"]
    assert Clip(sequence, np.stack(expected), 1000.0).values("expected error", 3) == {}  # files do not say it


def test_frames_without_a_scan_are_not_measured(make_tube_sequence):
    sequence = make_tube_sequence(9, every=4)
    clip = Clip(sequence, sequence.skinned + np.float32([0, 0.003, 0]), 1000.0)
    assert [set(clip.meshes(frame)) for frame in (3, 4)] == [
        {"skinned", "predicted"},
        {"skinned", "predicted", "target"},
    ]
    assert clip.values("error", 3) == {}
    assert set(clip.values("correction", 3)) == {"predicted"}
    list(clip.measure_all())
    assert np.flatnonzero(np.isfinite(clip.mean["predicted"])).tolist() == [0, 4, 8]
    assert clip.worst_frame("frame") in (0, 4, 8)
    assert np.flatnonzero(np.isfinite(clip.over_time(5)["skinned"])).tolist() == [0, 4, 8]
    assert highest_value([clip], "error") > 0
