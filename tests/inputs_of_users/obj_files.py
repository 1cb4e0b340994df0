"""OBJ files as programs write them."""

from functools import partial

from inputs_of_users.meshes import NUMBERS, rewritten


def with_everything_else(text):
    text = "// body.obj\nmtllib a b.mtl\no body\ng default other\ns off\n" + text.replace(
        "\nf ", "\nvn 0 0 1\nvp 0.5\nusemtl skin\nf ", 1
    )
    return text + "l 1 2\np 3\n"


def two_objects_that_begin_at_one(text):
    lines = text.splitlines()
    vertices, faces = ([line for line in lines if line.startswith(kind)] for kind in ("v ", "f "))
    first = [face for face in faces if max(map(int, face.split()[1:])) <= 40]
    return "\n".join(["o a", *vertices[:40], *first, "o b", *vertices[40:], *first, ""])


def vertices_of_four_numbers(text):
    lines = text.splitlines()
    return "\n".join(f"{line} 1" if line.startswith("v ") else line for line in lines)


def of_a_sculpting_program(text):
    return (
        "# a sculpting program\n#Auto scale x=1.0\n#Vertex Count 72\ng default\n"
        + text.replace("\nf ", "\n#MRGB ffFFd8c0ffFFd8c0\nf ", 1).replace(" ", "\t").rstrip()
    )


def with_texture(text, of_corner):
    """A texture coordinate for each vertex, and `of_corner` of a vertex (from 1) and a face in place of each corner."""
    lines = text.splitlines()
    faces = [line.split()[1:] for line in lines if line.startswith("f ")]
    corners = ["f " + " ".join(of_corner(int(corner), face) for corner in each) for face, each in enumerate(faces)]
    texture = [f"vt {0.01 * vertex} 1.5" for vertex in range(72)]
    return "\n".join([*(line for line in lines if line.startswith("v ")), *texture, *corners, ""])


def of_several_sizes(text):
    """Colours behind the coordinates, and a cap of a triangle and a polygon of five corners."""
    text = "\n".join(f"{line} 0.5 0.5 0.5" if line.startswith("v ") else line for line in text.splitlines())
    return text + "\nf 1 2 3\nf 4 5 6 7 8\n"


TEXTURED = {
    "texture coordinates counted from the end": lambda vertex, face: f"{vertex - 73}/{vertex - 73}",
    "faces without texture coordinates": lambda vertex, face: f"{vertex}/{vertex}" if face < 60 else str(vertex),
}
INPUTS = {
    name: (partial(rewritten, partial(with_texture, of_corner=of_corner)), NUMBERS) for name, of_corner in TEXTURED.items()
} | {
    "a sculpting program's": (partial(rewritten, of_a_sculpting_program), NUMBERS),
    "quads, a triangle, a polygon and colours": (partial(rewritten, of_several_sizes), NUMBERS),
    "commas between numbers": (
        partial(rewritten, lambda text: text.replace("v ", "v 1,", 1)), r"line 1: found 'v 1,.*', expected `v` and three",
    ),
    "lines that end in CR alone": (partial(rewritten, lambda text: text.replace("\n", "\r")), NUMBERS),
    "UTF-16": (partial(rewritten, str, "utf-16"), NUMBERS),
    "comments, groups, materials, normals, lines and points": (partial(rewritten, with_everything_else), NUMBERS),
    "weights behind the coordinates": (partial(rewritten, vertices_of_four_numbers), NUMBERS),
    "decimal commas": (
        partial(rewritten, lambda text: text.replace(".", ",")), r"line 1: found 'v .*,.*', expected `v` and three",
    ),
    "exponents of Fortran": (
        partial(rewritten, lambda text: text.replace("v ", "v 1.0D-01 ", 1)), r"line 1: found 'v 1\.0D-01 .*three finite",
    ),
    "a second object whose indices begin at one": (
        partial(rewritten, two_objects_that_begin_at_one), "faces are there twice, and 32 vertices have none",
    ),
}  # fmt: skip
