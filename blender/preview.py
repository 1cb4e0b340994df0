"""Skinned mesh, prediction and scan beside each other at one frame, coloured by how far each is from the scan; where there is
none, by how far the prediction is from the skinned mesh."""

# SPDX-License-Identifier: GPL-3.0-or-later

import bpy
import numpy as np

from . import live, sequences, skinned

COLLECTION, COLOURS = "Skin2Scan preview", "error"
# dark blue over green to yellow, as light grows evenly: nine colours of viridis (van der Walt and Smith 2015), sRGB
RAMP = np.array([
    [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50],
    [253, 231, 37],
]) / 255  # fmt: skip


def colours_of(values, largest):
    """Return colours (V, 4) of values (V,) from 0 to the largest."""
    place = np.clip(values / largest if largest > 0 else 0 * values, 0, 1) * (len(RAMP) - 1)
    channels = [np.interp(place, np.arange(len(RAMP)), RAMP[:, channel]) for channel in range(3)]
    return np.stack([*channels, np.ones_like(place)], axis=1)


def show(obj, context):
    """Put the meshes beside the object, in a collection of their own; return what the brightest colour is, world units."""
    scene, settings = context.scene, obj.skin2scan
    frame = scene.frame_current_final
    moved = live.corrections_at(obj, frame, scene)
    points, _, matrix = live.character_of(obj).at(obj, frame, scene)
    shown = {"skinned": points.astype(np.float64), "predicted": points + moved @ matrix[:3, :3].T}
    if settings.scan is not None:
        shown["scan"] = sequences.scan_at(obj, settings.scan, context.evaluated_depsgraph_get())
        errors = {name: np.linalg.norm(each - shown["scan"], axis=1) for name, each in shown.items()}
    else:
        errors = {name: np.linalg.norm(each - shown["skinned"], axis=1) for name, each in shown.items()}
    largest = float(max(np.percentile(each, 99) for each in errors.values()))
    remove()
    collection = bpy.data.collections.new(COLLECTION)
    scene.collection.children.link(collection)
    faces, width = skinned.faces_of(obj.data), 1.2 * float(np.ptp(points[:, 0]))
    for column, (name, each) in enumerate(shown.items()):
        mesh = bpy.data.meshes.new(f"{obj.name} {name}")
        mesh.from_pydata(each.tolist(), [], faces)
        mesh.shade_smooth()
        attribute = mesh.color_attributes.new(COLOURS, "BYTE_COLOR", "POINT")
        attribute.data.foreach_set("color_srgb", colours_of(errors[name], largest).astype(np.float32).ravel())
        made = bpy.data.objects.new(mesh.name, mesh)
        made.location.x = (column + 1) * width
        collection.objects.link(made)
    return largest


def remove():
    """Take the meshes away."""
    collection = bpy.data.collections.get(COLLECTION)
    if collection is not None:
        for each in list(collection.objects):
            bpy.data.meshes.remove(each.data)
        bpy.data.collections.remove(collection)
