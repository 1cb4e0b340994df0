"""All frames of one folder or file of meshes, parsed once and cached.

What was parsed is kept (`data.sequences.mesh_cache`). Positions are memory-mapped: any number of frames costs no memory.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing import current_process
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Float
from numpy import ndarray
from tqdm import tqdm

from data.formats.mesh_formats import MESHES, SEQUENCES, sequence_ending
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons
from data.input_error import InputError
from data.safe_write import remove, remove_leftovers, write_beside
from data.sequences.frame_files import open_frames
from data.sequences.mesh_cache import cache_folder, cache_key, fingerprint, is_whole, write_checksums


@dataclass
class MeshFrames:
    """All frames of one folder or file: their numbers, positions (T, V, 3) in the files' units, and their polygons.

    `files` are the files that the frames were read from, the same one for all where one file holds them; `names` are their
    names without ending. The `fingerprint` stands for positions, polygons and numbers, wherever they were read from.
    """

    path: Path
    frame_numbers: list[int]
    files: list[Path]
    names: list[str]
    vertices: Float[ndarray, "T V 3"]
    polygons: Polygons
    fingerprint: str


def list_frames(folder: Path, endings: Collection[str] = tuple(MESHES)) -> dict[int, Path]:
    """Return a folder's files of these `endings` by frame number, the last number in a file's name, in numeric order.

    A file in place of a folder is the only one. Raises `InputError` where there are no such files or several formats, for a
    name without a number, and for a number that appears twice.
    """
    frames: dict[int, Path] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else [folder]:
        if path.suffix.lower() not in endings or path.name.startswith("."):
            continue
        if not path.is_file():
            raise InputError(
                f"{path}: found no file that can be read (a folder, a pipe or a broken link?), expected a mesh"
            )
        numbers = re.findall(r"\d+", path.stem)
        if not numbers:
            raise InputError(f"{path}: no number in the name, expected a frame number as in name.00001{path.suffix}")
        number = int(numbers[-1])
        if number >= 2**63:
            raise InputError(f"{path}: found {number} as its frame number, expected less than {2**63}")
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
    """Return all frames of a folder or file: from the cache where it is up to date and whole, else parsed, checked and cached.

    Raises `InputError` for a path that is neither a folder of files of these `endings` nor one file of all frames, for all
    that `list_frames` and the readers refuse, and for a frame of another topology.
    """
    ending = sequence_ending(path)
    frames = {} if ending else list_frames(path, endings)
    files = list(frames.values()) or [path]
    entry = cache_folder() / cache_key(path, files)
    if not is_whole(entry):
        with the_only_one_to_read(path, entry):
            if entry.exists() and not is_whole(entry):
                tqdm.write(f"{entry}: damaged, so {path} is read again")
                remove(entry)
            if not entry.exists():
                opened = SEQUENCES[ending](path) if ending else open_frames(files, list(frames), f"reading {path}")
                with write_beside(entry) as unfinished:
                    write_entry(unfinished, opened)
                    if cache_key(path, files) != entry.name:
                        raise InputError(f"{path}: changed while it was read, expected files that nobody writes to")
    with np.load(entry / "topology.npz") as stored:
        polygons = Polygons(stored["sizes"], stored["corners"], stored["texture"], stored["texture_corners"])
        numbers = stored["frame_numbers"].tolist()
    vertices = np.load(entry / "vertices.npy", mmap_mode="r")
    names = [file.stem for file in files]
    if ending:
        files, names = [path] * len(numbers), [f"{path.stem}.{number:05d}" for number in numbers]
    return MeshFrames(path, numbers, files, names, vertices, polygons, fingerprint(entry))


@contextmanager
def the_only_one_to_read(path: Path, entry: Path) -> Iterator[None]:
    """Wait until no other run reads the same files into the same cache entry, and keep other runs waiting inside the block."""
    entry.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(f"{entry}.lock")
    try:
        held = lock.acquire(timeout=0)
    except Timeout:
        # as multiprocessing.spawn asks it: a process that imports the script that started it, and that waits for it
        if getattr(current_process(), "_inheriting", False):
            raise RuntimeError(f'{path}: read by a script without `if __name__ == "__main__":`') from None
        tqdm.write(f"{path}: another run is reading it, waiting for that one to end")
        held = lock.acquire()
    with held:
        remove_leftovers(entry.parent)
        yield


def begin_array(file: BinaryIO, kind: str, shape: tuple[int, ...]) -> int:
    """Write the head of an .npy file of an array; return how long it is."""
    # written, not memory-mapped: a full disk is then an error and not a crash
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.tell()


def write_vertices(path: Path, opened: OpenedFrames) -> None:
    """Write the positions of all frames as one array (T, V, 3), in double precision where any of them needs it."""
    shape = len(opened.frame_numbers), opened.num_vertices, 3
    with closing(opened.positions):
        with open(path, "wb") as file:
            head = begin_array(file, "<f4", shape)
            for num_near, vertices in enumerate(opened.positions):  # noqa: B007 (used after the loop)
                if vertices.dtype == np.float64:
                    break
                file.write(vertices.astype("<f4").tobytes())
            else:
                return
        near = path.rename(path.with_name("near.npy"))
        with open(path, "wb") as file, open(near, "rb") as before:
            begin_array(file, "<f8", shape)
            before.seek(head)
            earlier = (np.fromfile(before, "<f4", vertices.size) for _ in range(num_near))
            for frame in chain(earlier, [vertices], opened.positions):
                file.write(frame.astype("<f8").tobytes())
        near.unlink()


def write_entry(entry: Path, opened: OpenedFrames) -> None:
    """Read all frames and keep them in a new folder of the cache."""
    entry.mkdir()
    write_vertices(entry / "vertices.npy", opened)
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
