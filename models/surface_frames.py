"""Orthonormal frames on a moving surface: what makes a prediction turn and move along with the body."""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def vertex_normals(vertices: Float[Tensor, "*B V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "*B V 3"]:
    """Return unit vertex normals (*B, V, 3): means of the faces' normals, weighted by area.

    Zero where a vertex has no face or its faces cancel out.
    """
    corners = [vertices.index_select(-2, faces[:, corner]) for corner in range(3)]
    face_normals = torch.linalg.cross(corners[1] - corners[0], corners[2] - corners[0])
    # all meshes' vertices in one long row: adding along any dimension but the first is ten times slower
    num_meshes, num_vertices = vertices[..., 0, 0].numel(), vertices.shape[-2]
    first = num_vertices * torch.arange(num_meshes, device=faces.device).unsqueeze(1)
    normals = torch.zeros_like(vertices).view(-1, 3)
    for corner in range(3):
        # not index_add: its ONNX operator loses some of the sums where several threads work on them
        index = (first + faces[:, corner]).view(-1, 1).expand(-1, 3)
        normals.scatter_add_(0, index, face_normals.reshape(-1, 3))
    normals = normals.view_as(vertices)
    length = torch.linalg.vector_norm(normals, dim=-1, keepdim=True)
    return torch.where(length > 0, normals / length.clamp_min(torch.finfo(vertices.dtype).tiny), 0.0)


def perpendicular(direction: Float[Tensor, "*B 3"]) -> Float[Tensor, "*B 3"]:
    """Return a unit vector perpendicular to each unit `direction`, a fixed choice for equal directions."""
    axis = torch.zeros_like(direction)
    axis.scatter_(-1, direction.abs().argmin(-1, keepdim=True), 1.0)
    return torch.nn.functional.normalize(torch.linalg.cross(direction, axis), dim=-1)


def surface_frames(
    vertices: Float[Tensor, "*B V 3"], faces: Int[Tensor, "F 3"], tangent_ends: Int[Tensor, " V"]
) -> Float[Tensor, "*B V 3 3"]:
    """Return a right-handed frame per vertex (*B, V, 3, 3): rows tangent, bitangent and normal; `frame @ world = local`.

    The tangent follows the edge from each vertex to its `tangent_ends` (V,), made perpendicular to the normal. Where the
    geometry gives no direction (no faces, an edge of no length or along the normal), a fixed one takes its place: a frame
    is always orthonormal, never NaN.
    """
    normals = vertex_normals(vertices, faces)
    up = torch.tensor([0.0, 0.0, 1.0], dtype=vertices.dtype, device=vertices.device)
    normals = torch.where((normals == 0).all(-1, keepdim=True), up, normals)
    edges = vertices.index_select(-2, tangent_ends) - vertices
    tangents = edges - (edges * normals).sum(-1, keepdim=True) * normals
    length = torch.linalg.vector_norm(tangents, dim=-1, keepdim=True)
    degenerate = (
        length <= 1e-6 * torch.linalg.vector_norm(edges, dim=-1, keepdim=True) + torch.finfo(vertices.dtype).tiny
    )
    tangents = torch.where(
        degenerate, perpendicular(normals), tangents / length.clamp_min(torch.finfo(vertices.dtype).tiny)
    )
    return torch.stack([tangents, torch.linalg.cross(normals, tangents), normals], dim=-2)


def rotations_between(before: Float[Tensor, "*A 3 3"], now: Float[Tensor, "*B 3 3"]) -> Float[Tensor, "*B 3"]:
    """Return how orthonormal axes (rows) have turned: along each rotation's axis, twice the sine of half its angle.

    That is about the angle in radians, grows with it nearly up to half a turn, and is never NaN. Shapes are broadcast.
    """

    def product(i: int, j: int) -> Tensor:
        rows = [before[..., row, i] * now[..., row, j] for row in range(3)]
        return rows[0] + rows[1] + rows[2]  # a sum along the dimension of three takes twice as long

    doubled_sine = [product(1, 2) - product(2, 1), product(2, 0) - product(0, 2), product(0, 1) - product(1, 0)]
    cosine_of_half = 0.5 * (1 + product(0, 0) + product(1, 1) + product(2, 2)).clamp_min(0).sqrt()
    return torch.stack(doubled_sine, dim=-1) * (0.5 / cosine_of_half.clamp_min(0.05)).unsqueeze(-1)


def to_local(frames: Float[Tensor, "*B 3 3"], vectors: Float[Tensor, "*B K 3"]) -> Float[Tensor, "*B K 3"]:
    """Return K world vectors per frame (*B, K, 3) in the axes of the frame."""
    return vectors @ frames.transpose(-1, -2)


def to_world(frames: Float[Tensor, "*B 3 3"], vectors: Float[Tensor, "*B K 3"]) -> Float[Tensor, "*B K 3"]:
    """Return K local vectors per frame (*B, K, 3) in world axes: the inverse of `to_local`."""
    return vectors @ frames
