"""The mesh of a character in a glTF file as it is bound to its skin."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Float64, Int64
from numpy import ndarray

from data.formats.gltf_animation import Nodes
from data.formats.gltf_file import GltfFile
from data.formats.polygons import Polygons

TRIANGLES = 4
NUMBER = "_VERTEX"  # an attribute of our own


@dataclass
class Character:
    """A mesh as it is bound: its node, points (V, 3), morph targets (M, V, 3) with their weights (M,), polygons, and where it
    has a skin the nodes of the joints (J,), their inverse bind matrices, and the influence of each on each vertex (V, J).

    The file's own vertices (S,), of all primitives one after the other, may be split at seams: `places` says which they are."""

    nodes: Nodes
    node: int
    points: Float64[ndarray, "V 3"]
    morphs: Float64[ndarray, "M V 3"]
    morph_weights: Float64[ndarray, " M"]
    polygons: Polygons
    joints: list[int]
    inverse_bind: Float64[ndarray, "J 4 4"]
    influences: Any  # (V, J), a sparse matrix
    places: Int64[ndarray, " S"]


def bound_character(tree: GltfFile, nodes: Nodes, node: int) -> Character:
    """Return the mesh of a node with its skin; vertices that are one but for normals or texture coordinates are welded."""
    own = tree.tree.nodes[node]
    mesh = tree.tree.meshes[own.mesh]
    parts = [part_of(tree, each, own.skin is not None) for each in mesh.primitives]
    starts = np.cumsum([0, *(len(part.points) for part in parts)])
    points, morphs = (np.concatenate([getattr(part, name) for part in parts]) for name in ("points", "morphs"))
    corners = np.concatenate([part.corners + start for part, start in zip(parts, starts, strict=False)])
    most = max(part.influences.shape[1] for part in parts)
    missing = [((0, 0), (0, most - part.influences.shape[1]), (0, 0)) for part in parts]
    influences = np.concatenate([np.pad(part.influences, own) for part, own in zip(parts, missing, strict=True)])
    numbers = np.concatenate([part.numbers for part in parts])
    seen = [points, morphs.reshape(len(points), -1), influences.reshape(len(points), -1)]
    kept, place = numbered(numbers) if len(numbers) == len(points) else welded(np.concatenate(seen, axis=1))
    polygons = Polygons(np.full(len(corners) // 3, 3), place[corners])
    texture = np.concatenate([part.texture for part in parts])
    if len(texture) == len(points):
        polygons.texture, polygons.texture_corners = texture.astype(np.float32), corners
    joints, inverse_bind = [], np.zeros((0, 4, 4))
    if own.skin is not None:
        skin = tree.tree.skins[own.skin]
        joints, inverse_bind = list(skin.joints), np.tile(np.eye(4), (len(skin.joints), 1, 1))
        if skin.inverseBindMatrices is not None:
            inverse_bind = tree.numbers(skin.inverseBindMatrices).reshape(len(joints), 4, 4).transpose(0, 2, 1)
    morph_weights = np.array(own.weights or mesh.weights or [0.0] * morphs.shape[1], float)
    moved = points[kept], morphs[kept].transpose(1, 0, 2), morph_weights
    by_joint = as_matrix(influences[kept], len(joints))
    return Character(nodes, node, *moved, polygons, joints, inverse_bind, by_joint, place)


@dataclass
class Part:
    """A primitive of a mesh: points (V, 3), what morph targets add (V, M, 3), joints and weights (V, K, 2) of its influences,
    those of no weight last, corners (3 F,), and texture coordinates (V, 2), v upwards, or none; in files that we wrote, also
    the numbers (V,) of the vertices before they were split at seams."""

    points: Float64[ndarray, "V 3"]
    morphs: Float64[ndarray, "V M 3"]
    influences: Float64[ndarray, "V K 2"]
    corners: Int64[ndarray, " C"]
    texture: Float64[ndarray, "_ 2"]
    numbers: Int64[ndarray, " _"]


def part_of(tree: GltfFile, primitive: Any, has_skin: bool) -> Part:
    """Return a primitive's arrays; raise `ValueError` where it is not made of triangles, or they do not fit together."""
    attributes = {name: each for name, each in vars(primitive.attributes).items() if each is not None}
    if primitive.mode not in (None, TRIANGLES):
        raise ValueError("faces in strips, fans, lines or points, expected triangles")
    points = tree.numbers(attributes["POSITION"])
    count = len(points)
    corners = np.arange(count) if primitive.indices is None else tree.array(primitive.indices).astype(np.int64)
    targets = [dict(each) if isinstance(each, dict) else vars(each) for each in primitive.targets or []]
    zero = np.zeros((count, 3))
    morphs = [zero if each.get("POSITION") is None else tree.numbers(each["POSITION"]) for each in targets]
    texture = tree.numbers(attributes["TEXCOORD_0"]) if "TEXCOORD_0" in attributes else np.zeros((0, 2))
    sets = sorted(name for name in attributes if name.startswith("JOINTS_")) if has_skin else []
    weights = np.concatenate(
        [np.zeros((count, 0)), *(tree.numbers(attributes[f"WEIGHTS_{each[7:]}"]) for each in sets)], axis=1
    )
    joints = np.concatenate([np.zeros((count, 0)), *(tree.numbers(attributes[each]) for each in sets)], axis=1)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)
    joints = np.where(weights > 0, joints, np.inf)
    order = np.argsort(joints, axis=1, kind="stable")
    joints, weights = (np.take_along_axis(each, order, axis=1) for each in (joints, weights))
    influences = np.stack([np.where(weights > 0, joints, 0), weights], axis=2)
    added = np.stack(morphs, axis=1) if morphs else np.zeros((count, 0, 3))
    numbers = tree.numbers(attributes[NUMBER]).astype(np.int64) if NUMBER in attributes else np.zeros(0, np.int64)
    return Part(points, added, influences, corners, texture * [1, -1] + [0, 1], numbers)  # glTF's v goes downwards


def numbered(numbers: Int64[ndarray, " V"]) -> tuple[Int64[ndarray, " K"], Int64[ndarray, " V"]]:
    """Return which vertices (K,) to keep of those that were one, in the order of their numbers, and the place of each (V,)
    among them; raise `ValueError` where a number is missing."""
    found, first = np.unique(numbers, return_index=True)
    if not np.array_equal(found, np.arange(len(found))):
        raise ValueError("vertices whose numbers have gaps")
    return first, numbers


def welded(seen: Float64[ndarray, "V C"]) -> tuple[Int64[ndarray, " K"], Int64[ndarray, " V"]]:
    """Return which rows (K,) to keep of those that are the same, in the order in which they first appear, and the place of each
    row (V,) among them."""
    _, first, place = np.unique(seen, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return first[order], rank[place.ravel()]


def as_matrix(influences: Float64[ndarray, "V K 2"], num_joints: int) -> Any:
    """Return influences as a sparse matrix (V, J); raise `ValueError` for a joint that there is not."""
    vertices, _ = np.nonzero(influences[..., 1])
    joints, weights = influences[influences[..., 1] > 0].T
    return sparse.csr_matrix((weights, (vertices, joints.astype(np.int64))), shape=(len(influences), num_joints))
