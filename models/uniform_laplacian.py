"""The uniform Laplacian of a mesh: how far each vertex is from the middle of its neighbours."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def uniform_laplacian(faces: Int[Tensor, "F 3"], num_vertices: int) -> Float[Tensor, "V V"]:
    """Return the sparse matrix (V, V) that takes positions to (mean of the neighbours − vertex).

    Neighbours share an edge, each counted once; the row of a vertex without any is zero.
    """
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    edges = edges[edges[:, 0] != edges[:, 1]]
    # as one number each: rows take thirty times as long to sort
    one, other = edges.T
    codes = torch.unique(torch.cat([one * num_vertices + other, other * num_vertices + one]))
    edges = torch.stack([codes // num_vertices, codes % num_vertices], dim=1)
    degree = torch.bincount(edges[:, 0], minlength=num_vertices)
    connected = torch.nonzero(degree).squeeze(1)
    indices = torch.cat([edges.T, connected.expand(2, -1)], dim=1)
    values = torch.cat([1.0 / degree[edges[:, 0]], -torch.ones_like(connected, dtype=torch.float32)])
    size = (num_vertices, num_vertices)
    with torch.sparse.check_sparse_tensor_invariants():  # torch 2.11 warns where nobody says whether to check
        return torch.sparse_coo_tensor(indices, values, size).coalesce()


def laplacian_coordinates(vertices: Float[Tensor, "B V 3"], laplacian: Float[Tensor, "V V"]) -> Float[Tensor, "B V 3"]:
    """Return (mean of the neighbours − vertex) of every vertex (B, V, 3), in the vertices' units."""
    batch, num_vertices, _ = vertices.shape
    columns = vertices.transpose(0, 1).reshape(num_vertices, 3 * batch)
    return torch.sparse.mm(laplacian.to(vertices.dtype), columns).view(num_vertices, batch, 3).transpose(0, 1)
