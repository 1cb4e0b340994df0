"""Sequences of paired meshes: skinned and scanned frames of one topology, checked, parsed once and cached.

What was parsed is kept (`data.mesh_cache`); positions are memory-mapped, so that a sequence of any length costs no memory.
"""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64
from numpy import ndarray
from tqdm import tqdm

from data.input_error import InputError
from data.joints import POINT_FILES, read_points
from data.mesh_cache import cache_folder, cache_key, is_whole, write_checksums
from data.obj import KnownTopology, Polygons
from data.safe_write import write_beside

FILES_WORTH_A_POOL = 64  # below, starting the reader processes takes longer than reading


@dataclass
class MeshFolder:
    """All frames of one folder: their numbers, files and positions (T, V, 3) in the files' units, and their polygons."""

    path: Path
    frame_numbers: list[int]
    files: list[Path]
    vertices: Float32[ndarray, "T V 3"]
    polygons: Polygons


@dataclass
class MeshSequence:
    """Consecutive frames: numbers (T,), source files, skinned mesh and, where there are any, scan and joints, file units."""

    name: str
    frame_numbers: Int64[ndarray, " T"]
    files: list[Path]
    skinned: Float32[ndarray, "T V 3"]
    scan: Float32[ndarray, "T V 3"] | None
    joints: Float32[ndarray, "T J 3"] | None = None


def describe_sequences(sequences: list[MeshSequence]) -> list[str]:
    """Return a line for each sequence, saying where a gap in a folder's numbering began it."""
    lines = []
    for index, sequence in enumerate(sequences):
        first, last = sequence.frame_numbers[0], sequence.frame_numbers[-1]
        line = f"{sequence.name}: frames {first} to {last}, {sequence.skinned.shape[1]} vertices"
        if index and sequences[index - 1].name == sequence.name:
            line += f"; a sequence of its own, for frame {first - 1} is not there"
        lines.append(line)
    return lines


def list_frames(folder: Path, endings: tuple[str, ...] = (".obj",)) -> dict[int, Path]:
    """Return a folder's files of these `endings` by frame number, the last number in a file's name, in numeric order.

    Raises `InputError` for no folder, no such files, a name without a number, and a number that appears twice.
    """
    folder = Path(folder)
    expected = " or ".join(endings)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder, expected a folder of {expected} files")
    frames: dict[int, Path] = {}
    for path in sorted(folder.iterdir()):
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
        raise InputError(f"{folder}: no {expected} files found")
    return dict(sorted(frames.items()))


def ignore_interrupt() -> None:
    """Leave Ctrl-C to the main process, which ends the readers."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def read_frames(files: list[Path], read: Callable[[Path], ndarray], description: str) -> Iterator[ndarray]:
    """Yield what `read` returns for every file, in order, read in parallel where there are many, with a progress bar."""
    progress = partial(tqdm, total=len(files), desc=description, unit="file")
    workers = min(os.cpu_count() or 1, len(files) // FILES_WORTH_A_POOL)
    if workers < 2:
        yield from progress(map(read, files))
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=ignore_interrupt) as pool:
        try:
            yield from progress(pool.map(read, files, chunksize=8))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def load_folder(folder: Path) -> MeshFolder:
    """Return all frames of a folder, from the cache where it is up to date and whole; parse, check and cache them where not.

    Raises `InputError` for what `list_frames` and `KnownTopology` refuse, and for a frame of another topology.
    """
    folder = Path(folder)
    frames = list_frames(folder)
    files = list(frames.values())
    entry = cache_folder() / cache_key(folder, files)
    if entry.exists() and not is_whole(entry):
        tqdm.write(f"{entry}: damaged, so {folder} is read again")
        shutil.rmtree(entry)
    if not entry.exists():
        known = KnownTopology.read(files[0])
        with write_beside(entry) as unfinished:
            unfinished.mkdir()
            header = {"descr": "<f4", "fortran_order": False, "shape": (len(files), known.num_vertices, 3)}
            # written, not memory-mapped: a full disk is then an error and not a crash
            with open(unfinished / "vertices.npy", "wb") as file:
                np.lib.format.write_array_header_1_0(file, header)
                for vertices in read_frames(files, known.positions_of, f"reading {folder}"):
                    file.write(vertices.astype("<f4").tobytes())
            np.savez(unfinished / "polygons.npz", sizes=known.polygons.sizes, corners=known.polygons.corners)
            write_checksums(unfinished)
    with np.load(entry / "polygons.npz") as stored:
        polygons = Polygons(stored["sizes"], stored["corners"])
    return MeshFolder(folder, list(frames), files, np.load(entry / "vertices.npy", mmap_mode="r"), polygons)


def check_pair(source: MeshFolder, target: MeshFolder) -> None:
    """Raise `InputError` where two folders do not hold the same frames of the same topology."""
    for here, there in ((source, target), (target, source)):
        alone = sorted(set(here.frame_numbers) - set(there.frame_numbers))
        if alone:
            raise InputError(
                f"{there.path}: {len(alone)} of the {len(here.frame_numbers)} frames in {here.path} have no partner, "
                f"the first is frame {alone[0]} ({here.files[here.frame_numbers.index(alone[0])].name})"
            )
    check_topology(source, target)


def check_topology(first: MeshFolder, other: MeshFolder) -> None:
    """Raise `InputError` where two folders differ in vertex count or faces."""
    expected, found = first.vertices.shape[1], other.vertices.shape[1]
    if found != expected:
        raise InputError(f"{other.files[0]}: {found} vertices, expected {expected} as in {first.files[0]}")
    if other.polygons != first.polygons:
        raise InputError(f"{other.files[0]}: other faces than {first.files[0]}, expected the same topology")


def load_joints(folder: Path, source: MeshFolder) -> Float32[ndarray, "T J 3"]:
    """Return the joints (T, J, 3) of every frame of `source`, file units.

    Raises `InputError` for a frame without joints, and for another number of joints than in the first one.
    """
    frames = list_frames(folder, POINT_FILES)
    missing = [number for number in source.frame_numbers if number not in frames]
    if missing:
        raise InputError(
            f"{folder}: {len(missing)} of the {len(source.frame_numbers)} frames in {source.path} have no joints, "
            f"the first is frame {missing[0]} ({source.files[source.frame_numbers.index(missing[0])].name})"
        )
    files = [frames[number] for number in source.frame_numbers]
    joints = [read_points(path) for path in tqdm(files, desc=f"reading {folder}", unit="file")]
    for path, points in zip(files, joints, strict=True):
        if len(points) != len(joints[0]):
            raise InputError(f"{path}: {len(points)} joints, expected {len(joints[0])} as in {files[0]}")
    return np.stack(joints)


def split_at_gaps(source: MeshFolder, target: MeshFolder | None, joints: ndarray | None) -> list[MeshSequence]:
    """Return one sequence per run of consecutive frame numbers: no window may cross a gap."""
    numbers = np.array(source.frame_numbers, dtype=np.int64)
    bounds = [0, *(np.flatnonzero(np.diff(numbers) != 1) + 1).tolist(), len(numbers)]
    return [
        MeshSequence(
            name=str(source.path),
            frame_numbers=numbers[start:end],
            files=source.files[start:end],
            skinned=source.vertices[start:end],
            scan=None if target is None else target.vertices[start:end],
            joints=None if joints is None else joints[start:end],
        )
        for start, end in pairwise(bounds)
    ]


def check_joint_counts(sequences: list[MeshSequence]) -> None:
    """Raise `InputError` where two sequences differ in their number of joints."""
    counts = [(sequence.name, sequence.joints.shape[1]) for sequence in sequences if sequence.joints is not None]
    for name, count in counts:
        if count != counts[0][1]:
            raise InputError(f"{name}: {count} joints, expected {counts[0][1]} as in {counts[0][0]}")


def check_one_per_source(flag: str, folders: list[Path], source_dirs: list[Path]) -> None:
    """Raise `InputError`, naming the flag, where there are not as many folders as source folders."""
    if len(folders) != len(source_dirs):
        raise InputError(f"{flag}: found {len(folders)} folders, expected one per source folder, {len(source_dirs)}")


def load_sequences(
    source_dirs: list[Path], target_dirs: list[Path] | None, joint_dirs: list[Path] | None = None
) -> tuple[list[MeshSequence], Int64[ndarray, "F 3"]]:
    """Return the sequences of all source folders, with their scans and joints where given, and their triangles (F, 3).

    A gap in a folder's frame numbers starts a new sequence. Raises `InputError` for another number of target or joint than
    source folders, a frame without its partner, and meshes or joints that are not alike in all frames.
    """
    if target_dirs is not None:
        check_one_per_source("--target_files_dir", target_dirs, source_dirs)
    if joint_dirs is not None:
        check_one_per_source("--joint_files_dir", joint_dirs, source_dirs)
    sequences: list[MeshSequence] = []
    sources = [load_folder(folder) for folder in source_dirs]
    for index, source in enumerate(sources):
        check_topology(sources[0], source)
        target = None if target_dirs is None else load_folder(target_dirs[index])
        if target is not None:
            check_pair(source, target)
        joints = None if joint_dirs is None else load_joints(joint_dirs[index], source)
        sequences += split_at_gaps(source, target, joints)
    check_joint_counts(sequences)
    if not len(sources[0].polygons.sizes):
        raise InputError(f"{sources[0].files[0]}: no faces (`f` lines) found, expected a mesh")
    return sequences, sources[0].polygons.triangles()
