"""How the nodes of a glTF file move: their transforms, and what animations make of these."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64
from numpy import ndarray
from scipy.spatial.transform import Rotation

from data.formats.gltf_file import GltfFile

SHORTEST = 1e-30  # of a quaternion that stands for a rotation
PATHS = ("translation", "rotation", "scale")

Tracks = dict[tuple[int, str], Float64[ndarray, "_ _"]]  # by node, and what of it: its values in every frame


@dataclass
class Nodes:
    """The transforms of all nodes (N): parents, -1 where there is none, in an `order` such that parents come first; and what
    they are without an animation: translations, rotations (x, y, z, w), scales, or a matrix in place of all three."""

    parents: list[int]
    order: list[int]
    translation: Float64[ndarray, "N 3"]
    rotation: Float64[ndarray, "N 4"]
    scale: Float64[ndarray, "N 3"]
    matrices: dict[int, Float64[ndarray, "4 4"]]

    def to_world(self, tracks: Tracks, frame: int) -> Float64[ndarray, "N 4 4"]:
        """Return the matrices to world space in a frame, for column vectors."""
        now = {name: getattr(self, name).copy() for name in PATHS}
        for (node, name), values in tracks.items():
            if name in now:
                now[name][node] = values[frame]
        local = np.zeros((len(self.parents), 4, 4))
        local[:, :3, :3] = Rotation.from_quat(now["rotation"]).as_matrix() * now["scale"][:, None]
        local[:, :3, 3], local[:, 3, 3] = now["translation"], 1
        keyed = {node for node, name in tracks if name in now}
        for node in self.matrices.keys() - keyed:
            local[node] = self.matrices[node]
        for node in self.order:
            if self.parents[node] >= 0:
                local[node] = local[self.parents[node]] @ local[node]
        return local


def nodes_of(tree: Any) -> Nodes:
    """Return the transforms of all nodes; raise `ValueError` where they are no trees."""
    count = len(tree.nodes or [])
    parents = [-1] * count
    for number, node in enumerate(tree.nodes or []):
        for child in node.children or []:
            if parents[child] >= 0:
                raise ValueError(f"node {child} has two parents")
            parents[child] = number
    order = [number for number in range(count) if parents[number] < 0]
    for number in order:  # it grows
        order += tree.nodes[number].children or []
    if len(order) != count:
        raise ValueError("nodes that are their own parents")
    given = [(each.translation, each.rotation, each.scale) for each in tree.nodes or []]
    translation, rotation, scale = (
        np.array([own[place] or default for own in given], float).reshape(-1, len(default))
        for place, default in enumerate(([0, 0, 0], [0, 0, 0, 1], [1, 1, 1]))
    )
    matrices = {
        number: np.array(each.matrix, float).reshape(4, 4).T
        for number, each in enumerate(tree.nodes or [])
        if each.matrix is not None
    }
    return Nodes(parents, order, translation, unit(rotation), scale, matrices)


def key_times(tree: GltfFile, animation: Any) -> Float64[ndarray, " K"]:
    """Return the times of all keys of an animation, seconds; none where it is None."""
    inputs = {each.input for each in animation.samplers} if animation else set()
    return np.concatenate([np.zeros(0), *(tree.numbers(each).ravel() for each in sorted(inputs))])


def sampled(tree: GltfFile, sampler: Any, seconds: Float64[ndarray, " T"], target: str) -> Float64[ndarray, "T C"]:
    """Return the values of an animation's sampler at some times (T, C), as glTF 2.0 interpolates them (appendix C)."""
    times = tree.numbers(sampler.input).ravel()
    kind = sampler.interpolation or "LINEAR"
    values, tangents = tree.numbers(sampler.output).reshape(len(times), -1), None
    if kind == "CUBICSPLINE":
        triples = values.reshape(len(times), 3, -1)
        tangents, values = (triples[:, 0], triples[:, 2]), triples[:, 1]
    if not len(times) or (np.diff(times) < 0).any():
        raise ValueError("times of keys that do not rise")
    after = np.clip(np.searchsorted(times, seconds, side="right"), 1, max(1, len(times) - 1))
    before, after = after - 1, np.minimum(after, len(times) - 1)
    length = times[after] - times[before]
    share = np.clip((seconds - times[before]) / np.where(length > 0, length, 1), 0, 1)[:, None]
    one, other = values[before], values[after]
    if kind == "STEP":
        return np.where(share < 1, one, other)
    if tangents is not None:
        into, out = tangents[0][after] * length[:, None], tangents[1][before] * length[:, None]
        square, cube = share**2, share**3
        mixed = (2 * cube - 3 * square + 1) * one + (cube - 2 * square + share) * out
        mixed += (3 * square - 2 * cube) * other + (cube - square) * into
        return unit(mixed) if target == "rotation" else mixed
    if target != "rotation":
        return (1 - share) * one + share * other
    return slerp(one, other, share)


def slerp(one: Float64[ndarray, "T 4"], other: Float64[ndarray, "T 4"], share: Float64[ndarray, "T 1"]) -> ndarray:
    """Return unit quaternions on the shorter arcs between pairs of them (Shoemake 1985)."""
    one, other = unit(one), unit(other)
    cosine = (one * other).sum(axis=1, keepdims=True)
    other, cosine = np.where(cosine < 0, -other, other), np.abs(cosine).clip(0, 1)
    angle = np.arccos(cosine)
    sine = np.sin(angle)
    near = sine < 1e-6
    weights = np.where(near, 1 - share, np.sin((1 - share) * angle) / np.where(near, 1, sine))
    mixed = weights * one + np.where(near, share, np.sin(share * angle) / np.where(near, 1, sine)) * other
    return unit(mixed)


def unit(quaternions: Float64[ndarray, "K 4"]) -> Float64[ndarray, "K 4"]:
    """Return quaternions of length one; raise `ValueError` for one that stands for no rotation."""
    lengths = np.linalg.norm(quaternions, axis=1, keepdims=True)
    if not (lengths > SHORTEST).all():
        raise ValueError("a rotation that is none")
    return quaternions / lengths
