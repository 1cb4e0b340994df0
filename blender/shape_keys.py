"""Corrections as shape keys: what the mesh has to be before its armature moves it, at frames that a user names."""

# SPDX-License-Identifier: GPL-3.0-or-later

import re

import bpy
import numpy as np

from . import baking, live, skinned
from .refused import Refused

KEY = "Skin2Scan "  # and the frame's number
OURS = "skin2scan"  # on keys that were made here from nothing


def frames_named(text):
    """Return the frames that a text names: 1 12 30-40."""
    found = []
    for each in re.split(r"[,\s]+", text.strip()):
        match = re.fullmatch(r"(-?\d+)(?:-(\d+))?", each)
        if match is None:
            raise Refused(f"Frames: found {text!r}, expected numbers such as 1 12 30-40")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return sorted(set(found))


def users_of(mesh):
    """Return the objects of a mesh."""
    return [each for each in bpy.data.objects if each.data == mesh and not skinned.is_copy(each)]


def linear_maps(obj, frame, scene):
    """Return by which map (V, 3, 3) each vertex of the mesh goes where the armature brings it at a frame, the object's units.

    As long as modifiers only blend the motions of bones it is linear but for a shift: found by moving the mesh along each axis.
    """
    copy, mesh = skinned.copy_of(obj), obj.data
    rest = np.empty((len(mesh.vertices), 3), np.float32)
    mesh.vertices.foreach_get("co", rest.ravel())
    step = 0.1 * float(np.ptp(rest, axis=0).max())
    copy.data = moved = mesh.copy()
    try:
        copy.shape_key_clear()
        places = []
        for shift in np.concatenate([np.zeros((1, 3)), step * np.eye(3)]):
            moved.vertices.foreach_set("co", (rest + shift).astype(np.float32).ravel())
            moved.update()
            points, _, matrix = skinned.evaluated(obj, frame, scene)
            places.append(skinned.to_world(points, np.linalg.inv(matrix)))
    finally:
        copy.data = mesh
        bpy.data.meshes.remove(moved)
    return np.stack([(each - places[0]) / step for each in places[1:]], axis=2)


def baking_keys(obj, scene, frames):
    """Add a shape key for each of some frames, and let them follow each other; the live correction goes.

    A generator that yields how far it is, 0 to 1; nothing has changed before it is at the end.
    """
    mesh = obj.data
    others = [each.name for each in users_of(mesh) if each != obj]
    if others:
        raise Refused(
            f"{obj.name}: found its mesh in {', '.join(others)}, too, expected one of its own: make it single-user first"
        )
    shapes, now, part = [], scene.frame_current, scene.frame_subframe
    try:
        for number, frame in enumerate(frames):
            baking.dials_at(obj, scene, frame)
            _, moved = baking.corrected(obj, frame, scene)
            shapes.append(np.linalg.solve(linear_maps(obj, frame, scene), moved[:, :, None])[:, :, 0])
            yield (number + 1) / len(frames)
    finally:
        scene.frame_set(now, subframe=part)
    live.detach(obj)
    remove_keys(obj)
    begun = mesh.shape_keys is None
    if begun:
        obj.shape_key_add(name="Basis")
        mesh.shape_keys[OURS] = True
    basis = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.shape_keys.reference_key.data.foreach_get("co", basis)
    for number, (frame, shape) in enumerate(zip(frames, shapes, strict=True)):
        key = obj.shape_key_add(name=f"{KEY}{frame}", from_mix=False)
        key.data.foreach_set("co", (basis + shape.ravel()).astype(np.float32))
        for near, value in [(number - 1, 0.0), (number + 1, 0.0), (number, 1.0)]:
            if 0 <= near < len(frames):
                key.value = value
                key.keyframe_insert("value", frame=frames[near], keytype="GENERATED")
    for curve in skinned.curves_of(mesh.shape_keys):
        if KEY in curve.data_path:
            for each in curve.keyframe_points:
                each.interpolation = "LINEAR"
    obj.update_tag()


def remove_keys(obj):
    """Take away the shape keys that were made here, and what moves them."""
    keys = obj.data.shape_keys
    if keys is None:
        return
    for key in [each for each in keys.key_blocks if each.name.startswith(KEY)]:
        path = key.path_from_id("value")
        for curve in skinned.curves_of(keys):
            if curve.data_path == path:
                for frame in [each.co.x for each in curve.keyframe_points]:
                    key.keyframe_delete("value", frame=frame)
                break
        obj.shape_key_remove(key)
    if OURS in keys and len(keys.key_blocks) == 1:
        action = keys.animation_data and keys.animation_data.action
        obj.shape_key_clear()
        if action and not action.users:
            bpy.data.actions.remove(action)
