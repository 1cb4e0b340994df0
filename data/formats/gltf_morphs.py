"""A character's own glTF file once more, with further morph targets on its mesh and an animation of their weights.

Needs pygltflib, an optional package, which is imported where it is used.
"""

import copy
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from data.formats.gltf_file import GltfFile
from data.formats.gltf_reading import AnimatedCharacter
from data.formats.gltf_writing import Content, save
from data.input_error import InputError

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


def write_morphs(
    path: Path,
    opened: AnimatedCharacter,
    names: list[str],
    shapes: Float[ndarray, "K V 3"],
    turned: Float[ndarray, "K V 3"],
    weights: Float[ndarray, "T K"],
) -> None:
    """Write a character's file as GLB, whole or not at all, with morph targets behind those that it has, moved by their weights
    in each frame of its animation.

    All else stays: skin, materials, pictures, other meshes and animations. Shapes are in the file's units, metres, where the
    mesh is bound; `turned` is what they add to the vertex normals, of a mesh that has some.
    """
    tree, content = own_copy(opened.file)
    node, before, count = tree.nodes[opened.character.node], len(opened.character.morphs), len(shapes)
    if sum(each.mesh == node.mesh for each in tree.nodes) > 1:
        tree.meshes.append(copy.deepcopy(tree.meshes[node.mesh]))
        node.mesh = len(tree.meshes) - 1
    mesh = tree.meshes[node.mesh]
    add_targets(content, mesh, opened.character.places, shapes, turned)
    rest = [0.0] * count if opened.animation else weights[0].tolist()
    mesh.weights = [*opened.character.morph_weights.tolist(), *rest]
    old = (mesh.extras or {}).get("targetNames", [f"target {number + 1}" for number in range(before)])
    mesh.extras = (mesh.extras or {}) | {"targetNames": [*old, *names]}
    for animation, written in zip(tree.animations, opened.file.tree.animations, strict=True):
        if written is opened.animation:
            animate(content, animation, opened, weights)
        else:
            widen(opened, content, animation, count)
    save(path, tree, content)


def own_copy(file: GltfFile) -> tuple[Any, Content]:
    """Return a file's tree, and all that it refers to as one buffer behind it."""
    tree = copy.deepcopy(file.tree)
    content = Content(views=tree.bufferViews, accessors=tree.accessors)
    starts = [content.put(each) for each in file.buffers]
    for view in tree.bufferViews:
        view.buffer, view.byteOffset = 0, (view.byteOffset or 0) + starts[view.buffer]
    for image in tree.images or []:
        if image.uri is not None and not image.uri.startswith("data:"):
            add_picture(content, image, file.path)
    return tree, content


def add_picture(content: Content, image: Any, path: Path) -> None:
    """Take a picture that is in a file of its own into the buffer; raise `InputError` where that is not there."""
    picture = path.parent / unquote(image.uri)
    if not picture.is_file() or picture.suffix.lower() not in PICTURES:
        raise InputError(f"{path}: refers to {image.uri}, expected a .png or .jpg that is there")
    image.uri, image.mimeType = None, PICTURES[picture.suffix.lower()]
    image.bufferView = content.add_view(picture.read_bytes())


def add_targets(
    content: Content,
    mesh: Any,
    places: Int64[ndarray, " S"],
    shapes: Float[ndarray, "K V 3"],
    turned: Float[ndarray, "K V 3"],
) -> None:
    """Add morph targets to all parts of a mesh, whose vertices are at some places among those of the shapes."""
    start = 0
    for part in mesh.primitives:
        own = places[start : start + content.accessors[part.attributes.POSITION].count]
        start += len(own)
        for shape, turn in zip(shapes, turned, strict=True):
            target = {"POSITION": content.add(shape[own], "f4", bounded=True)}
            if part.attributes.NORMAL is not None:
                target["NORMAL"] = content.add(turn[own], "f4")
            part.targets = [*(part.targets or []), target]


def widen(opened: AnimatedCharacter, content: Content, animation: Any, count: int) -> None:
    """Add zeros for so many targets to each row of an animation of the character's weights."""
    before = len(opened.character.morphs)
    for channel in animation.channels:
        if (channel.target.node, channel.target.path) == (opened.character.node, "weights"):
            sampler = copy.copy(animation.samplers[channel.sampler])
            rows = opened.file.numbers(sampler.output).reshape(-1, before)
            sampler.output = content.add(np.pad(rows, ((0, 0), (0, count))).reshape(-1), "f4")
            animation.samplers.append(sampler)
            channel.sampler = len(animation.samplers) - 1


def animate(content: Content, animation: Any, opened: AnimatedCharacter, weights: Float[ndarray, "T K"]) -> None:
    """Let an animation move the weights of a character's mesh: those of its own targets as before, then these."""
    from pygltflib import AnimationChannel, AnimationChannelTarget, AnimationSampler

    goal = AnimationChannelTarget(node=opened.character.node, path="weights")
    kept = [each for each in animation.channels if (each.target.node, each.target.path) != (goal.node, goal.path)]
    times = content.add(opened.seconds, "f4", bounded=True)
    rows = content.add(np.concatenate([opened.morph_weights, weights], axis=1).reshape(-1), "f4")
    animation.samplers.append(AnimationSampler(input=times, output=rows))
    animation.channels = [*kept, AnimationChannel(sampler=len(animation.samplers) - 1, target=goal)]
