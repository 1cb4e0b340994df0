import numpy as np
import pytest

from data.input_error import InputError
from data.sequences.mesh_windows import all_windows, split_last, split_windows, window_frames


def before(positions, count):
    """So many frames before the first: accelerations of 0.7, 0.49, ... of that of the first three frames, added up."""
    here, speed = positions[0].astype(float), positions[1].astype(float) - positions[0]
    acceleration = positions[2].astype(float) - 2 * positions[1] + positions[0]
    for _ in range(count):
        speed = speed - acceleration
        here, acceleration = here - speed, 0.7 * acceleration
    return here


@pytest.mark.parametrize("num_condition_frames", [1, 2, 3, 7])
def test_windows_against_a_naive_loop(make_tube_sequence, num_condition_frames):
    sequences = [make_tube_sequence(5, seed=0), make_tube_sequence(4, seed=1)]
    windows = all_windows(sequences, num_condition_frames)
    assert len(windows) == 9
    index = 0
    for sequence in sequences:
        for frame in range(len(sequence.skinned)):
            window = windows.skinned(np.array([index]))[0]
            assert window.shape[0] == num_condition_frames
            for back in range(num_condition_frames):
                # before the start it is as the first three frames say, never one of another sequence
                there = sequence.skinned[frame - back] if frame >= back else before(sequence.skinned, back - frame)
                np.testing.assert_allclose(window[-1 - back], there, atol=1e-5 * (frame < back))
            np.testing.assert_array_equal(windows.scan(np.array([index]))[0], sequence.scan[frame])
            index += 1


def test_the_current_frame_is_the_last():
    assert window_frames(np.array([0, 1, 5]), 3).tolist() == [[-2, -1, 0], [-1, 0, 1], [3, 4, 5]]


def test_a_share_of_each_sequence_is_its_last_frames(make_tube_sequence):
    windows = all_windows([make_tube_sequence(41), make_tube_sequence(19), make_tube_sequence(20)], 3)
    first, last = split_last(windows, 1 / 20)
    assert last.entries.tolist() == [[0, 39], [0, 40], [2, 19]]
    assert sorted(first.entries.tolist() + last.entries.tolist()) == windows.entries.tolist()
    assert first.num_condition_frames == 3
    everything, nothing = split_last(windows, 0.0)
    assert (len(everything), len(nothing)) == (80, 0)


def test_last_frames_of_each_sequence_are_held_out(make_tube_sequence):
    sequences = [make_tube_sequence(5), make_tube_sequence(4)]
    training, held_out = split_windows(sequences, 3, 2)
    assert training.entries.tolist() == [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1]]
    assert held_out.entries.tolist() == [[0, 3], [0, 4], [1, 2], [1, 3]]
    training, held_out = split_windows(sequences, 3, 0)
    assert (len(training), len(held_out)) == (9, 0)


def test_holding_out_everything_is_an_error(make_tube_sequence):
    with pytest.raises(InputError, match=r"a sequence of 4 frames .* more than the 4"):
        split_windows([make_tube_sequence(5), make_tube_sequence(4)], 1, 4)


def test_history_against_a_naive_one(make_tube_sequence):
    sequence = make_tube_sequence(9)
    windows = all_windows([sequence], 3)
    vertices = np.array([3, 40])
    history = windows.history(np.array([5, 2, 0]), vertices, num_frames=4)
    np.testing.assert_array_equal(history[0], sequence.skinned[2:6][:, vertices])
    some = sequence.skinned[:, vertices]
    np.testing.assert_allclose(history[1, 0], before(some, 1), atol=1e-5)
    np.testing.assert_array_equal(history[1, 1:], some[:3])
    np.testing.assert_allclose(history[2], [*(before(some, count) for count in (3, 2, 1)), some[0]], atol=1e-5)


def test_history_of_a_frame_is_the_same_in_any_batch(make_tube_sequence):
    windows = all_windows([make_tube_sequence(20)], 3)
    vertices = np.arange(5)
    together = windows.history(np.arange(20), vertices, 64)
    for frame in (0, 7, 19):
        np.testing.assert_array_equal(windows.history(np.array([frame]), vertices, 64)[0], together[frame])


def test_frames_without_a_scan_are_neither_trained_on_nor_held_out(make_tube_sequence):
    whole, sparse = make_tube_sequence(30), make_tube_sequence(30, every=4)
    training, held_out = split_windows([sparse], 3, 2)
    assert training.entries[:, 1].tolist() == [0, 4, 8, 12, 16, 20]
    assert held_out.entries[:, 1].tolist() == [24, 28]
    of_all = all_windows([whole], 3)
    frames = training.entries[:, 1]
    np.testing.assert_array_equal(training.skinned(np.arange(6)), of_all.skinned(frames))  # the others are context
    np.testing.assert_array_equal(
        training.history(np.arange(6), np.array([3]), 9), of_all.history(frames, np.array([3]), 9)
    )
    np.testing.assert_array_equal(training.scan(np.arange(6)), of_all.scan(frames))
    every = all_windows([sparse], 3)
    assert [frame for frame in range(30) if every.has_scan(frame)] == list(range(0, 30, 4))
    assert np.isnan(every.scan(np.array([1, 2, 3]))).all()
    with pytest.raises(InputError, match=r"a sequence of 8 frames .* to train on, expected more than the 8"):
        split_windows([sparse], 3, 8)
