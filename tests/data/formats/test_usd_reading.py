"""What USD files hold beyond what is read of them as they are; that stands in tests/inputs_of_users/usd_files.py."""

import numpy as np
import pytest
from bar import Bar, translated
from inputs_of_users.usd_files import (
    FRAMES,
    a_character,
    a_missing_reference,
    add_mesh,
    in_centimetres_with_z_up,
    new_stage,
    numbered,
    points_over_another_files_mesh,
    texture_of_another_name,
)
from pxr import Gf, Sdf, Usd, UsdGeom, UsdSkel, Vt
from tube import tube_quads

import convert_meshes
from data.formats.polygons import Polygons
from data.formats.usd import Scene, write_usd
from data.formats.usd_reading import said_in_usd
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames


def read(path, **flags):
    frames = load_frames(path, **flags)
    return frames.frame_numbers, frames.vertices


def test_frames_before_zero_are_written(tmp_path):
    numbers = list(range(-4, 12))
    write_usd(tmp_path / "b.usdc", numbers, FRAMES, Polygons.from_rows(tube_quads()), Scene())
    assert read(tmp_path / "b.usdc")[0] == numbers


def test_another_frame_rate_below_a_reference(tmp_path):
    """A cache at 48 frames a second in a shot of 24: every second sample."""
    cache = new_stage(tmp_path / "cache.usda", 2, 7, rate=48)
    add_mesh(cache, "/body", numbered(range(2, 8), FRAMES[:6]))
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
        add_mesh(stage, "/body", numbered(frames=FRAMES + rise))
        stage.SetDefaultPrim(stage.GetPrimAtPath("/body"))
        stage.Export(str(tmp_path / "points.usda"))
        if not rise:
            shot = new_stage(tmp_path / "shot.usda")
            shot.DefinePrim("/char").GetReferences().AddReference("./points.usda")
            shot.Save()
            del shot  # or USD would not look at the file again
        np.testing.assert_allclose(read(tmp_path / "shot.usda")[1], FRAMES + rise, atol=1e-6)


def test_points_over_another_files_mesh_will_do_where_the_other_meshes_have_faces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    points_over_another_files_mesh("over.usda")
    frames = load_frames(tmp_path / "over.usda")
    np.testing.assert_array_equal(frames.vertices, FRAMES)
    assert not len(frames.polygons.sizes)


def test_usd_prints_nothing_of_its_own(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    a_missing_reference()
    capfd.readouterr()
    with pytest.raises(InputError, match="which is not there"):
        load_frames(tmp_path / "skin.usda")
    assert capfd.readouterr() == ("", "")


def test_the_joints_of_a_character(tmp_path):
    a_character(tmp_path / "char.usda")
    numbers, joints = read(tmp_path / "char.usda", joints=True)
    assert numbers == list(range(1, 17))
    np.testing.assert_allclose(joints, np.tile([[[0, 2, 0], [0.5, 2, 0]]], (16, 1, 1)), atol=1e-6)


def test_blend_shapes_alone_move_points(tmp_path):
    """One shape that moves a point, another way at half its weight, and one of all points, in an animation's own order."""
    path, names = tmp_path / "char.usda", ["smile", "frown"]
    a_character(path)
    stage = Usd.Stage.Open(str(path))
    body = stage.GetPrimAtPath("/char/body")
    for name in ("jointIndices", "jointWeights"):
        body.RemoveProperty(f"primvars:skel:{name}")
    rest = np.array(body.GetAttribute("points").Get())
    smile, frown = (UsdSkel.BlendShape.Define(stage, f"/char/body/{name}") for name in names)
    smile.CreateOffsetsAttr([Gf.Vec3f(0, 0, 1)])
    smile.CreatePointIndicesAttr([2])
    half = smile.CreateInbetween("half")
    half.SetOffsets([Gf.Vec3f(0, 3, 0)])
    half.SetWeight(0.5)
    frown.CreateOffsetsAttr([Gf.Vec3f(1, 0, 0)] * len(rest))
    binding = UsdSkel.BindingAPI(body)
    binding.CreateBlendShapesAttr(names)
    binding.CreateBlendShapeTargetsRel().SetTargets([smile.GetPath(), frown.GetPath()])
    animation = UsdSkel.Animation(stage.GetPrimAtPath("/char/animation"))
    animation.CreateBlendShapesAttr(["frown", "other", "smile"])
    weights = animation.CreateBlendShapeWeightsAttr()
    weights.Set([0.0, 9.0, 0.5], 1)
    weights.Set([2.0, 9.0, 1.0], 16)
    stage.Save()
    numbers, found = read(path)
    assert numbers == list(range(1, 17))
    first, last = rest + [0, 2, 0], rest + [2, 2, 0]  # the root stands 2 m up
    first[2] += [0, 3, 0]
    last[2] += [0, 0, 1]
    np.testing.assert_allclose(found[[0, 15]], [first, last], atol=1e-6)
    smile.CreatePointIndicesAttr([len(rest)])
    stage.Save()
    with pytest.raises(
        InputError, match=r"the blend shapes of /char/body cannot be used at time 1, expected offsets of"
    ):
        read(path)


def test_a_conversion_keeps_units_axis_and_rate(tmp_path):
    in_centimetres_with_z_up(tmp_path / "z.usda")
    convert_meshes.main([str(tmp_path / "z.usda"), str(tmp_path / "out.usda")])
    assert Scene(**said_in_usd(tmp_path / "out.usda")) == Scene("z", 0.01, 24.0)
    convert_meshes.main([str(tmp_path / "z.usda"), str(tmp_path / "other.usda"), "--units", "m", "--frame_rate", "30"])
    assert Scene(**said_in_usd(tmp_path / "other.usda")) == Scene("z", 1.0, 30.0)


def test_a_file_that_says_neither_units_nor_axis(tmp_path):
    stage = Usd.Stage.CreateNew(str(tmp_path / "plain.usda"))
    stage.SetTimeCodesPerSecond(25)
    stage.Save()
    assert said_in_usd(tmp_path / "plain.usda") == {"frame_rate": 25.0}  # not what USD falls back on


def test_a_bar_moves_as_a_loop_over_its_vertices_says(tmp_path):
    """The bar of the glTF tests: three bones with eight influences, below a helper that is scaled unequally."""
    bar, stage = Bar(), new_stage(tmp_path / "bar.usda", 1, 5)
    kept = [vertex for vertex in range(35) if vertex % 5 < 4]
    root = UsdSkel.Root.Define(stage, "/char")
    skeleton = UsdSkel.Skeleton.Define(stage, "/char/skeleton")
    UsdGeom.Xformable(skeleton).AddTransformOp().Set(Gf.Matrix4d(*bar.helper.T.ravel().tolist()))
    joints = ["a", "a/b", "a/b/c"]
    skeleton.CreateJointsAttr(joints)
    below = [translated([0, height, 0]) for height in range(3)]  # in the skeleton's space
    skeleton.CreateBindTransformsAttr([Gf.Matrix4d(*(bar.helper @ each).T.ravel().tolist()) for each in below])
    skeleton.CreateRestTransformsAttr(
        [Gf.Matrix4d(*translated([0, int(place > 0), 0]).T.ravel().tolist()) for place in range(3)]
    )
    animation = UsdSkel.Animation.Define(stage, "/char/animation")
    animation.CreateJointsAttr(joints)
    moves, turns, scales = (
        animation.CreateTranslationsAttr(),
        animation.CreateRotationsAttr(),
        animation.CreateScalesAttr(),
    )
    for frame in range(5):
        moves.Set([Gf.Vec3f(*bar.moves[frame].tolist()), Gf.Vec3f(0, 1, 0), Gf.Vec3f(0, 1, 0)], frame + 1)
        now = bar.turns[:, frame]
        turns.Set([Gf.Quatf(float(w), float(x), float(y), float(z)) for x, y, z, w in now], frame + 1)
        scales.Set([Gf.Vec3h(1, 1, 1), Gf.Vec3h(*np.float16(bar.scales[frame]).tolist()), Gf.Vec3h(1, 1, 1)], frame + 1)
    bar.scales = np.float16(bar.scales).astype(float)  # which is all that USD keeps of them
    mesh = UsdGeom.Mesh.Define(stage, "/char/bar")
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(bar.points[kept].astype(np.float32)))
    place = np.array([4 * (vertex // 5) + vertex % 5 % 4 for vertex in range(35)])
    mesh.CreateFaceVertexCountsAttr([3] * len(bar.faces))
    mesh.CreateFaceVertexIndicesAttr(place[bar.faces].ravel().tolist())
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    UsdSkel.BindingAPI.Apply(root.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    binding.CreateJointIndicesPrimvar(False, 8).Set(bar.joints[kept].ravel().tolist())
    binding.CreateJointWeightsPrimvar(False, 8).Set(
        Vt.FloatArray.FromNumpy(bar.weights[kept].ravel().astype(np.float32))
    )
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))
    shape = UsdSkel.BlendShape.Define(stage, "/char/bar/morph")
    shape.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(bar.morph[kept].astype(np.float32)))
    binding.CreateBlendShapesAttr(["morph"])
    binding.CreateBlendShapeTargetsRel().SetTargets([shape.GetPath()])
    animation.CreateBlendShapesAttr(["morph"])
    for frame in range(5):
        animation.CreateBlendShapeWeightsAttr().Set([bar.morphing[frame]], frame + 1)
    stage.Save()
    numbers, vertices = read(tmp_path / "bar.usda")
    assert numbers == [1, 2, 3, 4, 5]
    for frame in range(5):
        np.testing.assert_allclose(vertices[frame], bar.expected(frame), atol=1e-5 * np.ptp(bar.points))


def test_a_clip_that_comes_later_is_read(tmp_path):
    for number, points in numbered():
        clip = new_stage(tmp_path / f"clip.{number:04d}.usda", number, number)
        attribute = clip.OverridePrim("/body").CreateAttribute("points", Sdf.ValueTypeNames.Point3fArray)
        attribute.Set(Vt.Vec3fArray.FromNumpy(points), number)
        clip.Save()
    manifest = Usd.Stage.CreateNew(str(tmp_path / "manifest.usda"))
    manifest.OverridePrim("/body").CreateAttribute("points", Sdf.ValueTypeNames.Point3fArray)
    manifest.Save()
    stage = new_stage(tmp_path / "skin.usda")
    mesh = add_mesh(stage, "/body")
    mesh.GetPrim().RemoveProperty("points")
    clips = Usd.ClipsAPI(mesh.GetPrim())
    clips.SetClipTemplateAssetPath("./clip.####.usda")
    clips.SetClipTemplateStride(1)
    clips.SetClipTemplateStartTime(1)
    clips.SetClipTemplateEndTime(16)
    clips.SetClipPrimPath("/body")
    clips.SetClipManifestAssetPath(Sdf.AssetPath("./manifest.usda"))
    stage.Save()
    (tmp_path / "clip.0016.usda").rename(tmp_path / "later")
    assert read(tmp_path / "skin.usda")[0] == list(range(1, 16))
    (tmp_path / "later").rename(tmp_path / "clip.0016.usda")
    numbers, vertices = read(tmp_path / "skin.usda")
    assert numbers == list(range(1, 17))
    np.testing.assert_array_equal(vertices, FRAMES)


def test_frames_that_we_skipped_stay_so(tmp_path):
    numbers = [1, 2, 5, 9]
    write_usd(tmp_path / "b.usdc", numbers, FRAMES[:4], Polygons.from_rows(tube_quads()), Scene())
    assert read(tmp_path / "b.usdc")[0] == numbers


def test_texture_coordinates_of_another_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texture_of_another_name()
    polygons = load_frames(tmp_path / "skin.usda").polygons
    np.testing.assert_array_equal(polygons.texture[polygons.texture_corners], FRAMES[0][polygons.corners, :2])
