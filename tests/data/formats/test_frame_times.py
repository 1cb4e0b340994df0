from pathlib import Path

import numpy as np
import pytest

from data.formats.frame_times import sampled_frames
from data.input_error import InputError

HERE = Path("a.abc")


@pytest.mark.parametrize("rate", [24.0, 30.0, 29.97])
def test_times_are_frames_over_the_frame_rate(rate):
    numbers = np.array([86400, 86401, 86403, 86407])
    times = (numbers / rate).astype(np.float32).astype(float)  # an hour into a shot, in single precision
    frames = sampled_frames(HERE, times, rate)
    assert frames.numbers.tolist() == numbers.tolist()
    assert not frames.counted
    frames = sampled_frames(HERE, (numbers - 86390) / rate)
    assert frames.numbers.tolist() == [10, 11, 13, 17]
    assert not frames.counted


def test_what_nobody_says_is_counted():
    assert sampled_frames(HERE, np.arange(4) / 30)[1:] == (pytest.approx(np.arange(1, 5)), True)
    assert sampled_frames(HERE, (np.arange(4) + 0.5) / 30).counted
    assert sampled_frames(HERE, np.array([7 / 24])).numbers.tolist() == [1]
    assert sampled_frames(HERE, np.array([7 / 24]), 24.0)[1:] == (pytest.approx(np.array([7])), False)


def test_samples_between_frames_are_motion_blur():
    times = np.array([0.75, 1, 1.25, 1.75, 2, 2.25]) / 24
    frames = sampled_frames(HERE, times, 24.0)
    assert frames.samples.tolist() == [1, 4]
    assert frames.numbers.tolist() == [1, 2]
    # another rate than the file says: the samples count
    assert sampled_frames(HERE, np.arange(10, 16) / 25, 24.0).numbers.tolist() == list(range(10, 16))


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([0, 1e-30, 1], "expected seconds"),
        ([1e30], "expected seconds"),
        ([1, 2, 2], "do not rise"),
        ([1, np.nan], "do not rise"),
        ([0, 1, 2.5, 3.7], "not a whole number of frames apart"),
    ],
)
def test_times_of_no_frames(times, message):
    with pytest.raises(InputError, match=f"a.abc: times of samples .*{message}"):
        sampled_frames(HERE, np.array(times, dtype=float))
