"""The predicted correction on the skinned mesh, at every frame change.

A geometry-nodes modifier moves the vertices by the positions of another mesh, which belongs to the character and is in no
scene: the user's own mesh stays as it is. What a frame's correction depends on is evaluated apart (`skinned`), so that there
is no way from the result back to the input.
"""

# SPDX-License-Identifier: GPL-3.0-or-later

import time as clock
from collections import OrderedDict

import bpy
import numpy as np
from bpy.app.handlers import persistent

from . import skinned
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
        settings = obj.skin2scan
        self.path = bpy.path.abspath(settings.model)
        if not self.path:
            raise Refused(f"{obj.name}: found no model, expected a file of export_onnx.py --streaming")
        self.model = Model(self.path)
        mesh, armature = obj.data, skinned.armature_of(obj)
        self.model.check(len(mesh.vertices), skinned.faces_of(mesh), len(armature.pose.bones), obj.name)
        self.frames = OrderedDict()
        self.seconds = 0.0  # of the last frame, above what Blender takes without

    def at(self, obj, time, scene):
        """Return the skinned mesh (V, 3), joints (J, 3) and matrix of a time."""
        key = round(time, 5)
        if key not in self.frames:
            self.frames[key] = skinned.evaluated(obj, key, scene)
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
        frames = [self.at(obj, each, scene) for each in times]
        first = []
        if len(frames) < model.history:
            begun = [times[0] + step * number for number in range(3)]
            first = [self.at(obj, each, scene) for each in begun if each <= max(settings.frame_end, time)]
        metres = scene.unit_settings.scale_length
        moved = model.corrections(frames, first, dials, metres)
        return moved @ np.linalg.inv(frames[-1][2][:3, :3]).T


def character_of(obj):
    """Return what is known of an object; the model is read anew where another one is named."""
    known = characters.get(obj.name)
    if known is None or known.path != bpy.path.abspath(obj.skin2scan.model):
        known = characters[obj.name] = Character(obj)
    return known


def corrections_at(obj, time, scene, depsgraph=None):
    """Return the corrections (V, 3) of an object at a time, its own units and axes, with its dials as they are there."""
    settings = obj.evaluated_get(depsgraph).skin2scan if depsgraph else obj.skin2scan
    dials = {"strength": settings.strength, "dynamics": settings.dynamics}
    edited = skinned.edited(obj)  # after which a character may be forgotten
    character = character_of(obj)
    if edited:
        character.frames.clear()
    return character.corrections(obj, time, scene, dials)


def modifier_of(obj):
    """Return the modifier that moves an object's vertices, or None."""
    for each in obj.modifiers:
        if each.type == "NODES" and is_corrections_group(each.node_group):
            return each
    return None


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
    characters.pop(obj.name, None)
    try:
        moved = corrections_at(obj, scene.frame_current_final, scene)
    except Refused:
        purge()
        raise
    place = skinned.chosen_modifier(obj) + 1
    modifier = modifier_of(obj)
    if modifier is None:
        modifier = obj.modifiers.new(NAME, "NODES")
        modifier.node_group = corrections_group()
        modifier.show_expanded = False
    obj.modifiers.move(obj.modifiers.find(modifier.name), place)
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


def live_objects(scene):
    """Return the objects of a scene that are corrected live."""
    found = [each for each in scene.objects if each.type == "MESH" and each.skin2scan.live and not each.library]
    return [each for each in found if not skinned.is_copy(each) and modifier_of(each) is not None]


def purge():
    """Remove what belongs to objects that are corrected no more."""
    for blocks in (bpy.data.objects, bpy.data.meshes):
        for each in [each for each in blocks if CARRIES in each and not each.library and not each.users]:
            blocks.remove(each)
    for each in [
        each for each in bpy.data.node_groups if is_corrections_group(each) and not each.library and not each.users
    ]:
        bpy.data.node_groups.remove(each)
    kept = {each.name for scene in bpy.data.scenes if scene.name != skinned.SCENE for each in live_objects(scene)}
    skinned.remove_copies(kept)
    for name in characters.keys() - kept:
        del characters[name]


def refresh(obj, scene, depsgraph=None):
    """Show an object's correction at the scene's time; where that cannot be, the skinned mesh, and why in the panel."""
    if not obj.skin2scan.live or modifier_of(obj) is None:
        return
    begin = clock.perf_counter()
    try:
        put(obj, corrections_at(obj, scene.frame_current_final, scene, depsgraph))
        messages.pop(obj.name, None)
    except Refused as error:
        put(obj, None)
        messages[obj.name] = str(error)
    except Exception:
        put(obj, None)
        raise
    if obj.name in characters:
        characters[obj.name].seconds = clock.perf_counter() - begin


@persistent
def on_frame(scene, depsgraph):
    if scene.name != skinned.SCENE:
        found = live_objects(scene)
        if characters.keys() - {each.name for each in found} and not bpy.app.is_job_running("RENDER"):
            purge()
        for obj in found:
            refresh(obj, scene, depsgraph)


@persistent
def on_edit(scene, depsgraph):
    if scene.name != skinned.SCENE:
        return
    skinned.note_edits(scene, depsgraph)
    meshes = {each.id.name for each in depsgraph.updates if isinstance(each.id, bpy.types.Mesh)}
    for obj in [bpy.data.objects.get(name) for name in characters]:
        if obj is not None and obj.data.name in meshes:
            del characters[obj.name]  # its mesh may be another


@persistent
def on_other_data(*_):
    """A file was opened, or a step undone: what was known may be of objects that are no more."""
    characters.clear()
    messages.clear()
    purge()
    for scene in bpy.data.scenes:
        for obj in live_objects(scene):
            refresh(obj, scene)


@persistent
def before_saving(*_):
    """A file holds no corrections: it would show those of one frame where this extension is not there."""
    for scene in bpy.data.scenes:
        for obj in live_objects(scene):
            put(obj, None)
    purge()
    skinned.remove_copies()


@persistent
def after_saving(*_):
    for scene in bpy.data.scenes:
        for obj in live_objects(scene):
            refresh(obj, scene)


HANDLERS = {
    "frame_change_post": on_frame,
    "depsgraph_update_post": on_edit,
    "load_post": on_other_data,
    "undo_post": on_other_data,
    "redo_post": on_other_data,
    "save_pre": before_saving,
    "save_post": after_saving,
}


def register():
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)


def unregister():
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    before_saving()
    characters.clear()
    messages.clear()
