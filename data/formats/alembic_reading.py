"""Reading Alembic: the frames of one mesh, or of one set of points, in world space.

Needs alembic3d, an optional package, which is imported where it is used.
"""

import re
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from data.formats.alembic import WRITER, check_alembic
from data.formats.frame_times import sampled_frames
from data.formats.guarded_reading import guarded, refusing
from data.formats.named_parts import named_part
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons, checked_polygons
from data.formats.positions import checked_positions
from data.formats.survival import survived
from data.input_error import InputError

ALEMBIC_FILE = "Alembic file"
MOST_NAMED = 5  # objects, in a message
Transform = tuple[Any, Float64[ndarray, " _"]]  # and the times of its samples, seconds
SAID = re.compile(r"up axis ([xyz]), a unit is ([-+.e\d]+) m")  # in the description of archives that we write


def open_alembic(path: Path) -> OpenedFrames:
    """Return the frames of the one mesh in an Alembic file, or of its one set of points where there is no mesh, in world space.

    Of several, the one whose name is written behind a colon, or that stands below an object of that name; hidden ones do not
    count. Frames are numbered by the times of the samples. Raises `InputError` for a file that cannot be opened, another number
    of meshes, and faces that change.
    """
    check_alembic(f"{named_part(path)[0]}, an Alembic file")
    return survived(path, open_survived, "Alembic")


def open_alembic_joints(path: Path) -> OpenedFrames:
    """Return the frames of the one set of points in an Alembic file, as joints are kept; without one, do what `open_alembic`
    does."""
    check_alembic(f"{named_part(path)[0]}, an Alembic file")
    return survived(path, open_survived_points, "Alembic")


def open_survived(path: Path) -> OpenedFrames:
    """Do what `open_alembic` does, in this process."""
    return open_shape(path, ("PolyMesh", "SubD", "Points"))


def open_survived_points(path: Path) -> OpenedFrames:
    """Do what `open_alembic_joints` does, in this process."""
    return open_shape(path, ("Points", "PolyMesh", "SubD"))


def open_shape(path: Path, kinds: tuple[str, ...]) -> OpenedFrames:
    """Return the frames of the one shape of the first of these kinds that there is."""
    from alembic3d import Abc, AbcGeom

    file, part = named_part(path)
    with guarded(file, ALEMBIC_FILE):
        archive = Abc.IArchive(str(file))
        shape = the_one_shape(archive, file, part, kinds)
        geometry = Abc.ICompoundProperty(shape.getProperties(), ".geom")
        positions = Abc.IP3fArrayProperty(geometry, "P")
        above = [
            (schema, times_of_transform(schema))
            for schema in (
                AbcGeom.IXform(each.getParent(), each.getName()).getSchema() for each in transforms_above(shape)
            )
        ]
        times = sample_times(positions, above)
        frame_rate = Abc.GetArchiveInfo(archive).get("dccFPS", 0)
        frames = sampled_frames(file, times, frame_rate if frame_rate > 1 else None)
        num_vertices = len(positions.samples[0])
        polygons = checked_polygons(read_polygons(shape, geometry, file), num_vertices, file)
    of_frames = in_world(file, archive, positions, above, times[frames.samples], frames.numbers, num_vertices)
    return OpenedFrames(frames.numbers.tolist(), num_vertices, polygons, of_frames, frames.counted)


def every_object(parent: Any) -> Iterator[Any]:
    """Yield all objects of an archive below one."""
    for number in range(parent.getNumChildren()):
        child = parent.getChild(number)
        yield child
        yield from every_object(child)


def the_one_shape(archive: Any, path: Path, part: str, kinds: tuple[str, ...]) -> Any:
    """Return the one shape of an archive, by its name where that is not empty; raise `InputError` for another number."""
    from alembic3d import AbcGeom

    every = list(every_object(archive.getTop()))
    below = part.rstrip("/") + "/"
    shapes: list[Any] = []
    there: list[str] = []
    for kind in kinds:
        own = [each for each in every if getattr(AbcGeom, f"I{kind}").matches(each.getHeader())]
        there += [each.getFullName() for each in own]
        named = [each for each in own if part in (each.getFullName(), each.getName())]
        own = named or [each for each in own if not part or each.getFullName().startswith(below)]
        shapes = shapes or [each for each in own if not AbcGeom.IsAncestorInvisible(each)] or own
    if len(shapes) != 1:
        found = ", ".join(there[:MOST_NAMED]) + (", ..." if len(there) > MOST_NAMED else "")
        called = f" called {part}" if part else ""
        hint = f": name one, as in {path.name}:{there[0]}" if there else ""
        raise InputError(
            f"{path}: found {len(shapes)} meshes{called} (there are {found or 'none'}), expected one mesh or one set of "
            f"points{hint}"
        )
    return shapes[0]


def transforms_above(shape: Any) -> Iterator[Any]:
    """Yield the transforms that move a shape, from the nearest on."""
    from alembic3d import AbcGeom

    above = shape.getParent()
    while above.getParent().valid():
        if AbcGeom.IXform.matches(above.getHeader()):
            yield above
            if not AbcGeom.IXform(above.getParent(), above.getName()).getSchema().getInheritsXforms():
                return
        above = above.getParent()


def sample_times(positions: Any, above: list[Transform]) -> Float64[ndarray, " _"]:
    """Return the times of the samples of positions, seconds; where they are constant, those of what moves them most often."""
    own = times_of(positions.getTimeSampling(), len(positions.samples))
    if not len(own):
        raise ValueError("no samples of its points")
    return own if len(own) > 1 else max((own, *(times for _, times in above)), key=len)


def times_of(sampling: Any, count: int) -> Float64[ndarray, " S"]:
    """Return the times of so many samples, seconds."""
    return np.array([sampling.getSampleTime(number) for number in range(count)])


def times_of_transform(schema: Any) -> Float64[ndarray, " S"]:
    """Return the times of a transform's samples, seconds; none of one that never changes."""
    return times_of(schema.getTimeSampling(), 0 if schema.isConstant() else schema.getNumSamples())


def transform_at(transform: Transform, time: float) -> Float64[ndarray, "4 4"]:
    """Return the matrix of a transform at a time, for row vectors, interpolated between its samples."""
    from alembic3d import Abc

    schema, times = transform
    if not len(times):
        return np.array(schema.getValue().getMatrix())
    after = min(int(np.searchsorted(times, time)), len(times) - 1)
    before = max(after - 1, 0)
    one, other = (
        np.array(schema.getValue(Abc.ISampleSelector(float(times[each]))).getMatrix()) for each in (before, after)
    )
    share = float(np.clip((time - times[before]) / (times[after] - times[before]), 0, 1)) if after else 1.0
    return (1 - share) * one + share * other if 0 < share < 1 else (other, one)[share == 0]


def in_world(
    path: Path,
    archive: Any,  # as long as it is open, so are its properties
    positions: Any,
    above: list[Transform],
    times: Float64[ndarray, " T"],
    frame_numbers: Int64[ndarray, " T"],
    count: int,
) -> Generator[Float[ndarray, "V 3"], None, None]:
    """Yield the positions (V, 3) of all frames in world space; `count` are expected."""
    own_times = times_of(positions.getTimeSampling(), len(positions.samples))
    for time, frame in zip(times.tolist(), frame_numbers.tolist(), strict=True):
        with guarded(path, ALEMBIC_FILE):
            here = np.array(positions.samples[int(np.abs(own_times - time).argmin())])
            to_world = np.eye(4)
            for each in above:
                to_world = to_world @ transform_at(each, time)
            if not np.array_equal(to_world, np.eye(4)):
                here = here @ to_world[:3, :3] + to_world[3, :3]
        if len(here) != count:
            raise InputError(f"{path}: frame {frame}: {len(here)} vertices, expected {count} as in {frame_numbers[0]}")
        yield checked_positions(here, f"{path}: frame {frame}")


def read_polygons(shape: Any, geometry: Any, path: Path) -> Polygons:
    """Return the faces of a mesh, counter-clockwise, with its texture coordinates; none of a set of points."""
    from alembic3d import Abc, AbcGeom

    if AbcGeom.IPoints.matches(shape.getHeader()):
        return Polygons()
    faces = []
    for name in (".faceCounts", ".faceIndices"):
        samples = Abc.IInt32ArrayProperty(geometry, name).samples
        first = np.array(samples[0], dtype=np.int64)
        if any(not np.array_equal(np.array(samples[number]), first) for number in range(1, len(samples))):
            raise InputError(
                f"{path}: the faces of {shape.getFullName()} change, expected the same topology in every frame"
            )
        faces.append(first)
    polygons = Polygons(*faces)
    if polygons.sizes.sum() != len(polygons.corners) or polygons.sizes.min(initial=3) < 3:
        return polygons  # refused by the caller
    read_texture(geometry, polygons)
    return polygons.turned_over()  # they are clockwise in the file


def read_texture(geometry: Any, polygons: Polygons) -> None:
    """Add texture coordinates, where there are any, to polygons in the file's order."""
    from alembic3d import AbcGeom

    if not any(each.getName() == "uv" for each in geometry.propertyheaders):
        return
    uv = AbcGeom.IV2fGeomParam(geometry, "uv").getIndexedValue()
    indices = np.array(uv.getIndices(), dtype=np.int64)
    if uv.getScope() != AbcGeom.GeometryScope.kFacevaryingScope:
        if len(indices) <= polygons.corners.max(initial=0):
            return
        indices = indices[polygons.corners]
    polygons.texture, polygons.texture_corners = np.array(uv.getVals(), dtype=np.float32), indices


def said_in_alembic(path: Path) -> dict[str, Any]:
    """Return what an archive says of its `Scene`, by field: up axis and units where we wrote it, for Alembic has no place for
    them."""
    from alembic3d import Abc

    with refusing(path, ALEMBIC_FILE):
        info = Abc.GetArchiveInfo(Abc.IArchive(str(path)))
        said: dict[str, Any] = {"frame_rate": rate} if (rate := float(info.get("dccFPS", 0))) > 1 else {}
        if info.get("appName") == WRITER and (match := SAID.search(info.get("userDescription", ""))):
            said |= {"up_axis": match[1], "metres_per_unit": float(match[2])}
        return said
