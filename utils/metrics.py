"""How far a prediction is from the scan."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

UNITS_IN_MM = {"m": 1000.0, "cm": 10.0, "mm": 1.0}


def vertex_errors(predicted: Float[ndarray, "*B V 3"], scan: Float[ndarray, "*B V 3"]) -> Float[ndarray, "*B V"]:
    """Return the distance of every vertex from where the scan has it (*B, V), in the inputs' units."""
    return np.linalg.norm(predicted - scan, axis=-1)


@dataclass
class ErrorSummary:
    """Mean, 95th percentile and maximum over vertices and frames, in mm."""

    mean: float
    percentile_95: float
    maximum: float


def summarise_errors(errors: Float[ndarray, "*B"], units_in_mm: float) -> ErrorSummary:
    """Return the summary of vertex errors given in file units."""
    in_mm = errors * units_in_mm
    return ErrorSummary(float(in_mm.mean()), float(np.percentile(in_mm, 95)), float(in_mm.max()))


def error_table(rows: dict[str, tuple[ErrorSummary, ErrorSummary]]) -> str:
    """Return a table of skinned → predicted error for each row's name."""
    title = "error in mm, skinned → predicted"
    width = max(len(title), *(len(name) for name in rows))
    lines = [f"{title:{width}}  {'mean':>15}  {'95th percentile':>15}  {'max':>15}  {'mean left':>9}"]
    for name, (skinned, predicted) in rows.items():
        cells = [
            f"{before:6.2f} → {after:6.2f}"
            for before, after in (
                (skinned.mean, predicted.mean),
                (skinned.percentile_95, predicted.percentile_95),
                (skinned.maximum, predicted.maximum),
            )
        ]
        left = predicted.mean / skinned.mean if skinned.mean > 0 else float("nan")
        lines.append(f"{name:{width}}  {'  '.join(f'{cell:>15}' for cell in cells)}  {100 * left:8.1f}%")
    return "\n".join(lines)
