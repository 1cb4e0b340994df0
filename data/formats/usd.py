"""USD: all frames as time samples of one mesh, or of one set of points, as studios keep geometry caches.

Needs usd-core, an optional package, which is imported where it is used.
"""

import errno
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.formats.guarded_reading import reason_of, refusing
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons, checked_polygons
from data.formats.positions import checked_positions, in_needed_precision
from data.input_error import InputError, optional_packages
from data.safe_write import write_beside

USD_FILE = "USD file"


@dataclass
class Scene:
    """What a scene's numbers mean to the programs that open it."""

    up_axis: str = "y"
    metres_per_unit: float = 1.0
    frame_rate: float = 30.0


def check_usable(scene: Scene) -> None:
    """Raise `InputError` where a scene cannot be written as USD: its package is missing, or USD has no such up axis."""
    with optional_packages("writing USD"):
        import pxr  # noqa: F401
    if scene.up_axis not in ("y", "z"):
        raise InputError(f"--up_axis: found {scene.up_axis}, expected y or z, which are all that USD knows")


def open_usd(path: Path) -> OpenedFrames:
    """Return the frames of the one mesh in a USD file, or of its one set of points where there is no mesh, in world space.

    Frames are numbered by their time codes. Raises `InputError` for a file that cannot be opened, another number of meshes,
    faces that change, and time codes that are no whole numbers.
    """
    with optional_packages(f"{path}, a USD file"):
        import pxr  # noqa: F401
    check_survival(path)
    return open_survived(path)


def check_survival(path: Path) -> None:
    """Raise `InputError` where USD crashes on a file, as it does on some broken ones: another process tries it first."""
    project = str(Path(__file__).parents[2])
    program = (
        f"import sys; sys.path.insert(0, {project!r}); from data.formats import usd; usd.read_through(sys.argv[1])"
    )
    tried = subprocess.run([sys.executable, "-c", program, str(path)], capture_output=True)
    if tried.returncode not in (0, 1):  # 1: a Python exception, which will be raised here again
        raise InputError(
            f"{path}: USD crashes on it, or runs out of memory ({tried.returncode}), expected a whole {USD_FILE}"
        )


def read_through(path: str) -> None:
    """Read a whole file and end the process. What is wrong with the file is not said here, but when it is read again."""
    with suppress(InputError):
        for _ in open_survived(Path(path)).positions:
            pass
    os._exit(0)  # an orderly exit of the interpreter may crash in USD, even after good files


def open_survived(path: Path) -> OpenedFrames:
    """Do what `open_usd` does, in this process."""
    from pxr import Usd, UsdGeom

    with refusing(path, USD_FILE):
        stage = Usd.Stage.Open(str(path))
        prims = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]
        prims = prims or [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Points)]
        if len(prims) != 1:
            found = ", ".join(str(prim.GetPath()) for prim in prims[:5]) or "none"
            raise InputError(f"{path}: found {len(prims)} meshes ({found}), expected one mesh or one set of points")
        points = UsdGeom.PointBased(prims[0]).GetPointsAttr()
        times = sorted({*points.GetTimeSamples(), *transform_times(prims[0])}) or [stage.GetStartTimeCode()]
        if any(time != int(time) for time in times):
            odd = next(time for time in times if time != int(time))
            raise InputError(f"{path}: found a time sample at {odd}, expected whole numbers of frames")
        first = points.Get(times[0])
        if not first:
            raise InputError(f"{path}: {prims[0].GetPath()} has no points at time {times[0]:g}")
        polygons = checked_polygons(read_polygons(prims[0], path), len(first), path)

    def positions() -> Generator[Float[ndarray, "V 3"], None, None]:
        prim = stage.GetPrimAtPath(prims[0].GetPath())  # prims live as long as their stage
        for time in times:
            with refusing(path, USD_FILE):
                here = np.array(points.Get(time) or np.empty((0, 3)), dtype=np.float32)
                # row vectors, as everywhere in USD
                to_world = np.array(UsdGeom.XformCache(time).GetLocalToWorldTransform(prim))
                if not np.array_equal(to_world, np.eye(4)):
                    here = here @ to_world[:3, :3] + to_world[3, :3]
            if len(here) != len(first):
                raise InputError(
                    f"{path}: frame {time:g}: {len(here)} vertices, expected {len(first)} as in {times[0]:g}"
                )
            yield checked_positions(here, path)

    return OpenedFrames([int(time) for time in times], len(first), polygons, positions())


def transform_times(prim: Any) -> set[float]:
    """Return the time samples of the transforms of a prim and all above it."""
    from pxr import UsdGeom

    times: set[float] = set()
    while prim.IsValid() and not prim.IsPseudoRoot():
        if prim.IsA(UsdGeom.Xformable):
            times |= set(UsdGeom.Xformable(prim).GetTimeSamples())
        prim = prim.GetParent()
    return times


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
    st = UsdGeom.PrimvarsAPI(prim).GetPrimvar("st")
    if st and st.HasValue():
        polygons.texture = np.array(st.Get(Usd.TimeCode.EarliestTime()), dtype=np.float32).reshape(-1, 2)
        indices = np.array(st.GetIndices() or np.arange(len(polygons.texture)), dtype=np.int64)
        each_vertex = st.GetInterpolation() in (UsdGeom.Tokens.vertex, UsdGeom.Tokens.varying)
        if each_vertex and len(indices) > polygons.corners.max(initial=0):
            indices = indices[polygons.corners]
        polygons.texture_corners = indices
    if mesh.GetOrientationAttr().Get() == UsdGeom.Tokens.leftHanded and polygons.sizes.sum() == len(polygons.corners):
        ends = np.cumsum(polygons.sizes)
        place = np.arange(len(polygons.corners))
        reverse = np.repeat(ends - polygons.sizes + ends - 1, polygons.sizes) - place
        polygons.corners = polygons.corners[reverse]
        if len(polygons.texture_corners) == len(reverse):
            polygons.texture_corners = polygons.texture_corners[reverse]
    return polygons


def write_usd(
    path: Path,
    frame_numbers: list[int],
    vertices: Float[ndarray, "T V 3"],
    polygons: Polygons,
    scene: Scene,
    values: dict[str, Float[ndarray, "T V"]] | None = None,
) -> None:
    """Write positions (T, V, 3) as time samples of one mesh, or of points where there are no faces, with every bit
    of a float32; and further `values` (T, V), by name, as primvars of the vertices.

    Positions far from the origin are written relative to a translation, the first frame's. Text where the name ends in .usda,
    else binary. The file appears whole or not at all; `OSError` where the disk does not take it, `InputError` as
    `check_usable`.
    """
    check_usable(scene)
    from pxr import Gf, Sdf, Tf, Usd, UsdGeom, Vt

    with write_beside(path) as partial:
        layer = Sdf.Layer.New(Sdf.FileFormat.FindById("usda" if path.suffix == ".usda" else "usdc"), str(partial))
        stage = Usd.Stage.Open(layer)
        UsdGeom.SetStageUpAxis(stage, scene.up_axis.upper())
        UsdGeom.SetStageMetersPerUnit(stage, scene.metres_per_unit)
        stage.SetFramesPerSecond(scene.frame_rate)
        stage.SetTimeCodesPerSecond(scene.frame_rate)
        stage.SetStartTimeCode(frame_numbers[0])
        stage.SetEndTimeCode(frame_numbers[-1])
        root = UsdGeom.Xform.Define(stage, "/" + Tf.MakeValidIdentifier(path.stem))
        stage.SetDefaultPrim(root.GetPrim())
        shape = (UsdGeom.Mesh if len(polygons.sizes) else UsdGeom.Points).Define(
            stage, root.GetPath().AppendChild("mesh")
        )
        if len(polygons.sizes):
            shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(polygons.sizes.astype(np.int32)))
            shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(polygons.corners.astype(np.int32)))
            shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
        if len(polygons.texture):
            coordinates = Sdf.ValueTypeNames.TexCoord2fArray
            st = UsdGeom.PrimvarsAPI(shape).CreatePrimvar("st", coordinates, UsdGeom.Tokens.faceVarying)
            st.Set(Vt.Vec2fArray.FromNumpy(polygons.texture))
            st.SetIndices(Vt.IntArray.FromNumpy(polygons.texture_corners.astype(np.int32)))
        points, extent = shape.CreatePointsAttr(), shape.CreateExtentAttr()
        origin = vertices[0].mean(axis=0) if in_needed_precision(vertices[0]).dtype == np.float64 else np.zeros(3)
        if origin.any():
            UsdGeom.XformCommonAPI(root).SetTranslate(Gf.Vec3d(*origin.tolist()))
        for name, of_frames in (values or {}).items():
            primvar = UsdGeom.PrimvarsAPI(shape).CreatePrimvar(
                name, Sdf.ValueTypeNames.FloatArray, UsdGeom.Tokens.vertex
            )
            for number, each in zip(frame_numbers, of_frames, strict=True):
                primvar.Set(Vt.FloatArray.FromNumpy(np.ascontiguousarray(each, dtype=np.float32)), number)
        for number, frame in zip(frame_numbers, vertices, strict=True):
            positions = np.ascontiguousarray(frame - origin if origin.any() else frame, dtype=np.float32)
            points.Set(Vt.Vec3fArray.FromNumpy(positions), number)
            box = np.stack([positions.min(axis=0), positions.max(axis=0)])
            extent.Set(Vt.Vec3fArray.FromNumpy(box), number)
        try:
            layer.Save()
        except Tf.ErrorException as error:
            raise OSError(errno.EIO, reason_of(error), str(path)) from None
