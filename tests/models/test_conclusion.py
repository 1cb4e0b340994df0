import numpy as np
import pytest
import torch
from tube import filled, tube_surface_with_joints, untrained_model

from models import loops
from models.conclusion import DROWNED, FirstAnswer, conclude, share_of_frame
from models.leverage import FAR, Leverage


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e15])
def test_little_is_taken_of_frames_whose_answers_drown(unit):
    module = Leverage(5, 4, 3, [])
    anchors = torch.tensor([4, 0, 1, 2])
    leverage = torch.full((3, 4), FAR)  # whose growth is 2 FAR
    size = unit * torch.tensor([[1.0, 2, 2, 2], [0.1, 0.2, 0.2, 0.2], [1.0, 2, 2, 0.02]])
    assert (share_of_frame(module, size, leverage, anchors) == 1).all()  # before frames were seen
    module.answer_size.copy_(unit * torch.tensor([2.0, 2, 2, 0, 1]))
    module.residual.copy_(unit * torch.tensor([1.0, 1, 1, 9, 0.5]))
    module.doubt.fill_(2.0)
    # the variance in units of the squares, as a geometric mean: one answer of four that drowns is damped on its own
    drowned, limit = 2 * 2 * FAR * 0.25 * np.array([1, 100, 10]), DROWNED * (1 + 2 * 0.25) ** 0.5
    found = share_of_frame(module, size, leverage, anchors)
    np.testing.assert_allclose(found, 1 / (1 + (drowned / limit) ** 2), rtol=0.03)
    module.answer_size[2] = 1e-4 * unit  # where hardly anything moves, nothing is said of the frame
    found = share_of_frame(module, size, leverage, anchors)
    np.testing.assert_allclose(found, 1 / (1 + (drowned[[0, 1, 0]] / limit) ** 2), rtol=1e-3)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf, 1e30])
def test_one_vertex_that_is_no_number_does_not_decide_for_a_frame(wrong):
    module = Leverage(4, 4, 3, [])
    module.residual.fill_(0.1)
    module.doubt.fill_(2.0)
    size, leverage = torch.ones(2, 4), torch.ones(2, 4)
    size[1, 2] = leverage[1, 2] = wrong
    usual, found = share_of_frame(module, size, leverage, torch.arange(4))
    assert 0.5 * usual < found <= 1


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("farthest", [1.0, 1e6, 1e15])
def test_wild_answers_are_damped_by_loops_as_by_torch(monkeypatch, unit, farthest):
    model = filled(untrained_model(tube_surface_with_joints(0), num_condition_frames=3))
    surface, trust, random = model.surface, model.leverage, torch.Generator().manual_seed(2)
    num_vertices, num_anchors = len(surface.vertices), len(surface.anchors)
    for tensor in (trust.answer_size, trust.residual, model.linear.mean, model.longest):
        tensor.mul_(unit)
    frames = torch.linalg.qr(torch.randn(2, num_vertices, 3, 3, generator=random)).Q.contiguous()
    sizes = unit * 10 ** (9 * torch.rand(2, num_vertices, 1, generator=random) - 6)
    change = sizes * torch.randn(2, num_vertices, 3, generator=random)
    leverage = farthest ** torch.rand(2, num_anchors, generator=random)
    seen, skinned = torch.zeros(2, num_anchors, model.coordinates.num_features), torch.zeros_like(change)
    first = FirstAnswer(frames, change, seen, leverage, surface.controls, seen)
    given = surface, model.linear, trust, first, change, skinned, model.longest
    for doubt in (0.0, 0.01, 5.0):
        trust.doubt.fill_(doubt)
        monkeypatch.setattr(loops, "compiles", lambda *tensors: True)
        found = conclude(*given)
        monkeypatch.setattr(loops, "compiles", lambda *tensors: False)
        expected = conclude(*given)
        assert expected.points.isfinite().all()
        np.testing.assert_allclose(found.points / unit, expected.points / unit, atol=1e-7, rtol=1e-4)
        np.testing.assert_allclose(found.expected_error, expected.expected_error, rtol=1e-4)
