"""Reading USD: the frames of one mesh, skinned or not, of one set of points, or of a skeleton's joints, as USD composes them.

Needs usd-core, an optional package, which is imported where it is used.
"""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.formats.guarded_usd import quiet_usd
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons, checked_polygons
from data.formats.positions import checked_positions
from data.formats.survival import survived
from data.formats.usd_times import animation_times, transform_times, whole_frames
from data.input_error import InputError, optional_packages

USD_ENDINGS = (".usd", ".usda", ".usdc", ".usdz")
PositionsAt = Callable[[float], Any]


def open_usd(path: Path) -> OpenedFrames:
    """Return the frames of the one mesh in a USD file, or of its one set of points where there is no mesh, in world space.

    What the file refers to is composed; a mesh that is bound to a skeleton is skinned by it. Of several meshes, those that are
    not rendered do not count. Frames are numbered by their time codes: those of the samples where all are whole numbers as far
    apart, else every whole number from the first to the last, held or interpolated as USD does. Raises
    `InputError` for a file that cannot be opened or refers to one that is not there, another number of meshes, and faces that
    change.
    """
    check_package(path)
    return survived(path, open_survived, "USD")


def open_usd_joints(path: Path) -> OpenedFrames:
    """Return the frames of the one skeleton's joints in a USD file, in world space; without one, do what `open_usd` does."""
    check_package(path)
    return survived(path, open_survived_joints, "USD")


def check_package(path: Path) -> None:
    """Raise `InputError` where the package that reads USD files is not there."""
    with optional_packages(f"{path}, a USD file"):
        import pxr  # noqa: F401


def open_survived(path: Path) -> OpenedFrames:
    """Do what `open_usd` does, in this process."""
    with quiet_usd(path):
        stage, files = composed_stage(path)
        prim = the_one_shape(stage, path)
        positions_at, times, moved_by = skinned_points(prim, path) or plain_points(prim)
        frames = whole_frames(path, stage, times, transform_times(moved_by), keyed=moved_by != prim)
        first = positions_at(float(frames[0]))
        if not first:
            raise InputError(f"{path}: {prim.GetPath()} has no points at time {frames[0]}")
        polygons = checked_polygons(read_polygons(prim, path), len(first), path)
    positions = in_world(path, stage, moved_by, positions_at, frames, len(first))
    return OpenedFrames(frames, len(first), polygons, positions, draws_in=files)


def open_survived_joints(path: Path) -> OpenedFrames:
    """Do what `open_usd_joints` does, in this process."""
    from pxr import UsdSkel

    with quiet_usd(path):
        stage, files = composed_stage(path)
        skeletons = [prim for prim in stage.Traverse(predicate()) if prim.IsA(UsdSkel.Skeleton)]
        if not skeletons:
            return open_survived(path)
        if len(skeletons) > 1:
            found = ", ".join(str(prim.GetPath()) for prim in skeletons[:5])
            raise InputError(f"{path}: found {len(skeletons)} skeletons ({found}), expected one")
        (prim,) = skeletons
        cache = UsdSkel.Cache()
        query = cache.GetSkelQuery(UsdSkel.Skeleton(prim))
        root = UsdSkel.Root.Find(prim)
        if root:
            cache.Populate(root, predicate())
            query = cache.GetSkelQuery(UsdSkel.Skeleton(prim))

        def positions_at(time: float) -> Any:
            return [matrix.ExtractTranslation() for matrix in query.ComputeJointSkelTransforms(time)]

        frames = whole_frames(path, stage, animation_times(query), transform_times(prim), keyed=True)
        num_joints = len(positions_at(float(frames[0])))
        names = [str(joint).rpartition("/")[2] for joint in query.GetJointOrder()]
    positions = in_world(path, stage, prim, positions_at, frames, num_joints)
    return OpenedFrames(frames, num_joints, Polygons(), positions, draws_in=files, names=names)


def predicate() -> Any:
    """Return which prims are looked at: those of a scene, in instances, too."""
    from pxr import Usd

    return Usd.TraverseInstanceProxies(Usd.PrimIsActive & Usd.PrimIsDefined & Usd.PrimIsLoaded & ~Usd.PrimIsAbstract)


def composed_stage(path: Path) -> tuple[Any, list[Path]]:
    """Return a file as a stage, and the other files that are drawn in; raise `InputError` where one of these is not there."""
    from pxr import Usd, UsdUtils

    stage = Usd.Stage.Open(str(path))
    layers, _, missing = UsdUtils.ComputeAllDependencies(str(path))
    lost = sorted(name for name in missing if name.lower().endswith(USD_ENDINGS))  # a texture may be missing
    if lost:
        raise InputError(
            f"{path}: refers to {lost[0]}, which is not there; expected it beside the file, or one file of all"
        )
    files = {Path(layer.realPath) for layer in layers if layer.realPath}
    for prim in stage.Traverse(predicate()):  # clips of a template are those that are there: of these, the folder tells
        clips = Usd.ClipsAPI(prim)
        for name in (clips.GetClipSets().GetAddedOrExplicitItems() or ["default"]) if prim.HasMetadata("clips") else []:
            if template := clips.GetClipTemplateAssetPath(name):
                files.add((path.parent / template).parent.resolve())
    return stage, sorted(files - {path.resolve(), path.absolute(), path})


def the_one_shape(stage: Any, path: Path) -> Any:
    """Return the one mesh of a stage, or its one set of points; raise `InputError` for another number."""
    from pxr import UsdGeom

    for kind in (UsdGeom.Mesh, UsdGeom.Points):
        if prims := [prim for prim in stage.Traverse(predicate()) if prim.IsA(kind)]:
            break
    else:  # layers that lie over others' prims have no types
        prims = [prim for prim in stage.TraverseAll() if prim.GetAttribute("points").HasValue()]
    if len(prims) > 1:
        prims = [prim for prim in prims if is_rendered(UsdGeom.Imageable(prim))] or prims
    if len(prims) != 1:
        found = ", ".join(str(prim.GetPath()) for prim in prims[:5]) or "none"
        raise InputError(f"{path}: found {len(prims)} meshes ({found}), expected one mesh or one set of points")
    return prims[0]


def is_rendered(shape: Any) -> bool:
    """Say whether a shape is visible in a picture."""
    from pxr import UsdGeom

    purposes = (UsdGeom.Tokens.default_, UsdGeom.Tokens.render)
    return shape.ComputePurpose() in purposes and shape.ComputeVisibility() != UsdGeom.Tokens.invisible


def plain_points(prim: Any) -> tuple[PositionsAt, list[float], Any]:
    """Return the points of a prim by time, the times of their samples, and the prim that moves them."""
    points = prim.GetAttribute("points")
    return points.Get, points.GetTimeSamples(), prim


def skinned_points(prim: Any, path: Path) -> tuple[PositionsAt, list[float], Any] | None:
    """Return what `plain_points` does for a mesh that is bound to a skeleton, moved by its blend shapes and skinned; None for
    any other."""
    from pxr import UsdSkel

    root = UsdSkel.Root.Find(prim)
    if not root:
        return None
    cache = UsdSkel.Cache()
    cache.Populate(root, predicate())
    skinning = cache.GetSkinningQuery(prim)
    skeleton = UsdSkel.BindingAPI(prim).GetInheritedSkeleton()
    if not skinning or not skeleton:
        return None
    query, rest = cache.GetSkelQuery(skeleton), prim.GetAttribute("points")
    points_at, times = rest.Get, rest.GetTimeSamples()
    if skinning.HasBlendShapes() and query.GetAnimQuery():
        points_at = with_blend_shapes(path, prim, skinning, query.GetAnimQuery(), rest)
        times = [*times, *query.GetAnimQuery().GetBlendShapeWeightTimeSamples()]
    if not skinning.HasJointInfluences():
        return points_at, sorted({*times}), prim

    def positions_at(time: float) -> Any:
        points = points_at(time)
        if not skinning.ComputeSkinnedPoints(query.ComputeSkinningTransforms(time), points, time):
            raise InputError(
                f"{path}: {prim.GetPath()} cannot be skinned at time {time:g}, expected whole skin weights"
            )
        return points

    return positions_at, sorted({*animation_times(query), *times}), skeleton.GetPrim()


def with_blend_shapes(path: Path, prim: Any, skinning: Any, animation: Any, rest: Any) -> PositionsAt:
    """Return the points of a mesh by time, moved by its blend shapes, with those in between."""
    from pxr import UsdSkel

    shapes, mapper = UsdSkel.BlendShapeQuery(UsdSkel.BindingAPI(prim)), skinning.GetBlendShapeMapper()
    indices, offsets = shapes.ComputeBlendShapePointIndices(), shapes.ComputeSubShapePointOffsets()

    def points_at(time: float) -> Any:
        points, weights = rest.Get(time), animation.ComputeBlendShapeWeights(time)
        if points and weights:
            moved = shapes.ComputeSubShapeWeights(mapper.Remap(weights))
            if not shapes.ComputeDeformedPoints(*moved, indices, offsets, points):
                raise InputError(
                    f"{path}: the blend shapes of {prim.GetPath()} cannot be used at time {time:g}, expected offsets of "
                    "points that there are"
                )
        return points

    return points_at


def in_world(
    path: Path, stage: Any, moved_by: Any, positions_at: PositionsAt, frames: list[int], count: int
) -> Generator[Float[ndarray, "V 3"], None, None]:
    """Yield the positions (V, 3) of all frames in world space, where a prim moves them; `count` are expected."""
    from pxr import UsdGeom

    prim = stage.GetPrimAtPath(moved_by.GetPath())  # prims live as long as their stage
    for frame in frames:
        with quiet_usd(path):
            here = np.array(positions_at(float(frame)) or np.empty((0, 3)), dtype=np.float32).reshape(-1, 3)
            # row vectors, as everywhere in USD
            to_world = np.array(UsdGeom.XformCache(frame).GetLocalToWorldTransform(prim))
            if not np.array_equal(to_world, np.eye(4)):
                here = here @ to_world[:3, :3] + to_world[3, :3]
        if len(here) != count:
            raise InputError(f"{path}: frame {frame}: {len(here)} vertices, expected {count} as in {frames[0]}")
        yield checked_positions(here, f"{path}: frame {frame}")


def said_in_usd(path: Path) -> dict[str, Any]:
    """Return what a USD file itself says of its `Scene`, by field; raise `InputError` where it cannot be opened."""
    from pxr import Usd, UsdGeom

    with quiet_usd(path):
        stage = Usd.Stage.Open(str(path))
        said: dict[str, Any] = {"frame_rate": stage.GetTimeCodesPerSecond()}
        if stage.HasAuthoredMetadata("upAxis"):
            said["up_axis"] = UsdGeom.GetStageUpAxis(stage).lower()
        if UsdGeom.StageHasAuthoredMetersPerUnit(stage):
            said["metres_per_unit"] = UsdGeom.GetStageMetersPerUnit(stage)
        return said


def texture_of(primvars: Any) -> Any:
    """Return the primvar of texture coordinates: `st`, or the first of its type, which other programs name otherwise; None
    where there is none."""
    from pxr import Sdf

    kinds = (Sdf.ValueTypeNames.TexCoord2fArray, Sdf.ValueTypeNames.TexCoord2dArray, Sdf.ValueTypeNames.TexCoord2hArray)
    with_value = [each for each in primvars.GetPrimvars() if each.HasValue() and each.GetPrimvarName() == "st"]
    others = [each for each in primvars.GetPrimvars() if each.HasValue() and each.GetTypeName() in kinds]
    return next(iter([*with_value, *others]), None)


def read_polygons(prim: Any, path: Path) -> Polygons:
    """Return the faces of a mesh, counter-clockwise, with the texture coordinates `st`; none of a set of points."""
    from pxr import Usd, UsdGeom

    if not prim.IsA(UsdGeom.Mesh):
        return Polygons()
    mesh = UsdGeom.Mesh(prim)
    faces = []
    for attribute in (mesh.GetFaceVertexCountsAttr(), mesh.GetFaceVertexIndicesAttr()):
        values = [attribute.Get(time) for time in attribute.GetTimeSamples() or [Usd.TimeCode.Default()]]
        if any(value != values[0] for value in values):
            raise InputError(f"{path}: the faces of {prim.GetPath()} change, expected the same topology in every frame")
        faces.append(np.array(values[0] if values[0] else [], dtype=np.int64))
    polygons = Polygons(*faces)
    st = texture_of(UsdGeom.PrimvarsAPI(prim))
    if st:
        polygons.texture = np.array(st.Get(Usd.TimeCode.EarliestTime()), dtype=np.float32).reshape(-1, 2)
        indices = np.array(st.GetIndices() or np.arange(len(polygons.texture)), dtype=np.int64)
        each_vertex = st.GetInterpolation() in (UsdGeom.Tokens.vertex, UsdGeom.Tokens.varying)
        if each_vertex and len(indices) > polygons.corners.max(initial=0):
            indices = indices[polygons.corners]
        polygons.texture_corners = indices
    if mesh.GetOrientationAttr().Get() == UsdGeom.Tokens.leftHanded and polygons.sizes.sum() == len(polygons.corners):
        return polygons.turned_over()
    return polygons
