"""Draco: compressed meshes and point clouds, one frame per file."""

from pathlib import Path

import DracoPy
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data.formats.guarded_reading import guarded
from data.formats.polygons import Polygons, checked_polygons
from data.formats.positions import checked_positions
from data.input_error import InputError
from data.safe_write import write_beside

MAGIC = b"DRACO"
POINT_CLOUD, KD_TREE = 0, 1  # the seventh and eighth byte after the magic: what is encoded, and how


def read_draco(path: Path) -> tuple[Float[ndarray, "V 3"], Polygons]:
    """Return positions (V, 3), file units, and triangles of a Draco file; a point cloud has none.

    Raises `InputError` for a file that is not whole, and for a point cloud whose encoder reordered the points: which point is
    which in another frame is lost. A reordered mesh is found later, by its faces.
    """
    with guarded(path, "Draco file"):
        content = Path(path).read_bytes()
    if not content.startswith(MAGIC):
        raise InputError(f"{path}: found {content[:8]!r} at its beginning, expected a Draco file")
    if content[7:9] == bytes([POINT_CLOUD, KD_TREE]):
        raise InputError(
            f"{path}: its points were put in another order when they were encoded, expected a point cloud with its order kept "
            "(in DracoPy: preserve_order=True): points without an order cannot be paired"
        )
    with guarded(path, "Draco file"):
        mesh = DracoPy.decode(content)
        points, triangles = np.asarray(mesh.points), np.asarray(getattr(mesh, "faces", np.empty((0, 3), np.int64)))
    vertices = checked_positions(points, path)
    polygons = Polygons.from_rows(triangles.reshape(-1, 3).astype(np.int64))
    return vertices, checked_polygons(polygons, len(vertices), path)


def write_draco(path: Path, vertices: Float[ndarray, "V 3"], triangles: Int[ndarray, "F 3"]) -> None:
    """Write vertices and triangles, or points where there are none, in their order and with every bit of a float32.

    Draco knows no double precision: far from the origin, positions are rounded.
    The file appears whole or not at all; `OSError` where the disk does not take it.
    """
    faces = triangles.astype(np.uint32) if len(triangles) else None
    positions = np.ascontiguousarray(vertices, dtype=np.float32)
    content = DracoPy.encode(positions, faces, preserve_order=True, quantization_bits=0)
    with write_beside(Path(path)) as partial:
        partial.write_bytes(content)
