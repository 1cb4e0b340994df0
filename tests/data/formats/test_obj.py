import igl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from readers import TRICKY_OBJ

from data.formats.obj import (
    KnownText,
    face_text_digest,
    parse_positions,
    plain_positions,
    read_obj,
)
from data.input_error import InputError


def test_reads_every_form_there_is(tmp_path):
    path = tmp_path / "tricky.obj"
    path.write_text(TRICKY_OBJ, newline="")
    vertices, polygons = read_obj(path)
    expected = [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 0.5, 0.1]]
    np.testing.assert_array_equal(vertices, np.array(expected, np.float32))
    assert polygons.sizes.tolist() == [3, 3, 4, 5]
    assert polygons.corners.tolist() == [0, 1, 2, 4, 3, 1, 0, 1, 2, 3, 0, 1, 4, 3, 2]
    fans = [[0, 1, 2], [4, 3, 1], [0, 1, 2], [0, 2, 3], [0, 1, 4], [0, 4, 3], [0, 3, 2]]
    assert polygons.triangles().tolist() == fans


@pytest.mark.parametrize("form", ["{0}", "{0}/{1}", "{0}//{1}", "{0}/{1}/{1}"])
def test_agrees_with_libigl(tmp_path, form):
    random = np.random.default_rng(0)
    points = random.normal(size=(50, 3)) * 10.0 ** random.integers(-6, 6, size=(50, 1))
    faces = np.array([random.choice(50, 3, replace=False) for _ in range(80)]) + 1
    lines = ["v {:.9e} {:.7f} {:g}".format(*point) for point in points]
    lines += ["vt 0 0", "vt 1 1", "vn 0 0 1", "vn 0 1 0"]
    lines += ["f " + " ".join(form.format(i, random.integers(1, 3)) for i in face) for face in faces]
    path = tmp_path / "mesh.obj"
    path.write_text("\n".join(lines))
    vertices, polygons = read_obj(path)
    theirs = igl.readOBJ(str(path))
    np.testing.assert_array_equal(vertices, theirs[0].astype(np.float32))
    np.testing.assert_array_equal(polygons.triangles(), faces - 1)
    np.testing.assert_array_equal(polygons.triangles(), theirs[3])


def test_unused_and_equal_vertices_stay_where_they_are(tmp_path):
    path = tmp_path / "mesh.obj"
    path.write_text("v 0 0 0\nv 9 9 9\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 3 4 5\n")
    vertices, polygons = read_obj(path)
    assert len(vertices) == 5
    assert polygons.corners.tolist() == [2, 3, 4]


def test_points_alone_are_no_error(tmp_path):
    path = tmp_path / "joints.obj"
    path.write_text("v 1 2 3\nv 4 5 6\nl 1 2\n")
    vertices, polygons = read_obj(path)
    assert vertices.shape == (2, 3)
    assert polygons.triangles().shape == (0, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no vertices"),
        ("f 1 2 3\n", "no vertices"),
        ("v 0 0 0\nv 1 2\n", "line 2: found 'v 1 2', expected `v` and three finite numbers"),
        ("v 0 0 0\n# here\nv 1 inf 3\n", "line 3"),
        ("v 0 0 0\nv 0 1e300 0\n", "line 2"),
        ("v 0 0 \\\n0\nv 0 zero 0\n", "line 3"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 4\n", "line 4: found 'f 1 2 4'"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 0 1 2\n", "line 4"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf -1 -2 -4\n", "line 4"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2\n", "line 4"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 99999999999999999999\n", "line 4"),
        ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 three\n", "line 4"),
    ],
)
def test_broken_files_are_named_with_the_line(tmp_path, text, message):
    path = tmp_path / "broken.obj"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.obj") as caught:
        read_obj(path)
    assert message in str(caught.value)


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "none.obj", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_obj(path)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("vf 0123456789.-+/e#\\\t\x0b\r", max_size=12), max_size=12))
def test_any_text_is_read_or_refused(tmp_path_factory, lines):
    path = tmp_path_factory.getbasetemp() / "any.obj"
    path.write_bytes("\n".join(lines).encode())
    try:
        vertices, polygons = read_obj(path)
    except InputError:
        return
    assert np.isfinite(vertices).all()
    assert ((polygons.corners >= 0) & (polygons.corners < len(vertices))).all()


def test_face_digest_tells_faces_counted_from_the_end_apart():
    triangle = b"v 0 0 0\nv 1 0 0\nv 0 1 0\n"
    early, late = triangle + b"f -3 -2 -1\n" + triangle, triangle + triangle + b"f -3 -2 -1\n"
    assert face_text_digest(early) != face_text_digest(late)
    assert face_text_digest(triangle + b"f 1 2 3\n") == face_text_digest(b"# x\n" + triangle + b"f 1 2 3\n")


LINES = [
    "v 1 2 3",
    "v -1.5e-3 +2. .5",
    "v 1 2 3 0.5 0.5 0.5",
    "v 1 2 3 # ?",
    "v 1 2 3#",
    "v  1\t2 3",
    "  v 1 2 3",
    "v 1 2 \\\n3",
    "v -1.5e-3 20E2 0.125",
    "v 3 -0 1e-0",
    "v 1 2 3\r",
    "v 01 2 -0",
    "v nan 2 NaN",
]
BROKEN = ["v 1 2", 'v "1" 2 3', "v 1 2 [3]", "v 1 2 1e999", "v 1 2 x", "v 1 2 inf", "v 1 2 1e99", "v 1-2 3", "v 1 2#3"]


def text_of(lines, before="# a name\n", behind="vt 0 0\nf 1 2 3\n"):
    return before + "\n".join(lines) + "\n" + behind


def test_faces_counted_from_the_end_are_compared(tmp_path):
    corners = ["v 0 0 0", "v 1 0 0", "v 0 1 0", "v 0 0 1"]
    (tmp_path / "known.obj").write_text(text_of(corners, behind="f -4 -3 -2\nf -4 -3 -1\n"))
    (tmp_path / "other.obj").write_text(text_of(corners, behind="f -4 -2 -3\nf -1 -2 -3\n"))
    with pytest.raises(InputError, match="other faces"):
        KnownText.of_obj(tmp_path / "known.obj").positions_of(tmp_path / "other.obj")


def outcome(read, path):
    try:
        return str(read(path).tolist())  # nan is equal to nan as text alone
    except InputError as error:
        return str(error)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(LINES * 3 + BROKEN), min_size=3, max_size=3))
def test_a_known_topology_is_read_as_any_other_file(tmp_path_factory, lines):
    known, path = (tmp_path_factory.mktemp("obj") / "mesh.1.obj" for _ in range(2))
    known.write_text(text_of(["v 0 0 0", "v 1 0 0", "v 0 1 0"]))
    path.write_text(text_of(lines))
    known = KnownText.of_obj(known)
    assert outcome(known.positions_of, path) == outcome(lambda path: read_obj(path)[0], path)


def test_plain_numbers_are_read_to_the_bit():
    random = np.random.default_rng(0)
    near = random.normal(size=(1000, 3)) * 10.0 ** random.integers(-300, 6, (1000, 3))
    near[::7] = -0.0
    for vertices, digits in ((near, b"%.17g"), (near, b"%.25f"), (1e7 + 0.1 * random.normal(size=(1000, 3)), b"%.17g")):
        block = b"\n".join(b"v " + b" ".join(digits % number for number in row) for row in vertices.tolist())
        expected = parse_positions(block.split(b"\n"), 1)
        for found in (plain_positions(block), plain_positions(block.replace(b"\n", b"\r\n"))):
            assert found.dtype == expected.dtype
            assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (text_of(LINES[:3], before="# another name\n"), None),
        (text_of(LINES[:3], behind="vn 0 0 1\nf 1//1 2//1 3//1\n"), None),
        (text_of(LINES[:3], behind="f 1 3 2\n"), "other faces"),
        (text_of(LINES[:3], behind="vt 0 0\nf 1 2 3\nf 1 2 3\n"), "other faces"),
        (text_of(LINES[:2]), "2 vertices, expected 3"),
        (text_of(LINES[:3], behind="v 0 0 0\nvt 0 0\nf 1 2 3\n"), "4 vertices, expected 3"),
    ],
)
def test_only_the_same_faces_are_the_known_topology(tmp_path, text, message):
    (tmp_path / "known.obj").write_text(text_of(["v 0 0 0", "v 1 0 0", "v 0 1 0"]))
    (tmp_path / "other.obj").write_text(text)
    known = KnownText.of_obj(tmp_path / "known.obj")
    if message is None:
        assert len(known.positions_of(tmp_path / "other.obj")) == 3
    else:
        with pytest.raises(InputError, match=message):
            known.positions_of(tmp_path / "other.obj")


def test_a_corner_without_texture_coordinates_costs_no_other_corner_its_own(tmp_path):
    path = tmp_path / "a.obj"
    path.write_text("v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nf 1/1 2/2 3/3\nf 1//1 3 4/2\n")
    polygons = read_obj(path)[1]
    found = polygons.texture[polygons.texture_corners]
    np.testing.assert_array_equal(found, [[0, 0], [1, 0], [1, 1], [0, 0], [0, 0], [1, 0]])


def test_texture_coordinates_counted_from_the_end(tmp_path):
    path = tmp_path / "a.obj"
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 0\nvt 1 0\nvt 1 1\nf -3/-3 -2/-2 -1/-1\nvt 0.5 0.5\nf -3/-1 -2/-2 -1/-4\n"
    path.write_text(text)
    polygons = read_obj(path)[1]
    found = polygons.texture[polygons.texture_corners]
    np.testing.assert_array_equal(found, [[0, 0], [1, 0], [1, 1], [0.5, 0.5], [1, 1], [0, 0]])
    path.write_text(text.replace("-1/-4", "-1/-9"))  # before the first
    polygons = read_obj(path)[1]
    np.testing.assert_array_equal(polygons.texture[polygons.texture_corners], [*found[:5], [0, 0]])


@pytest.mark.parametrize("bad", ["0", "9", "4"])
def test_a_texture_coordinate_that_cannot_be_used_costs_one_corner_its_own(tmp_path, bad):
    path = tmp_path / "a.obj"
    path.write_text(f"v 0 0 0\nv 1 0 0\nv 1 1 0\nvt 0 1\nvt 1\nvt 1 1\nvt nan 0\nf 1/1 2/2 3/{bad}\n")
    polygons = read_obj(path)[1]
    np.testing.assert_array_equal(polygons.texture[polygons.texture_corners], [[0, 1], [1, 0], [0, 0]])
