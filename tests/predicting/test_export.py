import numpy as np
import pytest
import torch

from data.sequences.mesh_windows import all_windows
from utils.fitting.linear_fit import fit_linear_part
from utils.predicting.export import describe_expectation, export_predictions
from utils.predicting.metrics import VERTEX_ERROR
from utils.predicting.prediction import map_predictions

CPU = torch.device("cpu")


def export(model, sequence, measured=False):
    windows = all_windows([sequence], 3)
    return windows, *export_predictions(model, windows, lambda frame: None, CPU, 1000.0, measured)


def test_frames_beyond_the_motion_of_training_are_named_and_expected_to_be_off(make_model, make_tube_sequence):
    """Quiet training, and a test that starts like it and ends in wild shaking."""
    model, training, test = make_model(num_condition_frames=3), make_tube_sequence(60), make_tube_sequence(30, seed=2)
    fit_linear_part(model, all_windows([training], 3), CPU)
    random = np.random.default_rng(0)
    test.skinned[20:] += random.normal(0, 0.6, (10, 1, 3)).astype(np.float32)
    windows, errors, expected = export(model, test)
    assert errors is None
    assert expected.within is None
    assert expected.leverage.shape == (30, len(model.surface.anchors))
    assert (expected.leverage[20:].mean(axis=1) > 5 * expected.leverage[1:18].mean(axis=1).max()).all()
    assert (expected.mean[20:] > 1.5 * expected.mean[:18].max()).all()
    first, second = describe_expectation(model, windows, expected).splitlines()
    assert first.startswith("10 of 30 frames go beyond the motion of training, from ")
    assert f"from {windows.name(20)} on, most near vertex " in first
    wild = slice(20, 30)
    assert second == (
        f"corrected by {expected.correction.mean():.3g} mm, expected mean error {expected.mean.mean():.3g} mm; "
        f"in the frames beyond {expected.correction[wild].mean():.3g} mm and {expected.mean[wild].mean():.3g} mm"
    )
    own, _, expected = export(model, training)
    lines = describe_expectation(model, own, expected).splitlines()
    assert lines[0] == "0 of 60 frames go beyond the motion of training"
    mean = np.mean(list(map_predictions(length_of_correction, model, own, np.arange(60), CPU)))
    assert lines[1] == f"corrected by {1000 * mean:.3g} mm, expected mean error {expected.mean.mean():.3g} mm"


def length_of_correction(frame):
    return np.linalg.norm(frame.predicted - frame.skinned, axis=1).mean()


def test_errors_are_as_large_as_expected(make_model, make_tube_sequence):
    """Scans with noise of another size at every vertex, which no model can know: what is expected is what is there."""
    model, training, test = make_model(num_condition_frames=3), make_tube_sequence(120), make_tube_sequence(120)
    random = np.random.default_rng(3)
    size = np.geomspace(1e-3, 1e-2, 72)[random.permutation(72), None]
    for sequence in (training, test):
        sequence.scan = (sequence.scan + size * random.normal(size=sequence.scan.shape)).astype(np.float32)
    fit_linear_part(model, all_windows([training], 3), CPU)
    windows, errors, expected = export(model, test, measured=True)
    true = errors.by_name[VERTEX_ERROR][1].mean(axis=1)
    assert expected.mean.mean() == pytest.approx(true.mean(), rel=0.1)
    np.testing.assert_allclose(expected.within.mean(axis=0), [0.68, 0.95], atol=0.05)
    line = describe_expectation(model, windows, expected)
    shares = " and ".join(f"{100 * share:.0f} %" for share in expected.within.mean(axis=0))
    assert line.endswith(f"; {shares} of the vertices are within the intervals for 68 % and 95 % of them")


def test_another_step_between_frames_is_said(make_model, make_tube_sequence):
    model, sequence = make_model(num_condition_frames=3), make_tube_sequence(12)
    sequence.step = 2
    windows, _, expected = export(model, sequence)
    line = describe_expectation(model, windows, expected).splitlines()[0]
    assert line == "warning: frames are 2 apart, in training 1: motion per frame is another"


def test_nothing_is_known_in_world_coordinates(make_model, make_tube_sequence):
    model = make_model(num_condition_frames=3, coordinates="world")
    windows, errors, expected = export(model, make_tube_sequence(4), measured=True)
    assert expected is None
    assert errors.by_name[VERTEX_ERROR][1].shape == (4, 72)
    assert describe_expectation(model, windows, expected).startswith("world coordinates: nothing is known")
