"""Reading characters from glTF and GLB files: one mesh, its skin and morph targets, moved by the file's animation.

Needs pygltflib, an optional package, which is imported where it is used.
"""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int64
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


def open_gltf(path: Path, frame_rate: float = 30.0) -> OpenedFrames:
    """Return the frames of the one skinned mesh in a glTF file, or of the one mesh, in world space.

    Its skin, morph targets and animation are evaluated, so many times a second. Vertices that the file splits at seams are one
    where positions, influences and morph targets are the same. Of several meshes or animations, those whose names are written
    behind a colon: `character.glb:Body,Walk`. Raises `InputError` for another number of them, and for a file that is not whole.
    """
    file, tree, character, tracks, numbers, counted = opened(path, frame_rate)
    frames = evaluated(file, character, tracks, numbers)
    return OpenedFrames(numbers.tolist(), len(character.points), character.polygons, frames, counted, tree.draws_in)


def open_gltf_joints(path: Path, frame_rate: float = 30.0) -> OpenedFrames:
    """Return the frames of the joints of the skin that `open_gltf` evaluates; raise `InputError` where there is none."""
    file, tree, character, tracks, numbers, counted = opened(path, frame_rate)
    if not len(character.joints):
        raise InputError(f"{file}: a mesh without a skin, expected one with joints")
    frames = joints_of(file, character, tracks, numbers)
    names = [tree.tree.nodes[joint].name or f"node {joint}" for joint in character.joints]
    return OpenedFrames(numbers.tolist(), len(names), Polygons(), frames, counted, tree.draws_in, names)


def opened(path: Path, frame_rate: float) -> tuple[Path, GltfFile, Character, Tracks, Int64[ndarray, " T"], bool]:
    """Return what is needed of a file to evaluate its character, with the frames' numbers and whether these were counted."""
    file, part = named_part(path)
    with optional_packages(f"{file}, a glTF file"):
        import pygltflib  # noqa: F401
    with refusing(file, GLTF_FILE):  # nothing takes more memory than a file's buffers are long
        tree = GltfFile(file)
        names = names_in(part)
        nodes = nodes_of(tree.tree)
        node = the_one_mesh(tree.tree, file, names)
        animations = the_animations(tree.tree, file, names)
        seconds, numbers, counted = sampled_seconds(file, key_times(tree, animations), frame_rate)
        tracks: Tracks = {}
        for animation in animations:
            for channel in animation.channels:
                if channel.target.node is not None and channel.target.path in (*PATHS, "weights"):
                    tracks[channel.target.node, channel.target.path] = sampled(
                        tree, animation.samplers[channel.sampler], seconds, channel.target.path
                    )
        character = bound_character(tree, nodes, node)
        character.polygons = checked_polygons(character.polygons, len(character.points), file)
    return file, tree, character, tracks, numbers, counted


def the_one_mesh(tree: Any, path: Path, names: list[str]) -> int:
    """Return the node of the one mesh, of those that have a skin where some do; raise `InputError` for another number,
    and for a name that fits neither a mesh nor an animation."""
    every = [number for number, node in enumerate(tree.nodes or []) if node.mesh is not None]
    called = [[tree.nodes[number].name, tree.meshes[tree.nodes[number].mesh].name] for number in every]
    check_names(path, names, called, [[each.name] for each in tree.animations or []])
    with_skin = [place for place, number in enumerate(every) if tree.nodes[number].skin is not None]
    return every[the_one_named(path, called, names, "meshes", with_skin)]


def the_animations(tree: Any, path: Path, names: list[str]) -> list[Any]:
    """Return the one animation, none where there is none; raise `InputError` where there are several, and none or more are
    named."""
    every = tree.animations or []
    if not every:
        return []
    called = [[each.name] for each in every]
    return [every[the_one_named(path, called, names, "animations", example=every[0].name)]]


def evaluated(
    path: Path, character: Character, tracks: Tracks, numbers: Int64[ndarray, " T"]
) -> Generator[Float[ndarray, "V 3"], None, None]:
    """Yield the positions (V, 3) of all frames, in world space."""
    for frame, number in enumerate(numbers.tolist()):
        to_world = character.nodes.to_world(tracks, frame)
        weights = tracks.get((character.node, "weights"))
        points = character.points
        if len(character.morphs):
            now = character.morph_weights if weights is None else weights[frame]
            points = points + np.tensordot(now, character.morphs, axes=1)
        if character.joints:
            moves = (to_world[character.joints] @ character.inverse_bind)[:, :3].reshape(-1, 12)
            blended = (character.influences @ moves).reshape(-1, 3, 4)
        else:
            blended = np.broadcast_to(to_world[character.node, :3], (len(points), 3, 4))
        here = np.einsum("vab,vb->va", blended[..., :3], points) + blended[..., 3]
        yield checked_positions(here, f"{path}: frame {number}")


def joints_of(
    path: Path, character: Character, tracks: Tracks, numbers: Int64[ndarray, " T"]
) -> Generator[Float[ndarray, "J 3"], None, None]:
    """Yield where the joints (J, 3) are in all frames, in world space."""
    for frame, number in enumerate(numbers.tolist()):
        here = character.nodes.to_world(tracks, frame)[character.joints, :3, 3]
        yield checked_positions(here, f"{path}: frame {number}")
