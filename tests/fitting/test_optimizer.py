import copy

import numpy as np
import pytest
import torch

from data.input_error import InputError
from utils.fitting.optimizer import make_optimizer, restore_optimizer, scheduled_learning_rate


def test_the_rate_rises_and_falls():
    rates = [scheduled_learning_rate(step, 1000, 0.1) for step in range(1000)]
    assert np.argmax(rates) == 49
    assert rates[0] == pytest.approx(0.1 / 50)
    assert rates[-1] == pytest.approx(0.1 / 1000)
    assert all(0 < scheduled_learning_rate(step, 2, 0.1) <= 0.1 for step in range(2))


@pytest.fixture
def stepped(make_model):
    """A model and its optimizer, after one step."""
    torch.manual_seed(0)
    model = make_model(num_condition_frames=3)
    optimizer = make_optimizer(model, 0.1)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    return model, optimizer


def test_moments_come_back_and_nothing_else_does(stepped):
    model, optimizer = stepped
    stored = copy.deepcopy(optimizer.state_dict())
    for group in stored["param_groups"]:
        group |= {"lr": "fast", "betas": None}
    again = make_optimizer(model, 0.1)
    restore_optimizer(again, stored)
    assert again.param_groups[0]["lr"] == 0.1
    for one, other in zip(optimizer.state.values(), again.state.values(), strict=True):
        assert all(torch.equal(one[name], other[name]) for name in one)


def test_before_the_first_step_there_are_no_moments(make_model):
    optimizer = make_optimizer(make_model(), 0.1)
    restore_optimizer(optimizer, copy.deepcopy(optimizer.state_dict()))
    assert not optimizer.state


@pytest.mark.parametrize("harm", ["missing", "short", "nan", "negative", "before", "complex", "text", "strange"])
def test_moments_of_another_model_are_refused(stepped, harm):
    _, optimizer = stepped
    stored = copy.deepcopy(optimizer.state_dict())
    moments = stored["state"][0]
    if harm == "missing":
        del stored["state"][0]
    elif harm == "short":
        moments["exp_avg"] = moments["exp_avg"][:1]
    elif harm == "nan":
        moments["exp_avg_sq"][0] = torch.nan
    elif harm == "negative":
        moments["exp_avg_sq"][0] = -1
    elif harm == "before":
        moments["step"] -= 2
    elif harm == "complex":
        moments["exp_avg"] = moments["exp_avg"].to(torch.complex64)
    elif harm == "text":
        moments["step"] = "1"
    else:
        stored["state"] = "state"
    with pytest.raises(InputError, match="an optimizer's state of"):
        restore_optimizer(optimizer, stored)
