import numpy as np
import pytest
from tube import tube_frames, tube_scans

from data.sequences.descriptions import describe_sequences
from data.sequences.mesh_windows import split_windows
from data.sequences.outliers import find_outliers, middle_of


@pytest.fixture
def clip(make_tube_sequence):
    sequence = make_tube_sequence(60)
    random = np.random.default_rng(0)
    sequence.scan = (sequence.scan + random.normal(0, 1e-3, sequence.scan.shape)).astype(np.float32)
    return sequence


def test_the_middle_of_three():
    random = np.random.default_rng(0)
    three = random.normal(size=(3, 9, 3))
    np.testing.assert_array_equal(middle_of(*three), np.median(three, axis=0))


def test_nothing_is_found_in_clean_takes(clip, make_tube_sequence):
    still = make_tube_sequence(20)
    still.skinned[:] = still.skinned[0]
    still.scan = still.skinned.copy()
    for sequences in ([clip], [make_tube_sequence(3)], [still], [clip, make_tube_sequence(2)]):
        assert [pieces == [sequence] for pieces, sequence in zip(find_outliers(sequences), sequences, strict=True)]
        assert all(pieces[0] is sequence for pieces, sequence in zip(find_outliers(sequences), sequences, strict=True))


def of_another_moment(clip):
    clip.scan[20] = clip.scan[3]


def zeros(clip):
    clip.scan[20] = 0


def slipped(clip):
    clip.scan[20] += [0.3, 0, 0]


def exploded(clip):
    clip.scan[20] += 1e4


@pytest.mark.parametrize("spoil", [of_another_moment, zeros, slipped, exploded])
def test_scans_that_do_not_belong_are_not_trained_on(clip, spoil):
    spoil(clip)
    training, held_out = split_windows([clip], 3, 2)
    assert training.entries[:, 1].tolist() == [frame for frame in range(58) if frame != 20]
    assert held_out.entries[:, 1].tolist() == [58, 59]
    (sequence,) = training.sequences
    np.testing.assert_array_equal(sequence.skinned, clip.skinned)  # they are context of others
    assert describe_sequences([sequence])[1] == (
        f"{clip.name}: 1 scans do not belong and are not trained on ({clip.frame_numbers[20]})"
    )


def test_a_broken_skinned_mesh_ends_a_sequence(clip):
    clip.skinned[20] = 0
    training, held_out = split_windows([clip], 3, 2)
    assert [len(piece.frame_numbers) for piece in training.sequences] == [20, 39]
    assert training.entries.tolist() == [*([0, frame] for frame in range(20)), *([1, frame] for frame in range(37))]
    assert held_out.entries.tolist() == [[1, 37], [1, 38]]
    assert "for frame 21 is not there or does not belong" in describe_sequences(training.sequences)[1]


def test_single_vertices_are_guessed(clip):
    clean = clip.scan.copy()
    random = np.random.default_rng(1)
    spoiled = random.random((60, 72)) < 0.01
    clip.scan[spoiled] += (
        random.normal(size=(spoiled.sum(), 3)) * 10.0 ** random.uniform(0, 4, (spoiled.sum(), 1))
    ).astype("f4")
    training, held_out = split_windows([clip], 3, 2)
    assert len(training) == 58
    found = np.concatenate([training.scan(np.arange(58)), held_out.scan(np.arange(2))])
    np.testing.assert_array_equal(found[~spoiled], clean[~spoiled])
    guess = clip.skinned + np.median(clean - clip.skinned, axis=0)
    assert np.abs(found - clean)[spoiled].mean() < np.abs(guess - clean)[spoiled].mean()
    line = describe_sequences(training.sequences)[1]
    frames = f"{spoiled.any(axis=1).sum()} frames, scanned or skinned, do not belong and are guessed"
    assert f"{spoiled.sum()} vertices in {frames}" in line


def test_one_vertex_ten_kilometres_away(clip):
    clip.scan[7, 20] += 1e4
    training, _ = split_windows([clip], 3, 2)
    assert np.abs(training.scan(np.array([7]))[0, 20] - clip.skinned[7, 20]).max() < 1
    assert (
        "1 vertices in 1 frames, scanned or skinned, do not belong and are guessed (first vertex 21 of frame 8)"
        in describe_sequences(training.sequences)[1]
    )


def test_among_few_scans_those_that_do_not_belong_are_found(make_tube_sequence):
    sparse = make_tube_sequence(120, every=4)
    sparse.scan[10] += [0.3, 0, 0]
    sparse.scan[20, 5] += [0, 1e3, 0]
    training, _ = split_windows([sparse], 3, 2)
    assert training.entries[:, 1].tolist() == [frame for frame in range(0, 112, 4) if frame != 40]
    (sequence,) = training.sequences
    assert list(sequence.repairs) == [80]
    repaired = training.scan(training.entries[:, 1].tolist().index(80) + np.array([0]))[0, 5]
    assert np.linalg.norm(repaired - tube_scans(tube_frames(120))[80, 5]) < 0.05
