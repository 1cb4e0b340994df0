import numpy as np
import pytest
import torch

from models.conclusion import DROWNED, share_of_frame
from models.leverage import FAR, Leverage


@pytest.mark.parametrize("unit", [1e-15, 1.0, 1e15])
def test_little_is_taken_of_frames_whose_answers_drown(unit):
    module = Leverage(5, 4, 3, [])
    anchors = torch.tensor([4, 0, 1, 2])
    leverage = torch.full((3, 4), FAR)  # whose growth is 2 FAR
    size = unit * torch.tensor([[1.0, 2, 2, 2], [0.1, 0.2, 0.2, 0.2], [1.0, 2, 2, 0.02]])
    assert (
        share_of_frame(module, size, leverage, anchors) == 1
    ).all()  # where no frames were seen, every answer is trusted
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
