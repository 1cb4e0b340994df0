import numpy as np
import pytest
from tube import tube_joints, write_tube

from data.formats.draco import write_draco
from data.formats.mesh_formats import POINTS
from data.formats.obj_writing import write_obj
from data.formats.ply import write_ply
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows

JOINTS = np.array([[0.0, 1.0, 2.0], [3.0, 4.0, 5.5]])


def read_points(path):
    return load_frames(path.parent, tuple(POINTS)).vertices[0]


def test_every_form_of_joint_file(tmp_path):
    for name in ("points/1.obj", "bones/1.obj", "array/1.npy", "text/1.txt", "draco/1.drc", "ply/1.ply"):
        (tmp_path / name).parent.mkdir()
    write_obj(tmp_path / "points/1.obj", JOINTS)
    (tmp_path / "bones/1.obj").write_text("v 0 1 2\nv 3 4 5.5\nl 1 2\n")
    np.save(tmp_path / "array/1.npy", JOINTS)
    np.savetxt(tmp_path / "text/1.txt", JOINTS)
    write_draco(tmp_path / "draco/1.drc", JOINTS, np.empty((0, 3), np.int64))
    write_ply(tmp_path / "ply/1.ply", JOINTS, np.empty((0, 3), np.int64))
    for path in tmp_path.glob("*/*"):
        points = read_points(path)
        assert points.dtype == np.float32
        np.testing.assert_array_equal(points, JOINTS)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a1.npy", np.zeros((3, 2)), r"shape \(3, 2\) \(float64\), expected numbers \(V, 3\)"),
        ("a1.npy", np.zeros((0, 3)), r"shape \(0, 3\)"),
        ("a1.npy", np.array([[0, 0, 0], [0, np.nan, 0]]), "vertex 1 is .*nan.*, expected three finite numbers"),
        ("a1.npy", np.array([[0, 1e300, 0]]), "vertex 0 is .*1e.300.*, expected three finite numbers"),
        ("a1.npy", np.array([[None, 1, 2]], dtype=object), "not a whole array of numbers"),
        ("a1.npy", b"", "not a whole array of numbers"),
        ("a1.txt", b"", r"shape \(0, 1\)"),
        ("a1.txt", b"1 2 3\n4 5\n", "not a whole array of numbers"),
        ("a1.txt", b"one two three\n", "not a whole array of numbers"),
        ("a1.obj", b"l 1 2\n", "no vertices"),
    ],
)
def test_broken_joint_files(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        np.save(path, content)
    with pytest.raises(InputError, match=f"{name}.*{message}"):
        read_points(path)


def test_joints_are_paired_with_frames(tmp_path):
    source, target, joints = write_tube(tmp_path, num_frames=6, with_joints=True)
    for folder in (source, target):
        next(folder.glob("*00003.obj")).unlink()
    sequences, _ = load_sequences([source], [target], [joints])
    expected = tube_joints(6)
    np.testing.assert_allclose(sequences[0].joints, expected[:2], atol=1e-6)
    np.testing.assert_allclose(sequences[1].joints, expected[3:], atol=1e-6)
    windows = all_windows(sequences, 3)
    window = windows.joints(np.array([1, 4]))
    # a sequence of two frames: before, it moved as in these
    np.testing.assert_allclose(window[0], [2 * expected[0] - expected[1], *expected[:2]], atol=1e-6)
    np.testing.assert_allclose(window[1], expected[[3, 4, 5]], atol=1e-6)


def test_no_joints_no_windows(make_tube_sequence):
    assert all_windows([make_tube_sequence(3)], 2).joints(np.array([0, 1])) is None


def test_joints_that_do_not_fit(tmp_path):
    source, target, joints = write_tube(tmp_path, num_frames=4, with_joints=True)
    with pytest.raises(InputError, match="--joint_files_dir: found 2 folders, expected one per source folder, 1"):
        load_sequences([source], [target], [joints, joints])
    path = joints / "tube_joints.00003.obj"
    path.write_text(path.read_text() + "v 0 0 0\n")
    with pytest.raises(InputError, match=r"tube_joints\.00003\.obj: 6 vertices, expected 5 as in .*00001\.obj"):
        load_sequences([source], [target], [joints])
    path.unlink()
    with pytest.raises(InputError, match=r"1 of the 4 frames .* no joints, the first is frame 3"):
        load_sequences([source], [target], [joints])


def test_two_folders_with_different_joints(tmp_path):
    source, target, joints = write_tube(tmp_path, num_frames=3, with_joints=True)
    source_2, target_2, joints_2 = write_tube(tmp_path, "other/tube", num_frames=3, with_joints=True)
    for path in joints_2.iterdir():
        path.write_text(path.read_text() + "v 0 0 0\n")
    with pytest.raises(InputError, match="6 joints, expected 5"):
        load_sequences([source, source_2], [target, target_2], [joints, joints_2])
