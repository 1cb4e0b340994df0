"""Corrections that need no live model: a point cache in its place."""

# SPDX-License-Identifier: GPL-3.0-or-later

import struct
from pathlib import Path

import bpy
import numpy as np

from . import copies, live, skinned
from .refused import Refused
from .sequences import frames_of, written_beside

CACHE = "Skin2Scan cache"


def corrected(obj, frame, scene):
    """Let the scene be at a frame; return the skinned mesh (V, 3) there and by how much its prediction is away, by its dials
    there, in the object's units and axes."""
    scene.frame_set(frame)
    moved = live.corrections_at(obj, frame, scene, bpy.context.evaluated_depsgraph_get())
    points, _, matrix = live.character_of(obj).at(obj, frame)
    return skinned.to_own(points, matrix), moved * of_region(obj)[:, None]


def of_region(obj):
    """Return how much of the correction each vertex (V,) gets."""
    group = obj.vertex_groups.get(obj.skin2scan.region) if obj.skin2scan.region else None
    if group is None:
        return np.full(len(obj.data.vertices), 0.0 if obj.skin2scan.region else 1.0)
    shares = [{each.group: each.weight for each in vertex.groups}.get(group.index, 0.0) for vertex in obj.data.vertices]
    return np.array(shares)


def baking_cache(obj, scene, path, overwrite=False):
    """Write a PC2 file of all frames, and let a Mesh Cache modifier play it in place of the live correction.

    A generator that yields how far it is, 0 to 1.
    """
    path, settings = Path(path), obj.skin2scan
    if path.suffix.lower() != ".pc2":
        raise Refused(f"{path}: expected a name that ends in .pc2")
    if path.exists() and not overwrite:
        raise Refused(f"{path}: found a file there already: choose another name, or to overwrite")
    if scene.render.frame_map_old != scene.render.frame_map_new:
        raise Refused("found the scene's time remapped, which a cache knows nothing of: bake without")
    live.check_not_baked(obj)
    frames = frames_of(settings, 1)
    place = copies.chosen_modifier(obj) + 1
    with skinned.time_kept(scene), written_beside(path) as file:
        file.write(struct.pack("<12siiffi", b"POINTCACHE2", 1, len(obj.data.vertices), frames[0], 1.0, len(frames)))
        for number, frame in enumerate(frames):
            points, moved = corrected(obj, frame, scene)
            file.write((points + moved).astype("<f4").tobytes())
            yield (number + 1) / len(frames)
    live.detach(obj)
    modifier = obj.modifiers.new(CACHE, "MESH_CACHE")
    modifier.cache_format, modifier.filepath, modifier.frame_start = "PC2", named(path), frames[0]
    settings.cache = modifier.filepath
    obj.modifiers.move(obj.modifiers.find(modifier.name), place)


def named(path):
    """Return a path as Blender names it: beside the file that is open, where it is."""
    return bpy.path.relpath(str(path)) if bpy.data.filepath else str(path)


def remove_cache(obj):
    """Take away the modifier that plays the cache; the file stays."""
    for each in live.caches_of(obj):
        obj.modifiers.remove(each)
    obj.skin2scan.cache = ""
