"""What came before the first frame: guesses in closed form, and rest poses that are where the body is."""

import numpy as np
from scipy.spatial.transform import Rotation

from data.sequences.mesh_windows import MeshWindows, all_windows
from data.sequences.run_up import FADING, RunUp, before_first, known_frames

RANDOM = np.random.default_rng(0)


def test_accelerations_fade_going_back():
    first = RANDOM.normal(size=(3, 4, 3))
    path = np.concatenate([np.tensordot(before_first(6, "fading"), first, axes=1), first])
    accelerations = np.diff(path, n=2, axis=0)  # of frames -5 to 1
    for back in range(6):
        np.testing.assert_allclose(accelerations[5 - back], FADING**back * accelerations[6])
    np.testing.assert_allclose(before_first(2, "fading"), before_first(6, "fading")[4:])
    assert before_first(0, "fading").shape == (0, 3)


def test_what_moves_steadily_moved_steadily_and_what_stands_stood():
    steady = np.arange(3.0)[:, None, None] + np.zeros((1, 2, 3))
    for first in (steady, steady[:2]):
        before = np.tensordot(before_first(4, "fading"), known_frames(first), axes=1)
        np.testing.assert_allclose(before[:, 0, 0], [-4, -3, -2, -1])
    np.testing.assert_allclose(
        np.tensordot(before_first(4, "fading"), known_frames(steady[:1]), axes=1), np.zeros((4, 2, 3))
    )


def test_still_and_out_of_the_rest_pose():
    first, rest = RANDOM.normal(size=(3, 5, 3)), RANDOM.normal(size=(5, 3))
    frames = np.array([-20, -10, -5, -1])
    np.testing.assert_array_equal(RunUp("still").before(frames, first), np.repeat(first[:1], 4, axis=0))
    gentle = RunUp("rest", 10, rest).before(frames, first, rest)
    np.testing.assert_allclose(gentle[:2], [rest, rest])
    np.testing.assert_allclose(gentle[2], (rest + first[0]) / 2)
    np.testing.assert_allclose(gentle[3] - first[0], 0.028 * (rest - first[0]))
    np.testing.assert_array_equal(RunUp("rest", 10).before(frames, first), np.repeat(first[:1], 4, axis=0))  # joints


def test_the_rest_pose_is_put_where_the_body_is():
    rest, turn = RANDOM.normal(size=(9, 3)), Rotation.from_rotvec([1, 2, -1]).as_matrix()
    here = rest @ turn.T + [5, 0, -2]
    np.testing.assert_allclose(RunUp("rest", 3, rest).placed_at(here), here, atol=1e-12)
    mirrored = rest * [-1, 1, 1]
    placed = RunUp("rest", 3, rest).placed_at(mirrored)
    centred = placed - placed.mean(axis=0), rest - rest.mean(axis=0)
    turned, *_ = np.linalg.lstsq(centred[1], centred[0], rcond=None)
    np.testing.assert_allclose(np.linalg.det(turned), 1)  # bodies are not mirrored
    assert RunUp("still").placed_at(here) is None


def test_windows_begin_as_they_are_told(make_tube_sequence):
    sequence = make_tube_sequence(6)
    rest = sequence.skinned[4]
    windows = MeshWindows([sequence], 3, all_windows([sequence], 3).entries, RunUp("rest", 2, rest))
    placed = windows.run_up.placed_at(sequence.skinned[0])
    first = windows.skinned(np.array([0]))[0]
    np.testing.assert_allclose(first, [placed, (placed + sequence.skinned[0]) / 2, sequence.skinned[0]], atol=1e-6)
    history = windows.history(np.array([1]), np.array([3, 40]), 5)[0]
    np.testing.assert_allclose(history[:2], [placed[[3, 40]]] * 2, atol=1e-6)
    still = MeshWindows([sequence], 3, windows.entries, RunUp("still"))
    np.testing.assert_array_equal(still.skinned(np.array([0]))[0], [sequence.skinned[0]] * 3)
