import numpy as np
import torch
from scipy.integrate import solve_ivp

from models.oscillators import DAMPING_RATIO, HISTORY, PERIODS, impulse_response, oscillator_states


def test_states_against_an_integrator():
    points = np.cumsum(np.cumsum(np.random.default_rng(0).normal(size=(30, 2, 3)), axis=0), axis=0)
    states = oscillator_states(torch.from_numpy(points)[None])[0].numpy()
    acceleration = np.diff(points, 2, axis=0)
    for index, period in enumerate(PERIODS):
        frequency = 2 * np.pi / period

        def motion(time, state, frequency=frequency):
            held = acceleration[min(int(time), 27), 1, 2]
            return [state[1], -(frequency**2) * state[0] - 2 * DAMPING_RATIO * frequency * state[1] - held]

        ends = solve_ivp(motion, (0, 28), [0, 0], max_step=0.01, rtol=1e-8).y[:, -1]
        np.testing.assert_allclose(states[1, 2 * index, 2], ends[0], rtol=0.01)
        np.testing.assert_allclose(states[1, 2 * index + 1, 2], ends[1] / frequency, rtol=0.01)


def test_under_constant_acceleration_each_spring_settles_where_force_and_spring_agree():
    time = torch.arange(HISTORY + 200, dtype=torch.float64)
    falling = (0.5 * time**2)[None, :, None, None] * torch.tensor([0.0, -2.0, 0.0], dtype=torch.float64)
    states = oscillator_states(falling)[0, 0]
    expected = [2.0 * (period / (2 * np.pi)) ** 2 for period in PERIODS]
    np.testing.assert_allclose(states[::2, 1], expected, rtol=1e-3)
    np.testing.assert_allclose(states[1::2].abs().max(), 0, atol=1e-2)


def test_steady_motion_and_short_histories_move_nothing():
    steady = torch.arange(9.0)[None, :, None, None].expand(1, 9, 4, 3)
    assert oscillator_states(steady).abs().max() < 1e-5
    assert oscillator_states(steady[:, :2]).shape == (1, 4, 2 * len(PERIODS), 3)
    assert not oscillator_states(torch.rand(1, 2, 4, 3)).any()


def test_what_happened_before_the_history_is_forgotten():
    response = impulse_response(HISTORY)
    assert np.abs(response[0]).max() < 0.01 * np.abs(response).max()
