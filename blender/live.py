"""The predicted correction on the skinned mesh, at every frame change.

A geometry-nodes modifier moves the vertices by the positions of another mesh, which belongs to the character and is in no
scene: the user's own mesh stays as it is. What a frame's correction depends on is evaluated apart (`skinned`), so that there
is no way from the result back to the input.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

import os
import time as clock
from collections import OrderedDict

import bpy
import numpy as np

from . import copies, skinned
from .corrections_group import CORRECTIONS, REGION, corrections_group, identifier, is_corrections_group
from .model import Model
from .refused import Refused

NAME = "Skin2Scan"
CARRIES = "skin2scan_corrections_of"  # the name of the object whose corrections a mesh holds

characters = {}  # what is known of each, by the object's name
messages = {}  # a line for the panel, by the object's name


class Character:
    """A model, and the skinned meshes that were evaluated since the last edit, by time."""

    def __init__(self, obj):
        self.file = file_of(obj)
        if not self.file[0]:
            raise Refused(f"{obj.name}: found no model, expected a file of export_onnx.py --streaming")
        self.model = Model(self.file[0])
        mesh, armature = obj.data, skinned.armature_of(obj)
        self.model.check(len(mesh.vertices), skinned.faces_of(mesh), len(armature.pose.bones), obj.name)
        self.frames = OrderedDict()
        self.seconds = 0.0  # of the last frame, above what Blender takes without

    def at(self, obj, time):
        """Return the skinned mesh (V, 3), joints (J, 3) and matrix of a time."""
        key = round(time, 5)
        if key not in self.frames:
            self.frames[key] = skinned.evaluated(obj, key)
            while len(self.frames) > 2 * self.model.history + 8:
                self.frames.popitem(last=False)
        self.frames.move_to_end(key)
        return self.frames[key]

    def corrections(self, obj, time, scene, dials):
        """Return the corrections (V, 3) at a time, the object's units and axes."""
        settings, model = obj.skin2scan, self.model
        step = settings.frame_step
        before = max(0, int((time - settings.frame_start) / step + 1e-6))  # frames of the sequence that come before
        times = [time - step * back for back in range(min(before, model.history - 1), -1, -1)]
        frames = [self.at(obj, each) for each in times]
        first = []
        if len(frames) < model.history:
            begun = [times[0] + step * number for number in range(3)]
            first = [self.at(obj, each) for each in begun if each <= max(settings.frame_end, time)]
        metres = scene.unit_settings.scale_length
        moved = model.corrections(frames, first, dials, metres)
        return moved @ np.linalg.inv(frames[-1][2][:3, :3]).T


def file_of(obj):
    """Return the path of an object's model, and when it was written last."""
    path = bpy.path.abspath(obj.skin2scan.model)
    return path, os.path.getmtime(path) if os.path.isfile(path) else None


def character_of(obj):
    """Return what is known of an object; the model is read anew where it is another one."""
    known = characters.get(obj.name)
    if known is None or known.file != file_of(obj):
        known = characters[obj.name] = Character(obj)
    return known


def corrections_at(obj, time, scene, depsgraph=None):
    """Return the corrections (V, 3) of an object at a time, its own units and axes, with its dials as they are there."""
    settings = obj.evaluated_get(depsgraph).skin2scan if depsgraph else obj.skin2scan
    dials = {"strength": settings.strength, "dynamics": settings.dynamics}
    edited = copies.edited(obj, scene)  # after which a character may be forgotten
    character = character_of(obj)
    if edited:
        character.frames.clear()
    return character.corrections(obj, time, scene, dials)


def modifier_of(obj):
    """Return the modifier that moves an object's vertices, or None."""
    return next((each for each in obj.modifiers if copies.is_ours(each)), None)


def caches_of(obj):
    """Return the modifiers that play what was baked."""
    baked = obj.skin2scan.cache
    return [each for each in obj.modifiers if each.type == "MESH_CACHE" and baked and each.filepath == baked]


def check_not_baked(obj):
    """Raise `Refused` for an object whose corrections are baked already: they would be there twice."""
    keys = obj.data.shape_keys
    if caches_of(obj) or (keys and keys.get("skin2scan_keys")):
        raise Refused(f"{obj.name}: found baked corrections, expected none: remove what was baked first")


def check_place(obj):
    """Raise `Refused` where something cannot be shown as it would be meant."""
    place = copies.chosen_modifier(obj) + 1
    if obj.modifiers.find(modifier_of(obj).name) != place:
        raise Refused(
            f"{obj.name}: found {NAME} at another place than right after the skinned mesh's last modifier: press Live again"
        )
    region = obj.skin2scan.region
    if region and region not in obj.vertex_groups:
        raise Refused(f"{obj.name}: found no vertex group {region}, expected one as the region")
    scenes = [each.name for each in obj.users_scene]
    if len(scenes) > 1:
        raise Refused(f"{obj.name}: found it in scenes {', '.join(scenes)}, whose times differ, expected one")


def carrier_of(obj):
    """Return the object whose mesh holds the corrections; one of its own for each: a duplicate comes with that of another."""
    modifier = modifier_of(obj)
    carrier = modifier[identifier(modifier.node_group, CORRECTIONS)]
    if carrier is not None and carrier[CARRIES] != obj.name and not has_its_own(carrier):
        carrier[CARRIES] = obj.name  # which was renamed
    fits = carrier is not None and len(carrier.data.vertices) == len(obj.data.vertices)
    if not fits or carrier[CARRIES] != obj.name or carrier.library:
        carrier = new_carrier(obj)
        modifier[identifier(modifier.node_group, CORRECTIONS)] = carrier
        modifier.show_viewport = modifier.show_viewport  # so that Blender sees that another object is meant
        obj.update_tag(refresh={"DATA"})
    return carrier


def has_its_own(carrier):
    """Say whether the object that corrections were made for is still there, and moved by them."""
    obj = bpy.data.objects.get(carrier[CARRIES])
    modifier = obj and modifier_of(obj)
    return bool(modifier) and modifier[identifier(modifier.node_group, CORRECTIONS)] == carrier


def new_carrier(obj):
    mesh = bpy.data.meshes.new(f".{NAME} {obj.name}")
    mesh.vertices.add(len(obj.data.vertices))
    carrier = bpy.data.objects.new(mesh.name, mesh)
    carrier[CARRIES] = mesh[CARRIES] = obj.name
    return carrier


def put(obj, corrections):
    """Let an object's vertices be moved by corrections (V, 3); None for none."""
    mesh = carrier_of(obj).data
    values = (
        np.zeros(3 * len(mesh.vertices), np.float32) if corrections is None else corrections.astype(np.float32).ravel()
    )
    mesh.vertices.foreach_set("co", values)
    mesh.update()


def attach(obj, scene):
    """Let an object be corrected live from now on; raise `Refused`, and change nothing, where that cannot be."""
    if obj.library:
        raise Refused(
            f"{obj.name}: found an object of a library, expected one of this file: make a library override first"
        )
    check_not_baked(obj)
    characters.pop(obj.name, None)
    copies.outdated.add(obj.name)
    try:
        moved = corrections_at(obj, time_of(scene), scene)
    except Refused:
        purge()
        raise
    modifier = modifier_of(obj)
    if modifier is None:
        modifier = obj.modifiers.new(NAME, "NODES")
        modifier.node_group = corrections_group()
        modifier.show_expanded = False
    obj.modifiers.move(obj.modifiers.find(modifier.name), len(obj.modifiers) - 1)
    obj.modifiers.move(len(obj.modifiers) - 1, copies.chosen_modifier(obj) + 1)
    obj.skin2scan.live = True
    put(obj, moved)
    set_region(obj)
    messages.pop(obj.name, None)


def detach(obj):
    """Take everything away again that `attach` brought."""
    modifier = modifier_of(obj)
    if modifier is not None:
        obj.modifiers.remove(modifier)
    obj.skin2scan.live = False
    characters.pop(obj.name, None)
    messages.pop(obj.name, None)
    purge()


def set_region(obj):
    """Let a vertex group say how much of the correction each vertex gets."""
    modifier = modifier_of(obj)
    if modifier is not None:
        socket, region = identifier(modifier.node_group, REGION), obj.skin2scan.region
        modifier[f"{socket}_use_attribute"] = bool(region)
        modifier[f"{socket}_attribute_name"] = region
        obj.update_tag(refresh={"DATA"})


def time_of(scene):
    """Return the frame that a scene stands at, between frames a broken number."""
    return scene.frame_current + scene.frame_subframe


def live_objects(scene=None):
    """Return the objects that are corrected live: all, or those of a scene, and of none, which it may show as instances."""
    found = [each for each in bpy.data.objects if each.type == "MESH" and each.skin2scan.live and not each.library]
    found = [each for each in found if not copies.is_copy(each) and modifier_of(each) is not None]
    return [each for each in found if scene is None or not each.users_scene or scene in each.users_scene]


def has_leftovers():
    """Say whether something is known of objects that are gone or have lost their modifier; one that is baked needs none."""
    shown = {each.name for each in live_objects()}
    others = [bpy.data.objects.get(name) for name in characters.keys() - shown]
    return any(each is None or each.skin2scan.live for each in others)


def purge():
    """Remove what belongs to objects that are corrected no more."""
    for blocks in (bpy.data.objects, bpy.data.meshes):
        for each in [each for each in blocks if CARRIES in each and not each.library and not each.users]:
            blocks.remove(each)
    for each in [
        each for each in bpy.data.node_groups if is_corrections_group(each) and not each.library and not each.users
    ]:
        bpy.data.node_groups.remove(each)
    kept = {each.name for each in live_objects()}
    copies.remove_copies(kept)
    for name in characters.keys() - kept:
        del characters[name]


def refresh(obj, scene, depsgraph=None):
    """Show an object's correction at the scene's time; where that cannot be, the skinned mesh, and why in the panel."""
    if not obj.skin2scan.live or modifier_of(obj) is None:
        return
    begin = clock.perf_counter()
    try:
        check_place(obj)
        put(obj, corrections_at(obj, time_of(scene), scene, depsgraph))
        messages.pop(obj.name, None)
    except Refused as error:
        put(obj, None)
        messages[obj.name] = str(error)
    except Exception:
        put(obj, None)
        raise
    if obj.name in characters:
        characters[obj.name].seconds = clock.perf_counter() - begin
