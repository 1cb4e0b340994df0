"""How far the vertices of scans are trusted, out of a file: an array, or the transparency of painted vertex colours."""

import warnings
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


def read_weights(path: Path) -> tuple[Float32[ndarray, "W V"], Int64[ndarray, " W"] | None]:
    """Return the weights in a file, 0 to 1: of each vertex (1, V), or of each frame and vertex (W, V), and the frames' numbers
    (W,), where the file says them.

    An .npy file holds one array; an .npz file an array `weights`, or the only one of such a shape, and `frame_numbers` where
    there are some; of a .ply file, the alpha of the vertices' colours is taken. Raises `InputError`.
    """
    ending = path.suffix.lower()
    if not path.is_file() or ending not in ENDINGS:
        kind = "a file of unknown kind" if path.is_file() else "a folder" if path.is_dir() else "no such file"
        raise InputError(f"{path}: found {kind}, expected weights of the scans' vertices: one of {', '.join(ENDINGS)}")
    numbers = None
    if ending == ".npy":
        weights = np.array(load_array(path))
    elif ending == ".ply":
        weights = alpha_of_colors(path)
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
    good = (weights >= 0) & (weights <= 1)
    if not good.all():
        row, vertex = (int(each[0]) for each in np.nonzero(~good))
        which = f" of frame {row if numbers is None else numbers[row]}" if len(weights) > 1 else ""
        raise InputError(f"{path}: the weight of vertex {vertex}{which} is {weights[row, vertex]:g}, expected 0 to 1")
    return weights, numbers


def alpha_of_colors(path: Path) -> Float[ndarray, " V"]:
    """Return the alpha of the vertices' colours in a PLY file (V,), 0 to 1; raise `InputError` where there is none."""
    from trimesh.exchange.ply import load_ply  # half a second, which nothing else has to wait for

    with guarded(path, "PLY file"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        content = load_ply(BytesIO(with_plain_header(path.read_bytes())), fix_texture=False, skip_materials=True)
        vertex = content["metadata"]["_ply_raw"].get("vertex", {})
        kinds, rows = vertex.get("properties", {}), vertex.get("data", {})
        alpha = np.asarray(rows["alpha"]).reshape(-1) if "alpha" in kinds else None
    if alpha is None:
        raise InputError(f"{path}: its vertices have {', '.join(kinds) or 'nothing'}, expected alpha, of their colours")
    # whole numbers from 0 to the largest of their kind, as in colours
    return alpha / 255 if alpha.dtype.kind in "iu" or alpha.max(initial=0) > 1 else alpha
