"""How much of the correction an artist wants where on the mesh, out of a file, without steps at the borders."""

from pathlib import Path

import numpy as np
import scipy.sparse as sparse
import torch
from jaxtyping import Float, Float32, Int
from numpy import ndarray
from scipy.sparse.csgraph import dijkstra
from torch import Tensor

from data.formats.vertex_weights import read_strengths
from models.edges import unique_edges
from models.rest_surface import RestSurface

RAMP = 0.05  # of the mesh's size: over so much of the surface, a strength may change by one


def region_strength(path: Path | None, surface: RestSurface) -> Float[Tensor, " V"] | None:
    """Return the strengths in a file (V,), without steps; None where there is no file. Raises `InputError`."""
    if path is None:
        return None
    strengths, vertices = read_strengths(path, len(surface.vertices)), surface.vertices.cpu().numpy()
    return torch.from_numpy(without_steps(strengths, vertices, surface.faces.cpu().numpy(), RAMP * surface.size))


def without_steps(
    strengths: Float32[ndarray, " V"], vertices: Float[ndarray, "V 3"], faces: Int[ndarray, "F 3"], ramp: float
) -> Float32[ndarray, " V"]:
    """Return the largest strengths that are nowhere above those given, and change by one over no less than `ramp`, file units,
    along the mesh's edges: what is left alone stays so, and what is already as smooth stays as it is."""
    edges = unique_edges(faces)
    lengths = np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1).astype(np.float64)
    count = len(vertices)
    # shortest ways from one more node, from which each vertex is as far as it is strong, and one further: zeros are no edges
    pairs = np.concatenate([edges, np.stack([np.arange(count), np.full(count, count)], axis=1)])
    far = np.concatenate([np.maximum(lengths / ramp, 1e-9), strengths.astype(np.float64) + 1])
    graph = sparse.csr_matrix((far, pairs.T), (count + 1, count + 1))
    shortest = dijkstra(graph, directed=False, indices=count)[:count] - 1
    return np.minimum(shortest, strengths).astype(np.float32)
