import numpy as np
import pytest
import torch

from models.leverage import FAR, Leverage, growth
from utils.fitting.folds import UNLIKE_FOLDS
from utils.fitting.leverage_fit import Regression, set_leverage, set_moving_share, set_reach, size_and_variance
from utils.fitting.ridge_regression import moments_of, solve, squares


def fitted_leverage(num_frames=60, motion=()):
    torch.manual_seed(0)
    rows = torch.randn(num_frames, 5, 6 + 1 + 3) * torch.linspace(0.5, 2, 10)
    rows[..., 6] = 1
    module = Leverage(5, 5, 6, list(motion))
    freedom = set_leverage(module, rows, [0, 1, 2, 4], 0.1)
    return module, rows, freedom


def test_leverage_is_that_of_the_regression():
    """The influence of a target on its own prediction, by the hat matrix, in units of its mean."""
    module, rows, freedom = fitted_leverage()
    found = module(rows[..., :6])
    for vertex in range(5):
        x = rows[:, vertex, [0, 1, 2, 4]].double()
        x = x - x.mean(dim=0)
        hat = x @ torch.linalg.inv(x.T @ x / 60 + 0.1 * torch.eye(4)) @ x.T / 60 + 1 / 60
        np.testing.assert_allclose(found[:, vertex], hat.diagonal() * 60 / hat.trace(), rtol=1e-4)
        np.testing.assert_allclose(freedom[vertex], hat.trace(), rtol=1e-5)
    np.testing.assert_allclose(found.mean(dim=0), 1, rtol=1e-4)


def test_reach_is_the_leverage_of_frames_that_are_kept_out():
    module, rows, freedom = fitted_leverage()
    set_reach(module, rows[..., :6], freedom, 60.0)
    kept_out = np.zeros((60, 5))
    for vertex in range(5):
        x = rows[:, vertex, [0, 1, 2, 4]].double()
        z = torch.cat([torch.ones(60, 1), x - x.mean(dim=0)], dim=1)
        moments = z.T @ z + torch.diag(torch.tensor([0, 6.0, 6, 6, 6]))
        for frame, each in enumerate(z):
            kept_out[frame, vertex] = each @ torch.linalg.inv(moments - torch.outer(each, each)) @ each
    kept_out *= 60 / freedom.numpy()
    np.testing.assert_allclose(module.reached, kept_out.max(axis=0), rtol=1e-3)
    np.testing.assert_allclose(module.farthest, kept_out.mean(axis=1).max(), rtol=1e-3)


def test_far_frames_and_still_ones_have_more_leverage():
    module, rows, _ = fitted_leverage(motion=[slice(0, 3)])
    usual = module(rows[..., :6])
    assert (module(10 * rows[..., :6]).mean(dim=0) > 20 * usual.mean(dim=0)).all()
    still = rows[:1, :, :6].clone()
    still[..., :3] = module.mean[:, :3]
    assert (module(still) > usual.mean(dim=0) + 3).all()


def test_strength_is_wieners():
    module = Leverage(4, 2, 3, [])
    module.answer_size.copy_(torch.tensor([1.0, 2.0, 2.0, 1.0]))
    module.relative_variance.copy_(torch.tensor([0.5, 0.5, 0.0, 0.5]))
    size = torch.tensor([[1.0, 2.4, 1e-3, 0.0]])
    strength = module.strength(size, torch.tensor([[1.0, 3.0, 9.0, 1.0]]), torch.ones(1, 1))
    one, three = 0.5 * (1 + 1 / FAR), 1.5 * (1 + 3 / FAR)
    np.testing.assert_allclose(strength[0], [1 / (1 + one), 1.44 / (1.44 + three), 1, 0], atol=1e-6)
    # twice the usual square is as sure as an answer can be
    strength = module.strength(10 * size, torch.tensor([[1.0, 3.0, 9.0, 1.0]]), torch.ones(1, 1))
    np.testing.assert_allclose(strength[0], [2 / (2 + one), 2 / (2 + three), 1, 0], atol=1e-6)


def test_growth_is_linear_near_and_quadratic_far():
    leverage = torch.tensor([0.0, 1e-3, FAR, 1e6])
    np.testing.assert_allclose(growth(leverage), [0, 1e-3, 2 * FAR, 1e12 / FAR], rtol=1e-3)


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e15])
def test_expected_error_is_the_residual_and_what_damping_leaves_open(unit):
    module = Leverage(4, 2, 3, [])
    module.residual.fill_(2 * unit)
    module.doubt.fill_(0.5)
    module.error_scale.fill_(0.9)
    size = unit * torch.tensor([[3.0, 3.0, 0.0, 5.0]])
    leverage = torch.tensor([[0.0, 2.0, 5.0, 1e9]])
    variance = 4 * 0.5 * 2 * (1 + 2 / FAR)
    left = [0, 9 * variance / (9 + variance), 0, 25]  # of nothing known there is as much left as was answered
    expected = 0.9 * unit * np.sqrt(4 + np.array(left))
    np.testing.assert_allclose(module.expected_error(size, leverage)[0], expected, rtol=1e-5)


def test_the_unit_of_length_does_not_matter_to_the_strength():
    module = Leverage(4, 2, 3, [])
    module.relative_variance.fill_(0.5)
    size, leverages = torch.rand(2, 4), torch.rand(2, 4)
    module.doubt.fill_(2.0)
    module.residual.fill_(0.1)
    expected = module.strength(size, leverages, torch.tensor([[0.2], [0.7]]))
    for unit in (1e-15, 1e15):
        module.answer_size.fill_(unit)
        module.residual.fill_(0.1 * unit)
        found = module.strength(unit * size, leverages, torch.tensor([[0.2], [0.7]]))
        torch.testing.assert_close(found, expected)


def test_of_a_frame_what_is_in_doubt_is_taken_in_part():
    module = Leverage(3, 2, 3, [])
    module.residual.fill_(0.1)
    module.doubt.fill_(2.0)
    size, leverage = torch.tensor([[1e3, 0.4, 1e-6]]), torch.full((1, 3), FAR)
    variance = 0.01 * 2 * 2 * FAR
    in_doubt = np.array([0, variance / (variance + 0.16), 1])  # of answers so large, by Wiener
    for of_frame in (0.0, 0.3, 1.0):
        found = module.strength(size, leverage, torch.tensor([[of_frame]]))
        np.testing.assert_allclose(found[0], 1 - in_doubt * (1 - of_frame), atol=1e-5)


def test_size_and_variance_of_what_a_regression_answers():
    """Answers with errors of the variance σ² p / T at a leverage of one: p parameters, T frames, noise σ."""
    torch.manual_seed(0)
    features, noise = torch.randn(400, 300, 10), torch.randn(400, 300, 3)
    truth = 2 * features[..., :3]
    rows = torch.cat([features, torch.ones(400, 300, 1), truth + noise], dim=2)
    moments = moments_of(rows)
    fit = solve(moments, list(range(10)), 1e-6)
    frames, freedom = (torch.full((300,), each).double() for each in (400.0, 11.0))
    size, variance = size_and_variance(squares(moments, *fit), 1.0, frames, freedom)
    np.testing.assert_allclose(size.mean(), np.sqrt(12 + 3 * 11 / 400), rtol=0.01)
    np.testing.assert_allclose((variance * size.square()).mean(), 3 * 11 / 400, rtol=0.03)
    errors = fit[0] + torch.einsum("tvk,vko->tvo", rows[..., fit[2]].double(), fit[1]) - truth
    np.testing.assert_allclose(errors.square().sum(dim=2).mean(), 3 * 11 / 400, rtol=0.05)


def test_networks_are_left_out_far_from_training():
    module = Leverage(4, 2, 3, [])
    leverage = torch.tensor([[0.1, 1.0], [4.0, 4.0], [40.0, 1e12]])
    assert (module.share_of_network(leverage) == 1).all()  # where no frames were seen, every answer is trusted
    module.reached.copy_(torch.tensor([4.0, 1.0]))
    np.testing.assert_allclose(module.share_of_network(leverage), [[1, 0.5], [0.5, 1 / 257], [1e-4, 0]], rtol=1e-3)


def test_what_comes_of_the_motion_goes_with_it():
    """Means of which 0, 30 and 100 % swell and fade with the amplitude of motion, seen by a regression that is linear in it."""
    torch.manual_seed(0)
    loudness = torch.linspace(-1, 1, 600).repeat_interleave(2).exp()[torch.randperm(1200)]
    rows = torch.randn(1200, 3, 6 + 1 + 3)
    rows[..., :3] *= (loudness / rows[..., :3].norm(dim=2).T).T.unsqueeze(2)
    rows[..., 6] = 1
    share = torch.tensor([0.0, 0.3, 1.0])
    mean = torch.tensor([[1.0, 0, 0], [0, 2, 0], [0, 0, 3]])
    own = rows[..., :3] + 0.1 * rows[..., -3:]
    rows[..., -3:] = own + (1 + share * (loudness.unsqueeze(1) - 1)).unsqueeze(2) * mean
    motion, folds = [slice(0, 3)], np.arange(1200) * UNLIKE_FOLDS // 1200
    module = Leverage(3, 3, 6, motion)
    set_leverage(module, rows, [0, 1, 2], 0.01)
    set_moving_share(module, rows, torch.ones(1200, 3), folds, Regression([0, 1, 2], [], 0.01, 1.0, 0, motion))
    assert module.moving_share[0] < 0.02
    # of a mean that is 1 + share (mean loudness - 1) long
    as_share = share / (1 + share * (loudness.mean() - 1))
    np.testing.assert_allclose(module.moving_share[1:], as_share[1:], rtol=0.1)
    still = module.mean.clone().unsqueeze(0)
    for times, left in ((0.25, 1 - 0.75 * module.moving_share), (1.0, 1.0), (4.0, 1.0)):
        seen = still.clone()
        seen[..., 0] += (times**2 * module.log_mean.exp() - module.quietest).sqrt()
        np.testing.assert_allclose(module.share_of_mean(seen)[0], torch.as_tensor(left).expand(3), rtol=1e-4)
    # frames whose targets are not trusted have no say
    trust = (torch.rand(1200, 3) < 0.5).float()
    for times in (0.0, 5.0):
        rows[..., -3:] += times * (1 - trust).unsqueeze(2) * rows[..., 3:6] * loudness.view(-1, 1, 1)
        set_moving_share(module, rows, trust, folds, Regression([0, 1, 2], [], 0.01, 1.0, 0, motion))
        np.testing.assert_allclose(module.moving_share[1:], as_share[1:], rtol=0.12)


def test_shares_that_are_not_certain_are_not_taken():
    torch.manual_seed(0)
    rows = torch.randn(40, 50, 6 + 1 + 3)
    rows[..., 6] = 1
    rows[..., -3:] += 0.3
    motion, folds = [slice(0, 3)], np.arange(40) % UNLIKE_FOLDS
    module = Leverage(50, 50, 6, motion)
    set_leverage(module, rows, [0, 1, 2], 0.01)
    set_moving_share(module, rows, torch.ones(40, 50), folds, Regression([0, 1, 2], [], 0.01, 1.0, 0, motion))
    assert module.moving_share.mean() < 0.2
    without_motion = Leverage(50, 50, 6, [])
    assert (without_motion.share_of_mean(rows[..., :6]) == 1).all()
