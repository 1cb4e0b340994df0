"""The few shapes that make up most of a character's corrections, where its mesh is bound: before the skin moves them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray

COLLAPSED = 0.03  # of the largest stretch of a vertex: what is squeezed more by the skin is not undone


@dataclass
class PrincipalShapes:
    """Shapes (K, V, 3), file units, the largest first, and their weights in each frame (T, K), whose mean square is one."""

    shapes: Float32[ndarray, "K V 3"]
    weights: Float[ndarray, "T K"]


def before_the_skin(to_world: Float[ndarray, "V 3 4"], away: Float[ndarray, "V 3"]) -> Float[ndarray, "V 3"]:
    """Return what the skin turns into corrections `away` from its own answer: each by the inverse of its vertex' matrix."""
    return np.einsum("vab,vb->va", np.linalg.pinv(to_world[..., :3], rcond=COLLAPSED), away)


def principal_shapes(corrections: Float32[ndarray, "T V 3"], count: int) -> PrincipalShapes:
    """Return up to `count` principal shapes of corrections, about zero and not their mean: what is the same in all frames is a
    shape, too. There are no more than frames, and none of no size.

    Eigenvectors of the products of frames (Sirovich 1987, "Turbulence and the dynamics of coherent structures").
    """
    rows = corrections.reshape(len(corrections), -1)
    products = sum(
        part.astype(np.float64) @ part.T.astype(np.float64)
        for part in np.array_split(rows, max(1, rows.shape[1] >> 16), axis=1)
    )
    values, vectors = np.linalg.eigh(products)
    order = np.argsort(-values)[:count]
    order = order[values[order] > 1e-10 * max(values[-1], 1e-30)]
    vectors = vectors[:, order] * np.where(vectors[:, order].sum(axis=0) < 0, -1, 1)
    weights = vectors * np.sqrt(len(rows))
    shapes = (vectors.T @ rows / np.sqrt(len(rows))).astype(np.float32)
    return PrincipalShapes(shapes.reshape(-1, *corrections.shape[1:]), weights)
