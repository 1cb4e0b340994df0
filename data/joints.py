"""Joints: files of points in a fixed order, one file per frame."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from data.input_error import InputError
from data.obj import parse_vertices, read_text

POINT_FILES = (".obj", ".npy", ".txt")


def read_points(path: Path) -> Float32[ndarray, "J 3"]:
    """Return the points (J, 3) of a file, file units: an OBJ's `v` lines (bones as `l` lines are passed over), or an array.

    Raises `InputError` for a file that is not whole, not (J, 3) or not finite.
    """
    if path.suffix.lower() == ".obj":
        return parse_vertices(read_text(path), path)
    try:
        points = np.load(path, allow_pickle=False) if path.suffix.lower() == ".npy" else np.loadtxt(path, ndmin=2)
        points = np.asarray(points, dtype=np.float64)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: cannot be read as an array of numbers ({str(error).splitlines()[0]})") from None
    if points.ndim != 2 or points.shape[1] != 3 or not len(points):
        raise InputError(f"{path}: found an array of shape {points.shape}, expected (J, 3)")
    with np.errstate(over="ignore"):
        points = points.astype(np.float32)
    if not np.isfinite(points).all():
        raise InputError(f"{path}: joint {int(np.flatnonzero(~np.isfinite(points).all(axis=1))[0])} is not finite")
    return points
