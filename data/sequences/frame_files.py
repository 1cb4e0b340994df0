"""Frames that are a file each, read and written in parallel where there are many."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.formats.mesh_formats import POINTS, frame_writer
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons
from data.safe_write import write_beside
from data.sequences.parallel import map_in_processes


def open_frames(files: list[Path], frame_numbers: list[int], description: str) -> OpenedFrames:
    """Return what is known of frames given as a file each, and an iterator that reads their positions, in parallel where there
    are many.

    Raises `InputError` for a file that cannot be read; so does the iterator, and for a frame of another topology.
    """
    known = POINTS[files[0].suffix.lower()](files[0])
    positions = map_in_processes(known.positions_of, files, len(files), description)
    return OpenedFrames(frame_numbers, known.num_vertices, known.polygons, positions)


def write_frame(write: Callable[[Path, Float[ndarray, "V 3"]], None], job: tuple[Path, ndarray]) -> None:
    """Write one frame, given as its path and vertices."""
    write(*job)


def write_frames(
    folder: Path, ending: str, names: list[str], vertices: Float[ndarray, "T V 3"], polygons: Polygons
) -> None:
    """Write all frames (T, V, 3) into a new folder, in the format of this ending, one of `MESHES`; in parallel where there are
    many.

    The folder appears with all frames, or not at all.
    """
    write = partial(write_frame, frame_writer(ending, polygons, vertices.shape[1]))
    with write_beside(folder) as unfinished:
        jobs = (
            (unfinished / f"{name}{ending}", np.asarray(frame)) for name, frame in zip(names, vertices, strict=True)
        )
        for _ in map_in_processes(write, jobs, len(names), f"writing {folder}"):
            pass
