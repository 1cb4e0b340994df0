"""Laplace-Beltrami eigenfunctions: smooth functions on a surface that tell its parts apart."""

import numpy as np
import robust_laplacian
import scipy.sparse as sparse
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse.linalg import eigsh

DENSE_SOLVER_BELOW = 200  # vertices


def laplacian_eigenfunctions(
    vertices: Float[ndarray, "V 3"], faces: Int[ndarray, "F 3"], links: Int[ndarray, "K 2"], count: int
) -> Float[ndarray, "V count"]:
    """Return the `count` smoothest non-constant Laplace-Beltrami eigenfunctions (V, count), each of variance one.

    The Laplacian is the intrinsic one of Sharp and Crane 2020, "A Laplacian for nonmanifold triangle meshes", which takes bad
    triangles; `links` tie separate parts together. Where the mesh has too few vertices, or no extent, the functions are zero.
    """
    functions = np.zeros((len(vertices), count))
    good = faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]
    size = np.ptp(vertices, axis=0).max()
    if not len(good) or size == 0:
        return functions
    used = np.unique(good)
    index = np.full(len(vertices), -1)
    index[used] = np.arange(len(used))
    scaled = (vertices[used] - vertices.mean(axis=0)) / size
    laplacian, mass_matrix = robust_laplacian.mesh_laplacian(scaled, index[good])
    mass = mass_matrix.diagonal()
    mass = np.maximum(mass, 1e-9 * max(mass.mean(), 1e-12))
    ends = index[links]
    ends = ends[(ends >= 0).all(axis=1)]
    incidence = sparse.coo_matrix(
        (np.tile([1.0, -1.0], len(ends)), (np.repeat(np.arange(len(ends)), 2), ends.ravel())),
        shape=(len(ends), len(used)),
    )
    laplacian = laplacian + incidence.T @ incidence
    wanted = min(count, len(used) - 1)
    if len(used) < DENSE_SOLVER_BELOW:
        root = 1 / np.sqrt(mass)
        _, modes = np.linalg.eigh(root[:, None] * laplacian.toarray() * root)
        modes = root[:, None] * modes
    else:
        # the shift makes the matrix regular; the fixed starting vector gives the same functions every time
        start = np.random.default_rng(0).normal(size=len(used))
        _, modes = eigsh(laplacian.tocsc(), wanted + 1, sparse.diags(mass).tocsc(), sigma=-1e-6, v0=start)
    modes = modes[:, 1 : wanted + 1]
    modes = modes * np.sign(modes[np.abs(modes).argmax(axis=0), np.arange(wanted)])
    functions[used, :wanted] = modes / np.maximum(modes.std(axis=0), 1e-12)
    return functions
