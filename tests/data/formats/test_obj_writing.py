"""New positions in an OBJ file's text: all else stays as it was."""

import numpy as np
from readers import TRICKY_OBJ

from data.formats.obj import (
    read_obj,
    read_text,
)
from data.formats.obj_writing import position_template, write_obj, write_positions


def test_new_positions_leave_all_else_as_it_was(tmp_path):
    source, written = tmp_path / "source.obj", tmp_path / "written.obj"
    source.write_text(TRICKY_OBJ, newline="")
    _, polygons = read_obj(source)
    moved = np.random.default_rng(1).normal(size=(5, 3)).astype(np.float32) * 1e-3
    write_positions(written, moved, position_template(source))
    vertices, same = read_obj(written)
    np.testing.assert_array_equal(vertices, moved)  # every bit of a float32
    assert same.are_like(polygons)
    # the text without its `v` lines is the source's, continued lines joined
    strip = [
        [line for line in read_text(path).replace(b"\x0b", b"").splitlines() if not line.strip().startswith(b"v ")]
        for path in (source, written)
    ]
    assert strip[0] == strip[1]
    assert b"0.5 0.5 0.5" in written.read_bytes()  # colours stay


def test_write_obj_round_trip(tmp_path):
    path = tmp_path / "folder" / "mesh.obj"
    points = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    write_obj(path, points, np.array([[0, 1, 2, 3]]))
    vertices, polygons = read_obj(path)
    np.testing.assert_array_equal(vertices, points)
    assert (polygons.sizes.tolist(), polygons.corners.tolist()) == ([4], [0, 1, 2, 3])


def test_a_plain_file_and_one_with_more_in_its_lines_keep_all_but_the_positions(tmp_path):
    path, vertices = tmp_path / "mesh.obj", np.arange(9, dtype=np.float32).reshape(3, 3)
    around = "# 100 %\n{}\nf 1 2 \\\n3\n"
    for lines, expected in (
        (["v 1 2 3", "v -1.5e-3 +2. .5", "v 1 2 3"], ["v 0.0 1.0 2.0", "v 3.0 4.0 5.0", "v 6.0 7.0 8.0"]),
        (
            ["v 1 2 3 0.5 0.5 0.5", "v 1 2 3 # ?", "v 1 2 3#"],
            ["v 0.0 1.0 2.0 0.5 0.5 0.5", "v 3.0 4.0 5.0 # ?", "v 6.0 7.0 8.0#"],
        ),
        (["v 0 0 0", "v 0 0 1", "  v 0 1 0"], ["v 0.0 1.0 2.0", "v 3.0 4.0 5.0", "  v 6.0 7.0 8.0"]),
    ):
        path.write_text(around.format("\n".join(lines)))
        write_positions(path, vertices, position_template(path))
        assert path.read_text() == around.format("\n".join(expected))


def test_a_known_template_serves_where_all_but_the_positions_is_the_same(tmp_path):
    texts = {"a": "v 0 0 0\nv 1 0 0\nf 1 2 1\n", "b": "v 5 5 5\nv 6 6 6\nf 1 2 1\n", "c": "v 5 5 5\nv 6 6 6\nf 2 1 1\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    known = position_template(tmp_path / "a")
    assert position_template(tmp_path / "b", known) is known
    other = position_template(tmp_path / "c", known)
    assert other == position_template(tmp_path / "c") != known
