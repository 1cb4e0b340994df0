"""Every format, by the ending of its files: how it is recognised, read and written."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from jaxtyping import Float
from numpy import ndarray

from data.formats import (
    alembic,
    alembic_reading,
    arrays,
    draco,
    fbx_reading,
    gltf_reading,
    gltf_writing,
    obj,
    obj_writing,
    ply,
    point_caches,
    usd,
    usd_reading,
)
from data.formats.named_parts import named_part
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import KnownTopology, Polygons
from data.formats.usd import Scene
from data.input_error import InputError

WriteFrame = Callable[..., None]  # of a path and vertices (V, 3)

# a file for every frame: how the first one is read; the others are compared with it
MESHES: dict[str, Callable[[Path], KnownTopology]] = {
    ".obj": obj.KnownText.of_obj,
    ".drc": partial(KnownTopology.of, draco.read_draco),
    ".ply": partial(KnownTopology.of, ply.read_ply),
}
WITH_VALUES = {".ply"}  # of these, the formats with a place for further values of the vertices
POINTS = MESHES | {ending: partial(KnownTopology.of, arrays.read_points) for ending in (".npy", ".txt", ".csv")}
POINTS |= {".npz": partial(KnownTopology.of, arrays.read_npz)}
FRAMES = (*MESHES, ".npy", ".npz")  # what a folder of meshes may hold


def open_point_cache(read: Callable[[Path], OpenedFrames], path: Path) -> OpenedFrames:
    """Return the frames of a point cache, with the faces of the mesh that is named behind a colon: `body.pc2:rest.obj`, a path
    from the cache's folder or from the present one.

    Raises `InputError` as the readers do, and where that mesh has another number of vertices.
    """
    file, part = named_part(path)
    opened = read(file)
    if not part:
        return opened
    mesh = file.parent / part if (file.parent / part).exists() else Path(part)
    ending = sequence_ending(mesh)
    if mesh.is_dir():
        raise InputError(f"{mesh}: found a folder, expected the mesh that {file} moves")
    topology = SEQUENCES[ending](mesh) if ending else MESHES[mesh.suffix.lower()](mesh)
    if topology.num_vertices != opened.num_vertices:
        raise InputError(f"{file}: {opened.num_vertices} vertices, expected {topology.num_vertices} as in {mesh}")
    return replace(opened, polygons=topology.polygons, draws_in=[*opened.draws_in, mesh])


# a file for all frames
SEQUENCES: dict[str, Callable[..., OpenedFrames]] = {
    ".npz": arrays.open_npz,
    ".npy": arrays.open_npy,
    **dict.fromkeys(usd_reading.USD_ENDINGS, usd_reading.open_usd),
    ".abc": alembic_reading.open_alembic,
    ".mdd": partial(open_point_cache, point_caches.open_mdd),
    ".pc2": partial(open_point_cache, point_caches.open_pc2),
    ".glb": gltf_reading.open_gltf,
    ".gltf": gltf_reading.open_gltf,
    ".fbx": fbx_reading.open_fbx,
}
CHARACTERS = {
    ".glb",
    ".gltf",
    ".fbx",
}  # of these, those with a skeleton and an animation in seconds: readers take a frame rate
WITHOUT_FACES = {".npy", ".mdd", ".pc2"}
NOT_WRITTEN = (
    ".usdz",
    ".gltf",
    ".fbx",
)  # a package of files, made by Apple's tools; GLB is the same in one; no open library
WRITTEN = tuple(ending for ending in SEQUENCES if ending not in NOT_WRITTEN)
JOINT_SEQUENCES = SEQUENCES | {
    ".npz": arrays.open_npz_joints,
    **dict.fromkeys(usd_reading.USD_ENDINGS, usd_reading.open_usd_joints),
    ".abc": alembic_reading.open_alembic_joints,
    **dict.fromkeys((".glb", ".gltf"), gltf_reading.open_gltf_joints),
    ".fbx": fbx_reading.open_fbx_joints,
}
# what predictions are written as
EXPORTS = {
    "obj": ".obj", "drc": ".drc", "ply": ".ply", "npz": ".npz", "usd": ".usdc", "abc": ".abc", "mdd": ".mdd", "pc2": ".pc2",
    "glb": ".glb",
}  # fmt: skip
# the first bytes of a format's files; the other formats are text, and USD itself goes by the ending
BEGINNINGS = {
    draco.MAGIC: ".drc",
    b"ply": ".ply",
    b"PK\x03\x04": ".npz",
    b"\x93NUMPY": ".npy",
    b"Ogawa": ".abc",
    b"POINTCACHE2": ".pc2",
    b"glTF": ".glb",
    b"Kaydara FBX": ".fbx",
}


def said_in(path: Path) -> dict[str, Any]:
    """Return what a file that was read says of its `Scene`, by field; nothing in formats that say nothing."""
    ending = path.suffix.lower()
    if ending in usd_reading.USD_ENDINGS:
        return usd_reading.said_in_usd(path)
    if ending in (".glb", ".gltf"):
        return {"up_axis": "y", "metres_per_unit": 1.0}  # always, says glTF
    if ending == ".fbx":
        return fbx_reading.said_in_fbx(path)
    return alembic_reading.said_in_alembic(path) if ending == ".abc" else {}


def scene_in(path: Path, **given: Any) -> Scene:
    """Return what a file that was read says of its scene, but what is given, where that is not None."""
    return replace(Scene(), **said_in(path) | {name: value for name, value in given.items() if value is not None})


def sequence_ending(path: Path) -> str | None:
    """Return the ending that stands for the format of a file of all frames, recognised by its first bytes or else its name.

    A part that is named behind a colon does not matter. Returns None for a folder, and for a file of one frame. Raises
    `InputError`, listing what is understood, for any other file.
    """
    path, _ = named_part(path)
    if path.is_dir():
        return None
    if not path.exists():
        raise InputError(
            f"{path}: no such folder or file, expected a folder of {', '.join(FRAMES)} files, "
            f"or one {', '.join(SEQUENCES)} file"
        )
    if not path.is_file():
        raise InputError(f"{path}: found a device or a pipe, expected a folder or a file")
    try:
        with open(path, "rb") as file:
            beginning = file.read(12)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    kinds = [ending for magic, ending in BEGINNINGS.items() if beginning.startswith(magic)] or [path.suffix.lower()]
    if path.suffix.lower() == ".usdz":  # a ZIP archive, as .npz is
        kinds = [".usdz"]
    if kinds[0] not in POINTS | SEQUENCES:
        raise InputError(
            f"{path}: found a file of unknown kind, expected one of {', '.join(FRAMES)} (one frame each) "
            f"or {', '.join(SEQUENCES)} (all frames)"
        )
    return kinds[0] if kinds[0] in SEQUENCES else None


def frame_writer(ending: str, polygons: Polygons, num_vertices: int) -> WriteFrame:
    """Return a function that writes the vertices (V, 3) of one frame to a path, in the format of this ending, one of `MESHES`.

    For one of `WITH_VALUES`, it also takes `values`: further values of each vertex (V,), by name.
    """
    if ending == ".obj":
        return partial(obj_writing.write_positions, template=obj_writing.topology_template(polygons, num_vertices))
    if ending == ".drc":
        return partial(draco.write_draco, triangles=polygons.triangles())
    alike = len(set(polygons.sizes.tolist())) <= 1
    return partial(ply.write_ply, rows=polygons.to_rows(polygons.corners) if alike else polygons.triangles())


def write_sequence(
    path: Path,
    frame_numbers: list[int],
    vertices: Float[ndarray, "T V 3"],
    polygons: Polygons,
    scene: Scene,
    values: dict[str, Float[ndarray, "T V"]] | None = None,
) -> None:
    """Write all frames (T, V, 3) into one file, in the format of its ending, one of `WRITTEN`; and further `values` (T, V),
    by name, where the format has a place for them."""
    ending = path.suffix.lower()
    if ending == ".npy":
        arrays.write_npy(path, vertices)
    elif ending == ".npz":
        arrays.write_npz(path, frame_numbers, vertices, polygons, values)
    elif ending == ".mdd":
        point_caches.write_mdd(path, frame_numbers, vertices, scene.frame_rate)
    elif ending == ".pc2":
        point_caches.write_pc2(path, frame_numbers, vertices)
    elif ending == ".glb":
        gltf_writing.write_gltf(path, frame_numbers, vertices, polygons, scene, values)
    elif ending == ".abc":
        alembic.write_alembic(path, frame_numbers, vertices, polygons, scene, values)
    else:
        usd.write_usd(path, frame_numbers, vertices, polygons, scene, values)
