from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data.input_error import InputError
from data.sequences.plausibility import check_plausible


@pytest.fixture
def clip(make_tube_sequence):
    return make_tube_sequence(40)


def test_what_was_given_is_said(clip):
    (line,) = check_plausible([clip, clip], 1.0)
    size = np.median(np.ptp(clip.skinned, axis=1).max(axis=1))
    assert line.startswith(f"given: 2 sequences, 80 frames of 72 vertices, a body of {size:.2g}")


def larger(clip):
    clip.scan *= 1000


def smaller(clip):
    clip.scan /= 25.4


def z_up(clip):
    clip.scan = (
        Rotation.from_euler("x", 90, degrees=True).apply(clip.scan.reshape(-1, 3)).reshape(clip.scan.shape).astype("f4")
    )


def mirrored_about(clip):
    clip.scan[..., [0, 2]] *= -1


def elsewhere(clip):
    clip.scan += np.float32([3, 0, 0])


def same(clip):
    clip.scan = clip.skinned.copy()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (larger, r"scans 1e\+03 times as large as the skinned meshes, about 1000, expected the same units"),
        (smaller, r"scans 0\.039\d times as large as the skinned meshes, about 1 / 25\.4, expected"),
        (z_up, "scans turned by 90° about x against the skinned meshes, expected the same axes"),
        (mirrored_about, "scans turned by -?180° about y"),
        (elsewhere, r"scans 3 m away from the skinned meshes \(3, .*\), expected the same place"),
        (same, "scans that equal the skinned meshes, expected others"),
    ],
)
@pytest.mark.parametrize("exploded", [False, True])
def test_what_cannot_be_meant(clip, change, message, exploded):
    change(clip)
    if exploded and change is not same:
        clip.scan[7, 20] += 1e4  # one failure of a registration must not hide it
    with pytest.raises(InputError, match="--target_files_dir: " + message):
        check_plausible([clip], 1.0)


@pytest.mark.parametrize(("lag", "said"), [(1, "1 frame late"), (2, "2 frames late"), (-1, "1 frame early")])
def test_scans_of_other_frames(clip, lag, said):
    clip.scan = np.roll(clip.scan, lag, axis=0)
    assert check_plausible([clip], 1.0)[1:] == [
        f"warning: the scans seem to be {said}: they fit the skinned meshes of other frames better"
    ]


@pytest.mark.parametrize("lag", [1, 2])
def test_few_scans_of_other_frames(make_tube_sequence, lag):
    sparse = make_tube_sequence(120, every=4)
    assert not check_plausible([sparse], 1.0)[1:]
    assert "120 frames (30 with scans) of 72 vertices" in check_plausible([sparse], 1.0)[0]
    sparse.scan_rows = np.roll(sparse.scan_rows, lag)
    assert f"seem to be {lag} frame{'s' * (lag > 1)} late" in check_plausible([sparse], 1.0)[1]


def test_scans_of_other_frames_from_the_middle_on(clip):
    assert not check_plausible([clip], 1.0)[1:]
    clip.scan[20:-1] = clip.scan[21:]
    (warning,) = check_plausible([clip], 1.0)[1:]
    assert warning.startswith("warning: the scans of frames 15 to 30 in tube seem to be 1 frame early")


@pytest.mark.parametrize("kind", ["scan", "skinned"])
@pytest.mark.parametrize("frames", [slice(None), slice(0, 25)])
def test_vertices_far_from_their_neighbours(clip, kind, frames):
    getattr(clip, kind)[frames, [20, 50]] += np.float32([0, 0, 1])
    name = {"scan": "scans", "skinned": "skinned meshes"}[kind]
    said = f"warning: 2 vertices of the {name} are far from their neighbours in most frames, the first is vertex 21: "
    assert said + "they are learned as they are given" in check_plausible([clip], 1.0)


def shifted(clip):
    clip.scan += np.float32([0.2, 0, 0])


def stretched(clip):
    clip.scan[..., 0] += np.float32(0.3) * (clip.scan[..., 0] - clip.scan[..., 0].mean(axis=1, keepdims=True))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (shifted, "the scans are 0.201 m away from the skinned meshes (0.201, "),
        (stretched, "the scans are 1.3 times as large as the skinned meshes along x: another body, or other units?"),
    ],
)
def test_scans_a_little_elsewhere_or_larger(clip, change, said):
    change(clip)
    assert check_plausible([clip], 1.0)[1].startswith(f"warning: {said}")


def test_one_take_of_several(clip, make_tube_sequence):
    others = [replace(make_tube_sequence(40, seed=seed), name=str(seed)) for seed in (2, 3)]
    assert len(check_plausible([clip, *others], 1.0)) == 1
    late = replace(others[1], scan=np.roll(others[1].scan, 2, axis=0))
    assert "in 3 seem to be 2 frames late" in check_plausible([clip, others[0], late], 1.0)[1]
    with pytest.raises(InputError, match="scans 100 times as large as the skinned meshes, about 100 of 3, expected"):
        check_plausible([clip, others[0], replace(others[1], scan=100 * others[1].scan)], 1.0)


def test_mirrored_scans(clip):
    clip.skinned[..., 2] += 0.2 * clip.skinned[..., 0] ** 2 + 0.3 * clip.skinned[..., 1]  # of no symmetry
    clip.scan = clip.skinned * np.float32([1, 1, -1]) + np.float32(1e-3)
    with pytest.raises(InputError, match="scans mirrored in z against the skinned meshes, expected the same axes"):
        check_plausible([clip], 1.0)


def test_too_few_frames_to_tell(make_tube_sequence):
    said = "11 frames are too few to tell which of them do not belong: nothing is left out"
    assert said in check_plausible([make_tube_sequence(11)], 1.0)
    assert said not in check_plausible([make_tube_sequence(12)], 1.0)


@pytest.mark.parametrize("seed", [3, None])
def test_scans_of_another_take_or_in_reverse(clip, make_tube_sequence, seed):
    clip.scan = clip.scan[::-1] if seed is None else make_tube_sequence(40, seed=seed).scan
    warning = check_plausible([clip], 1.0)[1]
    assert warning.endswith("as well as their own: of another take?")


def test_what_may_be_meant(clip):
    warning = check_plausible([clip], 1e-3)[1]
    assert warning.startswith("warning: a body of 0.0009")
    assert warning.endswith(" m? Say with --units what the files' numbers are")
    clip.skinned[:] = clip.skinned[0]
    assert "warning: all skinned meshes are the same: there is no motion to learn from" in check_plausible([clip], 1.0)
