"""All frames of one folder or file of meshes, parsed once and cached.

What was parsed is kept (`data.mesh_cache`); positions are memory-mapped, so that frames without number cost no memory.
"""

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32
from numpy import ndarray
from tqdm import tqdm

from data.input_error import InputError
from data.mesh_cache import cache_folder, cache_key, is_whole, write_checksums
from data.mesh_formats import MESHES, SEQUENCES, open_frames, sequence_ending
from data.opened_frames import OpenedFrames
from data.polygons import Polygons
from data.safe_write import write_beside


@dataclass
class MeshFrames:
    """All frames of one folder or file: their numbers, positions (T, V, 3) in the files' units, and their polygons.

    `files` are those they were read from, the same one for all where one file holds them; `names` those without ending.
    """

    path: Path
    frame_numbers: list[int]
    files: list[Path]
    names: list[str]
    vertices: Float32[ndarray, "T V 3"]
    polygons: Polygons


def list_frames(folder: Path, endings: Collection[str] = tuple(MESHES)) -> dict[int, Path]:
    """Return a folder's files of these `endings` by frame number, the last number in a file's name, in numeric order.

    A file in place of a folder is the only one. Raises `InputError` for no such files, files of several kinds, a name without
    a number, and a number that appears twice.
    """
    frames: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
        if path.suffix.lower() not in endings or path.name.startswith("."):
            continue
        numbers = re.findall(r"\d+", path.stem)
        if not numbers:
            raise InputError(f"{path}: no number in the name, expected a frame number as in name.00001{path.suffix}")
        number = int(numbers[-1])
        if number in frames:
            raise InputError(f"{path}: frame {number} is there twice, also as {frames[number].name}")
        frames[number] = path
    if not frames:
        raise InputError(f"{folder}: no {', '.join(endings)} files found")
    kinds = sorted({path.suffix.lower() for path in frames.values()})
    if len(kinds) > 1:
        raise InputError(f"{folder}: found {' and '.join(kinds)} files, expected one kind")
    return dict(sorted(frames.items()))


def load_frames(path: Path, endings: Collection[str] = tuple(MESHES)) -> MeshFrames:
    """Return all frames of a folder or file, from the cache where it is up to date and whole; parse, check and cache where not.

    Raises `InputError` for a path that is neither a folder of files of these `endings` nor one file of all frames, for what
    `list_frames` and the readers refuse, and for a frame of another topology.
    """
    ending = sequence_ending(path)
    frames = {} if ending else list_frames(path, endings)
    files = list(frames.values()) or [path]
    entry = cache_folder() / cache_key(path, files)
    if entry.exists() and not is_whole(entry):
        tqdm.write(f"{entry}: damaged, so {path} is read again")
        shutil.rmtree(entry)
    if not entry.exists():
        opened = SEQUENCES[ending](path) if ending else open_frames(files, list(frames), f"reading {path}")
        with write_beside(entry) as unfinished:
            write_entry(unfinished, opened)
    with np.load(entry / "topology.npz") as stored:
        polygons = Polygons(stored["sizes"], stored["corners"], stored["texture"], stored["texture_corners"])
        numbers = stored["frame_numbers"].tolist()
    vertices = np.load(entry / "vertices.npy", mmap_mode="r")
    if ending:
        names = [f"{path.stem}.{number:05d}" for number in numbers]
        return MeshFrames(path, numbers, [path] * len(numbers), names, vertices, polygons)
    return MeshFrames(path, numbers, files, [file.stem for file in files], vertices, polygons)


def write_entry(entry: Path, opened: OpenedFrames) -> None:
    """Read all frames and keep them in a new folder of the cache."""
    entry.mkdir()
    shape = len(opened.frame_numbers), opened.num_vertices, 3
    # written, not memory-mapped: a full disk is then an error and not a crash
    with open(entry / "vertices.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for vertices in opened.positions:
            file.write(vertices.astype("<f4").tobytes())
    polygons = opened.polygons
    np.savez(
        entry / "topology.npz",
        frame_numbers=np.array(opened.frame_numbers),
        sizes=polygons.sizes,
        corners=polygons.corners,
        texture=polygons.texture,
        texture_corners=polygons.texture_corners,
    )
    write_checksums(entry)
