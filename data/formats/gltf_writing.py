"""Writing GLB files: a character, its skin and an animation of the joints; or all frames of a mesh, as morph targets.

Needs pygltflib, an optional package, which is imported where it is used.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64, Shaped
from numpy import ndarray
from scipy.spatial.transform import Rotation

from data.formats.gltf_mesh import NUMBER
from data.formats.polygons import Polygons
from data.formats.usd import Scene
from data.input_error import InputError, optional_packages
from data.safe_write import write_beside

AT_ONCE = 4  # influences in one attribute
HALF = 0.5**0.5
UPRIGHT = {"y": (0.0, 0.0, 0.0, 1.0), "z": (-HALF, 0.0, 0.0, HALF), "x": (0.0, 0.0, HALF, HALF)}  # turns up axes to y
COMPONENTS = {"f4": 5126, "u1": 5121, "u2": 5123, "u4": 5125}


@dataclass
class Rig:
    """A character as it is bound: points (V, 3) and triangles (F, 3), how much each joint moves each point (V, J), and the
    joints' heads (J, 3), parents (J,), before them and -1 where there is none, and names. Metres, y up."""

    points: Float[ndarray, "V 3"]
    triangles: Int64[ndarray, "F 3"]
    weights: Float[ndarray, "V J"]
    heads: Float[ndarray, "J 3"]
    parents: Int64[ndarray, " J"]
    names: list[str]


@dataclass
class Content:
    """The binary part of a file, and what of the tree says what is where in it."""

    data: bytearray = field(default_factory=bytearray)
    views: list[Any] = field(default_factory=list)
    accessors: list[Any] = field(default_factory=list)

    def put(self, content: bytes) -> int:
        """Put bytes behind those that are there, where glTF's numbers may begin; return where that is."""
        self.data += bytes(-len(self.data) % 4)
        start = len(self.data)
        self.data += content
        return start

    def add_view(self, content: bytes) -> int:
        """Add bytes; return the number of their view."""
        from pygltflib import BufferView

        self.views.append(BufferView(buffer=0, byteOffset=self.put(content), byteLength=len(content)))
        return len(self.views) - 1

    def add(self, values: Shaped[ndarray, "K ..."], kind: str, bounded: bool = False) -> int:
        """Add rows of numbers; return the number of their accessor, which says their bounds where it has to."""
        from pygltflib import Accessor

        values = np.ascontiguousarray(values, f"<{kind}")
        view = self.add_view(values.tobytes())
        rows = values.reshape(len(values), -1)
        kinds = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}
        accessor = Accessor(bufferView=view, componentType=COMPONENTS[kind], count=len(rows))
        accessor.type = kinds[rows.shape[1]]
        if bounded:
            accessor.min, accessor.max = rows.min(axis=0).tolist(), rows.max(axis=0).tolist()
        self.accessors.append(accessor)
        return len(self.accessors) - 1


def check_gltf(path: Path, frame_numbers: list[int]) -> None:
    """Raise `InputError` where frames cannot be written as glTF: its package is missing, or they are before time zero."""
    with optional_packages("writing glTF"):
        import pygltflib  # noqa: F401
    if frame_numbers[0] < 0:
        raise InputError(f"{path}: frame {frame_numbers[0]}, expected none before 0: glTF knows no times before zero")


def write_gltf(
    path: Path,
    frame_numbers: list[int],
    vertices: Float[ndarray, "T V 3"],
    polygons: Polygons,
    scene: Scene,
    values: dict[str, Float[ndarray, "T V"]] | None = None,
) -> None:
    """Write positions (T, V, 3) as a GLB file, whole or not at all: one mesh of triangles, a morph target for each frame but
    the first, and an animation that goes from one to the next, linearly between frames.

    Vertices are split where texture coordinates are; an attribute of ours says their numbers. Further `values` are attributes,
    too: their means over the frames, since morph targets have no place for them. A node turns and scales the mesh
    such that y is up and a unit is a metre, as glTF has it. Raises `InputError` as `check_gltf`, where there are no faces, and
    where positions are not known.
    """
    check_gltf(path, frame_numbers)
    if not len(polygons.sizes):
        raise InputError(f"{path}: found no faces, expected a mesh: glTF files of points alone are no caches")
    if np.isnan(vertices).any():
        raise InputError(f"{path}: vertices that are not observed (nan), expected none: glTF has no place for them")
    import pygltflib as gltf

    content, corners = Content(), polygons.triangles().reshape(-1)
    textured = (
        Polygons(polygons.sizes, polygons.texture_corners).triangles().reshape(-1) if len(polygons.texture) else corners
    )
    alone = np.setdiff1d(np.arange(vertices.shape[1]), corners)  # of no face, and kept
    pairs = np.concatenate([np.stack([corners, textured], axis=1), np.stack([alone, 0 * alone], axis=1)])
    split, places = np.unique(pairs, axis=0, return_inverse=True)
    numbers = split[:, 0]
    attributes = gltf.Attributes(POSITION=content.add(vertices[0, numbers], "f4", bounded=True))
    setattr(attributes, NUMBER, content.add(numbers, "f4"))
    for name, of_frames in (values or {}).items():
        setattr(attributes, f"_{name.upper()}", content.add(of_frames.mean(axis=0)[numbers], "f4"))
    if len(polygons.texture):
        attributes.TEXCOORD_0 = content.add(polygons.texture[split[:, 1]] * [1, -1] + [0, 1], "f4")
    targets = [{"POSITION": content.add((frame - vertices[0])[numbers], "f4", bounded=True)} for frame in vertices[1:]]
    indices = content.add(places.reshape(-1)[: len(corners)], "u4")
    primitive = gltf.Primitive(attributes=attributes, indices=indices, targets=targets)
    count = len(targets)
    animations = []
    if count:
        times = content.add(np.array(frame_numbers) / scene.frame_rate, "f4", bounded=True)
        weights = content.add(np.eye(count + 1)[:, 1:].reshape(-1), "f4")
        goal = gltf.AnimationChannelTarget(node=0, path="weights")
        sampler = gltf.AnimationSampler(input=times, output=weights)
        animations = [gltf.Animation(samplers=[sampler], channels=[gltf.AnimationChannel(sampler=0, target=goal)])]
    node = gltf.Node(name=path.stem, mesh=0, scale=[scene.metres_per_unit] * 3, rotation=list(UPRIGHT[scene.up_axis]))
    write_tree(
        path,
        content,
        nodes=[node],
        scenes=[gltf.Scene(nodes=[0])],
        meshes=[gltf.Mesh(primitives=[primitive], weights=[0.0] * count)],
        animations=animations,
    )


def write_tree(path: Path, content: Content, **objects: list[Any]) -> None:
    """Write a tree of objects and what is in it as a GLB file, whole or not at all."""
    import pygltflib as gltf

    tree = gltf.GLTF2(
        asset=gltf.Asset(version="2.0", generator="skin2scan"),
        scene=0,
        accessors=content.accessors,
        bufferViews=content.views,
        **objects,
    )
    save(path, tree, content)


def save(path: Path, tree: Any, content: Content) -> None:
    """Write a tree, with what is in it as its one buffer, as a GLB file, whole or not at all."""
    from pygltflib import Buffer

    tree.buffers = [Buffer(byteLength=len(content.data))]
    tree.set_binary_blob(bytes(content.data))
    with write_beside(path) as partial:
        partial.write_bytes(b"".join(tree.save_to_bytes()))


def write_character(
    path: Path,
    rig: Rig,
    rotations: Float[ndarray, "T J 3 3"],
    positions: Float[ndarray, "T J 3"],
    frame_numbers: list[int],
    frame_rate: float,
) -> None:
    """Write a character whose joints are so turned and placed in world space in each of T frames, keyed at these, as a GLB
    file, whole or not at all.

    A frame's time is its number over the frame rate. All influences are kept, four in an attribute.
    """
    with optional_packages("writing glTF"):
        import pygltflib as gltf
    content, root = Content(), len(rig.names)
    attributes = gltf.Attributes(POSITION=content.add(rig.points, "f4", bounded=True))
    for number, (joints, weights) in enumerate(influences_of(rig.weights)):
        setattr(attributes, f"JOINTS_{number}", content.add(joints, "u2"))
        setattr(attributes, f"WEIGHTS_{number}", content.add(weights, "f4"))
    primitive = gltf.Primitive(attributes=attributes, indices=content.add(rig.triangles.reshape(-1), "u4"))
    inverse_bind = np.tile(np.eye(4), (root, 1, 1))
    inverse_bind[:, 3, :3] = -rig.heads  # column by column
    skin = gltf.Skin(joints=list(range(root)), inverseBindMatrices=content.add(inverse_bind.reshape(-1, 16), "f4"))
    above = np.maximum(rig.parents, 0)
    has_parent = rig.parents >= 0
    nodes = [
        gltf.Node(
            name=name,
            translation=(rig.heads[joint] - rig.heads[above[joint]] * has_parent[joint]).tolist(),
            children=np.flatnonzero(rig.parents == joint).tolist(),
        )
        for joint, name in enumerate(rig.names)
    ]
    nodes.append(gltf.Node(name="body", mesh=0, skin=0))
    animation = animation_of(content, rig, rotations, positions, np.array(frame_numbers) / frame_rate)
    write_tree(
        path,
        content,
        scenes=[gltf.Scene(nodes=[*np.flatnonzero(~has_parent).tolist(), root])],
        nodes=nodes,
        meshes=[gltf.Mesh(primitives=[primitive], name="body")],
        skins=[skin],
        animations=[animation],
    )


def animation_of(
    content: Content,
    rig: Rig,
    rotations: Float[ndarray, "T J 3 3"],
    positions: Float[ndarray, "T J 3"],
    seconds: Float[ndarray, " T"],
) -> Any:
    """Return the animation of joints that are so turned and placed in world space at some times, its numbers in the content."""
    import pygltflib as gltf

    animation = gltf.Animation(name="motion", samplers=[], channels=[])
    times = content.add(seconds, "f4", bounded=True)
    above, has_parent = np.maximum(rig.parents, 0), rig.parents >= 0
    turned = np.where(
        has_parent[:, None, None], np.einsum("tjba,tjbc->tjac", rotations[:, above], rotations), rotations
    )
    moved = positions - positions[:, above]
    moved = np.where(has_parent[:, None], np.einsum("tjba,tjb->tja", rotations[:, above], moved), positions)
    for joint in range(len(rig.names)):
        of_joint = {"rotation": Rotation.from_matrix(turned[:, joint]).as_quat(), "translation": moved[:, joint]}
        for target, values in of_joint.items():
            animation.samplers.append(gltf.AnimationSampler(input=times, output=content.add(values, "f4")))
            goal = gltf.AnimationChannelTarget(node=joint, path=target)
            animation.channels.append(gltf.AnimationChannel(sampler=len(animation.samplers) - 1, target=goal))
    return animation


def strongest_influences(weights: Float[ndarray, "V J"]) -> tuple[Int64[ndarray, "V K"], Float[ndarray, "V K"]]:
    """Return the joints and weights of all influences, the strongest first, as many as one of the vertices has."""
    most = max(1, int((weights > 0).sum(axis=1).max()))
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :most]
    return joints, np.take_along_axis(weights, joints, axis=1)


def influences_of(weights: Float[ndarray, "V J"]) -> list[tuple[Int64[ndarray, "V 4"], Float[ndarray, "V 4"]]]:
    """Return the joints and weights of all influences, four at a time, the strongest first."""
    joints, found = strongest_influences(weights)
    room = ((0, 0), (0, -joints.shape[1] % AT_ONCE))
    joints, found = np.pad(np.where(found > 0, joints, 0), room), np.pad(found, room)
    parts = range(0, joints.shape[1], AT_ONCE)
    return [(joints[:, some : some + AT_ONCE], found[:, some : some + AT_ONCE]) for some in parts]
