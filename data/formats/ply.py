"""PLY: text or binary meshes and point clouds, one frame per file."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data.formats.guarded_reading import guarded
from data.formats.mixed_ply import read_mixed_ply
from data.formats.polygons import Polygons, checked_polygons
from data.formats.positions import checked_positions, in_needed_precision
from data.input_error import InputError
from data.safe_write import write_beside


def read_ply(path: Path) -> tuple[Float[ndarray, "V 3"], Polygons]:
    """Return positions (V, 3), file units, and faces of a PLY file; those of several sizes are cut into triangles in text
    files.

    Raises `InputError`.
    """
    from trimesh.exchange.ply import load_ply  # half a second, which no other format has to wait for

    # no textures: they would split vertices; no files that this one names
    with guarded(path, "PLY file"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        data = with_plain_header(path.read_bytes())
        try:
            content = load_ply(BytesIO(data), fix_texture=False, skip_materials=True)
        except ValueError:  # a binary file of faces of several sizes, or none that is whole
            points, polygons = read_mixed_ply(data)
            return checked_positions(points, path), checked_polygons(polygons, len(points), path)
        points = np.asarray(content.get("vertices", np.empty((0, 3))))
        faces = content.get("faces")
        elements = content["metadata"]["_ply_raw"]
        claimed = elements.get("vertex", {"length": 0})["length"]
    if "tristrips" in elements:
        raise InputError(
            f"{path}: found triangles in strips, expected faces one by one: save it as a mesh of triangles"
        )
    if claimed != len(points):
        raise InputError(f"{path}: {len(points)} vertices, expected {claimed} as in its header")
    vertices = checked_positions(points, path)
    rows = np.empty((0, 3), np.int64) if faces is None or not len(faces) else np.asarray(faces).astype(np.int64)
    polygons = Polygons(np.full(len(rows), rows.shape[1]), rows.ravel())
    return vertices, checked_polygons(polygons, len(vertices), path)


def with_plain_header(data: bytes) -> bytes:
    """Return a file such that its header is plain: ASCII alone, and lines that end in LF where they ended in CR alone."""
    header, mark, rest = data.partition(b"end_header")
    header = header.decode("ascii", "replace").replace("\ufffd", "?").encode()
    if rest.startswith(b"\r") and b"\n" not in header:
        header, rest = header.replace(b"\r", b"\n"), rest.replace(b"\r", b"\n", 1)
    return header + mark + rest


def write_ply(
    path: Path,
    vertices: Float[ndarray, "V 3"],
    rows: Int[ndarray, "P K"],
    values: dict[str, Float[ndarray, " V"]] | None = None,
) -> None:
    """Write vertices and faces of one size, or points where there are none, as a binary file, with every bit.

    `values` are further numbers of each vertex (V,), by name, kept in single precision. The file appears whole or not at all;
    `OSError` where the disk does not take it.
    """
    vertices = in_needed_precision(vertices)
    kind, values = "<f4" if vertices.dtype == np.float32 else "<f8", values or {}
    header = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    header += [f"property {'float' if kind == '<f4' else 'double'} {axis}" for axis in "xyz"]
    header += [f"property float {name}" for name in values]
    points = np.empty(len(vertices), dtype=[("xyz", kind, 3), *((name, "<f4") for name in values)])
    points["xyz"] = vertices
    for name, each in values.items():
        points[name] = each
    faces = np.empty(len(rows), dtype=[("size", "u1"), ("corners", "<i4", rows.shape[1:])])
    if len(rows):
        header += [f"element face {len(rows)}", "property list uchar int vertex_indices"]
        faces["size"], faces["corners"] = rows.shape[1], rows
    text = "\n".join([*header, "end_header\n"]).encode("ascii")
    with write_beside(Path(path)) as partial:
        partial.write_bytes(text + points.tobytes() + faces.tobytes())
