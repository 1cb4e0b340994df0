"""Open files in Blender and keep what it evaluates, for tests: what a host sees of what we write.

    python tests/in_blender.py FOLDER FRAME ...

FOLDER holds caches, tube.abc and tube.usdc, and tube.mdd and tube.pc2 with the mesh that these move, rest.obj; or characters,
morphs.glb and morphs.usdc. Of each comes FOLDER/<file's name>.npz: the vertices (T, V, 3) in y-up axes, the corners of the
first face, and its normal.
"""

import sys
from pathlib import Path

import bpy
import numpy as np

FRAME_RATE = 24
Y_UP = np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # of row vectors, from Blender's axes, where z is up


def imported(path):
    """Import a file into an empty scene; return its one mesh."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = FRAME_RATE
    kind = {".abc": bpy.ops.wm.alembic_import, ".usdc": bpy.ops.wm.usd_import, ".glb": bpy.ops.import_scene.gltf}
    kind[path.suffix](filepath=str(path))
    meshes = [each for each in bpy.data.objects if each.type == "MESH"]
    (mesh,) = [each for each in meshes if len(meshes) == 1 or each.data.shape_keys]  # not the shape of bones
    return mesh


def with_cache(folder, kind, first):
    """Import the mesh, and let a cache move it, with axes as they are in the file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = FRAME_RATE
    bpy.ops.wm.obj_import(filepath=str(folder / "rest.obj"))
    (mesh,) = [each for each in bpy.data.objects if each.type == "MESH"]
    cache = mesh.modifiers.new("cache", "MESH_CACHE")
    cache.cache_format, cache.filepath, cache.interpolation = kind.upper(), str(folder / f"tube.{kind}"), "NONE"
    cache.frame_start = first
    return mesh


def evaluated(mesh, frame):
    """Return a mesh's vertices (V, 3) at a frame, in y-up axes, the corners of its first face, and its normal."""
    bpy.context.scene.frame_set(frame)
    there = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(there.data.vertices), np.float32)
    there.data.vertices.foreach_get("co", points)
    to_world = np.array(there.matrix_world)
    turned = to_world[:3, :3].T @ Y_UP
    face = there.data.polygons[0]
    return points.reshape(-1, 3) @ turned + to_world[:3, 3] @ Y_UP, list(face.vertices), np.array(face.normal) @ turned


def main():
    folder, frames = Path(sys.argv[1]), [int(each) for each in sys.argv[2:]]
    for path in sorted(each for each in folder.iterdir() if each.stem in ("tube", "morphs")):
        in_layers = path.suffix in (".mdd", ".pc2")
        mesh = with_cache(folder, path.suffix[1:], frames[0]) if in_layers else imported(path)
        vertices, corners, normals = zip(*(evaluated(mesh, frame) for frame in frames), strict=True)
        np.savez(folder / f"{path.name}.npz", vertices=vertices, corners=corners[0], normals=normals)


if __name__ == "__main__":
    main()
