"""Corrections smoothed over time: straight lines stay, jitter goes, and nothing lags, at the ends either."""

import numpy as np
import pytest
import torch
from tube import tube_frames, tube_triangles, tube_windows, untrained_model
from tube import tube_surface_with_joints as surface_of

from data.formats.polygons import Polygons
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.mesh_windows import MeshWindows, all_windows
from models.conclusion import Prediction
from models.dials import Dials
from models.surface_frames import to_local, to_world
from utils.predicting.prediction import map_predictions
from utils.predicting.steadying import Steadied, frames_around, local_line

CPU = torch.device("cpu")


@pytest.mark.parametrize("places", [[-2, -1, 0, 1, 2], [0, 1, 2], [-1, 0], [0], [-2, 0, 1]])
def test_weights_are_those_of_a_line_fitted_by_weighted_least_squares(places):
    places = np.array(places)
    weights = local_line(places, 2)
    np.testing.assert_allclose(weights @ (3 + 0.7 * places), 3)  # a line stays a line
    values = np.random.default_rng(0).normal(size=len(places))
    root = np.sqrt((1 - (np.abs(places) / 3) ** 3) ** 3)
    if len(places) > 1:
        _, height = np.polyfit(places, values, 1, w=root)
        np.testing.assert_allclose(weights @ values, height)


def sequence_of(num_frames, name="a"):
    skinned = tube_frames(num_frames).astype(np.float32)
    numbers = np.arange(num_frames)
    polygons = Polygons.from_rows(tube_triangles())
    return MeshSequence(name, numbers, [], [f"{name}.{n}" for n in numbers], polygons, skinned, None)


def test_smoothing_is_of_the_correction_in_the_vertices_own_frames():
    """A loop over frames; around the ends, and never across from one sequence into another."""
    model = untrained_model(surface_of(0), True, num_condition_frames=3)
    windows = all_windows([sequence_of(7), sequence_of(5, "b")], 3)
    plain = list(map_predictions(lambda each: each, model, windows, np.arange(12), CPU))
    model.dials = Dials(steady=2)
    found = list(map_predictions(lambda each: each, model, windows, np.arange(12), CPU))
    axes = [model.surface.frames_of(torch.from_numpy(each.skinned)[None])[0] for each in plain]
    local = [
        to_local(a, torch.from_numpy(each.predicted - each.skinned).unsqueeze(1))
        for a, each in zip(axes, plain, strict=True)
    ]
    for frame in range(12):
        own = range(7) if frame < 7 else range(7, 12)
        around = [each for each in own if abs(each - frame) <= 2]
        weights = local_line(np.array(around) - frame, 2)
        correction = sum(float(weight) * local[each] for weight, each in zip(weights, around, strict=True))
        expected = torch.from_numpy(plain[frame].skinned) + to_world(axes[frame], correction).squeeze(1)
        np.testing.assert_allclose(found[frame].predicted, expected, atol=1e-6)
        np.testing.assert_array_equal(found[frame].expected_error, plain[frame].expected_error)
    some = list(
        map_predictions(lambda each: each.predicted, model, windows, np.array([3, 9]), CPU)
    )  # neighbours or not
    np.testing.assert_array_equal(some, [found[3].predicted, found[9].predicted])


def test_frames_around_one_are_those_of_its_sequence():
    windows = MeshWindows([], 1, np.array([[0, 0], [0, 1], [0, 5], [0, 6], [1, 0], [1, 1]]))
    assert [frames_around(windows, index, 1).tolist() for index in range(6)] == [
        [0, 1],
        [0, 1],
        [2, 3],
        [2, 3],
        [4, 5],
        [4, 5],
    ]
    assert frames_around(windows, 2, 4).tolist() == [1, 2, 3]
    assert frames_around(windows, 2, 0).tolist() == [2]


def test_each_frame_is_predicted_once_and_what_goes_wrong_is_told_to_all():
    surface, asked = surface_of(0), []
    skinned = tube_windows()[:1, -1]

    def predict(frame):
        asked.append(frame)
        if frame == 9:
            raise OSError("no such file")
        return skinned, Prediction(skinned + 0.01 * frame, skinned[:, :0, 0], skinned[:, :0, 0])

    steadied = Steadied(predict, surface, 2)
    for frame in range(7):
        _, found = steadied(frame, np.arange(max(0, frame - 2), frame + 3))
        torch.testing.assert_close(found.points, skinned + 0.01 * frame)  # steadily more: no lag
    assert asked == [*range(9)]
    for frame in (7, 8):
        with pytest.raises(OSError, match="no such file"):
            steadied(frame, np.arange(frame - 2, frame + 3))
