import numpy as np
import pytest

from utils.optimizer import scheduled_learning_rate


def test_the_rate_rises_and_falls():
    rates = [scheduled_learning_rate(step, 1000, 0.1) for step in range(1000)]
    assert np.argmax(rates) == 49
    assert rates[0] == pytest.approx(0.1 / 50)
    assert rates[-1] == pytest.approx(0.1 / 1000)
    assert all(0 < scheduled_learning_rate(step, 2, 0.1) <= 0.1 for step in range(2))
