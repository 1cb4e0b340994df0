"""Skinned meshes at any time, evaluated apart from the user's scene, of copies that end with the chosen modifier."""

# SPDX-License-Identifier: GPL-3.0-or-later

from contextlib import contextmanager

import numpy as np

from .copies import copy_of, helper_scene
from .refused import Refused


def armature_of(obj):
    """Return the armature that moves an object; raise `Refused` where there is none."""
    found = [each.object for each in obj.modifiers if each.type == "ARMATURE" and each.object]
    if not found and obj.parent and obj.parent.type == "ARMATURE":
        found = [obj.parent]
    if not found:
        raise Refused(f"{obj.name}: found no armature, expected an object with an Armature modifier")
    return found[0]


def evaluated(obj, time):
    """Return the points (V, 3) of an object's skinned mesh at a time, and the joints (J, 3) of its armature, the world's units,
    and the matrix of the object in the world.

    Raises `Refused` where modifiers below the chosen one change the number of vertices, and in edit mode.
    """
    copy, helper = copy_of(obj), helper_scene()
    whole = int(np.floor(time))
    helper.frame_set(whole, subframe=time - whole)
    depsgraph = helper.view_layers[0].depsgraph
    there = copy.evaluated_get(depsgraph)
    matrix = np.array(there.matrix_world, np.float64)
    if np.linalg.cond(matrix[:3, :3]) > 1e6:
        raise Refused(f"{obj.name}: found it scaled to nothing, expected a scale that can be undone")
    joints = joints_of(armature_of(obj).evaluated_get(depsgraph))
    return to_world(points_of(there, obj), matrix).astype(np.float32), joints.astype(np.float32), matrix


def to_world(points, matrix):
    return points.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def to_own(points, matrix):
    """Return points of the world in the axes of an object with a matrix."""
    return to_world(points, np.linalg.inv(matrix))


def positions_of(mesh):
    """Return the positions (V, 3) of a mesh's vertices."""
    points = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", points.ravel())
    return points


@contextmanager
def time_kept(scene):
    """Let a scene go to other frames, and back in the end."""
    now, part = scene.frame_current, scene.frame_subframe
    try:
        yield
    finally:
        scene.frame_set(now, subframe=part)


def points_of(there, obj):
    """Return the points (V, 3) of an evaluated object, its own units; raise `Refused` where they are not the mesh's own."""
    if obj.mode == "EDIT":
        raise Refused(f"{obj.name}: found it in edit mode: leave that first")
    vertices = there.data.vertices
    if len(vertices) != len(obj.data.vertices):
        names = [each.name for each in there.modifiers if each.show_viewport and each.type not in DEFORMING]
        which = (
            f"modifier {', '.join(names)} changes it: move it after the skinned mesh's last, or apply it"
            if names
            else ""
        )
        found = f"found {len(vertices)} vertices, the mesh itself has {len(obj.data.vertices)}"
        raise Refused(f"{obj.name}: {found}; {which or 'expected the same number'}")
    return positions_of(there.data)


DEFORMING = {
    "ARMATURE", "CAST", "CLOTH", "COLLISION", "CORRECTIVE_SMOOTH", "CURVE", "DISPLACE", "HOOK", "LAPLACIANDEFORM",
    "LAPLACIANSMOOTH", "LATTICE", "MESH_CACHE", "MESH_DEFORM", "NORMAL_EDIT", "SHRINKWRAP", "SIMPLE_DEFORM", "SMOOTH",
    "SOFT_BODY", "SURFACE", "SURFACE_DEFORM", "UV_PROJECT", "UV_WARP", "VERTEX_WEIGHT_EDIT", "VERTEX_WEIGHT_MIX",
    "VERTEX_WEIGHT_PROXIMITY", "WARP", "WAVE", "WEIGHTED_NORMAL",
}  # fmt: skip


def joints_of(armature):
    """Return the heads (J, 3) of an evaluated armature's bones, in the order of the bones, the world's units."""
    bones = armature.pose.bones
    heads = np.empty(3 * len(bones), np.float32)
    bones.foreach_get("head", heads)
    return to_world(heads.reshape(-1, 3), np.array(armature.matrix_world, np.float64))


def faces_of(mesh):
    """Return the corners of a mesh's faces, lists."""
    corners, starts = np.empty(len(mesh.loops), np.int32), np.empty(len(mesh.polygons), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    mesh.polygons.foreach_get("loop_start", starts)
    return [each.tolist() for each in np.split(corners, starts[1:])]
