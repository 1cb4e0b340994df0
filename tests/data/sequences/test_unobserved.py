from dataclasses import replace

import numpy as np
import pytest
from tube import AROUND, RINGS, tube_frames, tube_quads, tube_scans, tube_triangles, write_tube

from data.formats.arrays import write_npz
from data.formats.polygons import Polygons
from data.input_error import InputError
from data.sequences.descriptions import describe_unobserved
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows, split_windows
from data.sequences.unobserved import HarmonicFill


def scans_with_holes(path, holes, num_frames=12):
    """Write the scans of a tube without the vertices that `holes` (T, V) say."""
    scans = np.where(holes[..., None], np.nan, tube_scans(tube_frames(num_frames))).astype(np.float32)
    write_npz(path, list(range(1, num_frames + 1)), scans, Polygons.from_rows(tube_quads()))
    return scans


def test_filled_between_two_ends_it_is_linear():
    """On a straight tube of equal rings, what is known of both ends alone follows a straight line between them."""
    along = np.repeat(np.linspace(0, 1, RINGS), AROUND)
    angle = np.tile(2 * np.pi * np.arange(AROUND) / AROUND, RINGS)
    straight = np.stack([along, 0.1 * np.cos(angle), 0.1 * np.sin(angle)], axis=1)
    truth = along[:, None] * [1.0, -2.0, 0.5] + [0.1, 0.2, 0.3]
    known = (along == 0) | (along == 1)
    filled = HarmonicFill(straight, tube_triangles())(np.where(known[:, None], truth, np.nan))
    np.testing.assert_allclose(filled, truth, atol=1e-6)
    assert np.array_equal(filled[known], truth[known])


def test_parts_of_their_own_follow_what_is_nearest():
    """A small tube beside a large one, which is known to move by one at its near end and by three at its far end."""
    small = tube_frames(1)[0][: 3 * AROUND] * 0.2 - [0.3, 0, 0]
    apart = np.concatenate([tube_frames(1)[0], small])
    faces = np.concatenate([tube_triangles(), tube_triangles()[: 4 * AROUND] + 72])
    values = np.full((72 + 3 * AROUND, 3), np.nan)
    values[:72] = np.where(np.repeat(np.arange(RINGS), AROUND)[:, None] < 3, 1.0, 3.0)
    values[5] = np.nan
    filled = HarmonicFill(apart, faces)(values)
    np.testing.assert_allclose(filled[[5, *range(72, 72 + 3 * AROUND)]], 1, atol=1e-6)
    np.testing.assert_allclose(HarmonicFill(apart, faces)(np.full_like(values, np.nan)), 0, atol=1e-9)


def test_holes_are_read_in_scans_alone(tmp_path):
    source, _ = write_tube(tmp_path)
    holes = np.random.default_rng(0).random((12, 72)) < 0.3
    holes[:, 7] = True
    holes[4] = True
    scans = scans_with_holes(tmp_path / "scans.npz", holes)
    (sequence,), _ = load_sequences([source], [tmp_path / "scans.npz"])
    assert sequence.scanned.tolist() == [*range(4), *range(5, 12)]
    for frame in range(12):
        np.testing.assert_array_equal(sequence.scan_of(frame), scans[frame])
        np.testing.assert_array_equal(sequence.weights_of(frame), ~holes[frame])
    training, _ = split_windows([sequence], 1, 2)
    assert training.never_observed.tolist() == [7]
    assert describe_unobserved(training) == [
        "1 vertices are in no scan (the first is vertex 8): corrected as those around them"
    ]
    with pytest.raises(InputError, match=r"scans\.npz: frame 1: vertex \d+ is \[nan, nan, nan\].*only scans may lack"):
        load_sequences([tmp_path / "scans.npz"], None)
    scans_with_holes(tmp_path / "nothing.npz", np.ones((12, 72), bool))
    with pytest.raises(InputError, match=r"nothing\.npz: no vertex of any scan is observed"):
        load_sequences([source], [tmp_path / "nothing.npz"])


def test_what_is_learned_of_scans_with_holes(make_tube_sequence):
    sequence = replace(make_tube_sequence(), has_holes=True)
    skinned, whole = sequence.skinned, sequence.scan.copy()
    sequence.scan[3, 10:20] = np.nan
    sequence.scan[:, 50] = np.nan
    windows = all_windows([sequence], 1)
    assert windows.never_observed.tolist() == [50]
    scan, weights = windows.to_learn(np.arange(12))
    expected = np.ones((12, 72))
    expected[3, 10:20] = 0
    np.testing.assert_array_equal(weights, expected)
    np.testing.assert_array_equal(scan[3, 10:20], skinned[3, 10:20])
    others = np.arange(72) != 50
    np.testing.assert_array_equal(scan[:3, others], whole[:3, others])
    # corrected as those around it, weighted by how near they are
    fill = HarmonicFill(skinned[0], tube_triangles())
    near = fill.weights[50].toarray().ravel()
    mean = (near[:, None] * (whole - skinned)[:, :]).sum(axis=1) / near.sum()
    np.testing.assert_allclose((scan - skinned)[:3, 50], mean[:3], atol=1e-6)


def test_whole_scans_have_no_weights(make_tube_sequence):
    sequence = make_tube_sequence()
    windows = all_windows([sequence], 1)
    scan, weights = windows.to_learn(np.arange(12))
    assert weights is None
    np.testing.assert_array_equal(scan, sequence.scan)
    assert not len(windows.never_observed)


def test_weights_of_zero_are_holes_and_frames_without_weight_have_no_scan(tmp_path):
    source, target = write_tube(tmp_path)
    weights = np.random.default_rng(0).random((12, 72)).astype(np.float32)
    weights[2, 5:9] = 0
    weights[6] = 0
    np.save(tmp_path / "rows.npy", weights)
    np.savez(tmp_path / "numbered.npz", weights=weights[::-1], frame_numbers=np.arange(12, 0, -1))
    for name in ("rows.npy", "numbered.npz"):
        (sequence,), _ = load_sequences([source], [target], None, [tmp_path / name])
        assert 6 not in sequence.scanned
        assert np.isnan(sequence.scan_of(2)[5:9]).all()
        for frame in sequence.scanned:
            np.testing.assert_array_equal(sequence.weights_of(frame), weights[frame])
    assert sequence.fingerprints["scan weights"] == sequence.piece(2, 5).fingerprints["scan weights"]
    np.testing.assert_array_equal(sequence.piece(5, 9).weights_of(3), weights[8])
    np.save(tmp_path / "one.npy", weights[0])
    (sequence,), _ = load_sequences([source], [target], None, [tmp_path / "one.npy"])
    np.testing.assert_array_equal(sequence.weights_of(11), weights[0])


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(71), r"weights of 71 vertices, expected 72 as in .*tube_target\.00001\.obj"),
        (np.ones((11, 72)), r"weights of 11 frames, expected 12 as in .*, or one of all; or their numbers"),
        (np.zeros(72), "no vertex of any scan is observed"),
    ],
)
def test_weights_that_do_not_fit(tmp_path, weights, message):
    source, target = write_tube(tmp_path)
    np.save(tmp_path / "weights.npy", weights)
    with pytest.raises(InputError, match=message):
        load_sequences([source], [target], None, [tmp_path / "weights.npy"])


def test_weights_of_other_frames_or_of_nothing(tmp_path):
    source, target = write_tube(tmp_path)
    np.savez(tmp_path / "weights.npz", weights=np.ones((12, 72)), frame_numbers=np.arange(3, 15))
    with pytest.raises(InputError, match=r"no weights of 2 of the 12 frames in .*, the first is frame 1"):
        load_sequences([source], [target], None, [tmp_path / "weights.npz"])
    with pytest.raises(InputError, match="--scan_weights: found without scans, expected both or neither"):
        load_sequences([source], None, None, [tmp_path / "weights.npz"])
    with pytest.raises(InputError, match=r"--scan_weights: found 2 .*, expected one per source folder, 1"):
        load_sequences([source], [target], None, 2 * [tmp_path / "weights.npz"])
