"""How far a prediction is from the scan."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from models.rest_surface import RestSurface
from models.surface_frames import vertex_normals
from models.uniform_laplacian import laplacian_coordinates, uniform_laplacian

UNITS_IN_MM = {"m": 1000.0, "cm": 10.0, "mm": 1.0}
VERTEX_ERROR = "vertex error (mm)"


def vertex_errors(predicted: Float[ndarray, "*B V 3"], scan: Float[ndarray, "*B V 3"]) -> Float[ndarray, "*B V"]:
    """Return the distance of every vertex from where the scan has it (*B, V), in the inputs' units."""
    return np.linalg.norm(predicted - scan, axis=-1)


def laplacian_errors(
    predicted: Float[ndarray, "B V 3"], scan: Float[ndarray, "B V 3"], laplacian: Float[Tensor, "V V"]
) -> Float[ndarray, "B V"]:
    """Return how far apart the uniform Laplacian coordinates are (B, V), in the inputs' units."""
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
            "Laplacian error (mm)": laplacian_errors(predicted, scan, self.laplacian) * self.units_in_mm,
            "normal error (degrees)": normal_errors(predicted, scan, self.surface),
        }


@dataclass
class ErrorSummary:
    """Mean, 95th percentile and maximum over vertices and frames."""

    mean: float
    percentile_95: float
    maximum: float


def summarise_errors(errors: Float[ndarray, "*B"]) -> ErrorSummary:
    """Return the summary of errors, in their units."""
    return ErrorSummary(float(errors.mean()), float(np.percentile(errors, 95)), float(errors.max()))


def error_table(errors: dict[str, tuple[ndarray, ndarray]], num_frames: int) -> str:
    """Return a table, skinned → predicted, a row for each name of errors before and after."""
    title = f"{num_frames} frames, skinned → predicted"
    width = max(len(title), *(len(name) for name in errors))
    lines = [f"{title:{width}}  {'mean':>15}  {'95th percentile':>15}  {'max':>15}  {'mean left':>9}"]
    for name, arrays in errors.items():
        before, after = (vars(summarise_errors(each)) for each in arrays)
        cells = [f"{before[column]:6.2f} → {after[column]:6.2f}" for column in before]
        left = after["mean"] / before["mean"] if before["mean"] > 0 else float("nan")
        lines.append(f"{name:{width}}  {'  '.join(f'{cell:>15}' for cell in cells)}  {100 * left:8.1f}%")
    return "\n".join(lines)
