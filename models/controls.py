"""Control vertices: where the network is asked. What it adds is smooth over the surface, and is interpolated in between."""

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from models import loops
from models.edges import spread_along_surface
from models.gathered import gathered

MOST_CONTROLS = 2048
NUM_NEAREST_CONTROLS = 5


def controls_along_surface(
    vertices: Float[ndarray, "V 3"], edges: Int[ndarray, "E 2"]
) -> tuple[Int[ndarray, " Q"], Int[ndarray, "V K"], Float[ndarray, "V K"]]:
    """Return vertices spread over a surface (Q,), the places among them of those nearest to each vertex (V, K), and weights
    (V, K) that add up to one.

    Distances are along edges; a vertex that no path reaches follows the first control. Weights fall smoothly to zero at the
    farthest of the K, so that nothing jumps where another one comes in. Of a small mesh, all vertices are controls.
    """
    num_vertices = len(vertices)
    if num_vertices <= MOST_CONTROLS:
        everything = np.arange(num_vertices)
        return everything, everything[:, None], np.ones((num_vertices, 1))
    controls, places, distances = spread_along_surface(vertices, edges, MOST_CONTROLS, NUM_NEAREST_CONTROLS)
    farthest = np.where(np.isfinite(distances), distances, 0).max(axis=1, keepdims=True)
    weights = np.where(places >= 0, (1 - np.minimum(distances, farthest) / np.maximum(farthest, 1e-30)) ** 2 + 1e-6, 0)
    weights[places[:, 0] < 0, 0] = 1
    return controls, np.maximum(places, 0), weights / weights.sum(axis=1, keepdims=True)


def add_from_controls(
    change: Float[Tensor, "B V 3"],
    network: Float[Tensor, "B Q 3"],
    places: Int[Tensor, "V K"],
    weights: Float[Tensor, "V K"],
) -> Float[Tensor, "B V 3"]:
    """Return changes (B, V, 3) with what is known at the controls (B, Q, 3) added, interpolated; both in world axes.

    `places` and `weights` are those of `controls_along_surface`. Compiled loops add in place.
    """
    if loops.compiles(change, network):
        return loops.add_from_controls(change, network, places, weights)
    return change + (gathered(network, places, 1) * weights.unsqueeze(2)).sum(dim=2)
