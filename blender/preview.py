"""Skinned mesh, prediction and scan beside each other at one frame, coloured by how far each is from the scan; where there is
none, by how far the prediction is from the skinned mesh."""

# SPDX-License-Identifier: GPL-3.0-or-later

import bpy
import numpy as np

from . import live, sequences, skinned

COLLECTION, COLOURS, MADE = "Skin2Scan preview", "error", "skin2scan_preview"
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
    frame = live.time_of(scene)
    moved = live.corrections_at(obj, frame, scene)
    points, _, matrix = live.character_of(obj).at(obj, frame)
    shown = {"skinned": points.astype(np.float64), "predicted": points + moved @ matrix[:3, :3].T}
    if settings.scan is not None:
        shown["scan"] = sequences.scan_at(obj, settings.scan, context.evaluated_depsgraph_get())
        errors = {name: np.linalg.norm(each - shown["scan"], axis=1) for name, each in shown.items()}
    else:
        errors = {name: np.linalg.norm(each - shown["skinned"], axis=1) for name, each in shown.items()}
    largest = float(max(np.percentile(each, 99) for each in errors.values()))
    remove()
    collection = bpy.data.collections.new(COLLECTION)
    collection[MADE] = True
    scene.collection.children.link(collection)
    material = coloured()
    solid_views_in_colour(collection)
    faces, width = skinned.faces_of(obj.data), 1.2 * float(np.ptp(points[:, 0]))
    for column, (name, each) in enumerate(shown.items()):
        mesh = bpy.data.meshes.new(f"{obj.name} {name}")
        mesh.from_pydata(each.tolist(), [], faces)
        mesh.shade_smooth()
        attribute = mesh.color_attributes.new(COLOURS, "BYTE_COLOR", "POINT")
        attribute.data.foreach_set("color_srgb", colours_of(errors[name], largest).astype(np.float32).ravel())
        mesh.materials.append(material)
        made = bpy.data.objects.new(mesh.name, mesh)
        made[MADE] = mesh[MADE] = True
        made.location.x = (column + 1) * width
        collection.objects.link(made)
    return largest


def coloured():
    """Return a material that shows the colours as they are."""
    material = bpy.data.materials.new(COLLECTION)
    material[MADE] = True
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next(each for each in nodes if each.type == "BSDF_PRINCIPLED")
    colours = nodes.new("ShaderNodeVertexColor")
    colours.layer_name, shader.inputs["Roughness"].default_value = COLOURS, 1.0
    links.new(colours.outputs["Color"], shader.inputs["Base Color"])
    return material


def solid_views():
    """Return the shading of all 3-D views."""
    screens = [window.screen for window in bpy.context.window_manager.windows]
    areas = [area for screen in screens for area in screen.areas if area.type == "VIEW_3D"]
    return [space.shading for area in areas for space in area.spaces if space.type == "VIEW_3D"]


def solid_views_in_colour(collection):
    """Let views show colours of vertices; the collection knows what they showed before."""
    before = {each.color_type for each in solid_views()}
    collection["shading"] = before.pop() if len(before) == 1 else "MATERIAL"
    for each in solid_views():
        each.color_type = "VERTEX"


def is_shown():
    return any(MADE in each for each in bpy.data.collections)


def remove():
    """Take away what was made here, and nothing else; let views show what they showed."""
    for collection in [each for each in bpy.data.collections if MADE in each]:
        for each in solid_views():
            each.color_type = collection["shading"]
        for each in [each for each in collection.objects if MADE not in each and len(each.users_collection) == 1]:
            bpy.context.scene.collection.objects.link(each)  # which a user has put there
        bpy.data.collections.remove(collection)
    for blocks in (bpy.data.objects, bpy.data.meshes, bpy.data.materials):
        for each in [each for each in blocks if MADE in each and (blocks == bpy.data.objects or not each.users)]:
            blocks.remove(each)
