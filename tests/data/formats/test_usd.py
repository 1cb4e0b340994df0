"""USD as other programs write it, and what they find in ours."""

import builtins

import numpy as np
import pytest
from pxr import Gf, Sdf, Usd, UsdGeom, UsdValidation, Vt
from tube import tube_frames, tube_quads

from data.formats.polygons import Polygons
from data.formats.usd import Scene, check_usable, write_usd
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

NUMBERS = [1, 2, 5]


def tube(texture=True):
    """Frames of the tube, and its polygons with a seam in their texture coordinates."""
    polygons = Polygons.from_rows(tube_quads())
    if texture:
        polygons.texture = np.random.default_rng(0).random((len(polygons.corners), 2)).astype(np.float32)
        polygons.texture_corners = np.arange(len(polygons.corners))[::-1].copy()
    return tube_frames(len(NUMBERS)).astype(np.float32), polygons


@pytest.mark.parametrize("name", ["tube.usdc", "tube.usda", "0 odd näme.usd"])
@pytest.mark.parametrize("with_faces", [True, False])
def test_a_written_file_passes_every_check_of_usd(tmp_path, name, with_faces):
    vertices, polygons = tube()
    write_usd(tmp_path / name, NUMBERS, vertices, polygons if with_faces else Polygons(), Scene("z", 0.01, 60.0))
    stage = Usd.Stage.Open(str(tmp_path / name))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert len(validators) > 20
    assert [each.GetMessage() for each in UsdValidation.ValidationContext(validators).Validate(stage)] == []
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 0.01
    assert (stage.GetFramesPerSecond(), stage.GetTimeCodesPerSecond()) == (60, 60)
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (1, 5)
    mesh = UsdGeom.PointBased(stage.GetDefaultPrim().GetChild("mesh"))
    assert mesh.GetPointsAttr().GetTimeSamples() == NUMBERS
    for number, frame in zip(NUMBERS, vertices, strict=True):
        np.testing.assert_array_equal(mesh.GetPointsAttr().Get(number), frame)
        np.testing.assert_array_equal(mesh.GetExtentAttr().Get(number), [frame.min(axis=0), frame.max(axis=0)])
        speed = (vertices[2] - vertices[1]) * 60 / 3 if number == 5 else None
        if speed is not None:
            np.testing.assert_allclose(mesh.GetVelocitiesAttr().Get(number), speed, rtol=1e-5, atol=1e-6)
    if with_faces:
        assert UsdGeom.Mesh(mesh).GetSubdivisionSchemeAttr().Get() == "none"
        st = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st")
        assert st.GetInterpolation() == "faceVarying"
        np.testing.assert_array_equal(st.ComputeFlattened(), polygons.texture[polygons.texture_corners])


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    vertices, polygons = tube()
    path = tmp_path / "tube.usdc"
    write_usd(path, NUMBERS, vertices, polygons, Scene())
    before = path.read_bytes()

    with pytest.raises(ValueError, match="shorter"):  # more numbers than frames
        write_usd(path, [*NUMBERS, 9], vertices, polygons, Scene())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def define_mesh(path, vertices, rows, name="/scene/body"):
    """Return a stage with one mesh, as another program may have written it."""
    stage = Usd.Stage.CreateNew(str(path))
    mesh = UsdGeom.Mesh.Define(stage, name)
    mesh.CreateFaceVertexCountsAttr([len(row) for row in rows])
    mesh.CreateFaceVertexIndicesAttr([int(corner) for row in rows for corner in row])
    for number, frame in zip(NUMBERS, vertices, strict=False):
        mesh.CreatePointsAttr().Set(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(frame)), number)
    return stage, mesh


def test_a_mesh_below_moving_transforms_and_turned_inside_out(tmp_path):
    vertices, _ = tube()
    path = tmp_path / "tube.usda"
    stage, mesh = define_mesh(path, vertices, tube_quads())
    mesh.CreateOrientationAttr(UsdGeom.Tokens.leftHanded)
    parent = UsdGeom.Xform.Define(stage, "/scene")
    move = parent.AddTranslateOp()
    for number in NUMBERS:
        move.Set(Gf.Vec3d(number, 0, 0), number)
    parent.AddScaleOp().Set(Gf.Vec3f(2, 2, 2))
    stage.Save()
    frames = load_frames(path)
    expected = 2 * vertices + np.array(NUMBERS)[:, None, None] * [1, 0, 0]
    assert frames.frame_numbers == list(range(NUMBERS[0], NUMBERS[-1] + 1))  # interpolated where there is no sample
    np.testing.assert_allclose(frames.vertices[np.array(NUMBERS) - NUMBERS[0]], expected, atol=1e-6)
    np.testing.assert_array_equal(frames.polygons.to_rows(frames.polygons.corners), tube_quads()[:, ::-1])


def test_a_mesh_without_samples_is_one_frame_and_texture_may_belong_to_vertices(tmp_path):
    vertices, _ = tube()
    path = tmp_path / "tube.usda"
    stage, mesh = define_mesh(path, [], tube_quads())
    mesh.CreatePointsAttr().Set(Vt.Vec3fArray.FromNumpy(vertices[0]))
    texture = np.random.default_rng(0).random((len(vertices[0]), 2)).astype(np.float32)
    st = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, "vertex")
    st.Set(Vt.Vec2fArray.FromNumpy(texture))
    stage.Save()
    frames = load_frames(path)
    np.testing.assert_array_equal(frames.vertices, vertices[:1])
    polygons = frames.polygons
    np.testing.assert_array_equal(polygons.texture[polygons.texture_corners], texture[polygons.corners])


def add_second_mesh(stage, _):
    UsdGeom.Mesh.Define(stage, "/scene/other")


def change_faces(_, mesh):
    indices = mesh.GetFaceVertexIndicesAttr()
    faces = list(indices.Get())
    indices.Set(faces, 1)
    indices.Set(faces[::-1], 2)


def lose_vertices(_, mesh):
    mesh.GetPointsAttr().Set(mesh.GetPointsAttr().Get(2)[:-1], 2)


def not_a_number(_, mesh):
    points = np.array(mesh.GetPointsAttr().Get(2))
    points[7] = np.nan
    mesh.GetPointsAttr().Set(Vt.Vec3fArray.FromNumpy(points), 2)


def no_points(_, mesh):
    mesh.GetPointsAttr().Clear()


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (add_second_mesh, r"found 2 meshes \(/scene/body, /scene/other\), expected one"),
        (change_faces, "the faces of /scene/body change"),
        (lose_vertices, "frame 2: 71 vertices, expected 72"),
        (not_a_number, "vertex 7 is .*nan"),
        (no_points, "has no points"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, harm, message):
    vertices, _ = tube()
    path = tmp_path / "tube.usda"
    stage, mesh = define_mesh(path, vertices, tube_quads())
    harm(stage, mesh)
    stage.Save()
    with pytest.raises(InputError, match=r"tube\.usda: .*" + message):
        load_frames(path)


def test_without_the_package(tmp_path, monkeypatch):
    real_import = builtins.__import__

    def import_all_but_usd(name, *rest):
        if name == "pxr":
            raise ModuleNotFoundError("No module named 'pxr'", name="pxr")
        return real_import(name, *rest)

    (tmp_path / "tube.usda").write_text("#usda 1.0\n")
    monkeypatch.setattr(builtins, "__import__", import_all_but_usd)
    for use in (lambda: load_frames(tmp_path / "tube.usda"), lambda: check_usable(Scene())):
        with pytest.raises(
            InputError, match=r"package pxr is not installed; pip install -r requirements-pipeline\.txt"
        ):
            use()


def test_an_axis_that_usd_does_not_know():
    with pytest.raises(InputError, match="--up_axis: found x, expected y or z"):
        check_usable(Scene("x"))
