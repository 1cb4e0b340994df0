"""Writing USD: all frames as time samples of one mesh, or of one set of points, as studios keep geometry caches.

Needs usd-core, an optional package, which is imported where it is used.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.formats.guarded_reading import reason_of
from data.formats.polygons import Polygons
from data.formats.positions import origin_far_away
from data.formats.velocities import velocities
from data.input_error import InputError, optional_packages
from data.safe_write import write_beside

FRAME_NUMBERS = "frameNumbers"  # what a file says of its frames: where some are skipped, others interpolate


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


def write_usd(
    path: Path,
    frame_numbers: list[int],
    vertices: Float[ndarray, "T V 3"],
    polygons: Polygons,
    scene: Scene,
    values: dict[str, Float[ndarray, "T V"]] | None = None,
) -> None:
    """Write positions (T, V, 3) as time samples of one mesh, or of points where there are no faces, with every bit of a
    float32, and with their velocities, units per second; and further `values` (T, V), by name, as primvars of the vertices.

    Positions far from the origin are written relative to a translation, the first frame's. Text where the name ends in .usda,
    else binary. The file appears whole or not at all; `OSError` where the disk does not take it, `InputError` as
    `check_usable`.
    """
    with written_stage(path, frame_numbers, scene) as stage:
        from pxr import Gf, UsdGeom, Vt

        stage.GetRootLayer().customLayerData = {FRAME_NUMBERS: Vt.IntArray(frame_numbers)}
        root = add_root(stage, UsdGeom.Xform, path)
        shape = (UsdGeom.Mesh if len(polygons.sizes) else UsdGeom.Points).Define(
            stage, root.GetPath().AppendChild("mesh")
        )
        add_polygons(shape, polygons)
        origin = origin_far_away(vertices[0])
        if origin.any():
            UsdGeom.XformCommonAPI(root).SetTranslate(Gf.Vec3d(*origin.tolist()))
        add_values(shape, frame_numbers, values or {})
        add_positions(shape, frame_numbers, vertices, origin, scene.frame_rate)


@contextmanager
def written_stage(path: Path, frame_numbers: list[int], scene: Scene) -> Iterator[Any]:
    """Give a stage to add to, which says what its numbers mean; write it when the block ends well, whole or not at all.

    Text where the name ends in .usda, else binary. Raises `InputError` as `check_usable`, `OSError` where the disk does not
    take it.
    """
    check_usable(scene)
    from pxr import Sdf, Tf, Usd, UsdGeom

    with write_beside(path) as partial:
        layer = Sdf.Layer.New(
            Sdf.FileFormat.FindById("usda" if path.suffix.lower() == ".usda" else "usdc"), str(partial)
        )
        stage = Usd.Stage.Open(layer)
        UsdGeom.SetStageUpAxis(stage, scene.up_axis.upper())
        UsdGeom.SetStageMetersPerUnit(stage, scene.metres_per_unit)
        stage.SetFramesPerSecond(scene.frame_rate)
        stage.SetTimeCodesPerSecond(scene.frame_rate)
        stage.SetStartTimeCode(frame_numbers[0])
        stage.SetEndTimeCode(frame_numbers[-1])
        yield stage
        try:
            layer.Save()
        except Tf.ErrorException as error:
            raise OSError(errno.EIO, reason_of(error), str(path)) from None


def add_root(stage: Any, kind: Any, path: Path) -> Any:
    """Add a prim of some kind, named as the file, that stands for what is in it; return it."""
    from pxr import Tf

    root = kind.Define(stage, "/" + Tf.MakeValidIdentifier(path.stem))
    stage.SetDefaultPrim(root.GetPrim())
    return root


def add_polygons(shape: Any, polygons: Polygons) -> None:
    """Add faces and texture coordinates to a mesh, as far as there are some."""
    from pxr import Sdf, UsdGeom, Vt

    if len(polygons.sizes):
        shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(polygons.sizes.astype(np.int32)))
        shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(polygons.corners.astype(np.int32)))
        shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    if len(polygons.texture):
        coordinates = Sdf.ValueTypeNames.TexCoord2fArray
        st = UsdGeom.PrimvarsAPI(shape).CreatePrimvar("st", coordinates, UsdGeom.Tokens.faceVarying)
        st.Set(Vt.Vec2fArray.FromNumpy(polygons.texture))
        st.SetIndices(Vt.IntArray.FromNumpy(polygons.texture_corners.astype(np.int32)))


def add_positions(
    shape: Any,
    frame_numbers: list[int],
    vertices: Float[ndarray, "T V 3"],
    origin: Float[ndarray, "3"],
    frame_rate: float,
) -> None:
    """Add positions to a mesh, relative to an origin, with extents and velocities."""
    from pxr import Vt

    points, extent, speeds = shape.CreatePointsAttr(), shape.CreateExtentAttr(), shape.CreateVelocitiesAttr()
    of_frames = zip(vertices, velocities(frame_numbers, vertices, frame_rate), strict=True)
    for number, (frame, velocity) in zip(frame_numbers, of_frames, strict=True):
        positions = np.ascontiguousarray(frame - origin if origin.any() else frame, dtype=np.float32)
        box = np.stack([np.fmin.reduce(positions), np.fmax.reduce(positions)])  # of those that are known
        for attribute, vectors in ((points, positions), (extent, box), (speeds, velocity)):
            attribute.Set(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(vectors, dtype=np.float32)), number)


def add_values(shape: Any, frame_numbers: list[int], values: dict[str, Float[ndarray, "T V"]]) -> None:
    """Add values of the vertices to a mesh, as primvars with time samples."""
    from pxr import Sdf, UsdGeom, Vt

    for name, of_frames in values.items():
        primvar = UsdGeom.PrimvarsAPI(shape).CreatePrimvar(name, Sdf.ValueTypeNames.FloatArray, UsdGeom.Tokens.vertex)
        for number, each in zip(frame_numbers, of_frames, strict=True):
            primvar.Set(Vt.FloatArray.FromNumpy(np.ascontiguousarray(each, dtype=np.float32)), number)
