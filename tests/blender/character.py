"""A character built in Blender, for tests in Blender: a bar, three bones, and a scan that swells as it bends."""

import sys
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from benchmarks.blender_live import NAME, registered

AROUND, ALONG, FRAMES = 8, 13, 24


def extension():
    """Return the extension, registered as if it were installed, in an empty file."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    return registered()


def part(name):
    """Return one of the extension's modules."""
    return sys.modules[f"{NAME}.{name}"]


def select(obj):
    bpy.ops.object.select_all(action="DESELECT")
    obj.select_set(True)
    bpy.context.view_layer.objects.active = obj


def new_bar():
    """Return a bar of quads with a lid of eight corners."""
    angles = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)
    heights = np.linspace(0, 2, ALONG)
    points = [(0.3 * np.cos(angle), 0.2 * np.sin(angle), height) for height in heights for angle in angles]
    faces = [
        (
            ring * AROUND + k,
            ring * AROUND + (k + 1) % AROUND,
            (ring + 1) * AROUND + (k + 1) % AROUND,
            (ring + 1) * AROUND + k,
        )
        for ring in range(ALONG - 1)
        for k in range(AROUND)
    ]
    mesh = bpy.data.meshes.new("bar")
    mesh.from_pydata(points, [], [*faces, tuple(reversed(range(AROUND)))])
    bar = bpy.data.objects.new("bar", mesh)
    bpy.context.scene.collection.objects.link(bar)
    return bar, np.array(points)


def new_rig():
    """Return an armature of three bones, one on the other."""
    bpy.ops.object.armature_add()
    rig = bpy.context.object
    rig.name = "rig"
    bpy.ops.object.mode_set(mode="EDIT")
    bones = rig.data.edit_bones
    bones[0].head, bones[0].tail = (0, 0, 0), (0, 0, 0.7)
    for name, low, high in (("middle", 0.7, 1.4), ("top", 1.4, 2.0)):
        bone = bones.new(name)
        bone.head, bone.tail, bone.parent = (0, 0, low), (0, 0, high), bones[-2]
    bpy.ops.object.mode_set(mode="OBJECT")
    return rig


def build(folder):
    """Build the character; return the skinned mesh, the scan and the armature."""
    scene, random = bpy.context.scene, np.random.default_rng(0)
    (bar, points), rig = new_bar(), new_rig()
    for number, bone in enumerate(rig.data.bones):
        group = bar.vertex_groups.new(name=bone.name)
        weights = np.maximum(0, 1 - np.abs(points[:, 2] - 0.35 - 0.7 * number) / 0.7)
        for vertex in np.flatnonzero(weights).tolist():
            group.add([vertex], float(weights[vertex]), "REPLACE")
    bar.modifiers.new("Armature", "ARMATURE").object = rig
    scan = bar.copy()
    scan.name, scan.data = "scan", bar.data.copy()
    scene.collection.objects.link(scan)
    swelling = scan.modifiers.new("Cast", "CAST")
    swelling.cast_type = "CYLINDER"
    for frame in range(1, FRAMES + 2, 4):
        for bone in rig.pose.bones:
            bone.rotation_mode = "XYZ"
            bone.rotation_euler = 0.5 * random.normal(size=3)
            bone.keyframe_insert("rotation_euler", frame=frame)
        rig.location = 0.2 * random.normal(size=3)
        rig.keyframe_insert("location", frame=frame)
        swelling.factor = 0.5 * rig.pose.bones[1].rotation_euler.x
        swelling.keyframe_insert("factor", frame=frame)
    bar.parent = scan.parent = rig
    scene.frame_start, scene.frame_end = 1, FRAMES
    settings = bar.skin2scan
    settings.scan, settings.frame_start, settings.frame_end, settings.folder = scan, 1, FRAMES, str(folder)
    select(bar)
    return bar, scan, rig


def points_of(obj, depsgraph=None):
    """Return what Blender shows of an object, (V, 3), in the world."""
    there = obj.evaluated_get(depsgraph or bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * len(there.data.vertices), np.float32)
    there.data.vertices.foreach_get("co", points)
    matrix = np.array(there.matrix_world)
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def names():
    """Return what a file holds, by kind."""
    kinds = ("objects", "meshes", "scenes", "node_groups", "collections", "actions", "texts", "shape_keys", "materials")
    return {kind: sorted(each.name for each in getattr(bpy.data, kind)) for kind in kinds}


def refused(operator):
    """Return the line with which an operator refuses; the file is as it was."""
    before = names()
    try:
        operator()
    except RuntimeError as error:
        assert names() == before
        return str(error)
    raise AssertionError(f"{operator} did it")
