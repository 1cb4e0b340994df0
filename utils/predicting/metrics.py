"""How far a prediction is from the scan."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from models.rest_surface import RestSurface
from models.surface_frames import vertex_normals
from models.uniform_laplacian import laplacian_coordinates, uniform_laplacian

VERTEX_ERROR, LAPLACIAN_ERROR, NORMAL_ERROR = ERRORS = (
    "vertex error (mm)",
    "Laplacian error (mm)",
    "normal error (degrees)",
)


def vertex_errors(predicted: Float[ndarray, "*B V 3"], scan: Float[ndarray, "*B V 3"]) -> Float[ndarray, "*B V"]:
    """Return the distance of every vertex from its place in the scan (*B, V), in the inputs' units."""
    return np.linalg.norm(predicted - scan, axis=-1)


def laplacian_errors(
    predicted: Float[ndarray, "B V 3"], scan: Float[ndarray, "B V 3"], laplacian: Float[Tensor, "V V"]
) -> Float[ndarray, "B V"]:
    """Return the distance between the uniform Laplacian coordinates of every vertex (B, V), in the inputs' units."""
    difference = torch.from_numpy(predicted - scan)
    return torch.linalg.vector_norm(laplacian_coordinates(difference, laplacian), dim=-1).numpy()


def normal_errors(
    predicted: Float[ndarray, "B V 3"], scan: Float[ndarray, "B V 3"], surface: RestSurface
) -> Float[ndarray, "B V"]:
    """Return the angle between the vertex normals (B, V), degrees."""
    faces = surface.faces.cpu()
    ours, theirs = (vertex_normals(torch.from_numpy(points).double(), faces) for points in (predicted, scan))
    across, along = torch.linalg.vector_norm(torch.linalg.cross(ours, theirs), dim=-1), (ours * theirs).sum(-1)
    return torch.rad2deg(torch.atan2(across, along)).float().numpy()


def acceleration_errors(predicted: Float[ndarray, "T V 3"], scan: Float[ndarray, "T V 3"]) -> Float[ndarray, "T-2 V"]:
    """Return the difference of the accelerations over frames t-1, t, t+1 (T-2, V), inputs' units per frame²: how much the
    prediction jitters, or fails to swing, against the scan."""
    return np.linalg.norm(np.diff(predicted - scan, 2, axis=0), axis=-1)


def dihedral_angles(
    vertices: Float[ndarray, "*B V 3"], faces: Int[ndarray, "F 3"], pairs: Int[ndarray, "E 4"]
) -> Float[ndarray, "*B E"]:
    """Return the angle (*B, E), radians, by which the surface bends at edges: positive outward, zero where it is flat.

    `pairs` comes from `edge_faces`: the faces on both sides of an edge, and its first and second vertex.
    """
    corners = [vertices[..., faces[:, corner], :] for corner in range(3)]
    normals = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    left, right = normals[..., pairs[:, 0], :], normals[..., pairs[:, 1], :]
    edge = vertices[..., pairs[:, 3], :] - vertices[..., pairs[:, 2], :]
    edge = edge / np.maximum(np.linalg.norm(edge, axis=-1, keepdims=True), 1e-30)
    return np.arctan2((np.cross(left, right) * edge).sum(-1), (left * right).sum(-1))


def edge_faces(faces: Int[ndarray, "F 3"]) -> Int[ndarray, "E 4"]:
    """Return, for every edge with a face on each side, these two faces and its two vertices, in the first face's order."""
    halves = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    owner = np.tile(np.arange(len(faces)), 3)
    size = int(faces.max()) + 1
    along, against = halves @ [size, 1], halves @ [1, size]
    _, here, there = np.intersect1d(along, against, return_indices=True)
    once = halves[here, 0] < halves[here, 1]
    return np.column_stack([owner[here], owner[there], halves[here]])[once]


def dihedral_errors(
    predicted: Float[ndarray, "*B V 3"], scan: Float[ndarray, "*B V 3"], faces: Int[ndarray, "F 3"]
) -> Float[ndarray, "*B E"]:
    """Return how much the dihedral angles differ at every edge between two faces (*B, E), degrees.

    The eye judges a surface by how it bends: Váša and Rus 2012, "Dihedral angle mesh error", here without their weights for
    masking and visibility.
    """
    pairs = edge_faces(faces)
    difference = dihedral_angles(predicted, faces, pairs) - dihedral_angles(scan, faces, pairs)
    return np.rad2deg(np.abs((difference + np.pi) % (2 * np.pi) - np.pi))


class MeshErrors:
    """The errors of meshes of one topology against their scans, by name, in mm or degrees."""

    def __init__(self, surface: RestSurface, units_in_mm: float):
        self.surface, self.units_in_mm = surface, units_in_mm
        self.laplacian = uniform_laplacian(surface.faces.cpu(), len(surface.vertices))

    def __call__(
        self, predicted: Float[ndarray, "B V 3"], scan: Float[ndarray, "B V 3"]
    ) -> dict[str, Float[ndarray, "B V"]]:
        """Return vertex, Laplacian and normal errors, each (B, V)."""
        return {
            VERTEX_ERROR: vertex_errors(predicted, scan) * self.units_in_mm,
            LAPLACIAN_ERROR: laplacian_errors(predicted, scan, self.laplacian) * self.units_in_mm,
            NORMAL_ERROR: normal_errors(predicted, scan, self.surface),
        }


@dataclass
class ErrorSummary:
    """Mean, 95th percentile and maximum over vertices and frames."""

    mean: float
    percentile_95: float
    maximum: float


@dataclass
class Errors:
    """The errors of skinned meshes and of predictions (T, V), by name, mm or degrees; no numbers where nothing was measured.
    The scans are trusted as `weights` (T, V) say, wholly where there are none."""

    by_name: dict[str, tuple[Float[ndarray, "T V"], Float[ndarray, "T V"]]]
    weights: Float[ndarray, "T V"] | None = None


def mean_of_known(
    values: Float[ndarray, "... V"], weights: Float[ndarray, "... V"] | None = None, axis: int = -1
) -> Float[ndarray, "..."]:
    """Return the mean over vertices, or another axis, of values that are numbers, weighted where weights are given; no number
    where there is none."""
    known = np.isfinite(values)
    weight = known if weights is None else known * weights
    total = weight.sum(axis=axis, dtype=np.float64)
    summed = (np.where(known, values, 0) * weight).sum(axis=axis, dtype=np.float64)
    return np.where(total > 0, summed / np.where(total > 0, total, 1), np.nan)


def largest_known(values: Float[ndarray, "... V"]) -> Float[ndarray, "..."]:
    """Return the largest value over vertices of those that are numbers; no number where there is none."""
    return np.asarray(np.fmax.reduce(values, axis=-1))


def summarise_errors(errors: Float[ndarray, "..."], weights: Float[ndarray, "..."] | None = None) -> ErrorSummary:
    """Return the summary of errors, in their units, weighted where weights are given; those that are no number were not
    measured."""
    known = np.isfinite(errors)
    errors, weights = errors[known], None if weights is None else weights[known]
    if weights is None:
        percentile = float(np.percentile(errors, 95))
    else:
        order = errors.argsort()
        upto = weights[order].cumsum(dtype=np.float64)
        percentile = float(errors[order[np.searchsorted(upto, 0.95 * upto[-1])]])
    return ErrorSummary(float(mean_of_known(errors, weights)), percentile, float(errors.max()))


def error_table(errors: Errors) -> str:
    """Return a table, skinned → predicted, a row for each name of errors."""
    num_frames = int(np.isfinite(next(iter(errors.by_name.values()))[0]).any(axis=1).sum())
    title = f"{num_frames} frames, skinned → predicted"
    width = max(len(title), *(len(name) for name in errors.by_name))
    lines = [f"{title:{width}}  {'mean':>15}  {'95th percentile':>15}  {'max':>15}  {'mean left':>9}"]
    for name, arrays in errors.by_name.items():
        before, after = (vars(summarise_errors(each, errors.weights)) for each in arrays)
        cells = [f"{before[column]:6.2f} → {after[column]:6.2f}" for column in before]
        left = after["mean"] / before["mean"] if before["mean"] > 0 else float("nan")
        lines.append(f"{name:{width}}  {'  '.join(f'{cell:>15}' for cell in cells)}  {100 * left:8.1f}%")
    return "\n".join(lines)
