"""A mesh sequence of any size to measure speed on: a ball that bends, and its scan that bulges and lags."""

import numpy as np
from scipy.spatial import ConvexHull

from data.formats.obj_writing import position_template, write_obj, write_positions


def sphere(num_vertices):
    """Return points spread evenly over a unit sphere (V, 3), and the triangles (2 V - 4, 3) of their convex hull."""
    index = np.arange(num_vertices) + 0.5
    height, angle = 1 - 2 * index / num_vertices, np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - height**2)
    points = np.stack([radius * np.cos(angle), height, radius * np.sin(angle)], axis=1)
    faces = ConvexHull(points).simplices
    outward = (
        np.einsum("fi,fi->f", np.cross(*np.diff(points[faces], axis=1).transpose(1, 0, 2)), points[faces[:, 0]]) > 0
    )
    return points, np.where(outward[:, None], faces, faces[:, ::-1])


def write_sequence(folder, num_vertices, num_frames):
    """Write a bending ball as skinned meshes, and as scans that bulge and lag; return the two folders."""
    points, faces = sphere(num_vertices)
    template = None
    for number in range(num_frames):
        bend, lag = np.sin(0.3 * number), np.sin(0.3 * number - 0.8)
        skinned = points + bend * np.stack([points[:, 1] ** 2, 0.2 * points[:, 0], 0 * points[:, 2]], axis=1)
        scan = skinned + 0.02 * lag * points * np.sin(5 * points[:, :1])
        for kind, vertices in (("sbs", skinned), ("target", scan)):
            path = folder / f"ball_{kind}" / "obj" / f"ball_{kind}.{number + 1:05d}.obj"
            if template is None:
                write_obj(path, vertices, faces)
                template = position_template(path)
            write_positions(path, vertices.round(6), template)
    return [folder / f"ball_{kind}" / "obj" for kind in ("sbs", "target")]
