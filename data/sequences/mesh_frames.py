"""All frames of one folder or file of meshes, parsed once and cached.

What was parsed is kept (`data.sequences.mesh_cache`). Positions are memory-mapped: any number of frames costs no memory.
"""

from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing import current_process
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from jaxtyping import Float, Int
from numpy import ndarray
from tqdm import tqdm

from data.formats.mesh_formats import CHARACTERS, FRAMES, JOINT_SEQUENCES, SEQUENCES, sequence_ending
from data.formats.named_parts import named_part
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons
from data.input_error import InputError
from data.safe_write import remove, remove_leftovers, write_beside
from data.sequences.frame_files import open_frames
from data.sequences.frame_names import numbers_in_names
from data.sequences.mesh_cache import (
    cache_folder,
    cache_key,
    fingerprint,
    is_whole,
    others_changed,
    write_checksums,
    write_stamps,
)


@dataclass
class MeshFrames:
    """All frames of one folder or file: their numbers, positions (T, V, 3) in the files' units, and their polygons.

    `files` are the files that the frames were read from, the same one for all where one file holds them; `names` are their
    names without ending. Where nothing said the frames' numbers, they are `counted` from 1. The `fingerprint` stands for
    positions, polygons and numbers, wherever they were read from. `missing` (T,) says how many vertices are not known (NaN).
    Joints may have names.
    """

    path: Path
    frame_numbers: list[int]
    files: list[Path]
    names: list[str]
    vertices: Float[ndarray, "T V 3"]
    polygons: Polygons
    fingerprint: str
    counted: bool
    missing: Int[ndarray, " T"]
    point_names: list[str]


def list_frames(folder: Path, endings: Collection[str] = FRAMES) -> dict[int, Path]:
    """Return a folder's files of these `endings` by frame number, as `numbers_in_names` finds it, in numeric order.

    A file in place of a folder is the only one. Raises `InputError` where there are no such files or several formats, for a
    name without a number, and for a number that appears twice.
    """
    paths = [
        path
        for path in (sorted(folder.iterdir()) if folder.is_dir() else [folder])
        if path.suffix.lower() in endings and not path.name.startswith(".")
    ]
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"{path}: found no file that can be read (a folder, a pipe or a broken link?), expected a mesh"
            )
    if not paths:
        raise InputError(f"{folder}: no {', '.join(endings)} files found{hint_on_content(folder)}")
    kinds = sorted({path.suffix.lower() for path in paths})
    if len(kinds) > 1:
        # an export of several formats: frames, and beside them one file of all, with a record of its name
        paths = [
            path for path in paths if path.suffix.lower() not in SEQUENCES or not path.with_suffix(".json").is_file()
        ]
        kinds = sorted({path.suffix.lower() for path in paths})
    if len(kinds) > 1:
        raise InputError(f"{folder}: found {' and '.join(kinds)} files, expected one kind")
    frames: dict[int, Path] = {}
    for path, number in zip(paths, numbers_in_names(paths), strict=True):
        if abs(number) >= 2**63:
            raise InputError(f"{path}: found {number} as its frame number, expected less than {2**63}")
        if number in frames:
            raise InputError(
                f"{path}: frame {number} is there twice, also as {frames[number].name}; expected one file a frame, and the "
                "frame number to be the last that differs between the names"
            )
        frames[number] = path
    return dict(sorted(frames.items()))


def hint_on_content(folder: Path) -> str:
    """Return what to do about a folder without frames, behind a comma; nothing where that is not known."""
    if not folder.is_dir():
        return ""
    there = sorted(folder.iterdir())
    if folders := [path.name for path in there if path.is_dir()]:
        return f", but folders ({', '.join(folders[:3])}{', ...' if len(folders) > 3 else ''}): give each as a source"
    if others := sorted({path.suffix.lower() for path in there} & SEQUENCES.keys()):
        return f", but {' and '.join(others)} files: expected one of them, with all frames in it"
    if kinds := sorted({path.suffix.lower() for path in there if path.suffix and not path.name.startswith(".")}):
        return f", but {', '.join(kinds[:3])}: convert them, or name another folder"
    return ""


def load_frames(
    path: Path,
    endings: Collection[str] = FRAMES,
    joints: bool = False,
    with_holes: bool = False,
    frame_rate: float = 30.0,
) -> MeshFrames:
    """Return all frames of a folder or file: from the cache where it is up to date and whole, else parsed, checked and cached.

    They are those of the mesh or, out of a file that holds both, of the `joints`. Frames `with_holes` may lack vertices: NaN.
    The `frame_rate` is that of animations in seconds. Raises `InputError` for a path that is neither a folder of files of these
    `endings` nor one file of all frames, for all that `list_frames` and the readers refuse, for a frame of another topology,
    and for vertices that must not be missing.
    """
    ending, (file, _) = sequence_ending(path), named_part(path)
    frames = {} if ending else list_frames(path, endings)
    files, kind = list(frames.values()) or [file], "joints" if joints else "meshes"
    at_rate = {"frame_rate": frame_rate} if ending in CHARACTERS else {}
    kind += f" {at_rate}" if at_rate else ""
    entry = cache_folder() / cache_key(path, files, kind)
    if not is_whole(entry) or others_changed(entry):
        with the_only_one_to_read(path, entry):
            if entry.exists() and not is_whole(entry):
                tqdm.write(f"{entry}: damaged, so {path} is read again")
                remove(entry)
            elif entry.exists() and others_changed(entry):
                remove(entry)
            if not entry.exists():
                sequences = JOINT_SEQUENCES if joints else SEQUENCES
                opened = (
                    sequences[ending](path, **at_rate)
                    if ending
                    else open_frames(files, list(frames), f"reading {path}")
                )
                with write_beside(entry) as unfinished:
                    write_entry(unfinished, opened)
                    if cache_key(path, files, kind) != entry.name or others_changed(unfinished):
                        raise InputError(f"{path}: changed while it was read, expected files that nobody writes to")
    with np.load(entry / "topology.npz") as stored:
        polygons = Polygons(stored["sizes"], stored["corners"], stored["texture"], stored["texture_corners"])
        numbers, counted, missing = stored["frame_numbers"].tolist(), bool(stored["counted"]), stored["missing"]
        point_names = stored["point_names"].tolist()
    vertices = np.load(entry / "vertices.npy", mmap_mode="r")
    names = [file.stem for file in files]
    if ending:
        files, names = [file] * len(numbers), [f"{file.stem}.{number:05d}" for number in numbers]
    if missing.any() and not with_holes:
        frame = int(np.flatnonzero(missing)[0])
        where = f"{path}: frame {numbers[frame]}" if ending else files[frame]
        raise InputError(
            f"{where}: vertex {np.flatnonzero(np.isnan(vertices[frame, :, 0]))[0]} is [nan, nan, nan], expected three finite "
            "numbers: only scans may lack vertices"
        )
    return MeshFrames(
        path, numbers, files, names, vertices, polygons, fingerprint(entry), counted, missing, point_names
    )


@contextmanager
def the_only_one_to_read(path: Path, entry: Path) -> Iterator[None]:
    """Wait until no other run reads the same files into the same cache entry, and keep other runs waiting inside the block."""
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{entry.parent}: the cache of parsed meshes cannot be made there ({error.strerror}), "
            "expected a folder that can be written to: set SKIN2SCAN_CACHE"
        ) from None
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


def write_vertices(path: Path, opened: OpenedFrames) -> list[int]:
    """Write the positions of all frames as one array (T, V, 3), in double precision where any of them needs it; return how many
    of each frame are not known."""
    shape = len(opened.frame_numbers), opened.num_vertices, 3
    missing: list[int] = []

    def noted() -> Iterator[Float[ndarray, "V 3"]]:
        for vertices in opened.positions:
            missing.append(int(np.isnan(vertices[:, 0]).sum()))
            yield vertices

    positions = noted()
    with closing(opened.positions):
        with open(path, "wb") as file:
            head = begin_array(file, "<f4", shape)
            for num_near, vertices in enumerate(positions):  # noqa: B007 (used after the loop)
                if vertices.dtype == np.float64:
                    break
                file.write(vertices.astype("<f4").tobytes())
            else:
                return missing
        near = path.rename(path.with_name("near.npy"))
        with open(path, "wb") as file, open(near, "rb") as before:
            begin_array(file, "<f8", shape)
            before.seek(head)
            earlier = (np.fromfile(before, "<f4", vertices.size) for _ in range(num_near))
            for frame in chain(earlier, [vertices], positions):
                file.write(frame.astype("<f8").tobytes())
        near.unlink()
    return missing


def write_entry(entry: Path, opened: OpenedFrames) -> None:
    """Read all frames and keep them in a new folder of the cache."""
    entry.mkdir()
    write_stamps(entry, opened.draws_in)
    missing = write_vertices(entry / "vertices.npy", opened)
    polygons = opened.polygons
    np.savez(
        entry / "topology.npz",
        frame_numbers=np.array(opened.frame_numbers),
        counted=opened.counted,
        missing=np.array(missing),
        point_names=np.array(opened.names, dtype="U"),
        sizes=polygons.sizes,
        corners=polygons.corners,
        texture=polygons.texture,
        texture_corners=polygons.texture_corners,
    )
    write_checksums(entry)
