"""The edges of a surface: which there are, where they lead, and what is near along them."""

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

NUM_NEIGHBOURS = 8


def unique_edges(faces: Int[ndarray, "F 3"]) -> Int[ndarray, "E 2"]:
    """Return each edge of a triangle mesh once (E, 2), the lower vertex first, in order."""
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64), axis=1)
    edges = edges[edges[:, 0] != edges[:, 1]]
    size = edges.max(initial=0) + 1
    # as one number each: pairs take ten times as long to sort
    return np.stack(np.divmod(np.unique(edges @ [size, 1]), size), axis=1)


def bridges(vertices: Float[ndarray, "V 3"], edges: Int[ndarray, "E 2"]) -> Int[ndarray, "K 2"]:
    """Return edges (K, 2) that join separate parts (eyes in a head, seams cut open) where they come closest.

    The largest part comes first; the others are joined to what is joined already, one after the other.
    """
    num_vertices = len(vertices)
    graph = sparse.coo_matrix((np.ones(len(edges)), edges.T), shape=(num_vertices, num_vertices))
    _, part = connected_components(graph, directed=False)
    joined = part == np.bincount(part).argmax()
    added = []
    while not joined.all():
        inside, outside = np.flatnonzero(joined), np.flatnonzero(~joined)
        distance, nearest = cKDTree(vertices[inside]).query(vertices[outside])
        closest = distance.argmin()
        added.append((inside[nearest[closest]], outside[closest]))
        # parts that touch what is joined (a seam: distance 0) are all taken in one round
        touching = np.unique(part[outside[distance <= distance[closest] + 1e-12]])
        for other in touching[touching != part[outside[closest]]]:
            here = np.flatnonzero(part[outside] == other)
            here = here[distance[here].argmin()]
            added.append((inside[nearest[here]], outside[here]))
        joined |= np.isin(part, touching)
    return np.array(added, dtype=np.int64).reshape(-1, 2)


def spread_along_surface(
    vertices: Float[ndarray, "V 3"], edges: Int[ndarray, "E 2"], num_points: int, num_nearest: int
) -> tuple[Int[ndarray, " A"], Int[ndarray, "V K"], Float[ndarray, "V K"]]:
    """Return vertices spread by farthest-point sampling (A,), in order, the places among them of those nearest to each vertex
    (V, K), nearest first, and their distances; -1, and infinity, where no path leads to as many.

    Distances are shortest paths along edges.
    """
    from models.paths import farthest_points, nearest_sources  # compiled only where a rest mesh is made

    both = np.concatenate([edges, edges[:, ::-1]])
    both = both[np.argsort(both[:, 0], kind="stable")]
    starts = np.searchsorted(both[:, 0], np.arange(len(vertices) + 1))
    ends = np.ascontiguousarray(both[:, 1])
    lengths = np.linalg.norm(vertices[both[:, 0]] - vertices[ends], axis=1) + 1e-12
    first = int(np.argmax(np.linalg.norm(vertices - vertices.mean(axis=0), axis=1)))
    points = np.sort(farthest_points(starts, ends, lengths, first, min(num_points, len(vertices))))
    return points, *nearest_sources(starts, ends, lengths, points, min(num_nearest, len(points)))


def longest_edge_ends(vertices: Float[ndarray, "V 3"], edges: Int[ndarray, "E 2"]) -> Int[ndarray, " V"]:
    """Return the other end of each vertex' longest edge (V,); the vertex itself where it has none."""
    both = np.concatenate([edges, edges[:, ::-1]])
    length = np.linalg.norm(vertices[both[:, 0]] - vertices[both[:, 1]], axis=1)
    both = both[np.argsort(length, kind="stable")]
    ends = np.arange(len(vertices))
    ends[both[:, 0]] = both[:, 1]  # the last assignment, of the longest edge, stays
    return ends


def edge_neighbours(vertices: Float[ndarray, "V 3"], faces: Int[ndarray, "F 3"]) -> Int[ndarray, "V K"]:
    """Return up to `NUM_NEIGHBOURS` vertices that share an edge with each vertex (V, K), filled up with the vertex itself.

    Where a vertex has more neighbours than that, some are skipped, evenly spread in the order of their indices. Vertices at
    the same place, as along a seam that was cut open, count as one; the first of them stands for all.
    """
    _, first, place = np.unique(vertices, axis=0, return_index=True, return_inverse=True)
    place = place.ravel()
    edges = unique_edges(place[faces])
    both = np.concatenate([edges, edges[:, ::-1]])
    both = both[np.lexsort(both.T[::-1])]
    number = np.arange(len(both)) - np.searchsorted(both[:, 0], both[:, 0])
    count = np.bincount(both[:, 0], minlength=len(first))[both[:, 0]]
    neighbours = np.tile(np.arange(len(first))[:, None], NUM_NEIGHBOURS)
    neighbours[both[:, 0], number * NUM_NEIGHBOURS // np.maximum(count, NUM_NEIGHBOURS)] = both[:, 1]
    return first[neighbours[place]]
