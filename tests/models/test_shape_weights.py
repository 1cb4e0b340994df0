"""Weights of shapes from a skeleton's motion: what they see, against windows of the same motion, and what leaves them as is."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from data.sequences.run_up import before_first, known_frames
from models.oscillators import HISTORY, PERIODS, oscillator_states
from models.shape_weights import ShapeWeights, inverse

RANDOM = np.random.default_rng(0)
BEFORE = torch.from_numpy(before_first(HISTORY, "fading")).float()
UP = torch.tensor([0.0, 1.0, 0.0])


def skeleton(num_frames, num_joints=4):
    """Matrices to world space (T, J, 4, 4) of joints that wander about."""
    turns = 0.1 * RANDOM.normal(size=(num_frames, num_joints, 3)).cumsum(axis=0)
    matrices = np.tile(np.eye(4), (num_frames, num_joints, 1, 1))
    matrices[..., :3, :3] = Rotation.from_rotvec(turns.reshape(-1, 3)).as_matrix().reshape(num_frames, num_joints, 3, 3)
    matrices[..., :3, 3] = 0.05 * RANDOM.normal(size=(num_frames, num_joints, 3)).cumsum(axis=0)
    return torch.tensor(matrices, dtype=torch.float32)


def shape_weights(num_anchors=5, num_shapes=3):
    """With the first joint at the top, and the others below it one after the other."""
    influences = torch.tensor(RANDOM.dirichlet(np.ones(4), num_anchors), dtype=torch.float32)
    bind = torch.eye(4).repeat(4, 1, 1)
    bind[:, :3, 3] = torch.tensor(RANDOM.normal(size=(4, 3)))
    anchors = torch.tensor(RANDOM.normal(size=(num_anchors, 3)), dtype=torch.float32)
    return ShapeWeights(torch.tensor([-1, 0, 1, 2]), bind, anchors, influences, UP, BEFORE, num_shapes)


def seen_in(module, joints):
    state, seen = tuple(torch.zeros(shape) for shape in module.state_shapes.values()), []
    for frame in joints:
        now, state = module.features(frame, state)
        seen.append(now)
    return torch.stack(seen)


def test_inverses():
    matrices = torch.tensor(RANDOM.normal(size=(2, 5, 3, 3)), dtype=torch.float64)
    torch.testing.assert_close(inverse(matrices), torch.linalg.inv(matrices))
    assert torch.isfinite(inverse(torch.zeros(1, 3, 3))).all()


def test_what_is_seen_is_what_windows_of_the_motion_show():
    """A loop over anchors, and oscillators of a history that begins as the first frames say."""
    module, joints = shape_weights(), skeleton(HISTORY + 4)
    seen = seen_in(module, joints)
    moves = joints @ module.inverse_bind
    places, axes = [], []
    for anchor, weights in zip(module.anchors, module.influences, strict=True):
        blended = sum(weight * moves[:, joint] for joint, weight in enumerate(weights))
        axes.append(blended[:, :3, :3])
        places.append(blended[:, :3, :3] @ anchor + blended[:, :3, 3])
    places, axes = torch.stack(places, 1), torch.stack(axes, 1)
    turned = torch.stack([torch.linalg.inv(joints[:, j - 1, :3, :3]) @ joints[:, j, :3, :3] for j in (1, 2, 3)], 1)
    torch.testing.assert_close(seen[:, :27], turned.flatten(1), atol=1e-5, rtol=0)
    torch.testing.assert_close(seen[:, 27:42], (torch.linalg.inv(axes) @ UP).flatten(1), atol=1e-5, rtol=0)
    for frame in (0, 1, 2, 3, HISTORY - 1, HISTORY, HISTORY + 3):
        known = torch.from_numpy(known_frames(places[: min(frame + 1, 3)].numpy()))  # when no later frame is
        path = torch.cat([torch.einsum("hk,kac->hac", BEFORE, known), places[: frame + 1]])
        states = oscillator_states(path[-HISTORY:].unsqueeze(0))[0]  # (A, O, 3)
        local = torch.einsum("axy,aoy->oax", torch.linalg.inv(axes[frame]), states)
        torch.testing.assert_close(seen[frame, 57:], local.flatten(), atol=1e-4, rtol=0)
        moved = torch.einsum("axy,ay->ax", torch.linalg.inv(axes[frame]), places[frame] - places[max(0, frame - 1)])
        torch.testing.assert_close(seen[frame, 42:57], moved.flatten(), atol=1e-4, rtol=0)
    assert module.groups() == [27, *[15] * (2 + 2 * len(PERIODS))]
    assert sum(module.groups()) == seen.shape[1]


def test_turning_about_up_and_moving_the_world_changes_nothing():
    module, joints = shape_weights(), skeleton(6)
    turn = np.eye(4)
    turn[:3, :3], turn[:3, 3] = Rotation.from_rotvec([0, 1.2, 0]).as_matrix(), [3, -1, 2]
    moved = torch.tensor(turn, dtype=torch.float32) @ joints
    torch.testing.assert_close(seen_in(module, moved), seen_in(module, joints), atol=1e-4, rtol=0)
    tipped = torch.tensor(np.diag([1.0, -1, -1, 1]), dtype=torch.float32) @ joints  # upside down
    assert (seen_in(module, tipped)[:, 27:42] - seen_in(module, joints)[:, 27:42]).abs().max() > 1


def test_weights_are_shares_of_the_range_of_training():
    module, joints = shape_weights(), skeleton(1)
    state = tuple(torch.zeros(shape) for shape in module.state_shapes.values())
    module.constant.copy_(torch.tensor([-5.0, 0.25, 5.0]))
    module.lowest, module.highest = torch.full((3,), -1.0), torch.full((3,), 1.5)
    weights, *following = module(joints[0], *state)
    assert weights.tolist() == [1.0, 0.0, 0.5, 1.0]
    assert [each.shape for each in following] == [torch.Size(shape) for shape in module.state_shapes.values()]
