"""Copies of characters, in a scene of their own that no file keeps: what they are skinned with, and nothing that comes after.

Blender itself says when something was edited that a copy depends on, and when an object was that has a copy; what scripts
change in between, of what a copy has of its own, is compared.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

import bpy

from .corrections_group import is_corrections_group
from .refused import Refused

SCENE = ".Skin2Scan"
OF = "skin2scan_of"  # the name of the object that a copy is of
SIGNATURE = "skin2scan_signature"  # and what it was made for
NOT_COMPARED = {
    "execution_time", "is_active", "name", "rna_type", "show_expanded", "show_in_editmode", "show_on_cage", "use_pin_to_last",
}  # fmt: skip
OWN = (
    "parent", "parent_type", "parent_bone", "parent_vertices", "matrix_parent_inverse", "show_only_shape_key", "rotation_mode",
    "location", "rotation_euler", "rotation_quaternion", "rotation_axis_angle", "scale",
    "delta_location", "delta_rotation_euler", "delta_rotation_quaternion", "delta_scale",
)  # fmt: skip
SIMULATING = {"CLOTH", "DYNAMIC_PAINT", "FLUID", "OCEAN", "PARTICLE_SYSTEM", "SOFT_BODY"}  # not to be had at any frame

edited_copies, outdated = set(), set()  # names of objects: their copies' dependencies, or they themselves, were edited


def chosen_modifier(obj):
    """Return which modifier is the skinned mesh's last, by number; -1 for a mesh that its parent alone moves.

    Raises `Refused` where there is none of the name that was chosen, and where one up to it simulates.
    """
    name = obj.skin2scan.modifier
    place = max((number for number, each in enumerate(obj.modifiers) if each.type == "ARMATURE"), default=-1)
    if name:
        place = obj.modifiers.find(name)
        if place < 0 or is_ours(obj.modifiers[place]):
            raise Refused(f"{obj.name}: found {name} as Up to, expected the last modifier of the skinned mesh")
    for each in obj.modifiers[: place + 1]:
        if each.type in SIMULATING and each.show_viewport:
            raise Refused(
                f"{obj.name}: found {each.name}, which simulates, in the skinned mesh: it belongs into the scan"
            )
    return place


def is_ours(modifier):
    """Say whether a modifier is the one that brings corrections."""
    return modifier.type == "NODES" and is_corrections_group(modifier.node_group)


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
            found.append(plain(getattr(block, each.identifier)))
    if getattr(block, "type", None) == "NODES":  # whose inputs are no properties of their own
        path = block.path_from_id()
        found += [(key, plain(value)) for key, value in block.items() if f'{path}["{key}"]' not in animated]
    return found


def plain(value):
    """Return a value that can be compared by how it is printed."""
    if isinstance(value, bpy.types.ID):
        return value.name, value.session_uid
    if hasattr(value, "__len__") and not isinstance(value, str):
        return [plain(each) for each in value]
    return getattr(value, "name", value)


def driven_by(curve):
    """Return what drives a property."""
    driver = curve.driver
    targets = [
        (each.name, each.type, plain(target.id), target.data_path, target.bone_target, target.transform_type)
        for each in driver.variables
        for target in each.targets
    ]
    return curve.data_path, curve.array_index, curve.mute, driver.type, driver.expression, targets


def signature(obj):
    """Return what a copy has to be made anew for: what it has of its own, and does not share with the object."""
    animated, data = animated_paths(obj), obj.animation_data
    below = [each for each in obj.modifiers[: chosen_modifier(obj) + 1] if not is_ours(each)]
    found = [settings_of(each, animated) for each in (*below, *obj.constraints)]
    found += [plain(obj.data), *(plain(getattr(obj, each)) for each in OWN if each not in animated)]
    found.append(obj.active_shape_key_index if obj.show_only_shape_key else None)
    found += [(key, plain(value)) for key, value in obj.items() if f'["{key}"]' not in animated and key != "skin2scan"]
    if data is not None:
        found += [plain(data.action), getattr(data, "action_slot_handle", 0), data.use_nla]
        found += [driven_by(each) for each in data.drivers]
        found += [
            (track.mute, track.is_solo, settings_of(strip, animated))
            for track in data.nla_tracks
            for strip in track.strips
        ]
    return repr(found)


def is_copy(obj):
    return OF in obj


def helper_scene():
    """Return the scene of the copies, or None."""
    return bpy.data.scenes.get(SCENE)


def let_it_be_like(scene, other):
    """Let a scene's time go as another's does, and its camera be the same."""
    for owner, as_in, names in (
        (scene.render, other.render, ("fps", "fps_base", "frame_map_old", "frame_map_new")),
        (scene, other, ("camera",)),
    ):
        for name in names:
            if getattr(owner, name) != getattr(as_in, name):
                setattr(owner, name, getattr(as_in, name))
                edited_copies.update(names_of_copies())


def copy_of(obj):
    """Return an object's copy, made anew where it is not up to date."""
    now = signature(obj)
    scene = helper_scene() or bpy.data.scenes.new(SCENE)
    for each in scene.objects:
        if each.get(OF) == obj.name:
            if each[SIGNATURE] == now and obj.name not in outdated:
                return each
            bpy.data.objects.remove(each)
            break
    outdated.discard(obj.name)
    place = chosen_modifier(obj)
    copy = obj.copy()
    copy.name = f".{obj.name}"
    copy[OF], copy[SIGNATURE] = obj.name, now
    for number, each in reversed(list(enumerate(copy.modifiers))):
        if number > place or is_ours(each):
            copy.modifiers.remove(each)
    copy.hide_viewport = copy.hide_render = False
    scene.collection.objects.link(copy)
    edited_copies.add(obj.name)
    return copy


def note_edits(depsgraph):
    """Note that a copy's dependency was edited, as Blender finds before it evaluates the copies again."""
    if len(depsgraph.updates):
        edited_copies.update(names_of_copies())


def edited(obj, scene):
    """Say whether anything was edited, since the last time, that the skinned mesh depends on."""
    copy_of(obj)
    let_it_be_like(helper_scene(), scene)
    helper_scene().view_layers[0].update()  # which has `note_edits` called
    found = obj.name in edited_copies
    edited_copies.discard(obj.name)
    return found


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
