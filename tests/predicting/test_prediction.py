import numpy as np
import torch

from data.sequences.mesh_windows import all_windows
from utils.fitting.linear_fit import fit_linear_part
from utils.predicting.prediction import describe_leverages, export_predictions

CPU = torch.device("cpu")


def test_frames_beyond_the_motion_of_training_are_named(make_model, make_tube_sequence):
    """Quiet training, and a test that starts like it and ends in wild shaking."""
    model, training, test = make_model(num_condition_frames=3), make_tube_sequence(60), make_tube_sequence(30, seed=2)
    fit_linear_part(model, all_windows([training], 3), CPU)
    random = np.random.default_rng(0)
    test.skinned[20:] += random.normal(0, 0.3, (10, 1, 3)).astype(np.float32)
    windows = all_windows([test], 3)
    errors, leverages = export_predictions(model, windows, lambda frame, vertices: None, CPU, 1000.0, measured=False)
    assert errors == {}
    assert leverages.shape == (30, len(model.surface.anchors))
    assert (leverages[20:].mean(axis=1) > 5 * leverages[:18].mean(axis=1).max()).all()
    line = describe_leverages(model, windows, leverages)
    assert line.startswith("10 of 30 frames go beyond the motion of training, from ")
    assert f"from {windows.name(20)} on, most near vertex " in line
    own = all_windows([training], 3)
    _, leverages = export_predictions(model, own, lambda frame, vertices: None, CPU, 1000.0, measured=False)
    assert describe_leverages(model, own, leverages) == "0 of 60 frames go beyond the motion of training"


def test_far_frames_are_damped_and_wild_ones_most(make_model, make_tube_sequence):
    model, sequence = make_model(num_condition_frames=3), make_tube_sequence(60)
    random = np.random.default_rng(1)
    sequence.scan = (sequence.scan + random.normal(0, 0.01, sequence.scan.shape)).astype(np.float32)
    choice = fit_linear_part(model, all_windows([sequence], 3), CPU)
    assert choice.variance > 0
    features = torch.randn(1, 72, len(model.feature_mean)) * model.leverage.scale + model.leverage.mean.mean(dim=0)
    answer = torch.full((1, 72, 3), 0.02)
    strengths = []
    for times in (1.0, 3.0, 30.0):
        spread = model.surface.spread_from_anchors(model.coordinates.leverage_at_anchors(times * features))
        strengths.append(float(model.leverage.strength(answer, spread).mean()))
    assert 1 > strengths[0] > strengths[1] > strengths[2]
