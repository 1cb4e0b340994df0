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
        made.location.x = (column + 1) * width
        collection.objects.link(made)
    return largest


def coloured():
    """Return a material that shows the colours as they are."""
    material = bpy.data.materials.new(COLLECTION)
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


def remove():
    """Take the meshes away, and let views show what they showed."""
    collection = bpy.data.collections.get(COLLECTION)
    if collection is None:
        return
    for each in solid_views():
        each.color_type = collection["shading"]
    for each in list(collection.objects):
        material = each.active_material
        bpy.data.meshes.remove(each.data)
        if material is not None and not material.users:
            bpy.data.materials.remove(material)
    bpy.data.collections.remove(collection)
