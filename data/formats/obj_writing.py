"""Wavefront OBJ: new positions, written into the text of another file or into a plain one."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
from jaxtyping import Float, Int
from numpy import ndarray

from data.formats.obj import CONTINUATION, PLAIN, VERTEX_LINE, read_text, split_vertex_block
from data.formats.polygons import Polygons
from data.formats.positions import in_needed_precision
from data.input_error import InputError
from data.safe_write import write_beside

VERTEX_POSITION = re.compile(rb"^([ \t]*v)[ \t\x0b]+[^\s#]+[ \t\x0b]+[^\s#]+[ \t\x0b]+[^\s#]+", re.MULTILINE)


@dataclass(frozen=True)
class Template:
    """An OBJ text with places for V positions: all in one block of `v` lines between what is `before` and `behind` or, where
    these lines are scattered or hold more, as a `%` format `around` them, with places for 3 V coordinates."""

    num_vertices: int
    before: bytes = b""
    behind: bytes = b""
    around: bytes | None = None


def position_template(path: Path, known: Template | None = None) -> Template:
    """Return a file's text with places for its positions; everything else stays as it was.

    `known` is the template of another file: of the same mesh in another frame, most often the same but for the positions, which
    takes less time to see.
    """
    text = read_text(path)
    before, block, behind = split_vertex_block(text)
    lines = block.count(b"\n") + 1
    # nothing but `v` and three numbers in every line
    if block.count(b" ") == 3 * lines and not block.translate(None, PLAIN):
        if known and (lines, before, behind) == (known.num_vertices, known.before, known.behind):
            return known
        if not VERTEX_LINE.search(before) and not VERTEX_LINE.search(behind):
            return Template(lines, *(each.replace(CONTINUATION, b"\\\n") for each in (before, behind)))
    around, count = VERTEX_POSITION.subn(rb"\1 %s %s %s", text.replace(b"%", b"%%"))
    return Template(count, around=around.replace(CONTINUATION, b"\\\n"))


def write_positions(path: Path, vertices: Float[ndarray, "V 3"], template: Template) -> None:
    """Write `vertices` (V, 3) into a template, with as few digits as keep every bit: of a float32 or, far from the origin, of a
    float64. Positions that are not known are written as `nan`.

    The file appears whole or not at all; `OSError` where the disk does not take it.
    """
    if len(vertices) != template.num_vertices:
        raise InputError(f"{path}: the file that it is made from has other vertices than before, expected no change")
    rows = np.ascontiguousarray(in_needed_precision(vertices))
    numbers = orjson.dumps(rows, option=orjson.OPT_SERIALIZE_NUMPY)[2:-2].replace(b"null", b"nan")
    if template.around is None:
        lines = numbers.replace(b"],[", b"\nv ").replace(b",", b" ")
        text = b"".join([template.before, b"v " if len(rows) else b"", lines, template.behind])
    else:
        text = template.around % tuple(numbers.replace(b"],[", b",").split(b","))
    with write_beside(Path(path)) as partial:
        partial.write_bytes(text)


def topology_template(polygons: Polygons, num_vertices: int) -> Template:
    """Return a plain OBJ text of these polygons, with their texture coordinates, and places for positions."""
    text = [b"\n"]
    corners: ndarray = polygons.corners + 1
    corner = b" %d"
    if len(polygons.texture):
        text.append((b"vt %.9g %.9g\n" * len(polygons.texture)) % tuple(polygons.texture.ravel().tolist()))
        corners = np.stack([corners, polygons.texture_corners + 1], axis=1)
        corner = b" %d/%d"
    faces = b"".join([b"f" + corner * size + b"\n" for size in polygons.sizes.tolist()])
    return Template(num_vertices, behind=b"".join([*text, faces % tuple(corners.ravel().tolist())]))


def write_obj(path: Path, vertices: Float[ndarray, "V 3"], polygons: Int[ndarray, "P K"] | None = None) -> None:
    """Write a plain OBJ file: `v` lines and, where `polygons` (P, K) are given, `f` lines."""
    topology = Polygons() if polygons is None else Polygons.from_rows(np.asarray(polygons))
    write_positions(path, vertices, topology_template(topology, len(vertices)))
