"""What an object knows of its corrections, and what a user says once for all."""

# SPDX-License-Identifier: GPL-3.0-or-later

import bpy
from bpy.props import BoolProperty, FloatProperty, IntProperty, PointerProperty, StringProperty

from . import live

OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}
BESIDE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (5, 0, 0) else set()  # others take such paths unasked


def turned(settings, context):
    """A dial was turned: show the frame again."""
    live.refresh(settings.id_data, context.scene)


def dial(name, description):
    """Return a property that scales something, to be animated; the frame is shown again when it is turned."""
    limits = {"default": 1.0, "soft_min": 0.0, "soft_max": 2.0}
    return FloatProperty(name=name, description=description, update=turned, override=OVERRIDABLE, **limits)


def region_chosen(settings, context):
    live.set_region(settings.id_data)
    turned(settings, context)


def is_another_mesh(settings, obj):
    return obj.type == "MESH" and obj != settings.id_data


class ObjectSettings(bpy.types.PropertyGroup):
    """Of one character: a mesh that an armature moves."""

    modifier: StringProperty(
        name="Up to",
        description="Last modifier of the skinned mesh; none: the last Armature",
        override=OVERRIDABLE,
    )
    scan: PointerProperty(
        name="Scan",
        type=bpy.types.Object,
        poll=is_another_mesh,
        description="Mesh of the same vertices that shows what to learn",
    )
    scan_file: StringProperty(
        name="Scan file",
        subtype="FILE_PATH",
        options=BESIDE,
        description="Or a cache of it: .npz, .abc, .usd, .mdd or .pc2",
    )
    folder: StringProperty(
        name="Folder",
        subtype="DIR_PATH",
        options=BESIDE,
        default="//skin2scan",
        description="Where sequences and models are written",
    )
    frame_start: IntProperty(
        name="First",
        default=1,
        update=turned,
        description="First frame of the sequence; before it nothing is known",
        override=OVERRIDABLE,
    )
    frame_end: IntProperty(name="Last", default=250, override=OVERRIDABLE)
    frame_step: IntProperty(name="Step", default=1, min=1, description="Every so many frames", override=OVERRIDABLE)
    epochs: IntProperty(name="Epochs", default=2, min=1, description="Of the training")
    with_joints: BoolProperty(name="Joints", description="Let the model see the bones, too")
    model: StringProperty(
        name="Model",
        subtype="FILE_PATH",
        options=BESIDE,
        update=turned,
        description="ONNX file of export_onnx.py --streaming",
        override=OVERRIDABLE,
    )
    live: BoolProperty(options={"HIDDEN"}, override=OVERRIDABLE)
    strength: dial("Strength", "Of the correction; 0: the skinned mesh, 1: as trained")
    dynamics: dial("Dynamics", "Of the motion that the model sees; 0: the pose alone, 1: as trained")
    region: StringProperty(
        name="Region", update=region_chosen, description="Vertex group: how much of the correction each vertex gets",
        override=OVERRIDABLE,
    )  # fmt: skip
    cache: StringProperty(options={"HIDDEN"}, override=OVERRIDABLE)  # that was baked
    overwrite: BoolProperty(name="Overwrite", description="Once: what is in the folder already", options={"SKIP_SAVE"})
    key_frames: StringProperty(name="Frames", description="To be shape keys: 1 12 30-40")


class Preferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    python: StringProperty(
        name="Python",
        subtype="FILE_PATH",
        options=BESIDE,
        description="Of the environment in which Skin2Scan is installed: .venv/bin/python",
    )
    toolkit: StringProperty(
        name="Skin2Scan", subtype="DIR_PATH", options=BESIDE, description="Folder that holds fit_mesh.py"
    )

    def draw(self, context):
        self.layout.prop(self, "python")
        self.layout.prop(self, "toolkit")


def preferences():
    return bpy.context.preferences.addons[__package__].preferences


CLASSES = (ObjectSettings, Preferences)


def register():
    for each in CLASSES:
        bpy.utils.register_class(each)
    bpy.types.Object.skin2scan = PointerProperty(type=ObjectSettings, override=OVERRIDABLE)


def unregister():
    del bpy.types.Object.skin2scan
    for each in reversed(CLASSES):
        bpy.utils.unregister_class(each)
