"""Wavefront OBJ: new positions, written into the text of another file or into a plain one."""

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from data.formats.obj import CONTINUATION, PLAIN, VERTEX_LINE, read_text, split_vertex_block
from data.formats.polygons import Polygons
from data.formats.positions import in_needed_precision
from data.input_error import InputError
from data.safe_write import write_beside

VERTEX_POSITION = re.compile(rb"^([ \t]*v)[ \t\x0b]+[^\s#]+[ \t\x0b]+[^\s#]+[ \t\x0b]+[^\s#]+", re.MULTILINE)


def position_template(path: Path) -> bytes:
    """Return a file's text as a `%` format with places for its 3 V coordinates; everything else stays as it was."""
    text = read_text(path).replace(b"%", b"%%")
    before, block, behind = split_vertex_block(text)
    lines = block.count(b"\n") + 1
    scattered = VERTEX_LINE.search(before) or VERTEX_LINE.search(behind)
    # nothing but `v` and three numbers in every line
    if not scattered and block.count(b" ") == 3 * lines and not block.translate(None, PLAIN):
        text = before + b"\n".join([b"v %.9g %.9g %.9g"] * lines) + behind
    else:
        text = VERTEX_POSITION.sub(rb"\1 %.9g %.9g %.9g", text)
    return text.replace(CONTINUATION, b"\\\n")


def write_positions(path: Path, vertices: Float[ndarray, "V 3"], template: bytes) -> None:
    """Write `vertices` (V, 3) into a template of `position_template`; nine digits keep every bit of a float32.

    Far from the origin seventeen keep every bit of a float64. The file appears whole or not at all; `OSError` where the disk
    does not take it.
    """
    vertices = in_needed_precision(vertices)
    if vertices.dtype == np.float64:
        template = template.replace(b"v %.9g %.9g %.9g", b"v %.17g %.17g %.17g")
    try:
        text = template % tuple(vertices.ravel().tolist())
    except TypeError:  # too few or too many
        raise InputError(
            f"{path}: the file that it is made from has other vertices than before, expected no change"
        ) from None
    with write_beside(Path(path)) as partial:
        partial.write_bytes(text)


def topology_template(polygons: Polygons, num_vertices: int) -> bytes:
    """Return a plain OBJ text of these polygons, with their texture coordinates, as a format like that of
    `position_template`."""
    text = [b"v %.9g %.9g %.9g\n" * num_vertices]
    corners: ndarray = polygons.corners + 1
    corner = b" %d"
    if len(polygons.texture):
        text.append((b"vt %.9g %.9g\n" * len(polygons.texture)) % tuple(polygons.texture.ravel().tolist()))
        corners = np.stack([corners, polygons.texture_corners + 1], axis=1)
        corner = b" %d/%d"
    faces = b"".join([b"f" + corner * size + b"\n" for size in polygons.sizes.tolist()])
    return b"".join([*text, faces % tuple(corners.ravel().tolist())])


def write_obj(path: Path, vertices: Float[ndarray, "V 3"], polygons: Int[ndarray, "P K"] | None = None) -> None:
    """Write a plain OBJ file: `v` lines and, where `polygons` (P, K) are given, `f` lines."""
    topology = Polygons() if polygons is None else Polygons.from_rows(np.asarray(polygons))
    write_positions(path, vertices, topology_template(topology, len(vertices)))
