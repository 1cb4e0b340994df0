"""What scans do not show: vertices that some of them lack, or that are not trusted, and those that none shows."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from data.formats.vertex_weights import read_weights
from data.input_error import InputError
from data.sequences.mesh_frames import MeshFrames

LEAST_HOLD = 1e-9  # of the mean weight of a vertex' edges: holds all at zero where nothing is known


def weights_of_scans(path: Path, target: MeshFrames) -> Float32[ndarray, "S V"]:
    """Return how far each vertex of each scan is trusted (S, V), 0 to 1, out of a file; raise `InputError` where it does not
    fit to the scans."""
    weights, numbers = read_weights(path)
    num_scans, num_vertices, _ = target.vertices.shape
    if weights.shape[1] != num_vertices:
        raise InputError(
            f"{path}: weights of {weights.shape[1]} vertices, expected {num_vertices} as in {target.files[0]}"
        )
    if len(weights) == 1:
        return np.broadcast_to(weights, (num_scans, num_vertices))
    if numbers is None:
        if len(weights) != num_scans:
            raise InputError(
                f"{path}: weights of {len(weights)} frames, expected {num_scans} as in {target.path}, or one of all; or "
                "their numbers, as in an .npz file with an array frame_numbers"
            )
        return weights
    missing = sorted({*target.frame_numbers} - {*numbers.tolist()})
    if missing:
        raise InputError(
            f"{path}: no weights of {len(missing)} of the {num_scans} frames in {target.path}, the first is frame {missing[0]}"
        )
    rows = {number: row for row, number in enumerate(numbers.tolist())}
    return weights[[rows[number] for number in target.frame_numbers]]


def rows_of_scans(
    target: MeshFrames, weights: Float32[ndarray, "S V"] | None, numbers: Int64[ndarray, " T"]
) -> Int64[ndarray, " T"]:
    """Return which scan belongs to each frame of these numbers (T,); -1 where there is none, or it shows no vertex.

    Raises `InputError` where none of them shows any.
    """
    rows = np.full(len(numbers), -1)
    shows = target.missing < target.vertices.shape[1]
    if weights is not None:
        shows &= (weights > 0).any(axis=1)
        for row in np.flatnonzero(shows & (target.missing > 0)):
            shows[row] = (weights[row][~np.isnan(target.vertices[row, :, 0])] > 0).any()
    if not shows.any():
        raise InputError(f"{target.path}: no vertex of any scan is observed, expected some that are")
    rows[np.searchsorted(numbers, np.array(target.frame_numbers)[shows])] = np.flatnonzero(shows)
    return rows


class HarmonicFill:
    """Fills in what is not known at some vertices of a surface (V, 3) from what is known around them: harmonically.

    Each vertex is the mean of its neighbours, weighted by the inverse of their distance at rest. Parts of their own, as eyes in
    a head, follow the nearest vertices of the largest part. Where nothing is known at all, it is zero.
    """

    def __init__(self, vertices: Float[ndarray, "V 3"], triangles: Int64[ndarray, "F 3"]):
        count = len(vertices)
        one, other = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
        _, part = connected_components(
            sparse.coo_matrix((np.ones(len(one)), (one, other)), shape=(count, count)), directed=False
        )
        largest = part == np.bincount(part).argmax()
        if not largest.all():
            _, nearest = cKDTree(vertices[largest]).query(vertices[~largest])
            one = np.concatenate([one, np.flatnonzero(~largest)])
            other = np.concatenate([other, np.flatnonzero(largest)[nearest]])
        lengths = np.linalg.norm(vertices[one].astype(float) - vertices[other], axis=1)
        weights = 1 / np.maximum(lengths, 1e-6 * max(float(lengths.mean()), 1e-30))
        half = sparse.coo_matrix((weights, (one, other)), shape=(count, count)).tocsr()
        self.weights = half.maximum(half.T)
        sums = np.asarray(self.weights.sum(axis=1)).ravel()
        self.matrix = (sparse.diags(sums + LEAST_HOLD * sums.mean()) - self.weights).tocsr()
        self.solver: tuple[bytes, Any] = b"", None  # the last one, and what it is for

    def __call__(self, values: Float[ndarray, "V 3"]) -> Float[ndarray, "V 3"]:
        """Return values with those that are NaN filled in."""
        unknown = np.isnan(values).any(axis=1)
        if self.solver[0] != unknown.tobytes():
            self.solver = unknown.tobytes(), splu(self.matrix[unknown][:, unknown].tocsc())
        around = self.weights[unknown][:, ~unknown] @ values[~unknown].astype(float)
        filled = values.copy()
        filled[unknown] = self.solver[1].solve(around)
        return filled
