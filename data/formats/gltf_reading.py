"""Reading characters from glTF and GLB files: one mesh, its skin and morph targets, moved by the file's animation.

Needs pygltflib, an optional package, which is imported where it is used.
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int64
from numpy import ndarray

from data.formats.frame_times import sampled_seconds
from data.formats.gltf_animation import PATHS, Tracks, key_times, nodes_of, sampled
from data.formats.gltf_file import GltfFile
from data.formats.gltf_mesh import Character, bound_character
from data.formats.guarded_reading import refusing
from data.formats.named_parts import check_names, named_part, names_in, the_one_named
from data.formats.opened_frames import OpenedFrames
from data.formats.polygons import Polygons, checked_polygons
from data.formats.positions import checked_positions
from data.input_error import InputError, optional_packages

GLTF_FILE = "glTF file"


@dataclass
class AnimatedCharacter:
    """The character of a file, and how an animation moves it in T frames: these are at `seconds` (T,), and have `numbers` (T,),
    which are `counted` where the animation begins at zero."""

    path: Path
    file: GltfFile
    character: Character
    animation: Any  # None where there is none
    tracks: Tracks
    seconds: Float[ndarray, " T"]
    numbers: Int64[ndarray, " T"]
    counted: bool

    def nodes_to_world(self, frame: int) -> Float64[ndarray, "N 4 4"]:
        """Return the matrices of all nodes to world space in a frame."""
        return self.character.nodes.to_world(self.tracks, frame)

    def joints_to_world(self) -> Float64[ndarray, "T J 4 4"]:
        """Return the matrices of the joints to world space in all frames."""
        return np.stack([self.nodes_to_world(frame)[self.character.joints] for frame in range(len(self.numbers))])

    def to_world(self, frame: int) -> Float64[ndarray, "V 3 4"]:
        """Return for each vertex the matrix from where it is bound to world space in a frame: its joints', blended."""
        character, nodes = self.character, self.nodes_to_world(frame)
        if not character.joints:
            return np.broadcast_to(nodes[character.node, :3], (len(character.points), 3, 4))
        moves = (nodes[character.joints] @ character.inverse_bind)[:, :3].reshape(-1, 12)
        return (character.influences @ moves).reshape(-1, 3, 4)

    @property
    def morph_weights(self) -> Float64[ndarray, "T M"]:
        """The weights of the morph targets in all frames."""
        still = np.broadcast_to(self.character.morph_weights, (len(self.numbers), len(self.character.morph_weights)))
        return self.tracks.get((self.character.node, "weights"), still)

    def positions(self) -> Generator[Float[ndarray, "V 3"], None, None]:
        """Yield the positions (V, 3) of all frames, in world space."""
        for frame, number in enumerate(self.numbers.tolist()):
            points = self.character.points
            if len(self.character.morphs):
                points = points + np.tensordot(self.morph_weights[frame], self.character.morphs, axes=1)
            to_world = self.to_world(frame)
            here = np.einsum("vab,vb->va", to_world[..., :3], points) + to_world[..., 3]
            yield checked_positions(here, f"{self.path}: frame {number}")

    def joint_positions(self) -> Generator[Float[ndarray, "J 3"], None, None]:
        """Yield where the joints (J, 3) are in all frames, in world space."""
        for frame, number in enumerate(self.numbers.tolist()):
            here = self.nodes_to_world(frame)[self.character.joints, :3, 3]
            yield checked_positions(here, f"{self.path}: frame {number}")

    def parent_joints(self) -> Int64[ndarray, " J"]:
        """Return the place in the skin of the nearest joint above each, -1 where there is none."""
        parents, joints = self.character.nodes.parents, self.character.joints
        above = []
        for node in joints:
            node = parents[node]
            while node >= 0 and node not in joints:
                node = parents[node]
            above.append(joints.index(node) if node >= 0 else -1)
        return np.array(above, np.int64)

    def joint_names(self) -> list[str]:
        """Return what the joints are called."""
        return [self.file.tree.nodes[joint].name or f"node {joint}" for joint in self.character.joints]


def open_gltf(path: Path, frame_rate: float = 30.0) -> OpenedFrames:
    """Return the frames of the one skinned mesh in a glTF file, or of the one mesh, in world space.

    Its skin, morph targets and animation are evaluated, so many times a second. Vertices that the file splits at seams are one
    where positions, influences and morph targets are the same. Of several meshes or animations, those whose names are written
    behind a colon: `character.glb:Body,Walk`. Raises `InputError` for another number of them, and for a file that is not whole.
    """
    opened = animated_character(path, frame_rate)
    points, polygons, drawn = opened.character.points, opened.character.polygons, opened.file.draws_in
    return OpenedFrames(opened.numbers.tolist(), len(points), polygons, opened.positions(), opened.counted, drawn)


def open_gltf_joints(path: Path, frame_rate: float = 30.0) -> OpenedFrames:
    """Return the frames of the joints of the skin that `open_gltf` evaluates; raise `InputError` where there is none."""
    opened = animated_character(path, frame_rate)
    check_skin(opened)
    names, drawn = opened.joint_names(), opened.file.draws_in
    positions = opened.joint_positions()
    return OpenedFrames(opened.numbers.tolist(), len(names), Polygons(), positions, opened.counted, drawn, names)


def check_skin(opened: AnimatedCharacter) -> None:
    """Raise `InputError` where a character has no skin."""
    if not opened.character.joints:
        raise InputError(f"{opened.path}: a mesh without a skin, expected one with joints")


def animated_character(path: Path, frame_rate: float) -> AnimatedCharacter:
    """Return the character of a file, sampled so many times a second; raise `InputError` as `open_gltf`."""
    file, part = named_part(path)
    with optional_packages(f"{file}, a glTF file"):
        import pygltflib  # noqa: F401
    with refusing(file, GLTF_FILE):  # nothing takes more memory than a file's buffers are long
        tree = GltfFile(file)
        names = names_in(part)
        nodes = nodes_of(tree.tree)
        node = the_one_mesh(tree.tree, file, names)
        animation = the_animation(tree.tree, file, names)
        seconds, numbers, counted = sampled_seconds(file, key_times(tree, animation), frame_rate)
        tracks: Tracks = {}
        for channel in animation.channels if animation else []:
            if channel.target.node is not None and channel.target.path in (*PATHS, "weights"):
                tracks[channel.target.node, channel.target.path] = sampled(
                    tree, animation.samplers[channel.sampler], seconds, channel.target.path
                )
        character = bound_character(tree, nodes, node)
        character.polygons = checked_polygons(character.polygons, len(character.points), file)
    return AnimatedCharacter(file, tree, character, animation, tracks, seconds, numbers, counted)


def the_one_mesh(tree: Any, path: Path, names: list[str]) -> int:
    """Return the node of the one mesh, of those that have a skin where some do; raise `InputError` for another number,
    and for a name that fits neither a mesh nor an animation."""
    every = [number for number, node in enumerate(tree.nodes or []) if node.mesh is not None]
    called = [[tree.nodes[number].name, tree.meshes[tree.nodes[number].mesh].name] for number in every]
    check_names(path, names, called, [[each.name] for each in tree.animations or []])
    with_skin = [place for place, number in enumerate(every) if tree.nodes[number].skin is not None]
    return every[the_one_named(path, called, names, "meshes", with_skin)]


def the_animation(tree: Any, path: Path, names: list[str]) -> Any:
    """Return the one animation, None where there is none; raise `InputError` where there are several, and none or more are
    named."""
    every = tree.animations or []
    if not every:
        return None
    called = [[each.name] for each in every]
    return every[the_one_named(path, called, names, "animations", example=every[0].name)]
