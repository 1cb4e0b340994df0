"""USD files as programs write them."""

from functools import partial

import numpy as np
from pxr import Gf, Sdf, Usd, UsdGeom, UsdSkel, Vt
from tube import AROUND, RINGS, tube_quads

from inputs_of_users.meshes import NUMBERS, SKINNED, Read

FRAMES = SKINNED.astype(np.float32)
STILL = FRAMES.copy()
STILL[6:8] = STILL[5]
STILL[8] = STILL[5]  # the last of the run, which an exporter writes


def new_stage(path, first=1, last=16, rate=24):
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


def numbered(numbers=NUMBERS, frames=FRAMES):
    return list(zip(numbers, frames, strict=True))


def before_zero():
    stage = new_stage("skin.usda", -4, 11)
    add_mesh(stage, "/body", numbered(range(-4, 12)))
    stage.Save()


def keys_of_a_transform():
    """The tube's first frame, moved by a metre a frame."""
    stage = new_stage("skin.usda")
    moved = UsdGeom.Xform.Define(stage, "/root").AddTranslateOp()
    moved.Set(Gf.Vec3d(0, 0, 0), 1)
    moved.Set(Gf.Vec3d(15, 0, 0), 16)
    add_mesh(stage, "/root/body")
    stage.Save()


def samples_for_motion_blur():
    stage = new_stage("skin.usda")
    add_mesh(stage, "/body", [*numbered(), *((n + d, each + 9) for n, each in numbered() for d in (-0.25, 0.25))])
    stage.Save()


def a_reference_of_another_rate():
    """A cache of 48 frames a second in a shot of 24."""
    cache = new_stage("cache.usda", 2, 32, rate=48)
    add_mesh(cache, "/body", numbered(range(2, 34, 2)))
    cache.SetDefaultPrim(cache.GetPrimAtPath("/body"))
    cache.Save()
    shot = new_stage("skin.usda")
    shot.DefinePrim("/char").GetReferences().AddReference("./cache.usda")
    shot.Save()


def held_runs_left_out():
    """An animation whose exporter leaves out what does not change: points that are still over frames 6 to 8."""
    stage = new_stage("skin.usda")
    add_mesh(stage, "/body", [(n, STILL[n - 1]) for n in NUMBERS if n not in (7, 8)])
    stage.Save()


def two_keys_of_points():
    stage = new_stage("skin.usda")
    add_mesh(stage, "/body", [(1, FRAMES[0]), (16, FRAMES[0] + np.float32([15, 0, 0]))])
    stage.Save()


def keys_of_a_skeleton():
    """A character whose lower bone is keyed at 1 and 16 alone."""
    a_character()
    stage = Usd.Stage.Open("skin.usda")
    turns = stage.GetPrimAtPath("/char/animation").GetAttribute("rotations")
    for time in turns.GetTimeSamples():
        if time not in (1, 8, 16):
            turns.ClearAtTime(time)
    stage.Save()


def times_in_seconds():
    stage = new_stage("skin.usda", 0, 16 / 24, rate=1)
    add_mesh(stage, "/body", numbered([n / 24 for n in NUMBERS]))
    stage.Save()


def texture_of_another_name():
    stage = new_stage("skin.usda")
    mesh = add_mesh(stage, "/body", numbered())
    coordinates = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("UVMap", Sdf.ValueTypeNames.TexCoord2fArray, "vertex")
    coordinates.Set(Vt.Vec2fArray.FromNumpy(FRAMES[0][:, :2].copy()))
    stage.Save()


def a_missing_reference():
    shot = new_stage("skin.usda")
    shot.DefinePrim("/char").GetReferences().AddReference("./cache/points.usdc")
    shot.Save()


def an_instance():
    asset = new_stage("asset.usda")
    asset.SetDefaultPrim(UsdGeom.Xform.Define(asset, "/asset").GetPrim())
    add_mesh(asset, "/asset/body", numbered())
    asset.Save()
    shot = new_stage("skin.usda")
    char = UsdGeom.Xform.Define(shot, "/shot/char").GetPrim()
    char.GetReferences().AddReference("./asset.usda")
    char.SetInstanceable(True)
    shot.Save()


def points_over_another_files_mesh(name):
    layer = new_stage(name)
    attribute = layer.OverridePrim("/root/body").CreateAttribute("points", Sdf.ValueTypeNames.Point3fArray)
    for time, each in numbered():
        attribute.Set(Vt.Vec3fArray.FromNumpy(each), time)
    layer.Save()


def points_over_the_mesh_below():
    points_over_another_files_mesh("points.usda")
    model = new_stage("model.usda")
    add_mesh(model, "/root/body")
    model.Save()
    shot = new_stage("skin.usda")
    shot.GetRootLayer().subLayerPaths = ["./points.usda", "./model.usda"]
    shot.Save()


def a_proxy_and_a_hidden_mesh():
    stage = new_stage("skin.usda")
    add_mesh(stage, "/body", numbered())
    add_mesh(stage, "/proxy").CreatePurposeAttr(UsdGeom.Tokens.guide)
    UsdGeom.Imageable(add_mesh(stage, "/hidden")).MakeInvisible()
    stage.Save()


def in_centimetres_with_z_up(path="skin.usda"):
    stage = new_stage(path)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 0.01)
    add_mesh(stage, "/body", numbered())
    stage.Save()


SKIN_WEIGHTS = np.clip(2 * np.repeat(np.linspace(0, 1, RINGS), AROUND) - 0.5, 0, 1).astype(np.float32)


def a_character(path="skin.usda"):
    """A tube of two bones along x, the second turning about z by 0.1 radians a frame; its root stands 2 m up."""
    stage = new_stage(path)
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
    for frame in NUMBERS:
        turn = Gf.Quatf(float(np.cos(0.05 * frame)), 0, 0, float(np.sin(0.05 * frame)))
        turns.Set([Gf.Quatf(1, 0, 0, 0), turn], frame)
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    UsdSkel.BindingAPI.Apply(root.GetPrim())
    binding.CreateSkeletonRel().SetTargets([skeleton.GetPath()])
    UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
    binding.CreateJointIndicesPrimvar(False, 2).Set([0, 1] * len(SKIN_WEIGHTS))
    pairs = np.stack([1 - SKIN_WEIGHTS, SKIN_WEIGHTS], axis=1)
    binding.CreateJointWeightsPrimvar(False, 2).Set(pairs.ravel().tolist())
    stage.Save()


def skinned_character():
    """Return what `a_character` shows (T, V, 3), by its weights."""
    angles, (x, y, z) = 0.1 * np.array(NUMBERS)[:, None], (FRAMES[0] - [0.5, 0, 0]).T
    turned = [np.cos(angles) * x - np.sin(angles) * y + 0.5, np.sin(angles) * x + np.cos(angles) * y, 0 * angles + z]
    weights = SKIN_WEIGHTS[:, None]
    return (1 - weights) * FRAMES[0] + weights * np.stack(turned, axis=2) + [0, 2, 0]


INPUTS = {
    "USD before frame zero": (before_zero, range(-4, 12)),
    "USD, keys of a transform": (
        keys_of_a_transform, Read(skinned=FRAMES[0] + np.arange(16)[:, None, None] * np.array([1, 0, 0]), tolerance=1e-5),
    ),
    "USD, runs that do not change left out": (held_runs_left_out, Read(skinned=STILL)),
    "USD, two keys of points": (
        two_keys_of_points, Read(skinned=FRAMES[0] + np.arange(16)[:, None, None] * np.array([1, 0, 0]), tolerance=1e-5),
    ),
    "USD, keys of a skeleton": (keys_of_a_skeleton, Read(skinned=skinned_character(), tolerance=1e-3)),
    "USD, times in seconds": (times_in_seconds, "16 samples between .*, 1 of them a second: times that count seconds"),
    "USD, samples for motion blur": (samples_for_motion_blur, NUMBERS),
    "USD, a reference of another rate": (a_reference_of_another_rate, NUMBERS),
    "USD, a missing reference": (
        a_missing_reference, r"refers to \S*cache/points\.usdc, which is not there; expected it beside",
    ),
    "USD, an instance": (an_instance, NUMBERS),
    "USD, points over another file's mesh": (
        partial(points_over_another_files_mesh, "skin.usda"), "no faces found, expected a mesh: .* over another file's mesh",
    ),
    "USD, points over the mesh below": (points_over_the_mesh_below, NUMBERS),
    "USD, a proxy and a hidden mesh": (a_proxy_and_a_hidden_mesh, NUMBERS),
    "USD, centimetres and z up": (in_centimetres_with_z_up, NUMBERS),
    "USD, a character on a skeleton": (a_character, Read(skinned=skinned_character(), tolerance=1e-5)),
}  # fmt: skip
