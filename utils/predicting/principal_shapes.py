"""The few shapes that make up most of a character's corrections, where its mesh is bound: before the skin moves them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64
from numpy import ndarray

COLLAPSED = 0.03  # of the largest stretch of a vertex: what is squeezed more by the skin is not undone
SMALLEST = 1e-10  # of the largest eigenvalue: rounding


@dataclass
class PrincipalShapes:
    """A mean (V, 3) and shapes (K, V, 3), file units, the largest first, with their weights in each frame (T, K), whose mean
    square is one."""

    mean: Float32[ndarray, "V 3"]
    shapes: Float32[ndarray, "K V 3"]
    weights: Float64[ndarray, "T K"]

    @property
    def lowest(self) -> Float64[ndarray, " K"]:
        """The lowest weight of each shape."""
        return self.weights.min(axis=0)

    @property
    def highest(self) -> Float64[ndarray, " K"]:
        """The highest weight of each shape."""
        return self.weights.max(axis=0)

    def as_targets(self) -> tuple[Float32[ndarray, "M V 3"], Float64[ndarray, "T M"]]:
        """Return the same as morph targets (M, V, 3) whose weights (T, M) are between 0 and 1, to which many programs clamp
        them: the first one holds what is always there, and has the weight 1."""
        span = self.highest - self.lowest
        always = self.mean + np.tensordot(self.lowest, self.shapes, axes=1)
        targets = np.concatenate([always[None], span[:, None, None] * self.shapes]).astype(np.float32)
        weights = ((self.weights - self.lowest) / span).clip(0, 1)
        return targets, np.concatenate([np.ones((len(weights), 1)), weights], axis=1)


def before_the_skin(to_world: Float[ndarray, "V 3 4"], away: Float[ndarray, "V 3"]) -> Float[ndarray, "V 3"]:
    """Return what the skin turns into corrections `away` from its own answer: each by the inverse of its vertex' matrix."""
    return np.einsum("vab,vb->va", np.linalg.pinv(to_world[..., :3], rcond=COLLAPSED), away)


def principal_shapes(corrections: Float32[ndarray, "T V 3"], count: int) -> PrincipalShapes:
    """Return up to `count` principal shapes of corrections, about their mean: no more than frames, and none of no size.

    Eigenvectors of the products of frames (Sirovich 1987, "Turbulence and the dynamics of coherent structures").
    """
    mean = corrections.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = (corrections - mean).reshape(len(corrections), -1)
    parts = (part.astype(np.float64) for part in np.array_split(rows, max(1, rows.shape[1] >> 16), axis=1))
    values, vectors = np.linalg.eigh(sum(part @ part.T for part in parts))
    size = float(np.square(corrections, dtype=np.float64).sum())
    order = np.argsort(-values)[:count]
    order = order[values[order] > SMALLEST * max(size, 1e-30)]
    vectors = vectors[:, order]
    shapes = (vectors.T @ rows / np.sqrt(len(rows))).astype(np.float32)
    return PrincipalShapes(mean, shapes.reshape(-1, *corrections.shape[1:]), vectors * np.sqrt(len(rows)))
