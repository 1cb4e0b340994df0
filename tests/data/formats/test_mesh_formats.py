"""Every format, there and back: positions to the bit, faces in their order."""

import zipfile

import DracoPy
import numpy as np
import pytest
from tube import tube_frames, tube_quads, tube_triangles, write_tube

from data.formats.draco import read_draco, write_draco
from data.formats.mesh_formats import POINTS, write_sequence
from data.formats.obj_writing import write_obj
from data.formats.ply import read_ply
from data.formats.polygons import Polygons
from data.formats.usd import Scene
from data.input_error import InputError
from data.sequences.frame_files import write_frames
from data.sequences.mesh_frames import load_frames
from data.sequences.mesh_sequence import load_sequences

NUMBERS = [3, 4, 6]
EVEN = [2, 4, 6]  # PC2 knows no others


def mixed_polygons():
    """A triangle, a quad and a pentagon, with texture coordinates that meet in seams."""
    corners = np.array([0, 1, 2, 2, 1, 3, 4, 4, 3, 5, 6, 7])
    texture = np.random.default_rng(0).random((9, 2)).astype(np.float32)
    return Polygons(np.array([3, 4, 5]), corners, texture, np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 2]))


def awkward_positions(num_frames, num_vertices=9):
    """Numbers of all sizes, the last vertex without a face, two in the same place."""
    random = np.random.default_rng(1)
    positions = random.normal(size=(num_frames, num_vertices, 3)) * 10.0 ** random.integers(-30, 30, (num_vertices, 3))
    positions[:, 1] = positions[:, 0]
    return positions.astype(np.float32)


def write(folder, ending, vertices, polygons):
    """Write frames in some format; return where."""
    if ending in (".obj", ".drc", ".ply"):
        path = folder / ending[1:]
        write_frames(path, ending, [f"clip.{number:05d}" for number in NUMBERS], vertices, polygons)
    else:
        path = folder / f"clip{ending}"
        write_sequence(path, EVEN if ending == ".pc2" else NUMBERS, vertices, polygons, Scene())
    return path


ENDINGS = [".obj", ".drc", ".ply", ".npz", ".npy", ".usda", ".usdc", ".usd", ".abc", ".mdd", ".pc2"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "polygons", [mixed_polygons(), Polygons.from_rows(np.array([[0, 1, 2, 3], [3, 2, 4, 5]])), Polygons()]
)
def test_round_trip(tmp_path, ending, polygons):
    vertices = awkward_positions(len(NUMBERS))
    frames = load_frames(write(tmp_path, ending, vertices, polygons))
    np.testing.assert_array_equal(frames.vertices, vertices)
    assert frames.names == [f"clip.{number:05d}" for number in frames.frame_numbers]
    assert frames.frame_numbers == {".npy": [1, 2, 3], ".pc2": EVEN}.get(ending, NUMBERS)
    if ending in (".npy", ".mdd", ".pc2"):
        assert not len(frames.polygons.sizes)
        return
    assert frames.polygons.are_like(polygons)
    if ending not in (".drc", ".ply"):
        np.testing.assert_array_equal(frames.polygons.sizes, polygons.sizes)
        np.testing.assert_array_equal(frames.polygons.texture, polygons.texture)
        np.testing.assert_array_equal(frames.polygons.texture_corners, polygons.texture_corners)


@pytest.mark.parametrize("kinds", [(".drc", ".ply", ".npz"), (".usdc", ".obj", ".npy"), (".npy", ".drc", ".usda")])
def test_formats_mixed_between_source_target_and_joints(tmp_path, kinds):
    rows = {".drc": tube_triangles()}
    vertices = [tube_frames(3, seed).astype(np.float32) for seed in range(3)]
    polygons = [Polygons.from_rows(rows.get(kind, tube_quads())) for kind in kinds[:2]] + [Polygons()]
    paths = [
        write(tmp_path / str(index), *each) for index, each in enumerate(zip(kinds, vertices, polygons, strict=True))
    ]
    if ".npy" in kinds:  # which knows no frame numbers
        for index, path in enumerate(paths):
            np.save(tmp_path / f"{index}.npy", load_frames(path).vertices)
        paths = [path if path.suffix == ".npy" else tmp_path / f"{index}.npz" for index, path in enumerate(paths)]
        for path, points, topology in zip(paths, vertices, polygons, strict=True):
            if path.suffix == ".npz":
                write_sequence(path, [1, 2, 3], points, topology, Scene())
    sequences, faces = load_sequences(paths[:1], paths[1:2], paths[2:])
    np.testing.assert_array_equal(np.concatenate([each.skinned for each in sequences]), vertices[0])
    np.testing.assert_array_equal(np.concatenate([each.scan for each in sequences]), vertices[1])
    np.testing.assert_array_equal(np.concatenate([each.joints for each in sequences]), vertices[2])
    assert {tuple(sorted(face)) for face in faces.tolist()} <= {
        tuple(sorted(face))
        for face in np.concatenate([tube_triangles(), Polygons.from_rows(tube_quads()).triangles()]).tolist()
    }


def test_the_kind_is_told_by_content(tmp_path):
    path = write(tmp_path, ".npz", awkward_positions(3), mixed_polygons())
    named_otherwise = path.rename(tmp_path / "clip.cache")
    assert load_frames(named_otherwise).frame_numbers == NUMBERS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.max", b"\0\1", r"a\.max: found a file of unknown kind, expected one of \.obj, .*\.drc.*\.npz.*\.usdc"),
        ("a.abc", b"Ogawa", "not a whole Alembic file"),
        ("a.obj", b"v 0 0 0\n", "a.obj: no number in the name"),
        ("a.usd", b"#usda 1.0\n(", "not a whole USD file"),
        ("a.usdc", b"PXR-USDC" + b"\xff" * 90, "not a whole USD file"),
        ("a.usda", b"#usda 1.0\n", "found 0 meshes"),
        ("a.npz", b"PK\x03\x04" + b"\0" * 90, "not a whole ar"),
        ("a.npy", b"\x93NUMPY\1\0\0\0", "not a whole ar"),
        ("a.npy", np.zeros((3, 4)), r"shape \(3, 4\), expected \(T, V, 3\)"),
        ("a.npy", np.full((1, 4, 3), np.nan), "vertex 0 is .*nan.*, expected three finite numbers"),
        ("a.npy", np.zeros((1, 4, 3), complex), "expected numbers"),
        ("a.npz", {"points": np.zeros((4, 3))}, r"found points \(4, 3\), expected an array vertices \(T, V, 3\)"),
        ("a.npz", {"a": np.zeros((1, 4, 3)), "b": np.zeros((1, 4, 3))}, "expected an array vertices"),
        ("a.npz", {"vertices": np.zeros((1, 4, 3)), "faces": np.array([[0, 1, 4]])}, "a corner at vertex 4"),
        ("a.npz", {"vertices": np.zeros((1, 4, 3)), "faces": np.array([[0, 1, -1]])}, "face 0 has 2 corners"),
        ("a.npz", {"vertices": np.zeros((1, 4, 3)), "faces": np.zeros(3)}, "faces of shape"),
        ("a.npz", {"vertices": np.zeros((2, 4, 3)), "frame_numbers": np.array([2, 1])}, "each above the last"),
        ("a.npz", {"vertices": np.array([None])}, r"found no arrays of numbers, expected an array vertices"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    else:
        np.save(path, content)
    with pytest.raises(InputError, match=message):
        load_frames(path)


def test_an_archive_with_something_else_in_it(tmp_path):
    np.savez(tmp_path / "a.npz", vertices=awkward_positions(2))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("notes.txt", "none of the arrays")
    np.testing.assert_array_equal(load_frames(tmp_path / "a.npz").vertices, awkward_positions(2))


def test_arrays_of_other_names(tmp_path):
    points = awkward_positions(2)
    np.savez(tmp_path / "a.npz", positions=points, triangles=np.array([[0, 1, 2]], dtype=np.uint8))
    frames = load_frames(tmp_path / "a.npz")
    np.testing.assert_array_equal(frames.vertices, points)
    assert frames.polygons.triangles().tolist() == [[0, 1, 2]]


def test_files_of_several_kinds_in_one_folder(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    write_draco(source / "tube.00004.drc", tube_frames(1)[0], tube_triangles())
    with pytest.raises(InputError, match=r"found \.drc and \.obj files, expected one kind"):
        load_frames(source)


def test_an_array_in_a_zip_that_claims_more_than_is_there(tmp_path):
    path = tmp_path / "claims.npz"
    header = np.lib.format.magic(1, 0)
    text = b"{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 100000, 3), }\n"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("vertices.npy", header + len(text).to_bytes(2, "little") + text + b"\0" * 100)
    with pytest.raises(InputError, match=r"claims\.npz: claims to be much more"):
        load_frames(path)


def test_draco_without_an_order(tmp_path):
    points = tube_frames(1)[0].astype(np.float32)
    cloud, mesh = tmp_path / "cloud" / "1.drc", tmp_path / "mesh" / "1.drc"
    for path, content in (
        (cloud, DracoPy.encode(points)),
        (mesh, DracoPy.encode(points, tube_triangles().astype(np.uint32))),
    ):
        path.parent.mkdir()
        path.write_bytes(content)
    with pytest.raises(InputError, match="points without an order cannot be paired"):
        load_frames(cloud.parent, tuple(POINTS))
    write_obj(tmp_path / "source" / "1.obj", points, tube_triangles())
    with pytest.raises(InputError, match=r"other faces than .*preserve_order=True"):
        load_sequences([tmp_path / "source"], [mesh.parent])


@pytest.mark.parametrize("content", [b"", b"DRACO", b"DRACO\2\2\1\1\0\0" + b"\xff" * 50, b"v 0 0 0\n"])
def test_broken_draco(tmp_path, content):
    (tmp_path / "1.drc").write_bytes(content)
    with pytest.raises(InputError, match=r"1\.drc: .*Draco file"):
        read_draco(tmp_path / "1.drc")


PLY_HEADER = b"""ply
format ascii 1.0
comment written by hand
element vertex 5
property float x
property float y
property float z
property uchar red
element face 3
property list uchar int vertex_index
end_header
"""
PLY_VERTICES = b"".join(b"%d 0.5 -1e-3 255\n" % number for number in range(5))


def test_ply_as_text_with_faces_of_several_sizes_and_colours(tmp_path):
    path = tmp_path / "1.ply"
    path.write_bytes(PLY_HEADER + PLY_VERTICES + b"3 0 1 2\n4 0 1 2 3\n3 2 3 4\n")
    vertices, polygons = read_ply(path)
    np.testing.assert_array_equal(vertices, [[number, 0.5, np.float32(-1e-3)] for number in range(5)])
    assert {tuple(sorted(face)) for face in polygons.triangles().tolist()} == {(0, 1, 2), (0, 2, 3), (2, 3, 4)}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a whole PLY file"),
        (b"ply\nformat ascii 1.0\nelement vertex", "not a whole PLY file"),
        (b"v 0 0 0\n", "not a whole PLY file"),
        (PLY_HEADER.replace(b"vertex 5", b"vertex 9") + PLY_VERTICES, "5 vertices, expected 9"),
        (PLY_HEADER + PLY_VERTICES + b"3 0 1 5\n" * 3, "a corner at vertex 5"),
        (PLY_HEADER.replace(b"ascii", b"binary_little_endian") + b"\0" * 70, "face 0 has 0 corners"),
        (PLY_HEADER + PLY_VERTICES.replace(b"0.5", b"inf") + b"3 0 1 2\n" * 3, "expected three finite numbers"),
    ],
)
def test_broken_ply(tmp_path, content, message):
    (tmp_path / "1.ply").write_bytes(content)
    with pytest.raises(InputError, match=f"1\\.ply: .*{message}"):
        read_ply(tmp_path / "1.ply")
