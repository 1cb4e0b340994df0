"""Writing UsdSkel: a character with its skeleton and animation, and blend shapes that the animation moves.

Needs usd-core, an optional package, which is imported where it is used.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64
from numpy import ndarray
from scipy.spatial.transform import Rotation

from data.formats.gltf_reading import AnimatedCharacter
from data.formats.gltf_writing import strongest_influences
from data.formats.usd import Scene, add_polygons, add_root, check_usable, written_stage
from data.input_error import InputError

SHEARED = 1e-3  # of a joint's size: what rotations and scales leave of it


def write_usd_character(
    path: Path,
    opened: AnimatedCharacter,
    names: list[str],
    shapes: Float[ndarray, "K V 3"],
    weights: Float[ndarray, "T K"],
    frame_rate: float,
) -> None:
    """Write a character as UsdSkel, whole or not at all: skeleton, animation, skin, its own morph targets, and blend shapes
    that are moved by their weights in each frame.

    Metres, y up. Raises `InputError` as `check_usable`, and where a joint is sheared: UsdSkel knows rotations, scales (in half
    precision) and translations alone.
    """
    scene = Scene("y", 1.0, frame_rate)
    check_usable(scene)
    joints, character, numbers = joints_in_order(opened), opened.character, opened.numbers.tolist()
    above, local = joint_transforms(path, opened, joints)
    paths = joint_paths(opened, joints)
    own = opened.morph_weights
    with written_stage(path, numbers, scene) as stage:
        from pxr import Tf, UsdGeom, UsdSkel

        root = add_root(stage, UsdSkel.Root, path)
        skeleton = UsdSkel.Skeleton.Define(stage, root.GetPath().AppendChild("skeleton"))
        UsdGeom.Xformable(skeleton).AddTransformOp().Set(*as_usd(above[None]))
        skeleton.CreateJointsAttr(paths)
        skeleton.CreateBindTransformsAttr(as_usd(np.linalg.inv(character.inverse_bind[joints])))
        skeleton.CreateRestTransformsAttr(as_usd(local[0]))
        mesh = add_mesh(stage, root.GetPath().AppendChild("mesh"), opened, joints)
        called = [*(f"target {number + 1}" for number in range(own.shape[1])), *names]
        called = [Tf.MakeValidIdentifier(name) for name in called]
        add_shapes(stage, mesh, called, np.concatenate([character.morphs, shapes]))
        animation = UsdSkel.Animation.Define(stage, skeleton.GetPath().AppendChild("animation"))
        add_animation(animation, paths, local, numbers)
        add_weights(animation, called, np.concatenate([own, weights], axis=1), numbers)
        UsdSkel.BindingAPI.Apply(skeleton.GetPrim()).CreateAnimationSourceRel().SetTargets([animation.GetPath()])
        UsdSkel.BindingAPI.Apply(mesh.GetPrim()).CreateSkeletonRel().SetTargets([skeleton.GetPath()])


def as_usd(matrices: Float64[ndarray, "K 4 4"]) -> list[Any]:
    """Return matrices for column vectors as USD has them, for rows."""
    from pxr import Gf

    return [Gf.Matrix4d(*each.T.ravel().tolist()) for each in matrices]


def joints_in_order(opened: AnimatedCharacter) -> list[int]:
    """Return the joints' places in the skin, parents before their children."""
    rank = {node: place for place, node in enumerate(opened.character.nodes.order)}
    return sorted(range(len(opened.character.joints)), key=lambda joint: rank[opened.character.joints[joint]])


def joint_paths(opened: AnimatedCharacter, joints: list[int]) -> list[str]:
    """Return the joints' names behind those of all joints above them, as UsdSkel has it; each its own."""
    above, names, paths = opened.parent_joints(), opened.joint_names(), dict[int, str]()
    for joint in joints:
        name = re.sub(r"\W", "_", names[joint])
        name = name if not name[:1].isdigit() else f"_{name}"
        path = f"{paths.get(int(above[joint]), '')}/{name}".lstrip("/")
        paths[joint] = path if path not in paths.values() else f"{path}_{joint}"
    return [paths[joint] for joint in joints]


def joint_transforms(
    path: Path, opened: AnimatedCharacter, joints: list[int]
) -> tuple[Float64[ndarray, "4 4"], Float64[ndarray, "T J 4 4"]]:
    """Return what moves the skeleton as a whole, and each joint's matrix to the one above it in every frame.

    Nothing moves the skeleton, unless its roots would be sheared: then it is what is above them, where that is one and stands
    still. Raises `InputError` where rotations, scales and translations do not make the matrices up.
    """
    nodes, parents = opened.character.joints, opened.parent_joints()
    worlds = np.stack([opened.nodes_to_world(frame) for frame in range(len(opened.numbers))])
    over = {opened.character.nodes.parents[nodes[joint]] for joint in np.flatnonzero(parents < 0)}
    root = over.pop() if len(over) == 1 else -1
    ways = [np.eye(4)]
    if root >= 0 and (worlds[:, root] == worlds[0, root]).all():
        ways.append(worlds[0, root])
    of_joints = worlds[:, nodes]
    for above in ways:
        into = np.where((parents >= 0)[:, None, None], of_joints[:, parents], above)
        local = np.linalg.solve(into, of_joints)[:, joints]
        turns, sizes = rotations_and_scales(local[..., :3, :3])
        left = np.abs(turns * sizes[..., None, :] - local[..., :3, :3]).max(axis=(0, 2, 3))
        if (left <= SHEARED * np.abs(local[..., :3, :3]).max()).all():
            return above, local
    name = opened.joint_names()[joints[int(left.argmax())]]
    raise InputError(
        f"{path}: joint {name} is sheared, expected rotations and scales, which are all that UsdSkel knows"
    )


def rotations_and_scales(
    matrices: Float64[ndarray, "T J 3 3"],
) -> tuple[Float64[ndarray, "T J 3 3"], Float64[ndarray, "T J 3"]]:
    """Return the rotations nearest to matrices whose columns have unit length, and the lengths of the columns; one of these is
    negative where a matrix mirrors."""
    sizes = np.linalg.norm(matrices, axis=-2)
    sizes[..., 0] *= np.where(np.linalg.det(matrices) < 0, -1, 1)
    u, _, v = np.linalg.svd(matrices / np.where(sizes == 0, 1, sizes)[..., None, :])
    return u @ v, sizes


def add_mesh(stage: Any, where: Any, opened: AnimatedCharacter, joints: list[int]) -> Any:
    """Add a character's mesh with its skin, and return it."""
    from pxr import Gf, UsdGeom, UsdSkel, Vt

    character = opened.character
    mesh = UsdGeom.Mesh.Define(stage, where)
    mesh.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(character.points.astype(np.float32)))
    add_polygons(mesh, character.polygons)
    strongest, own = strongest_influences(character.influences.toarray()[:, joints])
    most = strongest.shape[1]
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateJointIndicesPrimvar(False, most).Set(Vt.IntArray.FromNumpy(strongest.ravel().astype(np.int32)))
    binding.CreateJointWeightsPrimvar(False, most).Set(Vt.FloatArray.FromNumpy(own.ravel().astype(np.float32)))
    binding.CreateGeomBindTransformAttr(Gf.Matrix4d(1.0))
    return mesh


def add_shapes(stage: Any, mesh: Any, names: list[str], shapes: Float[ndarray, "K V 3"]) -> None:
    """Add blend shapes to a mesh."""
    from pxr import UsdSkel, Vt

    targets = []
    for name, shape in zip(names, shapes, strict=True):
        blend = UsdSkel.BlendShape.Define(stage, mesh.GetPath().AppendChild(name))
        blend.CreateOffsetsAttr(Vt.Vec3fArray.FromNumpy(shape.astype(np.float32)))
        targets.append(blend.GetPath())
    binding = UsdSkel.BindingAPI.Apply(mesh.GetPrim())
    binding.CreateBlendShapesAttr(names)
    binding.CreateBlendShapeTargetsRel().SetTargets(targets)


def add_animation(animation: Any, joints: list[str], local: Float64[ndarray, "T J 4 4"], numbers: list[int]) -> None:
    """Add the joints' rotations, scales and translations to an animation."""
    from pxr import Vt

    animation.CreateJointsAttr(joints)
    turns, sizes = rotations_and_scales(local[..., :3, :3])
    quaternions = Rotation.from_matrix(turns.reshape(-1, 3, 3)).as_quat().reshape(*sizes.shape[:2], 4)
    into = animation.CreateTranslationsAttr(), animation.CreateRotationsAttr(), animation.CreateScalesAttr()
    for frame, number in enumerate(numbers):
        moved = Vt.Vec3fArray.FromNumpy(local[frame, :, :3, 3].astype(np.float32))
        turned = Vt.QuatfArray.FromNumpy(quaternions[frame].astype(np.float32))  # imaginary parts first
        scaled = Vt.Vec3hArray.FromNumpy(sizes[frame].astype(np.float16))
        for attribute, values in zip(into, (moved, turned, scaled), strict=True):
            attribute.Set(values, number)


def add_weights(animation: Any, names: list[str], weights: Float[ndarray, "T M"], numbers: list[int]) -> None:
    """Add the weights of blend shapes to an animation."""
    from pxr import Vt

    animation.CreateBlendShapesAttr(names)
    attribute = animation.CreateBlendShapeWeightsAttr()
    for number, of_frame in zip(numbers, weights.astype(np.float32), strict=True):
        attribute.Set(Vt.FloatArray.FromNumpy(of_frame), number)
