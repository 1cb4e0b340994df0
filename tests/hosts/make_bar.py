"""Make a rigged bar in Blender and export it: bar.fbx and bar.glb, and in bar.npz what Blender itself makes of it.

    .venv-blender/bin/python tests/hosts/make_bar.py

Three bones, an armature that is moved and scaled unequally, eight frames at 24 a second; vertices and joints are metres, z up.
"""

from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix, Vector

HERE = Path(__file__).parent
CORNERS = [(-0.2, -0.2), (0.2, -0.2), (0.2, 0.2), (-0.2, 0.2)]
FACES = [(4 * r + i, 4 * r + (i + 1) % 4, 4 * r + 4 + (i + 1) % 4, 4 * r + 4 + i) for r in range(6) for i in range(4)]
BONES = ["bone0", "bone1", "bone2"]


def make_mesh(random):
    """Add the bar, with texture coordinates that differ at every corner, and weights for the bones."""
    mesh = bpy.data.meshes.new("bar")
    mesh.from_pydata([(x, 0.5 * ring, z) for ring in range(7) for x, z in CORNERS], [], FACES)
    for loop in mesh.uv_layers.new(name="UV").data:
        loop.uv = random.random(2)
    bar = bpy.data.objects.new("Bar", mesh)
    bpy.context.scene.collection.objects.link(bar)
    weights = random.random((28, 3))
    for bone, own in zip(BONES, (weights / weights.sum(axis=1, keepdims=True)).T, strict=True):
        group = bar.vertex_groups.new(name=bone)
        for vertex, weight in enumerate(own.tolist()):
            group.add([vertex], weight, "REPLACE")
    return bar


def make_rig(bar):
    """Add the bones, and let them move the bar."""
    rig = bpy.data.objects.new("Rig", bpy.data.armatures.new("rig"))
    bpy.context.scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    above = None
    for height, name in enumerate(BONES):
        bone = rig.data.edit_bones.new(name)
        bone.head, bone.tail, bone.parent = (0, height, 0), (0, height + 1, 0), above
        above = bone
    bpy.ops.object.mode_set(mode="OBJECT")
    bar.modifiers.new("skin", "ARMATURE").object = rig
    bar.parent = rig
    rig.scale, rig.location = (1.0, 1.5, 0.8), (0.3, 0.2, 0.1)
    return rig


def animate(rig):
    """Turn all bones, and move the first one."""
    for frame in range(1, 9):
        for place, name in enumerate(BONES):
            bone = rig.pose.bones[name]
            bone.rotation_mode = "QUATERNION"
            axis = Vector((1, 0.5 * place, 0.3)).normalized()
            bone.rotation_quaternion = Matrix.Rotation(0.1 * frame * (place + 1), 4, axis).to_quaternion()
            bone.keyframe_insert("rotation_quaternion", frame=frame)
        rig.pose.bones["bone0"].location = (0.05 * frame, 0, 0.02 * frame * frame)
        rig.pose.bones["bone0"].keyframe_insert("location", frame=frame)


def main():
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.frame_start, scene.frame_end = 24, 1, 8
    bar = make_mesh(np.random.default_rng(0))
    rig = make_rig(bar)
    animate(rig)
    vertices, joints = [], []
    for frame in range(1, 9):
        scene.frame_set(frame)
        there = bar.evaluated_get(bpy.context.evaluated_depsgraph_get())
        vertices.append([there.matrix_world @ vertex.co for vertex in there.data.vertices])
        joints.append([rig.matrix_world @ rig.pose.bones[name].head for name in BONES])
    found = {"vertices": np.array(vertices, np.float32), "joints": np.array(joints, np.float32)}
    np.savez(HERE / "bar.npz", faces=np.array(FACES), **found)
    kinds = {"object_types": {"ARMATURE", "MESH"}, "add_leaf_bones": False, "bake_anim_simplify_factor": 0}
    bpy.ops.export_scene.fbx(filepath=str(HERE / "bar.fbx"), **kinds)
    bpy.ops.export_scene.gltf(filepath=str(HERE / "bar.glb"), export_animation_mode="ACTIVE_ACTIONS")


if __name__ == "__main__":
    main()
