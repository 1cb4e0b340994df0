"""Whether meshes are of one topology, or at least have their vertices in the same order."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64
from numpy import ndarray

from data.formats.polygons import Polygons
from data.input_error import InputError
from data.sequences.mesh_frames import MeshFrames


def edge_lengths(vertices: Float[ndarray, "V 3"], triangles: Int64[ndarray, "F 3"]) -> Float[ndarray, " E"]:
    """Return the lengths of two edges of each triangle (E,), in the vertices' units: those of a body, in any pose."""
    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    return np.linalg.norm(vertices[edges[:, 0]] - vertices[edges[:, 1]], axis=1)


def in_the_same_order(
    skinned: Float[ndarray, "V 3"], scan: Float[ndarray, "W 3"], triangles: Int64[ndarray, "F 3"]
) -> bool:
    """Say whether the vertices of a scan are in the order of a skinned mesh: its edges are then about as long, but for a
    unit."""
    if len(skinned) != len(scan):
        return False
    ours, theirs = (edge_lengths(each, triangles) for each in (skinned, scan))
    known = np.isfinite(theirs)
    if not known.any():
        return False
    ours, theirs = ours[known], theirs[known]
    unit = np.median(theirs) / max(float(np.median(ours)), 1e-30)
    return bool((np.abs(theirs - unit * ours) <= 0.5 * unit * ours).mean() > 0.9 and unit > 0)


def check_topology(first: MeshFrames, other: MeshFrames) -> None:
    """Raise `InputError` where two folders differ in vertex count or, where both have some, in faces."""
    check_like(first.files[0], first.vertices.shape[1], first.polygons, other)


def check_like(first: Path, num_vertices: int, polygons: Polygons, other: MeshFrames) -> None:
    """Raise `InputError` where meshes are not of the topology of the one in the file `first`."""
    found = other.vertices.shape[1]
    if found != num_vertices:
        raise InputError(
            f"{other.files[0]}: {found} vertices, expected {num_vertices} as in {first}, in the same order: remove what was "
            "added, or register a raw scan to the mesh"
        )
    if len(polygons.sizes) and len(other.polygons.sizes) and not other.polygons.are_like(polygons):
        hint = ""
        if ".drc" in (first.suffix.lower(), other.files[0].suffix.lower()):
            hint = "; Draco keeps the order of vertices only where asked to (in DracoPy: preserve_order=True)"
        raise InputError(f"{other.files[0]}: other faces than {first}, expected the same topology{hint}")
