import numpy as np
import pytest
from pxr import Gf, Sdf, Usd, UsdGeom, UsdSkel, Vt
from tube import AROUND, RINGS, tube_frames, tube_quads

import convert_meshes
from data.formats.polygons import Polygons
from data.formats.usd import Scene, write_usd
from data.formats.usd_reading import scene_of
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

FRAMES = tube_frames(6).astype(np.float32)


def new_stage(path, first=1, last=6, rate=24):
    stage = Usd.Stage.CreateNew(str(path))
    stage.SetStartTimeCode(first)
    stage.SetEndTimeCode(last)
    stage.SetTimeCodesPerSecond(rate)
    stage.SetFramesPerSecond(rate)
    return stage


def add_mesh(stage, name, samples=(), points=FRAMES[0]):
    mesh = UsdGeom.Mesh.Define(stage, name)
    mesh.CreateFaceVertexCountsAttr([4] * len(tube_quads()))
    mesh.CreateFaceVertexIndicesAttr(tube_quads().ravel().tolist())
    attribute = mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    for time, each in samples:
        attribute.Set(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(each, np.float32)), time)
    return mesh


def numbered(numbers, frames=FRAMES):
    return list(zip(numbers, frames, strict=True))


def read(path, **flags):
    frames = load_frames(path, **flags)
    return frames.frame_numbers, frames.vertices


def test_frames_before_zero(tmp_path):
    stage = new_stage(tmp_path / "a.usda", -3, 2)
    add_mesh(stage, "/body", numbered(range(-3, 3)))
    stage.Save()
    numbers, vertices = read(tmp_path / "a.usda")
    assert numbers == [-3, -2, -1, 0, 1, 2]
    np.testing.assert_array_equal(vertices, FRAMES)
    polygons = Polygons.from_rows(tube_quads())
    write_usd(tmp_path / "b.usdc", numbers, FRAMES, polygons, Scene())
    assert read(tmp_path / "b.usdc")[0] == numbers


def test_keys_of_a_transform_are_interpolated(tmp_path):
    stage = new_stage(tmp_path / "a.usda", 1, 16)
    moved = UsdGeom.Xform.Define(stage, "/root").AddTranslateOp()
    moved.Set(Gf.Vec3d(0, 0, 0), 1)
    moved.Set(Gf.Vec3d(15, 0, 0), 16)
    add_mesh(stage, "/root/body")
    stage.Save()
    numbers, vertices = read(tmp_path / "a.usda")
    assert numbers == list(range(1, 17))
    expected = FRAMES[0] + np.arange(16, dtype=np.float32)[:, None, None] * [1, 0, 0]
    np.testing.assert_allclose(vertices, expected, atol=1e-5)


def test_samples_between_frames_are_for_motion_blur(tmp_path):
    stage = new_stage(tmp_path / "a.usda")
    between = [(n + d, each + 9) for n, each in numbered(range(1, 7)) for d in (-0.25, 0.25)]
    add_mesh(stage, "/body", [*numbered(range(1, 7)), *between])
    stage.Save()
    numbers, vertices = read(tmp_path / "a.usda")
    assert numbers == [1, 2, 3, 4, 5, 6]
    np.testing.assert_array_equal(vertices, FRAMES)


def test_another_frame_rate_below_a_reference(tmp_path):
    """A cache at 48 frames a second in a shot of 24: every second sample."""
    cache = new_stage(tmp_path / "cache.usda", 2, 7, rate=48)
    add_mesh(cache, "/body", numbered(range(2, 8)))
    cache.SetDefaultPrim(cache.GetPrimAtPath("/body"))
    cache.Save()
    shot = new_stage(tmp_path / "shot.usda", 1, 3)
    shot.DefinePrim("/char").GetReferences().AddReference("./cache.usda")
    shot.Save()
    numbers, vertices = read(tmp_path / "shot.usda")
    assert numbers == [1, 2, 3]
    np.testing.assert_allclose(vertices, FRAMES[[0, 2, 4]], atol=1e-6)


def test_what_a_file_refers_to_is_part_of_the_cache(tmp_path):
    for rise in (0, 1):
        stage = Usd.Stage.CreateInMemory()
        add_mesh(stage, "/body", numbered(range(1, 7), FRAMES + rise))
        stage.SetDefaultPrim(stage.GetPrimAtPath("/body"))
        stage.Export(str(tmp_path / "points.usda"))
        if not rise:
            shot = new_stage(tmp_path / "shot.usda")
            shot.DefinePrim("/char").GetReferences().AddReference("./points.usda")
            shot.Save()
            del shot  # or USD would not look at the file again
        np.testing.assert_allclose(read(tmp_path / "shot.usda")[1], FRAMES + rise, atol=1e-6)


def test_a_missing_reference_is_named(tmp_path):
    shot = new_stage(tmp_path / "shot.usda")
    shot.DefinePrim("/char").GetReferences().AddReference("./cache/points.usdc")
    shot.Save()
    with pytest.raises(InputError, match=r"shot\.usda: refers to \S*cache/points\.usdc, which is not there"):
        load_frames(tmp_path / "shot.usda")


def test_instances_and_overs_are_read_as_composed(tmp_path):
    asset = new_stage(tmp_path / "asset.usda")
    asset.SetDefaultPrim(UsdGeom.Xform.Define(asset, "/asset").GetPrim())
    add_mesh(asset, "/asset/body", numbered(range(1, 7)))
    asset.Save()
    shot = new_stage(tmp_path / "shot.usda")
    char = UsdGeom.Xform.Define(shot, "/shot/char").GetPrim()
    char.GetReferences().AddReference("./asset.usda")
    char.SetInstanceable(True)
    shot.Save()
    np.testing.assert_array_equal(read(tmp_path / "shot.usda")[1], FRAMES)
    layer = new_stage(tmp_path / "over.usda")
    attribute = layer.OverridePrim("/root/body").CreateAttribute("points", Sdf.ValueTypeNames.Point3fArray)
    for time, each in numbered(range(1, 7)):
        attribute.Set(Vt.Vec3fArray.FromNumpy(each), time)
    layer.Save()
    frames = load_frames(tmp_path / "over.usda")
    np.testing.assert_array_equal(frames.vertices, FRAMES)
    assert not len(frames.polygons.sizes)  # those of the scans will do


def test_a_mesh_that_is_not_rendered_does_not_count(tmp_path):
    stage = new_stage(tmp_path / "a.usda")
    add_mesh(stage, "/body", numbered(range(1, 7)))
    add_mesh(stage, "/proxy").CreatePurposeAttr(UsdGeom.Tokens.guide)
    UsdGeom.Imageable(add_mesh(stage, "/hidden")).MakeInvisible()
    stage.Save()
    np.testing.assert_array_equal(read(tmp_path / "a.usda")[1], FRAMES)


@pytest.fixture
def character(tmp_path):
    """A tube of two bones along x, the second turning about z by 0.1 radians a frame; its root stands 2 m up."""
    stage = new_stage(tmp_path / "char.usda", 0, 4)
    root = UsdSkel.Root.Define(stage, "/char")
    root.AddTranslateOp().Set(Gf.Vec3d(0, 2, 0))
    mesh = add_mesh(stage, "/char/body")
    skeleton = UsdSkel.Skeleton.Define(stage, "/char/skeleton")
    elbow = Gf.Matrix4d().SetTranslate(Gf.Vec3d(0.5, 0, 0))
    skeleton.CreateJointsAttr(["upper", "upper/lower"])
    skeleton.CreateBindTransformsAttr([Gf.Matrix4d(1), elbow])
    skeleton.CreateRestTransformsAttr([Gf.Matrix4d(1), elbow])
    animation = UsdSkel.Animation.Define(stage, "/char/animation")
    animation.CreateJointsAttr(["upper", "upper/lower"])
    animation.CreateScalesAttr([Gf.Vec3h(1, 1, 1)] * 2)
    animation.CreateTranslationsAttr([Gf.Vec3f(0, 0, 0), Gf.Vec3f(0.5, 0, 0)])
    turns = animation.CreateRotationsAttr()
    for frame in range(5):
        turn = Gf.Quatf(float(np.cos(0.05 * frame)), 0, 0, float(np.sin(0.05 * frame)))
        turns.Set([Gf.Quatf(1, 0, 0, 0), turn], frame)
    weights = np.clip(2 * np.repeat(np.linspace(0, 1, RINGS), AROUND) - 0.5, 0, 1).astype(np.float32)
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    UsdSkel.BindingAPI.Apply(root.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    binding.CreateJointIndicesPrimvar(False, 2).Set([0, 1] * len(weights))
    binding.CreateJointWeightsPrimvar(False, 2).Set(np.stack([1 - weights, weights], axis=1).ravel().tolist())
    stage.Save()
    return tmp_path / "char.usda", weights


def test_a_skinned_character_is_evaluated(character):
    path, weights = character
    numbers, vertices = read(path)
    assert numbers == [0, 1, 2, 3, 4]
    for frame, found in enumerate(vertices):
        for vertex, weight in enumerate(weights):
            x, y, z = FRAMES[0, vertex] - [0.5, 0, 0]
            cos, sin = np.cos(0.1 * frame), np.sin(0.1 * frame)
            turned = np.array([0.5 + cos * x - sin * y, sin * x + cos * y, z])
            expected = (1 - weight) * FRAMES[0, vertex] + weight * turned + [0, 2, 0]
            np.testing.assert_allclose(found[vertex], expected, atol=1e-5)


def test_the_joints_of_a_character(character):
    path, _ = character
    numbers, joints = read(path, joints=True)
    assert numbers == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(joints, np.tile([[[0, 2, 0], [0.5, 2, 0]]], (5, 1, 1)), atol=1e-6)


def test_blend_shapes_are_refused(character):
    path, _ = character
    stage = Usd.Stage.Open(str(path))
    shape = UsdSkel.BlendShape.Define(stage, "/char/body/smile")
    shape.CreateOffsetsAttr([Gf.Vec3f(0, 0, 1)])
    shape.CreatePointIndicesAttr([0])
    binding = UsdSkel.BindingAPI(stage.GetPrimAtPath("/char/body"))
    binding.CreateBlendShapesAttr(["smile"])
    binding.CreateBlendShapeTargetsRel().SetTargets([shape.GetPath()])
    stage.Save()
    with pytest.raises(InputError, match="/char/body has blend shapes, expected points that a skeleton alone moves"):
        load_frames(path)


def test_a_conversion_keeps_units_axis_and_rate(tmp_path):
    stage = new_stage(tmp_path / "z.usda")
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    add_mesh(stage, "/body", numbered(range(1, 7)))
    stage.Save()
    convert_meshes.main([str(tmp_path / "z.usda"), str(tmp_path / "out.usda")])
    assert scene_of(tmp_path / "out.usda") == Scene("z", 0.01, 24.0)
    convert_meshes.main([str(tmp_path / "z.usda"), str(tmp_path / "other.usda"), "--units", "m", "--frame_rate", "30"])
    assert scene_of(tmp_path / "other.usda") == Scene("z", 1.0, 30.0)
