"""Corrections as shape keys: what the mesh has to be before its armature moves it, at frames that a user names."""

# SPDX-License-Identifier: GPL-3.0-or-later

import re

import bpy
import numpy as np

from . import baking, copies, live, skinned
from .refused import Refused

KEY = "Skin2Scan "  # and the frame's number
OURS, MADE = (
    "skin2scan",
    "skin2scan_keys",
)  # on keys that were made here from nothing; and the names of those that were added
MOST_FRAMES, LAST = 1000, 1_048_574  # at once; and Blender's last frame
APART = 1e-4  # of the mesh's size: how exact keys have to be


def frames_named(text):
    """Return the frames that a text names: 1 12 30-40."""
    found = []
    for each in re.split(r"[,\s]+", text.strip()):
        match = re.fullmatch(r"(-?\d{1,7})(?:-(\d{1,7}))?", each)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if not -LAST <= first <= last <= LAST:
            raise Refused(f"Frames: found {text!r}, expected numbers such as 1 12 30-40")
        found += range(first, last + 1)
    if len(set(found)) > MOST_FRAMES:
        raise Refused(f"Frames: found {len(set(found))} of them, expected {MOST_FRAMES} at most: bake to a cache")
    return sorted(set(found))


def users_of(mesh):
    """Return the objects of a mesh."""
    return [each for each in bpy.data.objects if each.data == mesh and not copies.is_copy(each)]


def linear_maps(obj, frame):
    """Return by which map (V, 3, 3) each vertex of the mesh goes where the armature brings it at a frame, the object's units.

    As long as modifiers only blend the motions of bones it is linear but for a shift: found by moving the mesh along each axis.
    """
    copy, mesh = copies.copy_of(obj), obj.data
    rest = skinned.positions_of(mesh)
    step = 0.1 * float(np.ptp(rest, axis=0).max())
    copy.data = moved = mesh.copy()
    keys = moved.shape_keys
    try:
        if keys is not None:
            copy.shape_key_clear()
        places = []
        for shift in np.concatenate([np.zeros((1, 3)), step * np.eye(3)]):
            moved.vertices.foreach_set("co", (rest + shift).astype(np.float32).ravel())
            moved.update()
            points, _, matrix = skinned.evaluated(obj, frame)
            places.append(skinned.to_own(points, matrix))
    finally:
        copy.data = mesh
        bpy.data.meshes.remove(moved)
        left = [each for each in bpy.data.shape_keys if each == keys]
        bpy.data.batch_remove(left)
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
    live.check_not_baked(obj)
    if obj.show_only_shape_key or (mesh.shape_keys and not mesh.shape_keys.use_relative):
        raise Refused(f"{obj.name}: found a pinned shape key, or absolute ones, beside which others do nothing")
    shapes, wanted = [], []
    with skinned.time_kept(scene):
        for number, frame in enumerate(frames):
            points, moved = baking.corrected(obj, frame, scene)
            maps = linear_maps(obj, frame)
            if np.linalg.cond(maps).max() > 1e6:
                raise Refused(
                    f"{obj.name}: found bones at frame {frame} that scale to nothing, which no shape key undoes"
                )
            shapes.append(np.linalg.solve(maps, moved[:, :, None])[:, :, 0])
            wanted.append(points + moved)
            yield (number + 1) / len(frames)
        add_keys(obj, frames, shapes)
        check_keys(obj, frames, wanted)
    live.detach(obj)


def add_keys(obj, frames, shapes):
    """Add a key for each frame, of what comes on top of the basis (V, 3), animated from one to the next."""
    mesh = obj.data
    if mesh.shape_keys is None:
        obj.shape_key_add(name="Basis")
        mesh.shape_keys[OURS] = True
    basis = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.shape_keys.reference_key.data.foreach_get("co", basis)
    added = []
    for number, (frame, shape) in enumerate(zip(frames, shapes, strict=True)):
        key = obj.shape_key_add(name=f"{KEY}{frame}", from_mix=False)
        key.data.foreach_set("co", (basis + shape.ravel()).astype(np.float32))
        for near, value in [(number - 1, 0.0), (number + 1, 0.0), (number, 1.0)]:
            if 0 <= near < len(frames):
                key.value = value
                key.keyframe_insert("value", frame=frames[near], keytype="GENERATED")
        added.append(key.name)
    mesh.shape_keys[MADE] = added
    paths = {mesh.shape_keys.key_blocks[each].path_from_id("value") for each in added}
    for curve in copies.curves_of(mesh.shape_keys):
        if curve.data_path in paths:
            for each in curve.keyframe_points:
                each.interpolation = "LINEAR"
    obj.update_tag()


def check_keys(obj, frames, wanted):
    """Raise `Refused`, and take the keys away again, where the mesh does not come out at some frames as wanted (V, 3)."""
    size = float(np.ptp(wanted[0], axis=0).max())
    for frame, expected in zip(frames, wanted, strict=True):
        points, _, matrix = skinned.evaluated(obj, frame)
        apart = np.abs(skinned.to_own(points, matrix) - expected).max() / size
        if apart > APART:
            remove_keys(obj)
            raise Refused(
                f"{obj.name}: found keys {apart:.0e} of its size away at frame {frame}: modifiers do more than blend bones; "
                "bake to a cache"
            )


def remove_keys(obj):
    """Take away the shape keys that were made here, and what moves them."""
    keys = obj.data.shape_keys
    if keys is None:
        return
    added = list(keys.get(MADE, ()))
    for key in [each for each in keys.key_blocks if each.name in added]:
        path = key.path_from_id("value")
        for curve in copies.curves_of(keys):
            if curve.data_path == path:
                for frame in [each.co.x for each in curve.keyframe_points]:
                    key.keyframe_delete("value", frame=frame)
                break
        obj.shape_key_remove(key)
    if MADE in keys:
        del keys[MADE]
    if OURS in keys and len(keys.key_blocks) == 1:
        action = keys.animation_data and keys.animation_data.action
        obj.shape_key_clear()
        if action and not action.users:
            bpy.data.actions.remove(action)
