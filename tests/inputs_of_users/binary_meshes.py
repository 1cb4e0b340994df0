"""PLY and Draco files as programs write them."""

from functools import partial
from pathlib import Path

import DracoPy
import numpy as np
from tube import tube_quads, tube_triangles

from inputs_of_users.meshes import NUMBERS, SCANS, SKINNED, Read, folder


def mixed_binary_ply(order):
    """Quads and two triangles, as Blender writes them, with normals and a flag for each face."""
    folder("scan", SCANS)
    Path("skin").mkdir()
    kind, rows = "<" if order == "little" else ">", [*tube_quads()[1:].tolist(), [0, 1, 9], [0, 9, 8]]
    header = ["ply", f"format binary_{order}_endian 1.0", "element vertex 72"]
    header += [f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")]
    header += [
        f"element face {len(rows)}",
        "property uchar flags",
        "property list uchar uint vertex_indices",
        "end_header",
        "",
    ]
    faces = b"".join(b"\1" + bytes([len(row)]) + np.array(row, kind + "u4").tobytes() for row in rows)
    for number, points in zip(NUMBERS, SKINNED, strict=True):
        vertices = np.concatenate([points, points], axis=1).astype(kind + "f4").tobytes()
        Path(f"skin/body.{number:04d}.ply").write_bytes("\n".join(header).encode() + vertices + faces)


XYZ = [("float", axis, "") for axis in "xyz"]
EXACT = [("double", axis, "") for axis in "xyz"]
CORNERS = ("uint", "vertex_indices", "uchar")
KINDS = {"uchar": "u1", "ushort": "u2", "int": "i4", "uint": "u4", "float": "f4", "double": "f8"}


def ply(*elements, order="little", line_end="\n", more=()):
    """A PLY file for each frame: `elements` are (name, rows, properties), these (kind, name, kind of a list's length), a row's
    values in their order; `rows` may be a function of the points. `order` None: a text file."""
    Path("skin").mkdir()
    folder("scan", SCANS)
    sign = {"little": "<", "big": ">", None: ""}[order]
    for number, points in zip(NUMBERS, SKINNED, strict=True):
        header, body = ["ply", f"format binary_{order}_endian 1.0" if order else "format ascii 1.0", *more], []
        for name, rows, properties in elements:
            rows = rows(points) if callable(rows) else rows
            header.append(f"element {name} {len(rows)}")
            header += [
                f"property list {size} {kind} {it}" if size else f"property {kind} {it}"
                for kind, it, size in properties
            ]
            for row in rows:
                words = []
                for (kind, _, size), value in zip(properties, row, strict=True):
                    words += [np.array(len(value), sign + KINDS[size])] if size else []
                    words.append(np.array(value, sign + KINDS[kind]))
                text = " ".join(" ".join(map(str, word.reshape(-1).tolist())) for word in words) + " \n"
                body.append(b"".join(word.tobytes() for word in words) if order else text.encode())
        head = line_end.join([*header, "end_header", ""]).encode("latin-1")
        Path(f"skin/body.{number:04d}.ply").write_bytes(head + b"".join(body))


def quads(row=lambda corners: [corners]):
    return [row(corners) for corners in tube_quads().tolist()]


VERTICES = ("vertex", lambda points: points.tolist(), XYZ)
FACES = ("face", quads(), [CORNERS])
COLOURS = [("uchar", name, "") for name in ("red", "green", "blue", "alpha")]


def behind(points, *values):
    return [[*point, *values] for point in points.tolist()]


def of_a_mesh_editor(corners):
    """Texture coordinates, the number of a texture and colours for each face."""
    return [corners, [0.5] * 8, 0, 9, 9, 9, 255]


def draco(place=lambda number, points: points):
    """Draco files as the library writes them by default: rounded, the order of vertices not kept."""
    for name, frames in (("skin", SKINNED), ("scan", SCANS)):
        Path(name).mkdir()
        for number, points in zip(NUMBERS, frames, strict=True):
            content = DracoPy.encode(place(number, points.astype(np.float32)), tube_triangles().astype(np.uint32))
            Path(f"{name}/body.{number:04d}.drc").write_bytes(content)


def lips_that_close(number, points):
    points = points.copy()
    if number >= 5:
        points[1] = points[0]
    return points


INPUTS = {
    "text with edges, odd comments and blanks": (
        partial(ply, VERTICES, FACES, ("edge", [[0, 1], [1, 2]], [("int", "vertex1", ""), ("int", "vertex2", "")]),
                order=None, more=["comment K\xf6rper", "obj_info num_cols 512"]), NUMBERS,
    ),
    "double precision, big-endian, with colours": (
        partial(ply, ("vertex", lambda points: behind(points, 9, 9, 9, 255), EXACT + COLOURS), FACES,
                order="big"), NUMBERS,
    ),
    "a header whose lines end in CR alone": (partial(ply, VERTICES, FACES, line_end="\r"), NUMBERS),
    "a header whose lines end in CR LF": (partial(ply, VERTICES, FACES, line_end="\r\n"), NUMBERS),
    "faces before vertices": (partial(ply, FACES, VERTICES, order=None), NUMBERS),
    "no faces in PLY": (partial(ply, VERTICES, ("face", [], [CORNERS])), NUMBERS),
    "flags before the corners": (
        partial(ply, ("vertex", lambda points: behind(points, 1, 0.5), [*XYZ, ("int", "flags", ""), ("float", "quality", "")]),
                ("face", quads(lambda corners: [1, corners]), [("int", "flags", ""), CORNERS])), NUMBERS,
    ),
    "texture coordinates and colours of faces": (
        partial(ply, VERTICES, ("face", quads(of_a_mesh_editor), [CORNERS, ("float", "texcoord", "uchar"),
                ("int", "texnumber", ""), *COLOURS]), more=["comment TextureFile skin.png"]), NUMBERS,
    ),
    "coordinates in another order": (
        partial(ply, ("vertex", lambda points: [[0, 0, 1, *point] for point in points[:, [2, 0, 1]].tolist()],
                [*(("float", name, "") for name in ("nx", "ny", "nz")), *(XYZ[axis] for axis in (2, 0, 1))]), FACES,
                order=None), NUMBERS,
    ),
    "triangles in strips": (
        partial(ply, VERTICES, ("tristrips", [[[0, 1, 8, 9, -1, 1, 2, 9]]], [("int", "vertex_indices", "int")])),
        "found triangles in strips, expected faces one by one",
    ),
    "a list of another kind and name": (
        partial(ply, VERTICES, ("face", quads(), [("uint", "vertex_index", "ushort")])), NUMBERS,
    ),
    "Draco that keeps no order": (draco, Read(skinned=None, tolerance=1e-4)),
    "Draco whose vertices meet": (
        partial(draco, lips_that_close), r"71 vertices, expected 72 .*Draco joins vertices in one place",
    ),
    "quads and triangles in binary PLY": (partial(mixed_binary_ply, "little"), NUMBERS),
    "quads and triangles in binary PLY, big-endian": (partial(mixed_binary_ply, "big"), NUMBERS),
}  # fmt: skip
