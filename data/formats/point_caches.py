"""Point caches, MDD and PC2: positions of all frames and nothing else, which Blender, Maya and 3ds Max play on a mesh."""

import struct
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.formats.arrays import open_positions
from data.formats.frame_times import sampled_frames
from data.formats.guarded_reading import refusing
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons
from data.input_error import InputError
from data.safe_write import write_beside

PC2_MAGIC = b"POINTCACHE2\0"
PC2_HEAD = struct.Struct("<12siiffi")  # magic, version, points, first frame, frames a sample, samples
MDD_HEAD = struct.Struct(">ii")  # samples, points


def open_mdd(path: Path) -> OpenedFrames:
    """Return the frames of an MDD file, numbered by their times; raise `InputError` for a file that is not whole."""
    with refusing(path, "MDD file"):
        with open(path, "rb") as file:
            count, num_points = MDD_HEAD.unpack(file.read(MDD_HEAD.size))
        check_length(path, count, num_points, MDD_HEAD.size + 4 * max(count, 0))
        times = np.fromfile(path, ">f4", count, offset=MDD_HEAD.size).astype(np.float64)
        positions = np.memmap(path, ">f4", "r", MDD_HEAD.size + 4 * count, (count, num_points, 3))
    frames = sampled_frames(path, times)
    opened = open_positions(path, positions, frames.numbers, Polygons())
    opened.counted = frames.counted
    return opened


def open_pc2(path: Path) -> OpenedFrames:
    """Return the frames of a PC2 file; raise `InputError` for a file that is not whole, and for samples between frames."""
    with refusing(path, "PC2 file"):
        with open(path, "rb") as file:
            magic, version, num_points, first, step, count = PC2_HEAD.unpack(file.read(PC2_HEAD.size))
        if magic != PC2_MAGIC or version != 1:
            raise InputError(f"{path}: found {magic!r}, version {version}, at its beginning, expected PC2, version 1")
        check_length(path, count, num_points, PC2_HEAD.size)
        positions = np.memmap(path, "<f4", "r", PC2_HEAD.size, (count, num_points, 3))
    if not (float(first).is_integer() and float(step).is_integer() and step > 0 and abs(first) + step * count < 2**31):
        raise InputError(f"{path}: samples {step:g} frames apart from frame {first:g} on, expected whole frames")
    return open_positions(path, positions, int(first) + int(step) * np.arange(count), Polygons())


def check_length(path: Path, count: int, num_points: int, head: int) -> None:
    """Raise `InputError` where a file is not as long as so many samples of so many points, behind a head of some bytes."""
    length = path.stat().st_size
    if min(count, num_points) < 1 or length != head + 12 * count * num_points:
        raise InputError(
            f"{path}: {length} bytes, expected as many as {count} samples of {num_points} points take: not whole, or of "
            "another kind than its name says"
        )


def check_steps(path: Path, frame_numbers: list[int]) -> None:
    """Raise `InputError` where frames are not equally far apart, which PC2 cannot say."""
    steps = np.unique(np.diff(frame_numbers))
    if len(steps) > 1:
        raise InputError(
            f"{path}: frames {steps[0]} and {steps[-1]} apart, expected the same everywhere: PC2 knows no gaps, MDD and "
            "Alembic do"
        )


def write_mdd(path: Path, frame_numbers: list[int], vertices: Float[ndarray, "T V 3"], frame_rate: float) -> None:
    """Write positions (T, V, 3) in single precision as an MDD file, whole or not at all; times are frame numbers over the frame
    rate."""
    with write_beside(path) as partial, open(partial, "wb") as file:
        file.write(MDD_HEAD.pack(*vertices.shape[:2]))
        file.write((np.array(frame_numbers) / frame_rate).astype(">f4").tobytes())
        for frame in vertices:
            file.write(frame.astype(">f4").tobytes())


def write_pc2(path: Path, frame_numbers: list[int], vertices: Float[ndarray, "T V 3"]) -> None:
    """Write positions (T, V, 3) in single precision as a PC2 file, whole or not at all; raise `InputError` as `check_steps`."""
    check_steps(path, frame_numbers)
    step = float(frame_numbers[1] - frame_numbers[0]) if len(frame_numbers) > 1 else 1.0
    with write_beside(path) as partial, open(partial, "wb") as file:
        count, num_points, _ = vertices.shape
        file.write(PC2_HEAD.pack(PC2_MAGIC, 1, num_points, float(frame_numbers[0]), step, count))
        for frame in vertices:
            file.write(frame.astype("<f4").tobytes())
