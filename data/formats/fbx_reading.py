"""Reading characters from FBX files: one mesh, skinned by the file's skeleton and animation, as ufbx evaluates them.

Needs ufbx, an optional package. It crashes where one of its objects outlives another, and on some broken files: so that all of
it happens in a process of its own, which leaves arrays behind.
"""

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.formats.frame_times import sampled_seconds
from data.formats.guarded_reading import limited_memory, refusing
from data.formats.named_parts import check_names, named_part, names_in, the_one_named
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons, checked_polygons
from data.formats.positions import checked_positions
from data.formats.survival import in_another_process
from data.input_error import InputError, optional_packages

FBX_FILE = "FBX file"
AXES = {0: "x", 2: "y", 4: "z"}  # that point up, as ufbx counts directions
HELD: list[Any] = []  # ufbx's objects, such that none outlives the one that it came from
POSITIONS, ARRAYS, SAID, REFUSED = "positions.npy", "arrays.npz", "said.json", "refused.txt"


def open_fbx(path: Path, frame_rate: float = 30.0) -> OpenedFrames:
    """Return the frames of the one skinned mesh in an FBX file, or of the one mesh, in world space, in the file's units and
    axes.

    Skin (linear, dual-quaternion or blended, as the file asks for), blend shapes and animation are evaluated, so many times a
    second. Vertices are the file's control points, which seams do not split. Of several meshes or animations, those whose names
    are written behind a colon: `character.fbx:Body,Walk`. Raises `InputError` for another number of them, and for a file that
    is not whole.
    """
    return opened(path, frame_rate, "mesh")


def open_fbx_joints(path: Path, frame_rate: float = 30.0) -> OpenedFrames:
    """Return the frames of the bones that move the mesh of `open_fbx`; raise `InputError` where there are none."""
    return opened(path, frame_rate, "joints")


def said_in_fbx(path: Path) -> dict[str, Any]:
    """Return what an FBX file says of its `Scene`, by field."""
    with TemporaryDirectory() as folder:
        evaluate_elsewhere(path, "", 0.0, "said", Path(folder))
        return dict(json.loads((Path(folder) / SAID).read_text(encoding="ascii")))


def opened(path: Path, frame_rate: float, what: str) -> OpenedFrames:
    """Return the frames of a mesh, or of its joints, evaluated by another process into a temporary folder."""
    file, part = named_part(path)
    # on most systems, what is mapped stays when its file is gone
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        evaluate_elsewhere(file, part, frame_rate, what, Path(folder))
        with np.load(Path(folder) / ARRAYS) as arrays:
            polygons = Polygons(arrays["sizes"], arrays["corners"], arrays["texture"], arrays["texture_corners"])
            numbers, counted, names = arrays["numbers"].tolist(), bool(arrays["counted"]), arrays["names"].tolist()
        stored = np.load(Path(folder) / POSITIONS, mmap_mode="r")
    positions = (
        checked_positions(np.array(frame), f"{file}: frame {number}")
        for number, frame in zip(numbers, stored, strict=True)
    )
    polygons = checked_polygons(polygons, stored.shape[1], file)
    return OpenedFrames(numbers, stored.shape[1], polygons, positions, counted, names=names)


def evaluate_elsewhere(path: Path, part: str, frame_rate: float, what: str, folder: Path) -> None:
    """Let another process evaluate a file into a folder; raise `InputError` as that says, and where it crashes."""
    with optional_packages(f"{path}, an FBX file"):
        import ufbx  # noqa: F401
    ended = in_another_process(evaluate_here, str(path), part, str(frame_rate), what, str(folder))
    if (refused := folder / REFUSED).exists():
        raise InputError(refused.read_text(encoding="utf-8", errors="surrogateescape"))
    if ended:
        raise InputError(f"{path}: ufbx crashes on it, or runs out of memory ({ended}), expected a whole {FBX_FILE}")


def evaluate_here(path: str, part: str, frame_rate: str, what: str, folder: str) -> None:
    """Evaluate a file into a folder, or leave there in a line why it cannot be, and end the process."""
    try:
        with refusing(Path(path), FBX_FILE):
            evaluate(Path(path), part, float(frame_rate), what, Path(folder))
    except InputError as error:
        (Path(folder) / REFUSED).write_text(str(error), encoding="utf-8", errors="surrogateescape")
    sys.stdout.flush()
    os._exit(0)  # before the library takes its objects apart


def held(thing: Any) -> Any:
    """Return one of ufbx's objects, and keep it."""
    HELD.append(thing)
    return thing


def each_of(things: Any) -> list[Any]:
    """Return all of a list of ufbx's, and keep them."""
    return [held(held(things)[place]) for place in range(len(things))]


def let_go(count: int) -> None:
    """Let all but the first so many objects go, the last first."""
    while len(HELD) > count:
        HELD.pop()


def evaluate(path: Path, part: str, frame_rate: float, what: str, folder: Path) -> None:
    """Write what a file says (`what` is "said"), or the positions of its mesh or joints in all frames, and the mesh's
    polygons."""
    import ufbx

    with limited_memory(path):
        scene = held(ufbx.load_file(str(path)))
    if what == "said":
        (folder / SAID).write_text(json.dumps(said_of(scene)), encoding="ascii")
        return
    names = names_in(part)
    meshes, stacks = each_of(scene.meshes), each_of(scene.anim_stacks)
    with_skin = [place for place, mesh in enumerate(meshes) if len(held(mesh.skin_deformers))]
    check_names(path, names, [names_of(mesh) for mesh in meshes], [[each.name] for each in stacks])
    number = the_one_named(path, [names_of(mesh) for mesh in meshes], names, "meshes", with_skin)
    times, animation = np.zeros(0), held(scene.anim)
    if stacks:
        stack = stacks[the_one_named(path, [[each.name] for each in stacks], names, "animations")]
        times, animation = np.array([stack.time_begin, stack.time_end]), held(stack.anim)
    seconds, numbers, counted = sampled_seconds(path, times, frame_rate)
    polygons = polygons_of(meshes[number]) if what == "mesh" else Polygons()
    bones = [] if what == "mesh" else bones_of(path, meshes[number])
    called = np.array([bone.name for bone in bones], dtype="U")
    arrays: dict[str, Any] = {"numbers": numbers, "counted": counted, "names": called} | vars(polygons)
    np.savez(folder / ARRAYS, **arrays)
    stored, count = None, len(HELD)
    for frame, time in enumerate(seconds.tolist()):
        now = held(ufbx.evaluate_scene(scene, animation, time, evaluate_skinning=True))
        mesh = held(held(now.meshes)[number])
        here = mesh_positions(path, mesh) if what == "mesh" else joint_positions(path, mesh)
        if stored is None:
            shape = (len(seconds), *here.shape)
            stored = np.lib.format.open_memmap(folder / POSITIONS, mode="w+", dtype=np.float64, shape=shape)
        stored[frame] = here
        del mesh, now
        let_go(count)


def said_of(scene: Any) -> dict[str, Any]:
    """Return what a scene says of its units and up axis, by the fields of `Scene`: it is sampled at a rate of the user's."""
    settings = held(scene.settings)
    said: dict[str, Any] = {"metres_per_unit": float(settings.unit_meters)}
    up = int(held(settings.axes).up)
    return said | ({"up_axis": AXES[up]} if up in AXES else {})


def names_of(mesh: Any) -> list[str]:
    """Return what a mesh is called: as the nodes that it hangs from, and its own name."""
    return [*(node.name for node in each_of(mesh.instances)), mesh.name]


def matrix_of(matrix: Any) -> Float[ndarray, "3 4"]:
    """Return a matrix of ufbx for column vectors."""
    columns = (held(matrix.c0), held(matrix.c1), held(matrix.c2), held(matrix.c3))
    return np.array([[each.x, each.y, each.z] for each in columns]).T


def mesh_positions(path: Path, mesh: Any) -> Float[ndarray, "V 3"]:
    """Return the vertices of a mesh of an evaluated scene, in world space."""
    points = np.array(held(held(mesh.skinned_position).values), float).reshape(-1, 3)
    nodes = each_of(mesh.instances)
    if len(points) != mesh.num_vertices:
        raise InputError(f"{path}: {len(points)} positions of {mesh.num_vertices} vertices, expected one of each")
    if not mesh.skinned_is_local or not nodes:
        return points
    to_world = matrix_of(held(nodes[0].geometry_to_world))
    return points @ to_world[:, :3].T + to_world[:, 3]


def bones_of(path: Path, mesh: Any) -> list[Any]:
    """Return the bones that move a mesh; raise `InputError` where there are none."""
    deformers = each_of(mesh.skin_deformers)
    if not deformers:
        raise InputError(f"{path}: a mesh without a skin, expected one with joints")
    return [held(cluster.bone_node) for cluster in each_of(deformers[0].clusters)]


def joint_positions(path: Path, mesh: Any) -> Float[ndarray, "J 3"]:
    """Return where the bones that move a mesh are in an evaluated scene."""
    return np.array([matrix_of(held(bone.node_to_world))[:, 3] for bone in bones_of(path, mesh)])


def polygons_of(mesh: Any) -> Polygons:
    """Return the faces of a mesh, with its first texture coordinates."""
    faces, corners = held(mesh.faces), np.array(held(mesh.vertex_indices), np.int64).reshape(-1)
    sizes = [held(faces[place]).num_indices for place in range(len(faces))]
    polygons = Polygons(np.array(sizes, np.int64), corners)
    uv = held(mesh.vertex_uv)
    if uv.exists:
        polygons.texture = np.array(held(uv.values), np.float32).reshape(-1, 2)
        polygons.texture_corners = np.array(held(uv.indices), np.int64).reshape(-1)
    return polygons
