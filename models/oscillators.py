"""A memory longer than the window: damped oscillators, set swinging by the motion of a few points of the surface.

Soft tissue and cloth go on swinging after the motion that set them off. So does a mass on a spring that a point of the surface
pulls along: its offset and its speed at a frame sum up all accelerations before that frame, the latest weighted most. A
handful of springs with different periods tell the network what a long window would.
"""

from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

PERIODS = (5.0, 8.0, 12.0, 18.0, 27.0)  # frames
DAMPING_RATIO = 0.3
HISTORY = 72  # frames: of anything older, the slowest oscillator remembers less than one percent


@cache
def impulse_response(num_frames: int, periods: tuple[float, ...] = PERIODS) -> Float[ndarray, "K O"]:
    """Return how each oscillator answers one unit of acceleration (K, O): its state K-1 down to 0 frames later.

    Columns alternate offset and speed, both in units of position, for each of `periods` (frames). The acceleration of a frame
    is held until the next one, which makes the step of m x'' + c x' + k x = -m a exact, as in any textbook on vibration.
    """
    columns = []
    for period in periods:
        frequency = 2 * np.pi / period
        decay, damped = DAMPING_RATIO * frequency, frequency * np.sqrt(1 - DAMPING_RATIO**2)
        shrink, cosine, sine = np.exp(-decay), np.cos(damped), np.sin(damped)
        step = shrink * np.array(
            [
                [cosine + decay / damped * sine, frequency / damped * sine],
                [-frequency / damped * sine, cosine - decay / damped * sine],
            ]
        )
        state = (step - np.eye(2)) @ np.array([1 / frequency**2, 0.0])
        states = [state]
        for _ in range(num_frames - 1):
            states.append(step @ states[-1])
        columns.append(np.array(states[::-1]))
    return np.concatenate(columns, axis=1)


def oscillator_states(
    history: Float[Tensor, "B H A 3"], periods: tuple[float, ...] = PERIODS
) -> Float[Tensor, "B A O 3"]:
    """Return offsets and speeds (B, A, O, 3) of the oscillators that A points carried along over H frames, in the points'
    units.

    All oscillators are at rest in the beginning, and stay so where there are fewer than three frames.
    """
    batch, num_frames, points, _ = history.shape
    if num_frames < 3:
        return history.new_zeros(batch, points, 2 * len(periods), 3)
    return states_after(history.diff(dim=1).diff(dim=1), periods)


def states_after(accelerations: Float[Tensor, "B K A 3"], periods: tuple[float, ...]) -> Float[Tensor, "B A O 3"]:
    """Return what `oscillator_states` does, from the accelerations of K frames, per frame squared."""
    response = torch.from_numpy(impulse_response(accelerations.shape[1], periods)).to(accelerations)
    return torch.einsum("ko,bkac->baoc", response, accelerations)


def streamed_accelerations(
    accelerations: Float[Tensor, "K A 3"],
    latest: Float[Tensor, "3 A 3"],
    before: Float[Tensor, "1"],
    path: Float[Tensor, "H 3"],
) -> Float[Tensor, "K A 3"]:
    """Return the last accelerations of points, of which there are the earlier ones and the `latest` three places, in a sequence
    with so many frames `before` the current one.

    There are none before the third frame, in which those before the first are guessed: `path` holds the frames up to the third,
    as weights of the first three.
    """
    now = torch.where(before < 2, 0.0, latest.diff(dim=0).diff(dim=0))
    began = torch.einsum("hk,kac->hac", path[-HISTORY:].diff(dim=0).diff(dim=0), latest)
    return torch.where((before > 1) & (before < 3), began, torch.cat([accelerations[1:], now]))
