"""NumPy files: .npz and .npy with all frames in one array, and .npy, .txt and .csv with the joints of one frame."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.formats.guarded_reading import guarded
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons, checked_polygons
from data.formats.positions import checked_positions
from data.input_error import InputError
from data.safe_write import write_beside

MOST_CORNERS = 16  # of a face, where there are hardly any
NUMBERS, ARRAYS = "array of numbers", "archive of arrays of numbers"
# names, the usual first, in small letters and without underscores
NUMBERS_OF_FRAMES = (
    "framenumbers", "framenumber", "frameids", "frameid", "frameindices", "frameidxs", "frameidx", "frameindex", "framenos",
    "frameno", "framenums", "framenum", "frames", "frame", "timestamps", "timestamp",
)  # fmt: skip
NO_JOINTS = {"poses", "pose", "betas", "shape", "transl", "trans", "fullpose"}  # of body models: angles, and more


def load_array(path: Path) -> ndarray:
    """Return the array of an .npy file, memory-mapped, without ever running code; raise `InputError` for any other file."""
    with guarded(path, NUMBERS):
        return np.lib.format.open_memmap(path, mode="r")


def read_points(path: Path) -> tuple[Float[ndarray, "J 3"], Polygons]:
    """Return the points (J, 3) of an array in an .npy, .txt or .csv file, file units, and no polygons.

    Raises `InputError` for a file that is not whole, not (J, 3) or not finite.
    """
    if path.suffix.lower() == ".npy":
        return checked_positions(load_array(path), path), Polygons()
    with guarded(path, f"{NUMBERS}, three in a line"), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # about a file without numbers
        text = path.read_text(encoding="utf-8-sig").replace(",", " ")
        points = np.loadtxt(text.splitlines(), ndmin=2)
    return checked_positions(points, path), Polygons()


def arrays_of_numbers(path: Path, wanted: Callable[[str], bool] = bool) -> dict[str, ndarray]:
    """Return the arrays of an .npz file, or those whose names are `wanted`; raise `InputError` for any other file.

    Objects and files of other kinds beside them are passed over: no code is ever run.
    """
    with guarded(path, ARRAYS), open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
        arrays = {}
        for name in stored.files:
            if wanted(name):
                with passing_over_objects():
                    arrays[name] = stored[name]
    return {name: each for name, each in arrays.items() if isinstance(each, ndarray)}  # no bytes of another file


@contextmanager
def passing_over_objects() -> Iterator[None]:
    """Let pass that NumPy refuses to load an array of objects."""
    try:
        yield
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise


def listed(arrays: dict[str, ndarray]) -> str:
    """Return the names and shapes of arrays, as a message lists them."""
    return ", ".join(f"{name} {each.shape}" for name, each in sorted(arrays.items())) or "no arrays of numbers"


def read_npz(path: Path) -> tuple[Float[ndarray, "V 3"], Polygons]:
    """Return the positions (V, 3) of one frame in an .npz file, and its faces where there are any: its array `vertices`, or
    the only one of such a shape. Raises `InputError`."""
    arrays = arrays_of_numbers(path)
    arrays = {name: each[0] if each.ndim == 3 and len(each) == 1 else each for name, each in arrays.items()}
    found = {
        name: each for name, each in arrays.items() if each.ndim == 2 and each.shape[1] == 3 and each.dtype.kind == "f"
    }
    named = ["vertices"] if "vertices" in arrays else list(found)
    if len(named) != 1:
        raise InputError(
            f"{path}: found {listed(arrays)}, expected one array of positions, or one named vertices (V, 3)"
        )
    vertices = checked_positions(arrays[named[0]], path)
    faces = arrays.get("faces")
    if faces is None or faces.ndim != 2 or faces.dtype.kind not in "iu":
        return vertices, Polygons()
    return vertices, checked_polygons(Polygons.from_rows(faces.astype(np.int64)), len(vertices), path)


def open_npy(path: Path) -> OpenedFrames:
    """Return the frames of an .npy file of positions (T, V, 3), numbered from 1, without faces. Raises `InputError`."""
    return open_positions(path, load_array(path), None, Polygons())


def open_npz(path: Path) -> OpenedFrames:
    """Return the frames of an .npz file.

    Its arrays are `vertices` (T, V, 3) and, where there are any, `faces` (P, K), vertex indices from 0, the rows of smaller
    polygons filled up with -1; `frame_numbers` (T,), or another one of `NUMBERS_OF_FRAMES`, which otherwise count from 1;
    `texture_coordinates` (U, 2) with their indices `texture_corners` (P, K). An array of another name is taken for `vertices`
    or `faces` where it is the only one of such a shape. Raises `InputError`.
    """
    arrays = arrays_of_numbers(path)
    found = listed(arrays)
    positions = [name for name, each in arrays.items() if each.ndim == 3 and each.shape[2] == 3 and name != "joints"]
    integers = {name: each.astype(np.int64) for name, each in arrays.items() if each.dtype.kind in "iu"}
    arrays |= integers
    faces = [
        name for name, each in integers.items() if each.ndim == 2 and each.shape[1] > 2 and name != "texture_corners"
    ]
    for name, short, alike in (("vertices", "v", positions), ("faces", "f", faces)):
        if name not in arrays and (short in alike or len(alike) == 1):
            arrays[name] = arrays[short if short in alike else alike[0]]
    if "vertices" not in arrays:
        raise InputError(f"{path}: found {found}, expected an array vertices (T, V, 3)")
    for name, dimensions, kinds in (("faces", 2, "iu"), ("texture_corners", 2, "iu"), ("texture_coordinates", 2, "f")):
        if name in arrays and (arrays[name].ndim != dimensions or arrays[name].dtype.kind not in kinds):
            raise InputError(f"{path}: {name} of shape {arrays[name].shape} ({arrays[name].dtype}) cannot be used")
    polygons = Polygons()
    if "faces" in arrays:
        if arrays["faces"].shape[1] > MOST_CORNERS and len(arrays["faces"]) <= 4:
            raise InputError(
                f"{path}: faces of shape {arrays['faces'].shape}, expected a row for each (P, K): transpose them"
            )
        polygons = Polygons.from_rows(arrays["faces"])
    if {"texture_coordinates", "texture_corners"} <= set(arrays) and arrays["texture_coordinates"].shape[1] == 2:
        polygons.texture = arrays["texture_coordinates"].astype(np.float32)
        polygons.texture_corners = Polygons.from_rows(arrays["texture_corners"]).corners
    return open_positions(path, arrays["vertices"], numbers_of_frames(path, arrays), polygons)


def open_npz_joints(path: Path) -> OpenedFrames:
    """Return the frames of the array `joints` (T, J, 3) of an .npz file, or of the only one of such a shape, unless its name is
    that of something else; numbered as in `open_npz`. Raises `InputError`."""
    arrays = arrays_of_numbers(path, lambda name: name == "joints" or plain(name) in NUMBERS_OF_FRAMES)
    if "joints" not in arrays:
        arrays = arrays_of_numbers(path)
        found = [name for name, each in arrays.items() if each.ndim == 3 and each.shape[2] == 3]
        if len(found) != 1 or plain(found[0]) in NO_JOINTS:
            raise InputError(f"{path}: found {listed(arrays)}, expected an array joints (T, J, 3) of positions")
        arrays["joints"] = arrays[found[0]]
    return open_positions(path, arrays["joints"], numbers_of_frames(path, arrays), Polygons())


def plain(name: str) -> str:
    """Return a name in small letters, without underscores."""
    return name.lower().replace("_", "")


def numbers_of_frames(path: Path, arrays: dict[str, ndarray]) -> ndarray | None:
    """Return the numbers of the frames in an archive, as whole numbers where they are; None where there are none."""
    for name in NUMBERS_OF_FRAMES:
        for own, numbers in arrays.items():
            if plain(own) == name and numbers.squeeze().ndim == 1:
                numbers = numbers.squeeze()
                if numbers.dtype.kind in "iuf" and (numbers == np.rint(numbers)).all():
                    return numbers.astype(np.int64)
                raise InputError(f"{path}: {own} expected to be {numbers.size} whole numbers, each above the last")
    return None


def open_positions(path: Path, vertices: Any, frame_numbers: ndarray | None, polygons: Polygons) -> OpenedFrames:
    """Return the frames of an array (T, V, 3); raise `InputError`, naming `path`, for another shape, or numbers that do not
    rise."""
    if vertices.ndim != 3 or vertices.shape[2] != 3 or not vertices.size:
        raise InputError(f"{path}: found an array of shape {vertices.shape}, expected (T, V, 3)")
    counted = frame_numbers is None
    numbers = np.arange(1, len(vertices) + 1) if frame_numbers is None else frame_numbers
    if numbers.shape != (len(vertices),) or (np.diff(numbers) <= 0).any():
        raise InputError(
            f"{path}: found {len(numbers)} numbers of frames, expected {len(vertices)}, each above the last"
        )
    positions = (
        checked_positions(np.asarray(each), f"{path}: frame {number}")
        for number, each in zip(numbers, vertices, strict=True)
    )
    num_vertices = vertices.shape[1]
    polygons = checked_polygons(polygons, num_vertices, path)
    return OpenedFrames(numbers.tolist(), num_vertices, polygons, positions, counted)


def write_npy(path: Path, vertices: Float[ndarray, "T V 3"]) -> None:
    """Write positions (T, V, 3) as an .npy file, whole or not at all."""
    with write_beside(path) as partial, open(partial, "wb") as file:
        np.save(file, vertices)


def write_npz(
    path: Path,
    frame_numbers: list[int],
    vertices: Float[ndarray, "T V 3"],
    polygons: Polygons,
    values: dict[str, Float[ndarray, "T V"]] | None = None,
) -> None:
    """Write positions (T, V, 3), what belongs to them, and further `values` (T, V), by name, as an .npz file that `open_npz`
    reads, whole or not at all."""
    arrays: dict[str, Any] = {"vertices": vertices, "frame_numbers": np.array(frame_numbers)} | (values or {})
    if len(polygons.sizes):
        arrays["faces"] = polygons.to_rows(polygons.corners)
    if len(polygons.texture):
        arrays["texture_coordinates"] = polygons.texture
        arrays["texture_corners"] = polygons.to_rows(polygons.texture_corners)
    with write_beside(path) as partial, open(partial, "wb") as file:
        np.savez(file, **arrays)
