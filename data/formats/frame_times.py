"""Which frames samples are of, in formats that count seconds."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from data.input_error import InputError

ROUNDING, UNEVEN = 0.01, 0.1  # of a frame: times in single precision, hours into a shot; and of another clock
MOST_FRAMES, MOST_SAMPLED = 100_000_000, 1_000_000
MOST_PARTS = 8  # frames between the nearest two samples


class SampledFrames(NamedTuple):
    """The samples (T,) that are whole frames, the frames' numbers (T,), and whether nothing said these: then they count from
    1."""

    samples: Int64[ndarray, " T"]
    numbers: Int64[ndarray, " T"]
    counted: bool


def sampled_frames(path: Path, times: Float[ndarray, " S"], frame_rate: float | None = None) -> SampledFrames:
    """Return which frames samples at some times (S,), seconds, are of.

    With a frame rate, a frame's number is its time times that, and samples between frames, of motion blur, are passed over.
    Without one, frames are as far apart as the nearest two samples, or a whole part of that; those that begin at zero, as
    programs write of any shot, or between frames, are counted. Raises `InputError`, naming `path`, where times do not rise, or
    are not those of frames.
    """
    every = np.arange(len(times))
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise InputError(f"{path}: times of samples that do not rise, expected each above the last")
    apart = np.diff(times).min(initial=np.inf)
    if np.abs(times).max() > MOST_FRAMES * min(apart, 1.0):
        raise InputError(
            f"{path}: times of samples from {times[0]:g} to {times[-1]:g}, {apart:g} apart, expected seconds"
        )
    if frame_rate is not None:
        at = times * frame_rate
        whole = np.abs(at - np.rint(at)) < ROUNDING
        if whole.all() or (whole.any() and np.diff(at).min() < 1 - ROUNDING):
            return SampledFrames(every[whole], np.rint(at[whole]).astype(np.int64), False)
    if len(times) == 1:
        return SampledFrames(every, every + 1, True)
    for parts in range(1, MOST_PARTS + 1):
        places = np.rint(parts * (times - times[0]) / apart)
        step = (times[-1] - times[0]) / places[-1]
        if np.abs((times - times[0]) / step - places).max() < (UNEVEN if parts == 1 else ROUNDING):
            first = times[0] / step
            if times[0] == 0 or abs(first - np.rint(first)) > UNEVEN:
                return SampledFrames(every, places.astype(np.int64) + 1, True)
            return SampledFrames(every, (places + np.rint(first)).astype(np.int64), False)
    raise InputError(f"{path}: times of samples that are not a whole number of frames apart, expected frames")


def sampled_seconds(
    path: Path, times: Float[ndarray, " K"], frame_rate: float
) -> tuple[Float[ndarray, " T"], Int64[ndarray, " T"], bool]:
    """Return when to sample an animation whose keys are at some times (K,), seconds: at all whole frames between the first and
    the last; and their numbers, with whether these are counted from 1, as where the animation begins at zero or has no keys.

    Raises `InputError`, naming `path`, for times that no animation has.
    """
    if not len(times):
        return np.zeros(1), np.ones(1, np.int64), True
    first, last = float(times.min()) * frame_rate, float(times.max()) * frame_rate
    if not (np.isfinite(times).all() and abs(first) < MOST_FRAMES and last - first < MOST_SAMPLED):
        raise InputError(
            f"{path}: an animation from {times.min():g} to {times.max():g} s, expected one that can be sampled"
        )
    numbers = np.arange(np.ceil(first - ROUNDING), np.floor(last + ROUNDING) + 1)
    if not len(numbers):
        numbers = np.array([np.floor(last)])
    counted = numbers[0] == 0
    return numbers / frame_rate, numbers.astype(np.int64) + int(counted), bool(counted)
