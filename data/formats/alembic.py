"""Writing Alembic: all frames as samples of one mesh, or of one set of points, as geometry caches are kept.

Needs alembic3d, an optional package, which is imported where it is used.
"""

import errno
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from data.formats.guarded_reading import reason_of
from data.formats.polygons import Polygons
from data.formats.positions import origin_far_away
from data.formats.usd import Scene
from data.formats.velocities import velocities
from data.input_error import optional_packages
from data.safe_write import write_beside

WRITER = "skin2scan"
MESH, POINTS = "mesh", "points"  # names of objects


def check_alembic(what: str = "writing Alembic") -> None:
    """Raise `InputError` where the package for Alembic is not there."""
    with optional_packages(what):
        import alembic3d  # noqa: F401


def write_alembic(
    path: Path,
    frame_numbers: list[int],
    vertices: Float[ndarray, "T V 3"],
    polygons: Polygons,
    scene: Scene,
    values: dict[str, Float[ndarray, "T V"]] | None = None,
) -> None:
    """Write positions (T, V, 3) as samples of one mesh, or of points where there are no faces, with every bit of a float32,
    their velocities, units per second, and further `values` (T, V), by name, as attributes of the vertices.

    A sample's time is its frame's number over the frame rate. Positions far from the origin are written relative to a
    translation, the first frame's. Up axis and units are said in the archive's description: Alembic has no place for them. The
    file appears whole or not at all; `OSError` where the disk does not take it, `InputError` as `check_alembic`.
    """
    check_alembic()
    from alembic3d import Abc

    with write_beside(path) as partial:
        try:
            write_archive(partial, path.stem, frame_numbers, vertices, polygons, scene, values or {})
            written = Abc.IArchive(str(partial)).getTop().getChild(0).getChild(0).getProperties().getProperty(".geom")
            count = len(written.getProperty("P").samples)
        except (RuntimeError, IndexError) as error:  # as of a disk that is full
            raise OSError(errno.EIO, reason_of(error), str(path)) from None
        if count not in (1, len(frame_numbers)):
            raise OSError(errno.EIO, "not written as a whole", str(path))


def write_archive(
    path: Path,
    name: str,
    frame_numbers: list[int],
    vertices: Float[ndarray, "T V 3"],
    polygons: Polygons,
    scene: Scene,
    values: dict[str, Float[ndarray, "T V"]],
) -> None:
    """Write an archive as `write_alembic` says; it is closed where this returns."""
    from alembic3d import Abc, AbcGeom

    said = f"up axis {scene.up_axis}, a unit is {scene.metres_per_unit:g} m"
    archive = Abc.CreateArchiveWithInfo(str(path), scene.frame_rate, WRITER, said)
    times = archive.addTimeSampling(time_sampling(frame_numbers, scene.frame_rate))
    body = AbcGeom.OXform(archive.getTop(), name.replace("/", "_") or MESH)
    origin = origin_far_away(vertices[0])
    if origin.any():
        body.getSchema().set(translation(origin))
    kind, own_name = (AbcGeom.OPolyMesh, MESH) if len(polygons.sizes) else (AbcGeom.OPoints, POINTS)
    shape = kind(body, own_name, times)
    schema, attributes = shape.getSchema(), {}
    for attribute in values:
        scope = AbcGeom.GeometryScope.kVertexScope
        attributes[attribute] = AbcGeom.OFloatGeomParam(schema.getArbGeomParams(), attribute, False, scope, 1, times)
    first = first_sample(polygons, vertices.shape[1])
    speeds = velocities(frame_numbers, vertices, scene.frame_rate)
    for number, (frame, velocity) in enumerate(zip(vertices, speeds, strict=True)):
        sample = first if number == 0 else type(first)()
        sample.setPositions(as_vectors(frame - origin if origin.any() else frame))
        sample.setVelocities(as_vectors(velocity))
        schema.set(sample)
        for attribute, parameter in attributes.items():
            of_frame = filled_array("FloatArray", values[attribute][number])
            parameter.set(AbcGeom.OFloatGeomParamSample(of_frame, AbcGeom.GeometryScope.kVertexScope))


def first_sample(polygons: Polygons, num_vertices: int) -> Any:
    """Return the first sample of a mesh, with its faces and texture coordinates, or of so many points; positions are
    missing."""
    from alembic3d import AbcGeom

    if not len(polygons.sizes):
        sample = AbcGeom.OPointsSchemaSample()
        sample.setIds(filled_array("IntArray", np.arange(num_vertices)))
        return sample
    turned = polygons.turned_over()  # Alembic's faces are clockwise
    sample = AbcGeom.OPolyMeshSchemaSample()
    sample.setFaceIndices(filled_array("IntArray", turned.corners))
    sample.setFaceCounts(filled_array("IntArray", turned.sizes))
    if len(turned.texture):
        coordinates = filled_array("V2fArray", turned.texture)
        places = filled_array("UnsignedIntArray", turned.texture_corners)
        scope = AbcGeom.GeometryScope.kFacevaryingScope
        sample.setUVs(AbcGeom.OV2fGeomParamSample(coordinates, places, scope))
    return sample


def filled_array(kind: str, values: Shaped[ndarray, "K ..."]) -> Any:
    """Return values as one of imath's arrays."""
    import imath

    array = getattr(imath, kind)(len(values))
    seen = np.asarray(array)
    seen[...] = values
    if seen.flags.owndata:  # a copy, as of whole numbers without sign
        for place, value in enumerate(values.tolist()):
            array[place] = value
    return array


def as_vectors(positions: Float[ndarray, "V 3"]) -> Any:
    """Return positions or velocities as imath's vectors, in single precision."""
    return filled_array("V3fArray", positions.astype(np.float32))


def time_sampling(frame_numbers: list[int], frame_rate: float) -> Any:
    """Return the times of frames: uniform where they are equally far apart."""
    from alembic3d import AbcCoreAbstract

    steps = np.unique(np.diff(frame_numbers))
    if len(steps) > 1:
        times = AbcCoreAbstract.TimeVector()
        times.extend([number / frame_rate for number in frame_numbers])
        kind = AbcCoreAbstract.TimeSamplingType(AbcCoreAbstract.AcyclicFlag.kAcyclic)
        return AbcCoreAbstract.TimeSampling(kind, times)
    step = int(steps[0]) if len(steps) else 1
    return AbcCoreAbstract.TimeSampling(step / frame_rate, frame_numbers[0] / frame_rate)


def translation(origin: Float[ndarray, "3"]) -> Any:
    """Return a sample of a transform that moves by a vector."""
    import imath
    from alembic3d import AbcGeom

    sample = AbcGeom.XformSample()
    sample.setTranslation(imath.V3d(*origin.tolist()))
    return sample
