"""Ridge regressions of many vertices in compiled code, each with what it needs in a processor's cache.

The twins of `solve` and `squares` in `utils.fitting.ridge_regression`, which call them for moments on the CPU; tests hold both
together. A library's batched solvers take several times as long for matrices as small as these.
"""

from typing import no_type_check

import numpy as np

from models.compiled import compiled

FEWEST_VERTICES = 4  # for a thread of its own


@no_type_check
@compiled
def solve(moments, rows, along, penalty, rounding, share_penalty, fewest_frames, coefficients, first, last):
    """Write the coefficients (V, K, 3) of vertices `first` to `last`, for the `rows` (K,) of their moments (V, D, D), of which
    the last is the constant. `along` (3, S) are the places of the vectors' components among them."""
    count, num_shares = len(rows), along.shape[1]
    ones, width = moments.shape[1] - 4, 3 + 3 * along.shape[1]
    root, answer = np.empty((count, count)), np.empty((count, width))
    left, right = np.empty((num_shares, num_shares)), np.empty(num_shares)
    for v in range(first, last):
        own = moments[v]
        frames = max(own[ones, ones], fewest_frames)
        size = 0.0
        for i in range(count):
            size += own[rows[i], rows[i]] / frames
        least = rounding * max(size / count, 1.0)
        for i in range(count):  # the factor of Cholesky, row by row
            for j in range(i + 1):
                value = own[rows[i], rows[j]] / frames
                for k in range(j):
                    value -= root[i, k] * root[j, k]
                if i == j:
                    root[i, i] = np.sqrt(value + least + (penalty if i < count - 1 else 0.0))
                else:
                    root[i, j] = value / root[j, j]
        answer[:] = 0.0
        for i in range(count):
            for axis in range(3):
                answer[i, axis] = own[rows[i], ones + 1 + axis] / frames
        for axis in range(3):
            for share in range(num_shares):
                answer[along[axis, share], 3 + axis * num_shares + share] = 1.0
        substitute(root, answer)
        for a in range(num_shares):
            right[a] = 0.0
            for axis in range(3):
                right[a] += penalty * answer[along[axis, a], axis]
            for b in range(num_shares):
                left[a, b] = 3 * penalty + share_penalty if a == b else 0.0
                for axis in range(3):
                    left[a, b] -= penalty * penalty * answer[along[axis, a], 3 + axis * num_shares + b]
        eliminate(left, right)
        for i in range(count):
            for axis in range(3):
                value = answer[i, axis]
                for share in range(num_shares):
                    value += penalty * answer[i, 3 + axis * num_shares + share] * right[share]
                coefficients[v, i, axis] = value


@no_type_check
@compiled
def substitute(root, answer):
    """Replace right sides (K, N) by the solutions for the matrix with this lower factor (K, K)."""
    count, width = answer.shape
    for i in range(count):
        for k in range(i):
            for n in range(width):
                answer[i, n] -= root[i, k] * answer[k, n]
        for n in range(width):
            answer[i, n] /= root[i, i]
    for i in range(count - 1, -1, -1):
        for k in range(i + 1, count):
            for n in range(width):
                answer[i, n] -= root[k, i] * answer[k, n]
        for n in range(width):
            answer[i, n] /= root[i, i]


@no_type_check
@compiled
def eliminate(left, right):
    """Replace a right side (S,) by the solution for a matrix (S, S) that its diagonal outweighs; the matrix is used up."""
    count = len(right)
    for i in range(count):
        for j in range(i + 1, count):
            times = left[j, i] / left[i, i]
            for k in range(i, count):
                left[j, k] -= times * left[i, k]
            right[j] -= times * right[i]
    for i in range(count - 1, -1, -1):
        for k in range(i + 1, count):
            right[i] -= left[i, k] * right[k]
        right[i] /= left[i, i]


@no_type_check
@compiled
def squares(moments, mean, coefficients, rows, sums, first, last):
    """Write the sums (V, 4) over frames of target², of rest², of rest · change and of change², vertices `first` to `last`."""
    count, ones = len(rows), moments.shape[1] - 4
    for v in range(first, last):
        own, c = moments[v], coefficients[v]
        whole = rest = shared = size = 0.0
        for axis in range(3):
            target = ones + 1 + axis
            whole += own[target, target]
            rest += mean[v, axis] * (own[ones, ones] * mean[v, axis] - 2 * own[ones, target])
        for i in range(count):
            x = y = z = 0.0
            for j in range(count):
                product = own[rows[i], rows[j]]
                x += product * c[j, 0]
                y += product * c[j, 1]
                z += product * c[j, 2]
            size += x * c[i, 0] + y * c[i, 1] + z * c[i, 2]
            for axis in range(3):
                shared += (own[rows[i], ones + 1 + axis] - own[rows[i], ones] * mean[v, axis]) * c[i, axis]
        sums[v, 0], sums[v, 1], sums[v, 2], sums[v, 3] = whole, whole + rest, shared, size
