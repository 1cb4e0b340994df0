import numpy as np
import torch

from data.sequences.mesh_windows import all_windows
from utils.fitting.linear_fit import fit_linear_part

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
        strengths.append(float(model.leverage.strength(size, spread).mean()))
    assert 1 > strengths[0] > strengths[1] > strengths[2]
