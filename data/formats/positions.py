"""Which positions are accepted, and in which precision they are kept."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Float64
from numpy import ndarray

from data.input_error import InputError

LARGEST_COORDINATE = float(np.finfo(np.float32).max)
LARGEST_ROUNDING = 1e-6  # of the extent, by single precision


def in_needed_precision(positions: Float[ndarray, "*B V 3"]) -> Float[ndarray, "*B V 3"]:
    """Return positions in single precision where that holds them to a millionth of their extent, else in double.

    Far from the origin it does not: at 10 km, single precision has steps of a millimetre. What is no number does not matter.
    """
    axes = [positions[..., axis] for axis in range(3)]  # each by itself: ten times as fast
    if np.isnan(axes[0]).any():
        there = positions[~np.isnan(axes[0])]
        return positions.astype(in_needed_precision(there).dtype if len(there) else np.float32, copy=False)
    lowest, highest = (np.array(ends, np.float64) for ends in ([a.min() for a in axes], [a.max() for a in axes]))
    farthest, extent = np.maximum(-lowest, highest).max(), (highest - lowest).max()
    far = farthest * np.finfo(np.float32).eps / 2 > LARGEST_ROUNDING * extent > 0
    return positions.astype(np.float64 if far else np.float32, copy=False)


def origin_far_away(positions: Float[ndarray, "V 3"]) -> Float64[ndarray, "3"]:
    """Return what positions are to be written relative to, where single precision holds them only so: their middle; else
    zero."""
    known = positions[~np.isnan(positions[:, 0])]
    far = len(known) > 0 and in_needed_precision(known).dtype == np.float64
    return known.mean(axis=0, dtype=np.float64) if far else np.zeros(3)


def checked_positions(positions: ndarray, path: Path | str) -> Float[ndarray, "V 3"]:
    """Return an array as positions (V, 3), those that are not known as NaN in all three numbers; raise `InputError`, naming
    `path`, for another shape, or numbers that are infinite."""
    if positions.ndim != 2 or positions.shape[1] != 3 or not len(positions) or positions.dtype.kind not in "fiu":
        raise InputError(
            f"{path}: found an array of shape {positions.shape} ({positions.dtype}), expected numbers (V, 3)"
        )
    if positions.dtype != np.float32:
        with np.errstate(invalid="ignore"):  # of a NaN that signals
            positions = positions.astype(np.float64)
    bad = np.abs(positions) > LARGEST_COORDINATE  # no NaN is
    if bad.any():
        vertex = int(np.flatnonzero(bad.any(axis=1))[0])
        raise InputError(f"{path}: vertex {vertex} is {positions[vertex].tolist()}, expected three finite numbers")
    return in_needed_precision(unknown_as_a_whole(positions))


def unknown_as_a_whole(positions: Float[ndarray, "V 3"]) -> Float[ndarray, "V 3"]:
    """Return positions without those of which a number is NaN: all three are then."""
    unknown = np.isnan(positions).any(axis=1)
    return np.where(unknown[:, None], np.nan, positions).astype(positions.dtype) if unknown.any() else positions
