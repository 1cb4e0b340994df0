"""Skinned meshes at any time, evaluated apart from the user's scene, in one of their own that no file keeps.

In it is a copy of each character whose modifiers end with the chosen one: what comes after, and what this extension adds, is
not seen. Blender itself says when something was edited that a copy depends on.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

import bpy
import numpy as np

from .refused import Refused

SCENE = ".Skin2Scan"
OF = "skin2scan_of"  # the name of the object that a copy is of
NOT_COMPARED = {
    "rna_type",
    "name",
    "is_active",
    "show_expanded",
    "execution_time",
    "show_in_editmode",
    "show_on_cage",
    "use_pin_to_last",
}


def plural(count, what):
    return f"{count} {what}{'' if count == 1 else 's'}"


def armature_of(obj):
    """Return the armature that moves an object; raise `Refused` where there is none."""
    found = [each.object for each in obj.modifiers if each.type == "ARMATURE" and each.object]
    if not found and obj.parent and obj.parent.type == "ARMATURE":
        found = [obj.parent]
    if not found:
        raise Refused(f"{obj.name}: found no armature, expected an object with an Armature modifier")
    return found[0]


def chosen_modifier(obj):
    """Return which modifier is the skinned mesh's last, by number; -1 for a mesh that its parent alone moves."""
    name = obj.skin2scan.modifier
    if name:
        place = obj.modifiers.find(name)
        if place < 0:
            raise Refused(f"{obj.name}: found no modifier {name}, expected the last one of the skinned mesh")
        return place
    return max((place for place, each in enumerate(obj.modifiers) if each.type == "ARMATURE"), default=-1)


def curves_of(block):
    """Return the curves that animate a block, in any version of Blender."""
    action = block.animation_data and block.animation_data.action
    return curves_in(action) if action else []


def curves_in(action):
    """Return an action's curves."""
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    bags = [bag for layer in action.layers for strip in layer.strips for bag in strip.channelbags]
    return [curve for bag in bags for curve in bag.fcurves]


def animated_paths(obj):
    """Return the paths of an object's properties that its animation or a driver changes."""
    data = obj.animation_data
    if data is None:
        return set()
    strips = [strip for track in data.nla_tracks for strip in track.strips if strip.action]
    curves = [*curves_of(obj), *data.drivers, *(curve for strip in strips for curve in curves_in(strip.action))]
    return {each.data_path for each in curves}


def settings_of(block, animated):
    """Return a block's own settings, as far as they are plain values or other blocks, and not animated."""
    found = []
    for each in block.bl_rna.properties:
        if each.identifier in NOT_COMPARED or each.is_readonly or each.type == "COLLECTION":
            continue
        if block.path_from_id(each.identifier) not in animated:
            value = getattr(block, each.identifier)
            found.append(getattr(value, "name", None) if each.type == "POINTER" else plain(value))
    if getattr(block, "type", None) == "NODES":  # whose inputs are no properties of their own
        path = block.path_from_id()
        found += [(key, plain(value)) for key, value in block.items() if f'{path}["{key}"]' not in animated]
    return found


def plain(value):
    """Return a value that can be compared by how it is printed."""
    if hasattr(value, "__len__") and not isinstance(value, str):
        return [plain(each) for each in value]
    return getattr(value, "name", value)


def signature(obj):
    """Return what a copy has to be made anew for: what it has of its own, and does not share with the object."""
    animated, data = animated_paths(obj), obj.animation_data
    below = list(obj.modifiers)[: chosen_modifier(obj) + 1]
    found = [settings_of(each, animated) for each in (*below, *obj.constraints)]
    found += [
        obj.data.name,
        obj.parent and obj.parent.name,
        obj.parent_type,
        obj.parent_bone,
        plain(obj.matrix_parent_inverse),
    ]
    places = ("location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "rotation_mode", "scale")
    deltas = ("delta_location", "delta_rotation_euler", "delta_rotation_quaternion", "delta_scale")
    found += [plain(getattr(obj, each)) for each in (*places, *deltas) if each not in animated]
    if data is not None:
        found += [data.action and data.action.name, getattr(data, "action_slot_handle", 0), data.use_nla]
        found += [(each.data_path, each.array_index, each.driver.expression) for each in data.drivers]
        found += [(track.mute, settings_of(strip, animated)) for track in data.nla_tracks for strip in track.strips]
    return repr(found)


def is_copy(obj):
    return OF in obj


def helper_scene():
    """Return the scene of the copies, or None."""
    return bpy.data.scenes.get(SCENE)


def like(scene, other):
    """Let a scene's time go as another's does."""
    render, as_in = scene.render, other.render
    for name in ("fps", "fps_base", "frame_map_old", "frame_map_new"):
        if getattr(render, name) != getattr(as_in, name):
            setattr(render, name, getattr(as_in, name))


def copy_of(obj):
    """Return an object's copy, up to date in its modifiers."""
    now = signature(obj)
    scene = helper_scene() or bpy.data.scenes.new(SCENE)
    for each in scene.objects:
        if each.get(OF) == obj.name:
            if each["signature"] == now:
                return each
            bpy.data.objects.remove(each)
            break
    place = chosen_modifier(obj)
    copy = obj.copy()
    copy.name = f".{obj.name}"
    copy[OF], copy["signature"] = obj.name, now
    for each in list(copy.modifiers)[place + 1 :]:
        copy.modifiers.remove(each)
    copy.hide_viewport = copy.hide_render = False
    scene.collection.objects.link(copy)
    changed.add(obj.name)
    return copy


changed = set()  # names of objects of which something was edited that their copies depend on


def note_edits(scene, depsgraph):
    """Note that something was edited: a copy's dependency, as Blender found before it evaluated the copies again."""
    if len(depsgraph.updates):
        changed.update(each[OF] for each in scene.objects if is_copy(each))


def edited(obj):
    """Say whether anything was edited since the last time that the skinned mesh depends on."""
    copy_of(obj)
    helper_scene().view_layers[0].update()  # which calls `note_edits`
    found = obj.name in changed
    changed.discard(obj.name)
    return found


def evaluated(obj, time, scene):
    """Return the points (V, 3) of an object's skinned mesh at a time, and the joints (J, 3) of its armature, the world's units,
    and the matrix of the object in the world.

    `scene` is the user's. Raises `Refused` where modifiers below the chosen one change the number of vertices.
    """
    copy, helper = copy_of(obj), helper_scene()
    like(helper, scene)
    whole = int(np.floor(time))
    helper.frame_set(whole, subframe=time - whole)
    depsgraph = helper.view_layers[0].depsgraph
    there = copy.evaluated_get(depsgraph)
    matrix = np.array(there.matrix_world, np.float64)
    joints = joints_of(armature_of(obj).evaluated_get(depsgraph))
    return to_world(points_of(there, obj), matrix).astype(np.float32), joints.astype(np.float32), matrix


def to_world(points, matrix):
    return points.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def points_of(there, obj):
    """Return the points (V, 3) of an evaluated object, its own units; raise `Refused` where they are not the mesh's own."""
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
    points = np.empty(3 * len(vertices), np.float32)
    vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


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


def names_of_copies():
    """Return the names of the objects of which there are copies."""
    scene = helper_scene()
    return {each[OF] for each in scene.objects if is_copy(each)} if scene else set()


def remove_copies(kept=()):
    """Remove the copies of all objects but some, by name, and the scene where none is left."""
    scene = helper_scene()
    if scene is None:
        return
    for each in list(scene.objects):
        if each.get(OF) not in kept:
            bpy.data.objects.remove(each)
    if not scene.objects:
        bpy.data.scenes.remove(scene)
