"""The panel in the 3-D view's sidebar."""

# SPDX-License-Identifier: GPL-3.0-or-later

import bpy

from . import live, operators, preview


class Part(bpy.types.Panel):
    """A part of the panel, for a mesh that is selected."""

    bl_space_type, bl_region_type, bl_category = "VIEW_3D", "UI", "Skin2Scan"

    @classmethod
    def poll(cls, context):
        return context.object is not None and context.object.type == "MESH"

    def draw(self, context):
        self.layout.use_property_split = True
        self.layout.use_property_decorate = False
        self.parts(self.layout, context.object, context.object.skin2scan)


class Data(Part):
    bl_idname, bl_label = "VIEW3D_PT_skin2scan_data", "Data"

    def parts(self, layout, obj, settings):
        layout.prop_search(settings, "modifier", obj, "modifiers")
        layout.prop(settings, "scan")
        if settings.scan is None:
            layout.prop(settings, "scan_file")
        column = layout.column(align=True)
        column.prop(settings, "frame_start")
        column.prop(settings, "frame_end")
        column.prop(settings, "frame_step")
        layout.prop(settings, "folder")
        layout.prop(settings, "overwrite")
        layout.operator("skin2scan.write_sequences")


class Train(Part):
    bl_idname, bl_label = "VIEW3D_PT_skin2scan_train", "Train"

    def parts(self, layout, obj, settings):
        layout.prop(settings, "epochs")
        layout.prop(settings, "with_joints")
        row = layout.row(align=True)
        training = operators.trainings.get(obj.name)
        row.operator("skin2scan.train")
        row.operator("skin2scan.stop_training")
        row.operator("skin2scan.open_log")
        for line in training.shown() if training else ():
            lines(layout, line)


class Live(Part):
    bl_idname, bl_label = "VIEW3D_PT_skin2scan_live", "Live"

    def parts(self, layout, obj, settings):
        layout.prop(settings, "model")
        row = layout.row(align=True)
        row.operator("skin2scan.start_live")
        row.operator("skin2scan.stop_live")
        layout.use_property_decorate = True  # the dots that set keys
        layout.prop(settings, "strength")
        layout.prop(settings, "dynamics")
        layout.prop_search(settings, "region", obj, "vertex_groups")
        known = live.characters.get(obj.name)
        if obj.name in live.messages:
            lines(layout, live.messages[obj.name], "ERROR")
        elif settings.live and known is not None:
            layout.label(text=f"{1000 * known.seconds:.0f} ms above Blender's own")


class Bake(Part):
    bl_idname, bl_label = "VIEW3D_PT_skin2scan_bake", "Bake and preview"

    def parts(self, layout, obj, settings):
        layout.operator("skin2scan.bake_cache")
        layout.prop(settings, "key_frames")
        layout.operator("skin2scan.bake_keys")
        if obj.skin2scan.cache or obj.data.shape_keys:
            layout.operator("skin2scan.remove_baked")
        layout.operator("skin2scan.show_preview")
        if preview.is_shown():
            layout.operator("skin2scan.remove_preview")


def lines(layout, text, icon="NONE"):
    """Show a text in lines as long as the sidebar is wide."""
    column, line = layout.column(align=True), ""
    width = bpy.context.region.width / (7 * bpy.context.preferences.system.ui_scale) - 6
    for word in text.split():
        if len(line) + len(word) > width:
            column.label(text=line, icon=icon)
            line, icon = "", "BLANK1" if icon != "NONE" else "NONE"
        line = f"{line} {word}".strip()
    column.label(text=line, icon=icon)


CLASSES = (Data, Train, Live, Bake)


def register():
    for each in CLASSES:
        bpy.utils.register_class(each)


def unregister():
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
