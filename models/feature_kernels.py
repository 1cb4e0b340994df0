"""Loops over vertices in compiled code: what they see, and the linear part of the answer, in one pass.

The twin of `local_features` and `linear_correction`; tests hold both together. `models.loops` calls these.
"""

from typing import no_type_check

import numpy as np

from models.compiled import compiled

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)  # numbers without a type would make doubles of all
SMALLEST_COSINE = np.float32(0.05)
AT_ONCE = 64  # vertices, one kind of feature after another: what they see stays in the nearest cache


@no_type_check
@compiled
def see_motion_and_anchors(vertices, scene, rest, seen):
    """Write how vertices have moved, gravity, and where their anchors are; return the next column."""
    window, anchors, frames, gravity = scene[0], scene[1], scene[6], scene[7]
    places, anchor_offsets = rest[0], rest[2]
    now, column = window.shape[0] - 1, 0
    for row in range(len(vertices)):
        v = vertices[row]
        f00, f01, f02 = frames[v, 0], frames[v, 1], frames[v, 2]
        f10, f11, f12 = frames[v, 3], frames[v, 4], frames[v, 5]
        f20, f21, f22 = frames[v, 6], frames[v, 7], frames[v, 8]
        px, py, pz = window[now, v, 0], window[now, v, 1], window[now, v, 2]
        column = 0
        for step in range(now):  # the velocity, then the accelerations, oldest first
            if step == 0:
                x, y, z = px - window[now - 1, v, 0], py - window[now - 1, v, 1], pz - window[now - 1, v, 2]
            else:
                x = window[step + 1, v, 0] - window[step, v, 0] - (window[step, v, 0] - window[step - 1, v, 0])
                y = window[step + 1, v, 1] - window[step, v, 1] - (window[step, v, 1] - window[step - 1, v, 1])
                z = window[step + 1, v, 2] - window[step, v, 2] - (window[step, v, 2] - window[step - 1, v, 2])
            seen[row, column] = f00 * x + f01 * y + f02 * z
            seen[row, column + 1] = f10 * x + f11 * y + f12 * z
            seen[row, column + 2] = f20 * x + f21 * y + f22 * z
            column += 3
        x, y, z = gravity[0], gravity[1], gravity[2]
        seen[row, column] = f00 * x + f01 * y + f02 * z
        seen[row, column + 1] = f10 * x + f11 * y + f12 * z
        seen[row, column + 2] = f20 * x + f21 * y + f22 * z
        column += 3
        for k in range(places.shape[1]):
            anchor = places[v, k]
            x, y, z = anchors[anchor, 0] - px, anchors[anchor, 1] - py, anchors[anchor, 2] - pz
            seen[row, column] = f00 * x + f01 * y + f02 * z - anchor_offsets[v, 3 * k]
            seen[row, column + 1] = f10 * x + f11 * y + f12 * z - anchor_offsets[v, 3 * k + 1]
            seen[row, column + 2] = f20 * x + f21 * y + f22 * z - anchor_offsets[v, 3 * k + 2]
            column += 3
    return column


@no_type_check
@compiled
def see_turns(vertices, scene, rest, begin, seen):
    """Write, from column `begin` on, how the anchors near vertices have turned against them; return the next column."""
    turns, frames = scene[2], scene[6]
    places, itself, rest_frames, rounding = rest[0], rest[1], rest[3], rest[6]
    for row in range(len(vertices)):
        v, column = vertices[row], begin
        f00, f01, f02 = frames[v, 0], frames[v, 1], frames[v, 2]
        f10, f11, f12 = frames[v, 3], frames[v, 4], frames[v, 5]
        f20, f21, f22 = frames[v, 6], frames[v, 7], frames[v, 8]
        for k in range(itself.shape[1]):
            anchor, x, y, z = places[v, k], ZERO, ZERO, ZERO
            if not itself[v, k]:  # as `rotations_between` does
                trace = ZERO
                for axis in range(3):
                    a0, a1, a2 = turns[anchor, 3 * axis], turns[anchor, 3 * axis + 1], turns[anchor, 3 * axis + 2]
                    r0, r1, r2 = rest_frames[v, axis], rest_frames[v, 3 + axis], rest_frames[v, 6 + axis]
                    t0 = r0 * f00 + r1 * f10 + r2 * f20
                    t1 = r0 * f01 + r1 * f11 + r2 * f21
                    t2 = r0 * f02 + r1 * f12 + r2 * f22
                    trace += t0 * a0 + t1 * a1 + t2 * a2
                    x += t1 * a2 - t2 * a1
                    y += t2 * a0 - t0 * a2
                    z += t0 * a1 - t1 * a0
                scale = HALF / max(HALF * np.sqrt(max(ZERO, ONE + trace)), SMALLEST_COSINE)
                x, y, z = scale * x, scale * y, scale * z
            lx = f00 * x + f01 * y + f02 * z
            ly = f10 * x + f11 * y + f12 * z
            lz = f20 * x + f21 * y + f22 * z
            seen[row, column] = lx - min(max(lx, -rounding), rounding)
            seen[row, column + 1] = ly - min(max(ly, -rounding), rounding)
            seen[row, column + 2] = lz - min(max(lz, -rounding), rounding)
            column += 3
    return begin + 3 * itself.shape[1]


@no_type_check
@compiled
def see_memory_and_joints(vertices, scene, rest, begin, seen):
    """Write, from column `begin` on, what oscillators remember, where the joints near vertices are and how they move."""
    window, states, joints, moving, frames = scene[0], scene[3], scene[4], scene[5], scene[6]
    places, near_joints, joint_offsets = rest[0], rest[4], rest[5]
    now = window.shape[0] - 1
    for row in range(len(vertices)):
        v, column = vertices[row], begin
        f00, f01, f02 = frames[v, 0], frames[v, 1], frames[v, 2]
        f10, f11, f12 = frames[v, 3], frames[v, 4], frames[v, 5]
        f20, f21, f22 = frames[v, 6], frames[v, 7], frames[v, 8]
        px, py, pz = window[now, v, 0], window[now, v, 1], window[now, v, 2]
        anchor = places[v, 0]
        for k in range(states.shape[1] // 3):
            x, y, z = states[anchor, 3 * k], states[anchor, 3 * k + 1], states[anchor, 3 * k + 2]
            seen[row, column] = f00 * x + f01 * y + f02 * z
            seen[row, column + 1] = f10 * x + f11 * y + f12 * z
            seen[row, column + 2] = f20 * x + f21 * y + f22 * z
            column += 3
        for k in range(near_joints.shape[1]):
            joint = near_joints[v, k]
            x, y, z = joints[joint, 0] - px, joints[joint, 1] - py, joints[joint, 2] - pz
            seen[row, column] = f00 * x + f01 * y + f02 * z - joint_offsets[v, 3 * k]
            seen[row, column + 1] = f10 * x + f11 * y + f12 * z - joint_offsets[v, 3 * k + 1]
            seen[row, column + 2] = f20 * x + f21 * y + f22 * z - joint_offsets[v, 3 * k + 2]
            column += 3
        for k in range(near_joints.shape[1]):
            joint = near_joints[v, k]
            for step in range(moving.shape[1] // 3):
                x, y, z = moving[joint, 3 * step], moving[joint, 3 * step + 1], moving[joint, 3 * step + 2]
                seen[row, column] = f00 * x + f01 * y + f02 * z
                seen[row, column + 1] = f10 * x + f11 * y + f12 * z
                seen[row, column + 2] = f20 * x + f21 * y + f22 * z
                column += 3


@no_type_check
@compiled
def look(vertices, scene, rest, seen):
    """Write what some vertices (Q,) see in one mesh into `seen` (Q, C), as `LocalFeatures.seen` does. Matrices are rows of
    nine."""
    column = see_motion_and_anchors(vertices, scene, rest, seen)
    column = see_turns(vertices, scene, rest, column, seen)
    see_memory_and_joints(vertices, scene, rest, column, seen)


@no_type_check
@compiled
def features(scenes, rest, vertices, seen, first, last):
    """Write what vertices (Q,), from `first` to `last`, see of B meshes into `seen` (B, Q, C)."""
    window, anchors, turns, states, joints, moving, frames, gravity = scenes
    for b in range(seen.shape[0]):
        scene = (window[b], anchors[b], turns[b], states[b], joints[b], moving[b], frames[b], gravity)
        for start in range(first, last, AT_ONCE):
            end = min(last, start + AT_ONCE)
            look(vertices[start:end], scene, rest, seen[b, start:end])


@no_type_check
@compiled
def linear_part(scenes, rest, vertices, coefficients, constant, change, first, last):
    """Write the linear part's answer in world axes (B, V, 3), vertices `first` to `last`; `coefficients` are (V, 3, C)."""
    window, anchors, turns, states, joints, moving, frames, gravity = scenes
    num_features = coefficients.shape[2]
    seen = np.empty((AT_ONCE, num_features), np.float32)
    for b in range(change.shape[0]):
        scene = (window[b], anchors[b], turns[b], states[b], joints[b], moving[b], frames[b], gravity)
        f, own = frames[b], change[b]
        for start in range(first, last, AT_ONCE):
            end = min(last, start + AT_ONCE)
            look(vertices[start:end], scene, rest, seen)
            for v in range(start, end):
                looked = seen[v - start]
                of_x, of_y, of_z = coefficients[v, 0], coefficients[v, 1], coefficients[v, 2]
                x, y, z = constant[v, 0], constant[v, 1], constant[v, 2]
                for column in range(num_features):
                    x += looked[column] * of_x[column]
                    y += looked[column] * of_y[column]
                    z += looked[column] * of_z[column]
                own[v, 0] = x * f[v, 0] + y * f[v, 3] + z * f[v, 6]
                own[v, 1] = x * f[v, 1] + y * f[v, 4] + z * f[v, 7]
                own[v, 2] = x * f[v, 2] + y * f[v, 5] + z * f[v, 8]
