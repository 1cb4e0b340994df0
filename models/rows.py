"""Vectors as three rows of all vertices, (3, ..., V), and surface frames made of them, for runtimes that multiply long rows
fast and short ones slowly."""

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from models.gathered import gathered

MOST_FACES = 8  # in a column of `faces_around`
TINY = torch.finfo(torch.float32).tiny


def in_rows(vectors: Float[Tensor, "V K 3"]) -> Float[Tensor, "K 3 V"]:
    """Return K vectors per vertex as rows of all vertices."""
    return vectors.permute(1, 2, 0)


def dot(left: Float[Tensor, "3 *K V"], right: Float[Tensor, "3 *K V"]) -> Float[Tensor, "*K V"]:
    """Return the products of vectors."""
    x, y, z = (left * right).unbind(0)
    return x + y + z


def cross(left: Float[Tensor, "3 *K V"], right: Float[Tensor, "3 *K V"]) -> Float[Tensor, "3 *K V"]:
    """Return vectors perpendicular to both."""
    (a, b, c), (x, y, z) = left.unbind(0), right.unbind(0)
    return torch.stack([b * z - c * y, c * x - a * z, a * y - b * x])


def rotated(axes: Float[Tensor, "3 3 *K V"], vectors: Float[Tensor, "3 *L V"]) -> Float[Tensor, "3 *L V"]:
    """Return vectors by their components along axes: `models.surface_frames.to_local`; of transposed frames, `to_world`."""
    return (axes * vectors).sum(dim=1)


def turned(before: Float[Tensor, "3 3 *K V"], now: Float[Tensor, "3 3 *L V"]) -> Float[Tensor, "3 3 *L V"]:
    """Return products of the axes before, transposed, and now: by how much they have turned, as a matrix."""
    products = [one.unsqueeze(1) * other for one, other in zip(before.unbind(0), now.unbind(0), strict=True)]
    return products[0] + products[1] + products[2]


def rotation_vectors(turns: Float[Tensor, "3 3 *K V"]) -> Float[Tensor, "3 *K V"]:
    """Return what `models.surface_frames.rotations_between` does, from what `turned` returns."""
    (a, b, c), (d, e, f), (g, h, i) = (row.unbind(0) for row in turns.unbind(0))
    cosine_of_half = 0.5 * (1 + a + e + i).clamp_min(0).sqrt()
    return torch.stack([f - h, g - c, b - d]) * (0.5 / cosine_of_half.clamp_min(0.05))


def perpendicular(normal: Float[Tensor, "3 V"]) -> Float[Tensor, "3 V"]:
    """Return what `models.surface_frames.perpendicular` does."""
    (x, y, z), (a, b, c) = normal.unbind(0), normal.abs().unbind(0)
    with_x = ((a <= b) & (a <= c)).to(x)  # choices as factors: they take a tenth of the time of `where`
    with_y = (1 - with_x) * (b <= c)
    with_z = 1 - with_x - with_y
    chosen = torch.stack([with_z * y - with_y * z, with_x * z - with_z * x, with_y * x - with_x * y])
    return chosen / dot(chosen, chosen).sqrt().clamp_min(TINY)


def faces_around(faces: Int[ndarray, "F 3"], num_vertices: int) -> tuple[Int[ndarray, "K R"], Int[ndarray, " _"]]:
    """Return the faces around each vertex, one column each, filled up with F; and whose the columns after these V are: those of
    vertices with more than `MOST_FACES`."""
    order = np.argsort(faces.ravel(), kind="stable")
    vertex = faces.ravel()[order].astype(np.int64)
    row, place = np.divmod(np.arange(len(vertex)) - np.searchsorted(vertex, vertex), MOST_FACES)
    further, column = np.unique(np.stack([vertex, row])[:, row > 0], axis=1, return_inverse=True)
    columns = vertex.copy()
    columns[row > 0] = num_vertices + column.ravel()
    around = np.full((int(place.max(initial=0)) + 1, num_vertices + further.shape[1]), len(faces))
    around[place, columns] = order // 3
    return around, further[0]


def surface_frames_in_rows(
    vertices: Float[Tensor, "V 3"],
    corners: Int[Tensor, "3 F"],
    around: Int[Tensor, "K R"],
    further: Int[Tensor, " _"],
    tangent_ends: Int[Tensor, " V"],
) -> Float[Tensor, "3 3 V"]:
    """Return what `models.surface_frames.surface_frames` does, axes first.

    `around` and `further` are those of `faces_around`; the last of the faces, of no area, is the one that it fills up with.
    """
    first, second, third = gathered(vertices, corners, 0).permute(0, 2, 1).unbind(0)
    face_normals = cross(second - first, third - first).T
    sums = gathered(face_normals, around, 0).sum(dim=0)
    if len(further):
        sums, rest = sums.split([len(vertices), len(further)])
        sums = sums.scatter_add(0, further.unsqueeze(1).expand(-1, 3), rest)
    normals = sums.T
    length = dot(normals, normals).sqrt()
    x, y, z = (normals * ((length > 0) / length.clamp_min(TINY))).unbind(0)
    normals = torch.stack([x, y, z + ((x == 0) & (y == 0) & (z == 0))])
    edges = (vertices.index_select(0, tangent_ends) - vertices).T
    tangents = edges - dot(edges, normals) * normals
    length = dot(tangents, tangents).sqrt()
    degenerate = (length <= 1e-6 * dot(edges, edges).sqrt() + TINY).to(length)
    tangents = degenerate * perpendicular(normals) + ((1 - degenerate) / length.clamp_min(TINY)) * tangents
    return torch.stack([tangents, cross(normals, tangents), normals])
