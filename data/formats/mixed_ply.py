"""Binary PLY files whose faces have several sizes, as programs write any mesh of quads and triangles."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.formats.polygons import Polygons

KINDS = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
}
KINDS |= {"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"}
KINDS |= {"float32": "f4", "float64": "f8"}
CORNERS = ("vertex_indices", "vertex_index")


@dataclass
class Element:
    """What a header says of an element: its name, how many there are, and its properties, (name, kind, kind of a list's
    length)."""

    name: str
    count: int
    properties: list[tuple[str, str, str]]


def read_header(content: bytes) -> tuple[list[Element], str, int]:
    """Return the elements in a header, the byte order, and where the header ends; raise `ValueError` for text files."""
    end = content.index(b"end_header\n") + len(b"end_header\n")
    elements: list[Element] = []
    order = ""
    for words in (line.split() for line in content[:end].decode("ascii", "replace").splitlines()):
        if words[:1] == ["format"]:
            order = {"binary_little_endian": "<", "binary_big_endian": ">"}[words[1]]
        elif words[:1] == ["element"]:
            elements.append(Element(words[1], int(words[2]), []))
        elif words[:2] == ["property", "list"]:
            elements[-1].properties.append((words[4], KINDS[words[3]], KINDS[words[2]]))
        elif words[:1] == ["property"]:
            elements[-1].properties.append((words[2], KINDS[words[1]], ""))
    return elements, order, end


def read_mixed_ply(content: bytes) -> tuple[Float[ndarray, "V 3"], Polygons]:
    """Return positions (V, 3) and polygons of a binary PLY file.

    Raises `ValueError`, `KeyError` or `IndexError` where it is none, or not whole.
    """
    elements, order, place = read_header(content)
    positions, sizes, corners = np.empty((0, 3)), [], [np.empty(0, np.int64)]
    for element in elements:
        if not any(length for _, _, length in element.properties):
            of_row = np.dtype([(name, order + kind) for name, kind, _ in element.properties])
            rows = np.frombuffer(content, of_row, element.count, place)
            place += rows.nbytes
            if element.name == "vertex":
                positions = np.stack([rows[axis].astype(np.float64) for axis in "xyz"], axis=1)
            continue
        for _ in range(element.count):
            for name, kind, length in element.properties:
                count = 1
                if length:
                    count = int(np.frombuffer(content, order + length, 1, place)[0])
                    place += int(length[1])
                values = np.frombuffer(content, order + kind, count, place)
                place += values.nbytes
                if element.name == "face" and name in CORNERS:
                    sizes.append(count)
                    corners.append(values.astype(np.int64))
    return positions, Polygons(np.array(sizes, dtype=np.int64), np.concatenate(corners))
