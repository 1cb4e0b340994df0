"""The tube that all inputs show, and folders of OBJ files of it."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy import ndarray
from tube import tube_frames, tube_joints, tube_quads, tube_scans, tube_triangles

from data.formats.obj_writing import write_obj

SKINNED = tube_frames(16)
SCANS = tube_scans(SKINNED)
JOINTS = tube_joints(16)
NUMBERS = range(1, 17)


@dataclass
class Read:
    """What is read of an input: frame numbers, positions within `tolerance`, a line that is said."""

    numbers: range = NUMBERS
    said: str = ""
    tolerance: float = 1e-6
    skinned: ndarray | None = field(default_factory=lambda: SKINNED)  # None: in another order
    with_its_scans: bool = True


def folder(name, frames, pattern="{:04d}", numbers=NUMBERS, polygons=None):
    """Write OBJ files, a frame each."""
    for number, points in zip(numbers, frames, strict=True):
        write_obj(
            Path(name) / f"body.{pattern.format(number)}.obj", points, tube_quads() if polygons is None else polygons
        )


def both(**options):
    folder("skin", SKINNED, **options)
    folder("scan", SCANS, **options)


def archive(name, **arrays):
    np.savez(name, **{"vertices": SKINNED, "faces": tube_triangles()} | arrays)


def rewritten(change, encoding="utf-8"):
    """OBJ files of skinned meshes whose text was changed."""
    both()
    for path in Path("skin").iterdir():
        path.write_bytes(change(path.read_text()).encode(encoding))


def arrays_of(name, array):
    np.save(name, array, allow_pickle=True)
