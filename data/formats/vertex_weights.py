"""A number for each vertex, out of a file: an array, or painted vertex colours. How far scans are trusted, what is wanted."""

import warnings
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy import ndarray

from data.formats.arrays import arrays_of_numbers, listed, load_array, numbers_of_frames
from data.formats.guarded_reading import guarded
from data.formats.ply import with_plain_header
from data.input_error import InputError

ENDINGS = (".npy", ".npz", ".ply")


def read_strengths(path: Path, num_vertices: int) -> Float32[ndarray, " V"]:
    """Return how much of something is wanted at each vertex (V,), 0 or more, out of a file as `read_weights` takes it; of a
    .ply file the mean of red, green and blue, 0 to 1. Raises `InputError` also for another number of vertices."""
    strengths, _ = rows_in(path, grey_of_colors)
    if strengths.shape != (1, num_vertices):
        found = f"{strengths.shape[1]} vertices" if len(strengths) == 1 else f"{len(strengths)} frames"
        raise InputError(f"{path}: found strengths of {found}, expected one for each of {num_vertices} vertices")
    (bad,) = np.nonzero(~((strengths[0] >= 0) & np.isfinite(strengths[0])))
    if len(bad):
        raise InputError(f"{path}: the strength of vertex {bad[0]} is {strengths[0, bad[0]]:g}, expected 0 or more")
    return strengths[0]


def read_weights(path: Path) -> tuple[Float32[ndarray, "W V"], Int64[ndarray, " W"] | None]:
    """Return the weights in a file, 0 to 1: of each vertex (1, V), or of each frame and vertex (W, V), and the frames' numbers
    (W,), where the file says them.

    An .npy file holds one array; an .npz file an array `weights`, or the only one of such a shape, and `frame_numbers` where
    there are some; of a .ply file, the alpha of the vertices' colours is taken. Raises `InputError`.
    """
    weights, numbers = rows_in(path, alpha_of_colors)
    good = (weights >= 0) & (weights <= 1)
    if not good.all():
        row, vertex = (int(each[0]) for each in np.nonzero(~good))
        which = f" of frame {row if numbers is None else numbers[row]}" if len(weights) > 1 else ""
        raise InputError(f"{path}: the weight of vertex {vertex}{which} is {weights[row, vertex]:g}, expected 0 to 1")
    return weights, numbers


def rows_in(
    path: Path, of_colors: Callable[[Path], Float[ndarray, " V"]]
) -> tuple[Float32[ndarray, "W V"], Int64[ndarray, " W"] | None]:
    """Return what `read_weights` does, of any size; `of_colors` takes it from the colours in a .ply file."""
    ending = path.suffix.lower()
    if not path.is_file() or ending not in ENDINGS:
        kind = "a file of unknown kind" if path.is_file() else "a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: found {kind}, expected a number for each vertex: one of {', '.join(ENDINGS)}")
    numbers = None
    if ending == ".npy":
        weights = np.array(load_array(path))
    elif ending == ".ply":
        weights = of_colors(path)
    else:
        arrays = arrays_of_numbers(path)
        numbers = numbers_of_frames(path, arrays)
        found = [name for name, each in arrays.items() if each.dtype.kind in "fb" and each.ndim in (1, 2)]
        named = ["weights"] if "weights" in arrays else found
        if len(named) != 1:
            raise InputError(f"{path}: found {listed(arrays)}, expected one array of weights, or one named weights")
        weights = arrays[named[0]]
    if weights.ndim not in (1, 2) or not weights.size or weights.dtype.kind not in "fiub":
        raise InputError(
            f"{path}: found an array of shape {weights.shape} ({weights.dtype}), expected weights (V,) or (T, V)"
        )
    weights = np.atleast_2d(weights).astype(np.float32)
    if numbers is not None and (np.diff(numbers) == 0).any():
        raise InputError(f"{path}: numbers of frames that are there twice, expected each once")
    if numbers is not None and (len(weights) == 1 or numbers.shape != (len(weights),)):
        if len(weights) > 1:
            raise InputError(f"{path}: found {numbers.size} numbers of frames, expected {len(weights)}, one per row")
        numbers = None
    return weights, numbers


def alpha_of_colors(path: Path) -> Float[ndarray, " V"]:
    """Return the alpha of the vertices' colours in a PLY file (V,), 0 to 1; raise `InputError` where there is none."""
    return colors_in(path, ["alpha"])[0]


def grey_of_colors(path: Path) -> Float[ndarray, " V"]:
    """Return the mean of red, green and blue of the vertices in a PLY file (V,), 0 to 1; raise `InputError` where there are
    none."""
    return colors_in(path, ["red", "green", "blue"]).mean(axis=0)


def colors_in(path: Path, names: list[str]) -> Float[ndarray, "C V"]:
    """Return some of the vertices' colours in a PLY file, 0 to 1; raise `InputError` where one is not there."""
    from trimesh.exchange.ply import load_ply  # half a second, which nothing else has to wait for

    with guarded(path, "PLY file"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        content = load_ply(BytesIO(with_plain_header(path.read_bytes())), fix_texture=False, skip_materials=True)
        vertex = content["metadata"]["_ply_raw"].get("vertex", {})
        kinds, rows = vertex.get("properties", {}), vertex.get("data", {})
        found = [np.asarray(rows[name]).reshape(-1) for name in names if name in kinds]
    if len(found) < len(names):
        there = ", ".join(kinds) or "nothing"
        raise InputError(f"{path}: its vertices have {there}, expected {', '.join(names)}, of their colours")
    # whole numbers from 0 to the largest of their kind, as in colours
    colors = np.stack(found)
    return colors / 255 if colors.dtype.kind in "iu" or colors.max(initial=0) > 1 else colors.astype(np.float64)
