"""What the panel's buttons do."""

# SPDX-License-Identifier: GPL-3.0-or-later

import time

import bpy
from bpy.props import StringProperty

from . import baking, live, preview, sequences, shape_keys
from .properties import preferences
from .refused import Refused
from .training import Training

LOG = "Skin2Scan training"
trainings = {}  # the newest of each object, by name


def character(context):
    """Return the object that buttons are for."""
    obj = context.object
    if obj is None or obj.type != "MESH":
        raise Refused("found no mesh selected, expected a character's")
    return obj


def line_of(error):
    """Return what a user is told of an error."""
    return f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)


class Action(bpy.types.Operator):
    """One step; what cannot be done is a line, and changes nothing."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 (Blender's)

    def execute(self, context):
        try:
            self.act(character(context), context)
        except (Refused, OSError) as error:
            self.report({"ERROR"}, line_of(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class LongAction(bpy.types.Operator):
    """Steps of a generator, with a progress bar; Escape cancels. Without windows, all at once."""

    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    def execute(self, context):
        try:
            for _ in self.tidied_steps(context):
                pass
        except (Refused, OSError) as error:
            self.report({"ERROR"}, line_of(error))
            return {"CANCELLED"}
        self.report({"INFO"}, self.done)
        return {"FINISHED"}

    def invoke(self, context, event):
        try:
            self.rest = self.tidied_steps(context)
            next(self.rest)
        except (Refused, OSError) as error:
            self.report({"ERROR"}, line_of(error))
            return {"CANCELLED"}
        except StopIteration:
            self.report({"INFO"}, self.done)
            return {"FINISHED"}
        context.window_manager.progress_begin(0, 1)
        self.timer = context.window_manager.event_timer_add(0.01, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def tidied_steps(self, context):
        """Take the steps; however they end, nothing is left of what they were evaluated by."""
        try:
            yield from self.steps(character(context), context)
        finally:
            live.purge()

    def modal(self, context, event):
        if event.type == "ESC":
            self.rest.close()
            return self.ended(context, {"WARNING"}, "cancelled: nothing was written", {"CANCELLED"})
        if event.type == "TIMER":
            try:
                end = time.perf_counter() + 0.1
                while time.perf_counter() < end:
                    done = next(self.rest)
                context.window_manager.progress_update(done)
            except StopIteration:
                return self.ended(context, {"INFO"}, self.done, {"FINISHED"})
            except (Refused, OSError) as error:
                return self.ended(context, {"ERROR"}, line_of(error), {"CANCELLED"})
        return {"RUNNING_MODAL"}

    def ended(self, context, kind, line, how):
        context.window_manager.event_timer_remove(self.timer)
        context.window_manager.progress_end()
        self.report(kind, line)
        return how


class WriteSequences(LongAction):
    """Write skinned meshes, joints and scans of the frames to the folder; Escape cancels"""

    bl_idname, bl_label, done = "skin2scan.write_sequences", "Write sequences", "sequences written"

    def steps(self, obj, context):
        yield from sequences.writing(obj, context, obj.skin2scan.overwrite)
        obj.skin2scan.overwrite = False


class Train(Action):
    """Train on the sequences in the folder, in a process of its own"""

    bl_idname, bl_label = "skin2scan.train", "Train"

    def act(self, obj, context):
        running = trainings.get(obj.name)
        if running is not None and running.poll():
            raise Refused(f"{obj.name}: a training is running already")
        chosen = preferences()
        paths = (bpy.path.abspath(each) for each in (chosen.python, chosen.toolkit))
        trainings[obj.name] = Training(obj, context.scene, *paths)
        if not bpy.app.timers.is_registered(follow):
            bpy.app.timers.register(follow, first_interval=0.5)


class StopTraining(Action):
    """Stop the training; what it has saved stays"""

    bl_idname, bl_label = "skin2scan.stop_training", "Stop"

    def act(self, obj, context):
        if obj.name in trainings:
            trainings[obj.name].stop()


class OpenLog(Action):
    """Show what the training printed, in the text editor"""

    bl_idname, bl_label = "skin2scan.open_log", "Log"

    def act(self, obj, context):
        text = bpy.data.texts.get(LOG) or bpy.data.texts.new(LOG)
        text.clear()
        text.write("\n".join(trainings[obj.name].lines) if obj.name in trainings else "no training yet")
        for area in context.screen.areas if context.screen else ():
            if area.type == "TEXT_EDITOR":
                area.spaces.active.text = text


def follow():
    """Take what trainings print, and the model that they end with; return in how many seconds Blender is to call it again."""
    running = False
    for name, training in trainings.items():
        running |= training.poll()
        obj = bpy.data.objects.get(name)
        if training.model is not None and obj is not None:
            obj.skin2scan.model, training.model = str(training.model), None
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            area.tag_redraw()
    return 0.5 if running else None


class StartLive(Action):
    """Show the predicted correction on the object, at every frame"""

    bl_idname, bl_label = "skin2scan.start_live", "Live"

    def act(self, obj, context):
        live.attach(obj, context.scene)


class StopLive(Action):
    """Take the live correction away again, without trace"""

    bl_idname, bl_label = "skin2scan.stop_live", "Remove"

    def act(self, obj, context):
        live.detach(obj)


class BakeCache(LongAction):
    """Write the corrected frames as a point cache, and let a Mesh Cache modifier play it in place of the live correction"""

    bl_idname, bl_label, done = "skin2scan.bake_cache", "Bake to cache", "baked"
    filepath: StringProperty(subtype="FILE_PATH", description="PC2 file; none: corrected.pc2 in the folder")

    def steps(self, obj, context):
        path = bpy.path.abspath(self.filepath) or sequences.folder_of(obj) / "corrected.pc2"
        yield from baking.baking_cache(obj, context.scene, path, obj.skin2scan.overwrite)
        obj.skin2scan.overwrite = False


class BakeKeys(LongAction):
    """Make shape keys of the corrections at the frames that are named, and let them follow each other"""

    bl_idname, bl_label, done = "skin2scan.bake_keys", "Bake to shape keys", "baked"

    def steps(self, obj, context):
        return shape_keys.baking_keys(obj, context.scene, shape_keys.frames_named(obj.skin2scan.key_frames))


class RemoveBaked(Action):
    """Take away the cache's modifier and the shape keys that were baked; files stay"""

    bl_idname, bl_label = "skin2scan.remove_baked", "Remove what was baked"

    def act(self, obj, context):
        baking.remove_cache(obj)
        shape_keys.remove_keys(obj)


class ShowPreview(Action):
    """Put skinned mesh, prediction and scan of this frame beside each other, coloured by their error"""

    bl_idname, bl_label = "skin2scan.show_preview", "Heat map"

    def act(self, obj, context):
        try:
            largest = preview.show(obj, context) * context.scene.unit_settings.scale_length
        finally:
            live.purge()
        self.report({"INFO"}, f"yellow is {1000 * largest:.2f} mm and more")


class RemovePreview(Action):
    """Take the meshes of the heat map away"""

    bl_idname, bl_label = "skin2scan.remove_preview", "Remove heat map"

    def act(self, obj, context):
        preview.remove()


CLASSES = (
    WriteSequences, Train, StopTraining, OpenLog, StartLive, StopLive, BakeCache, BakeKeys, RemoveBaked, ShowPreview,
    RemovePreview,
)  # fmt: skip


def register():
    for each in CLASSES:
        bpy.utils.register_class(each)


def unregister():
    if bpy.app.timers.is_registered(follow):
        bpy.app.timers.unregister(follow)
    for training in trainings.values():
        training.stop()
    trainings.clear()
    preview.remove()
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
