"""Loops over vertices in compiled code: surface frames, and what becomes of an answer; `feature_kernels` has the others.

Each is the twin of what torch does in `surface_frames`, `controls`, `conclusion` and `leverage`, and tests hold both
together; `models.loops` calls these for tensors on the CPU. Torch takes a pass over memory for every operation, these take one
for all. Numba compiles a function when it is called first, in seconds, and keeps what it compiled beside this file.
"""

from typing import no_type_check

import numpy as np

from models.compiled import compiled

ZERO, ONE = np.float32(0), np.float32(1)  # numbers without a type would make doubles of all
ENOUGH = np.float32(1e15)  # times another length: the square is still a number


@no_type_check
@compiled
def surface_frames(vertices, starts, corners, ends, frames, first, last):
    """Write the frames (B, V, 3, 3) of rows `first` to `last` of B meshes' vertices (B, V, 3), as `surface_frames` does.

    The faces around vertex v have the other corners `corners[starts[v]:starts[v + 1]]` (_, 2).
    """
    tiny = np.finfo(np.float32).tiny
    num_vertices = vertices.shape[1]
    for row in range(first, last):
        mesh, v = vertices[row // num_vertices], row % num_vertices
        x, y, z = mesh[v, 0], mesh[v, 1], mesh[v, 2]
        nx = ny = nz = ZERO
        for place in range(starts[v], starts[v + 1]):
            a, b = corners[place, 0], corners[place, 1]
            ax, ay, az = mesh[a, 0] - x, mesh[a, 1] - y, mesh[a, 2] - z
            bx, by, bz = mesh[b, 0] - x, mesh[b, 1] - y, mesh[b, 2] - z
            nx += ay * bz - az * by
            ny += az * bx - ax * bz
            nz += ax * by - ay * bx
        length = np.sqrt(nx * nx + ny * ny + nz * nz)
        if length > 0:
            inverse = ONE / max(length, tiny)
            nx, ny, nz = nx * inverse, ny * inverse, nz * inverse
        if nx == 0 and ny == 0 and nz == 0:
            nz = ONE
        end = ends[v]
        ex, ey, ez = mesh[end, 0] - x, mesh[end, 1] - y, mesh[end, 2] - z
        along = ex * nx + ey * ny + ez * nz
        tx, ty, tz = ex - along * nx, ey - along * ny, ez - along * nz
        length = np.sqrt(tx * tx + ty * ty + tz * tz)
        if length <= np.float32(1e-6) * np.sqrt(ex * ex + ey * ey + ez * ez) + tiny:
            # as `perpendicular` does: with the axis that the normal is farthest from
            if abs(nx) <= abs(ny) and abs(nx) <= abs(nz):
                tx, ty, tz = ZERO, nz, -ny
            elif abs(ny) <= abs(nz):
                tx, ty, tz = -nz, ZERO, nx
            else:
                tx, ty, tz = ny, -nx, ZERO
            length = np.sqrt(tx * tx + ty * ty + tz * tz)
        inverse = ONE / max(length, tiny)
        tx, ty, tz = tx * inverse, ty * inverse, tz * inverse
        frame = frames[row // num_vertices, v]
        frame[0, 0], frame[0, 1], frame[0, 2] = tx, ty, tz
        frame[1, 0], frame[1, 1], frame[1, 2] = ny * tz - nz * ty, nz * tx - nx * tz, nx * ty - ny * tx
        frame[2, 0], frame[2, 1], frame[2, 2] = nx, ny, nz


@no_type_check
@compiled
def add_from_controls(change, network, controls, weights, first, last):
    """Add to changes (B, V, 3), rows `first` to `last`, the weighted (V, K) means of what is known at controls (B, Q, 3)."""
    num_vertices = change.shape[1]
    for row in range(first, last):
        b, v = row // num_vertices, row % num_vertices
        x = y = z = ZERO
        for k in range(controls.shape[1]):
            weight, known = weights[v, k], network[b, controls[v, k]]
            x += weight * known[0]
            y += weight * known[1]
            z += weight * known[2]
        change[b, v, 0] += x
        change[b, v, 1] += y
        change[b, v, 2] += z


@no_type_check
@compiled
def conclude(
    change, frames, skinned, trust, leverage, share_of_mean, of_frame, longest, numbers, points, expected, first, last
):
    """Write what follows from changes of the mean in world axes (B, V, 3), rows `first` to `last`: points (B, V, 3), damped and
    no longer than allowed (V,), and the error to expect (B, V), as `models.conclusion` does."""
    mean, places, weights, answer_size, relative_variance, residual = trust
    smallest, largest, far, doubt, error_scale = numbers
    num_vertices, tiny = change.shape[1], np.finfo(np.float32).tiny
    for row in range(first, last):
        b, v = row // num_vertices, row % num_vertices
        frame = frames[b, v]
        x, y, z = change[b, v, 0], change[b, v, 1], change[b, v, 2]
        own = share = ZERO
        for k in range(places.shape[1]):
            own += weights[v, k] * leverage[b, places[v, k]]
            share += weights[v, k] * share_of_mean[b, places[v, k]]
        x += share * (mean[v, 0] * frame[0, 0] + mean[v, 1] * frame[1, 0] + mean[v, 2] * frame[2, 0])
        y += share * (mean[v, 0] * frame[0, 1] + mean[v, 1] * frame[1, 1] + mean[v, 2] * frame[2, 1])
        z += share * (mean[v, 0] * frame[0, 2] + mean[v, 1] * frame[1, 2] + mean[v, 2] * frame[2, 2])
        grown = own * (ONE + own / far)
        size = np.sqrt(x * x + y * y + z * z)
        relative = min(max(size / answer_size[v], smallest), largest)
        relative *= relative
        doubted = residual[v] * np.sqrt(doubt * grown)
        of_size = min(size / max(doubted, tiny), ENOUGH)
        of_doubted = min(doubted / max(size, tiny), ENOUGH)
        certain, in_doubt = ONE / (ONE + of_doubted * of_doubted), ONE / (ONE + of_size * of_size)
        part = size * np.sqrt(in_doubt)
        expected[b, v] = error_scale * np.sqrt(residual[v] * residual[v] + part * part)
        strength = relative / (relative + relative_variance[v] * grown) * min(certain + in_doubt * of_frame[b], ONE)
        if strength * size > longest[v]:
            strength = longest[v] / size
        points[b, v, 0] = skinned[b, v, 0] + strength * x
        points[b, v, 1] = skinned[b, v, 1] + strength * y
        points[b, v, 2] = skinned[b, v, 2] + strength * z
