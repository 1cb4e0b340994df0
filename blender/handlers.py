"""What the live correction does when Blender goes to another frame, when something is edited, and when files come and go."""

# SPDX-License-Identifier: GPL-3.0-or-later

import bpy
from bpy.app.handlers import persistent

from . import copies, live


def refresh_all():
    """Show all corrections at the times that their scenes stand at."""
    for obj in live.live_objects():
        scenes = obj.users_scene or [bpy.context.scene]
        live.refresh(obj, scenes[0])


@persistent
def before_frame(scene, depsgraph):
    """Have Blender say what was edited before it goes to another frame, where everything has changed."""
    if scene.name != copies.SCENE and live.live_objects(scene):
        for layer in scene.view_layers:
            layer.update()


@persistent
def on_frame(scene, depsgraph):
    if scene.name != copies.SCENE:
        if live.has_leftovers() and not bpy.app.is_job_running("RENDER"):
            live.purge()
        for obj in live.live_objects(scene):
            live.refresh(obj, scene, depsgraph)


@persistent
def on_edit(scene, depsgraph):
    """Note what was edited: what copies depend on; meshes, which may be others now; characters, but by their corrections."""
    ids = [each.id.original for each in depsgraph.updates]
    if scene.name == copies.SCENE:
        copies.note_edits(depsgraph)
        meshes = {each.name for each in ids if isinstance(each, bpy.types.Mesh)}
        for obj in [bpy.data.objects.get(name) for name in live.characters]:
            if obj is not None and obj.data.name in meshes:
                del live.characters[obj.name]
    else:
        by_us = {each[live.CARRIES] for each in ids if isinstance(each, bpy.types.Mesh) and live.CARRIES in each}
        copies.outdated.update(
            each.name
            for each in ids
            if isinstance(each, bpy.types.Object) and each.name in live.characters and each.name not in by_us
        )


@persistent
def on_other_data(*_):
    """A file was opened, or a step undone: what was known may be of objects that are no more."""
    live.characters.clear()
    live.messages.clear()
    live.purge()
    refresh_all()


@persistent
def before_saving(*_):
    """A file holds no corrections: it would show those of one frame where this extension is not there."""
    for obj in live.live_objects():
        live.put(obj, None)
    live.purge()
    copies.remove_copies()


@persistent
def after_saving(*_):
    refresh_all()


HANDLERS = {
    "frame_change_pre": before_frame,
    "frame_change_post": on_frame,
    "depsgraph_update_post": on_edit,
    "load_post": on_other_data,
    "undo_post": on_other_data,
    "redo_post": on_other_data,
    "save_pre": before_saving,
    "save_post": after_saving,
    "save_post_fail": after_saving,
}


def register():
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).append(handler)
    if hasattr(bpy.data, "objects"):  # not while Blender starts
        refresh_all()


def unregister():
    for name, handler in HANDLERS.items():
        getattr(bpy.app.handlers, name).remove(handler)
    before_saving()
    live.characters.clear()
    live.messages.clear()
