import numpy as np
import torch

from data.sequences.mesh_windows import all_windows
from models.mesh_autoencoder import MeshAutoencoder
from utils.fitting.linear_fit import fit_linear_part
from utils.predicting.prediction import best_network_strength

CPU = torch.device("cpu")


def test_far_frames_are_damped_and_wild_ones_most(make_model, make_tube_sequence):
    model, sequence = make_model(num_condition_frames=3), make_tube_sequence(60)
    random = np.random.default_rng(1)
    sequence.scan = (sequence.scan + random.normal(0, 0.01, sequence.scan.shape)).astype(np.float32)
    choice = fit_linear_part(model, all_windows([sequence], 3), CPU)
    assert choice.variance > 0
    features = torch.randn(1, 72, len(model.feature_mean)) * model.leverage.scale + model.leverage.mean.mean(dim=0)
    size = torch.full((1, 72), 0.02)
    strengths = []
    for times in (1.0, 3.0, 30.0):
        spread = model.surface.spread_from_anchors(model.leverage(times * features[:, model.surface.anchors]))
        strengths.append(float(model.leverage.strength(size, spread, torch.ones(1, 1)).mean()))
    assert 1 > strengths[0] > strengths[1] > strengths[2]


def test_a_network_is_trusted_as_far_as_it_helped_in_frames_it_has_not_seen(
    make_model, make_tube_sequence, monkeypatch
):
    """Where it answers a millimetre along the normal: of 0.4 mm left in frames held out, and of 0.2 mm where the linear
    part was fitted, and took half of what it leaves elsewhere."""
    model = make_model(num_condition_frames=3)
    answer = torch.tensor([0, 0, 1e-3])
    monkeypatch.setattr(MeshAutoencoder, "forward", lambda _, features, vertex: answer.expand(len(features), 3))
    windows = []
    for left in (0.4, 0.2):
        sequence = make_tube_sequence(6)
        skinned = torch.from_numpy(sequence.skinned)
        corrections = (left * answer).expand(6, 72, 3)
        sequence.scan = model.coordinates.to_points(corrections, skinned, model.surface.frames_of(skinned)).numpy()
        windows.append(all_windows([sequence], 3))
    strength = best_network_strength(model, *windows, 0.5, CPU)
    np.testing.assert_allclose(strength, (0.4 + 0.2 / 0.5) / 2, rtol=1e-3)
    np.testing.assert_allclose(best_network_strength(model, *windows, 0.0, CPU), 0.3, rtol=1e-3)
