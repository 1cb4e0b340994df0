"""Alembic as other programs write it, and what they find in ours."""

import builtins

import imath
import numpy as np
import pytest
from alembic3d import Abc, AbcCoreAbstract, AbcGeom
from tube import tube_frames, tube_quads

from data.formats.alembic import check_alembic, filled_array, write_alembic
from data.formats.mesh_formats import POINTS, said_in
from data.formats.polygons import Polygons
from data.formats.usd import Scene
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

VERTICES = tube_frames(5).astype(np.float32)
QUADS = Polygons.from_rows(tube_quads())


def textured():
    polygons = Polygons.from_rows(tube_quads())
    polygons.texture = np.random.default_rng(0).random((80, 2)).astype(np.float32)
    polygons.texture_corners = np.random.default_rng(1).integers(0, 80, len(polygons.corners))
    return polygons


def mesh_sample(points, polygons=QUADS):
    turned = polygons.turned_over()
    corners, sizes = filled_array("IntArray", turned.corners), filled_array("IntArray", turned.sizes)
    return AbcGeom.OPolyMeshSchemaSample(filled_array("V3fArray", points), corners, sizes)


def add_mesh(parent, name, frames=VERTICES, times=0):
    """A mesh as another program writes it, with as many samples as there are frames."""
    mesh = AbcGeom.OPolyMesh(parent, name, times)
    for points in frames:
        mesh.getSchema().set(mesh_sample(points))
    return mesh


def archive_of(path, first=1, rate=24.0):
    archive = Abc.OArchive(str(path))
    return archive, archive.addTimeSampling(AbcCoreAbstract.TimeSampling(1 / rate, first / rate))


def test_what_others_find_in_a_written_file(tmp_path):
    polygons = textured()
    values = {"expected_error": VERTICES[..., 0]}
    write_alembic(tmp_path / "a b.abc", [3, 4, 5, 6, 7], VERTICES, polygons, Scene("z", 0.01, 25.0), values)
    archive = Abc.IArchive(str(tmp_path / "a b.abc"))
    info = Abc.GetArchiveInfo(archive)
    assert info["dccFPS"] == 25
    assert info["userDescription"] == "up axis z, a unit is 0.01 m"
    body = archive.getTop().getChild(0)
    assert (body.getName(), body.getChild(0).getName()) == ("a b", "mesh")
    schema = AbcGeom.IPolyMesh(body, "mesh").getSchema()
    times = schema.getTimeSampling()
    np.testing.assert_allclose([times.getSampleTime(number) for number in range(5)], np.arange(3, 8) / 25)
    for frame in range(5):
        np.testing.assert_array_equal(np.array(schema.getPositionsProperty().samples[frame]), VERTICES[frame])
        before, after = max(frame - 1, 0), min(frame + 1, 4)
        expected = (VERTICES[after] - VERTICES[before]) * 25 / (after - before)
        np.testing.assert_allclose(np.array(schema.getVelocitiesProperty().samples[frame]), expected, atol=1e-5)
        error = AbcGeom.IFloatGeomParam(schema.getArbGeomParams(), "expected_error")
        np.testing.assert_array_equal(np.array(error.getValueProperty().samples[frame]), VERTICES[frame, :, 0])
    assert error.getScope() == AbcGeom.GeometryScope.kVertexScope
    # faces are clockwise in Alembic: seen from outside, ours are not
    first = np.array(schema.getFaceIndicesProperty().samples[0])[:4]
    assert first.tolist() == tube_quads()[0][::-1].tolist()
    uv = schema.getUVsParam().getExpandedValue()
    here = np.array(uv.getVals())
    np.testing.assert_array_equal(here[:4], polygons.texture[polygons.texture_corners][:4][::-1])
    assert said_in(tmp_path / "a b.abc") == {"up_axis": "z", "metres_per_unit": 0.01, "frame_rate": 25.0}


def test_far_from_the_origin(tmp_path):
    far = tube_frames(3) + [1e5, 0, -3e5]
    write_alembic(tmp_path / "far.abc", [1, 2, 3], far, QUADS, Scene())
    np.testing.assert_allclose(load_frames(tmp_path / "far.abc").vertices, far, atol=1e-6)


def test_transforms_above_a_mesh_move_it(tmp_path):
    """One that turns, sampled twice in five frames, above one that stands still; one above that which is not inherited."""
    archive, times = archive_of(tmp_path / "a.abc")
    slow = archive.addTimeSampling(AbcCoreAbstract.TimeSampling(4 / 24, 1 / 24))
    top = AbcGeom.OXform(archive.getTop(), "top")
    moved = AbcGeom.XformSample()
    moved.setTranslation(imath.V3d(100, 0, 0))
    top.getSchema().set(moved)
    turning = AbcGeom.OXform(top, "turning", slow)
    for height in (0, 8):
        sample = AbcGeom.XformSample()
        sample.setInheritsXforms(False)
        sample.setTranslation(imath.V3d(0, height, 0))
        turning.getSchema().set(sample)
    still = AbcGeom.OXform(turning, "still")
    sample = AbcGeom.XformSample()
    sample.setMatrix(imath.M44d(0, 2, 0, 0, -2, 0, 0, 0, 0, 0, 2, 0, 1, 0, 0, 1))
    still.getSchema().set(sample)
    add_mesh(still, "mesh", times=times)
    del archive, top, turning, still
    frames = load_frames(tmp_path / "a.abc")
    assert frames.frame_numbers == [1, 2, 3, 4, 5]
    turned = VERTICES @ np.array([[0, 2, 0], [-2, 0, 0], [0, 0, 2]]) + [1, 0, 0]
    np.testing.assert_allclose(frames.vertices, turned + np.arange(0, 10, 2)[:, None, None] * [0, 1, 0], atol=1e-5)


def test_a_mesh_that_only_its_transform_moves(tmp_path):
    archive, times = archive_of(tmp_path / "a.abc")
    body = AbcGeom.OXform(archive.getTop(), "body", times)
    for height in range(3):
        sample = AbcGeom.XformSample()
        sample.setTranslation(imath.V3d(0, height, 0))
        body.getSchema().set(sample)
    add_mesh(body, "mesh", VERTICES[:1])
    del archive, body
    frames = load_frames(tmp_path / "a.abc")
    assert frames.frame_numbers == [1, 2, 3]
    np.testing.assert_allclose(frames.vertices, VERTICES[0] + np.arange(3)[:, None, None] * [0, 1, 0], atol=1e-6)


def test_several_meshes_have_names(tmp_path):
    archive, times = archive_of(tmp_path / "a.abc")
    for name, away in (("body", 0), ("hat", 1)):
        add_mesh(AbcGeom.OXform(archive.getTop(), name), f"{name}Shape", VERTICES + away, times)
    joints = AbcGeom.OPoints(AbcGeom.OXform(archive.getTop(), "rig"), "joints", times)
    for points in VERTICES[:, :7]:
        ids = filled_array("IntArray", np.arange(7))
        joints.getSchema().set(AbcGeom.OPointsSchemaSample(filled_array("V3fArray", points), ids))
    del archive, joints
    path = tmp_path / "a.abc"
    for part in ("/hat/hatShape", "/hat", "hatShape"):
        frames = load_frames(tmp_path / f"a.abc:{part}")
        np.testing.assert_array_equal(frames.vertices, VERTICES + 1)
        assert frames.polygons.are_like(QUADS)
        assert frames.files == [path] * 5
    for flags in ({"joints": True}, {}):
        frames = load_frames(tmp_path / f"a.abc:{'' if flags else '/rig'}".rstrip(":"), tuple(POINTS), **flags)
        np.testing.assert_array_equal(frames.vertices, VERTICES[:, :7])
    there = "there are /body/bodyShape, /hat/hatShape, /rig/joints"
    with pytest.raises(InputError, match=rf"found 2 meshes \({there}\).*: name one, as in a\.abc:/body/bodyShape"):
        load_frames(path)
    with pytest.raises(InputError, match=rf"found 0 meshes called /shoe \({there}\)"):
        load_frames(tmp_path / "a.abc:/shoe")


def test_hidden_meshes_do_not_count(tmp_path):
    archive, times = archive_of(tmp_path / "a.abc")
    add_mesh(archive.getTop(), "body", times=times)
    proxy = AbcGeom.OXform(archive.getTop(), "proxy")
    hidden = AbcGeom.CreateVisibilityProperty(proxy, 0)
    hidden.setValue(int(AbcGeom.ObjectVisibility.kVisibilityHidden))
    add_mesh(proxy, "mesh", VERTICES + 9, times)
    del archive, proxy, hidden
    np.testing.assert_array_equal(load_frames(tmp_path / "a.abc").vertices, VERTICES)


def test_faces_and_counts_that_change(tmp_path):
    archive, times = archive_of(tmp_path / "faces.abc")
    mesh = AbcGeom.OPolyMesh(archive.getTop(), "mesh", times)
    for turn in range(2):
        mesh.getSchema().set(mesh_sample(VERTICES[turn], Polygons.from_rows(np.roll(tube_quads(), turn, axis=0))))
    archive, times = archive_of(tmp_path / "counts.abc")
    mesh = add_mesh(archive.getTop(), "mesh", VERTICES[:1], times)
    mesh.getSchema().set(AbcGeom.OPolyMeshSchemaSample(filled_array("V3fArray", VERTICES[1, :70])))
    del archive, mesh
    with pytest.raises(InputError, match=r"faces\.abc: the faces of /mesh change, expected the same topology"):
        load_frames(tmp_path / "faces.abc")
    with pytest.raises(InputError, match=r"counts\.abc: frame 2: 70 vertices, expected 72 as in 1"):
        load_frames(tmp_path / "counts.abc")


def test_files_that_are_none(tmp_path):
    Abc.OArchive(str(tmp_path / "empty.abc"))
    write_alembic(tmp_path / "whole.abc", [1], VERTICES[:1], QUADS, Scene())
    content = (tmp_path / "whole.abc").read_bytes()
    (tmp_path / "cut.abc").write_bytes(content[: len(content) // 2])
    (tmp_path / "hdf.abc").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90))
    for name, message in (
        ("empty", r"found 0 meshes \(there are none\)"), ("cut", "not a whole Alembic file"), ("hdf", "not a whole Alembic"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=rf"{name}\.abc: {message}"):
            load_frames(tmp_path / f"{name}.abc")


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.abc"
    write_alembic(path, [1, 2], VERTICES[:2], QUADS, Scene())
    before = path.read_bytes()
    with pytest.raises((ValueError, IndexError, OSError)):  # fewer numbers than frames
        write_alembic(path, [1], VERTICES[:2], QUADS, Scene())
    assert path.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["a.abc"]


def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch):
    write_alembic(tmp_path / "a.abc", [1], VERTICES[:1], QUADS, Scene())
    imported = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "alembic3d":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    for use in (lambda: load_frames(tmp_path / "a.abc"), check_alembic):
        with pytest.raises(InputError, match=r"needs the package.*alembic3d|alembic3d.*requirements-pipeline"):
            use()
