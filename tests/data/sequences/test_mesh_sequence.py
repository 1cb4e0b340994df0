import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from tube import tube_frames, tube_quads, tube_scans, tube_triangles, write_tube

from data.formats.obj import read_obj
from data.formats.obj_writing import write_obj
from data.input_error import InputError
from data.sequences import frame_files, mesh_cache, mesh_frames, parallel
from data.sequences.descriptions import describe_sequences
from data.sequences.mesh_cache import cache_folder
from data.sequences.mesh_frames import list_frames, load_frames
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows
from data.sequences.predicted_meshes import load_predictions


def test_frames_pair_by_number_in_numeric_order(tmp_path):
    for name in ("a_10.obj", "a_9.obj", "a2_100.OBJ", "notes.txt", ".hidden_1.obj"):
        (tmp_path / name).write_text("v 0 0 0\n")
    assert {number: path.name for number, path in list_frames(tmp_path).items()} == {
        9: "a_9.obj",
        10: "a_10.obj",
        100: "a2_100.OBJ",
    }
    assert list(list_frames(tmp_path)) == [9, 10, 100]


def test_reads_what_read_obj_reads(tmp_path):
    source, target = write_tube(tmp_path, num_frames=4)
    sequences, faces = load_sequences([source], [target])
    assert len(sequences) == 1
    np.testing.assert_array_equal(faces, read_obj(sequences[0].files[0])[1].triangles())
    assert {tuple(sorted(face)) for face in faces.tolist()} == {
        tuple(sorted(face)) for face in tube_triangles().tolist()
    }
    for frame, path in enumerate(sequences[0].files):
        np.testing.assert_array_equal(sequences[0].skinned[frame], read_obj(path)[0])
        scan = read_obj(target / path.name.replace("sbs", "target"))[0]
        np.testing.assert_array_equal(sequences[0].scan[frame], scan)


def test_a_gap_ends_a_sequence(tmp_path):
    source, target = write_tube(tmp_path, num_frames=6)
    for folder in (source, target):
        next(folder.glob("*00003.obj")).unlink()
    sequences, _ = load_sequences([source], [target])
    assert [sequence.frame_numbers.tolist() for sequence in sequences] == [[1, 2], [4, 5, 6]]
    assert describe_sequences(sequences) == [
        f"{source}: frames 1 to 2, 72 vertices",
        f"{source}: frames 4 to 6, 72 vertices; a sequence of its own, for frame 3 is not there",
    ]


def test_many_files_are_read_by_processes(tmp_path, monkeypatch):
    source, _ = write_tube(tmp_path, num_frames=6)
    serial = np.array(load_frames(source).vertices)
    monkeypatch.setenv("SKIN2SCAN_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(parallel, "FILES_WORTH_A_POOL", 1)
    monkeypatch.setattr(parallel.os, "cpu_count", lambda: 2)
    np.testing.assert_array_equal(load_frames(source).vertices, serial)


def test_second_start_reads_the_cache_alone(tmp_path, monkeypatch):
    source, _ = write_tube(tmp_path, num_frames=3)
    first = load_frames(source)
    monkeypatch.setattr(mesh_frames, "open_frames", None)
    again = load_frames(source)
    np.testing.assert_array_equal(again.vertices, first.vertices)
    assert isinstance(again.vertices, np.memmap)


def test_a_changed_file_is_read_again(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    load_frames(source)
    write_obj(source / "tube_sbs.00002.obj", tube_frames(1)[0] + 1, tube_quads())
    np.testing.assert_allclose(load_frames(source).vertices[1], tube_frames(1)[0] + 1, atol=1e-6)


def entries():
    return [path for path in cache_folder().iterdir() if path.suffix != ".lock"]


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip_a_bit(path):
    contents = bytearray(path.read_bytes())
    contents[len(contents) // 2] ^= 1
    path.write_bytes(contents)


@pytest.mark.parametrize("harm", [cut_short, flip_a_bit, Path.unlink])
@pytest.mark.parametrize("name", ["vertices.npy", "topology.npz", "checksums.json"])
def test_a_damaged_cache_is_read_again_and_said_once(tmp_path, monkeypatch, capsys, harm, name):
    monkeypatch.setenv("SKIN2SCAN_CACHE", str(tmp_path / "cache"))
    source, _ = write_tube(tmp_path, num_frames=3)
    expected = np.array(load_frames(source).vertices)
    (entry,) = entries()
    harm(entry / name)
    capsys.readouterr()
    np.testing.assert_array_equal(load_frames(source).vertices, expected)
    assert capsys.readouterr().out == f"{entry}: damaged, so {source} is read again\n"
    load_frames(source)
    assert capsys.readouterr().out == ""


def test_a_cache_of_another_version_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("SKIN2SCAN_CACHE", str(tmp_path / "cache"))
    source, _ = write_tube(tmp_path, num_frames=3)
    with monkeypatch.context() as other_version:
        other_version.setattr(mesh_cache, "CACHE_FORMAT", "another")
        load_frames(source)
    (other,) = entries()
    (other / "vertices.npy").write_bytes(b"of a shape of its own")
    assert load_frames(source).vertices.shape == (3, 72, 3)
    assert (other / "vertices.npy").read_bytes() == b"of a shape of its own"
    assert len(entries()) == 2


def test_a_file_rewritten_with_its_old_time_is_read_again(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    load_frames(source)
    path = source / "tube_sbs.00002.obj"
    before = path.stat()
    time.sleep(0.02)
    path.write_text(path.read_text().replace("v 0", "v 9", 1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert load_frames(source).vertices[1, 0, 0] >= 9


@pytest.mark.parametrize("far_frames", [[2, 3], [0, 1], [3], [0, 1, 2, 3]])
def test_frames_far_from_the_origin_and_near_it(tmp_path, far_frames):
    frames = tube_frames(4)
    frames[far_frames] += [1e4, 0, -1e4]
    for number, vertices in enumerate(frames, 1):
        lines = ["v {:.15g} {:.15g} {:.15g}".format(*row) for row in vertices]
        lines += ["f {} {} {} {}".format(*row) for row in tube_quads() + 1]
        path = tmp_path / "far" / f"tube.{number}.obj"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines))
    sequences, _ = load_sequences([tmp_path / "far"], None)
    np.testing.assert_allclose(sequences[0].skinned, frames, rtol=0, atol=1e-7)
    windows = all_windows(sequences, 1)
    for frame in range(4):
        seen = windows.skinned(np.array([frame]))[0, 0] + windows.origin(frame)
        np.testing.assert_allclose(seen, frames[frame], rtol=0, atol=1e-7)


def test_a_frame_number_that_is_too_long(tmp_path):
    (tmp_path / "scan_20240131123456789012.obj").write_text("v 0 0 0\n")
    with pytest.raises(InputError, match="expected less than 9223372036854775808"):
        load_frames(tmp_path)


def test_one_run_at_a_time_reads_into_an_entry(tmp_path, capsys):
    source, _ = write_tube(tmp_path, num_frames=3)
    lock = FileLock(
        f"{mesh_cache.cache_folder() / mesh_cache.cache_key(source, list(list_frames(source).values()), 'meshes')}.lock"
    )
    with ThreadPoolExecutor(1) as other:
        with lock:
            reading = other.submit(load_frames, source)
            time.sleep(0.3)
            assert not reading.done()
        assert reading.result().vertices.shape == (3, 72, 3)
    assert f"{source}: another run is reading it, waiting" in capsys.readouterr().out


def test_an_interrupted_run_leaves_no_half_cache(tmp_path, monkeypatch):
    source, _ = write_tube(tmp_path, num_frames=3)
    monkeypatch.setenv("SKIN2SCAN_CACHE", str(tmp_path / "cache"))

    def interrupt(function, files, *_):
        yield function(files[0])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(frame_files, "map_in_processes", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load_frames(source)
    assert entries() == []
    assert len(load_frames(source).vertices) == 3


def test_wrong_folders(tmp_path):
    source, target = write_tube(tmp_path, num_frames=3)
    with pytest.raises(InputError, match="no such folder"):
        load_sequences([tmp_path / "none"], None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"no \.obj, \.drc, \.ply, \.npy, \.npz files"):
        load_sequences([tmp_path / "empty"], None)
    with pytest.raises(InputError, match="found 1 folders, expected one per source folder, 2"):
        load_sequences([source, source], [target])
    (source / "other.obj").write_text("v 0 0 0\n")
    with pytest.raises(InputError, match="no number in the name"):
        load_sequences([source], [target])
    (source / "other.obj").rename(source / "tube_sbs.3.obj")
    with pytest.raises(InputError, match="frame 3 is there twice"):
        load_sequences([source], [target])


def test_a_scan_without_its_frame(tmp_path):
    source, target = write_tube(tmp_path, num_frames=4)
    (source / "tube_sbs.00003.obj").unlink()
    with pytest.raises(InputError, match=r"sbs.*1 of the 4 frames .* frame 3 \(tube_target\.00003\)"):
        load_sequences([source], [target])


def test_frames_without_a_scan_are_context(tmp_path):
    source, target = write_tube(tmp_path, num_frames=9)
    for number in (1, 3, 4, 6, 9):
        (target / f"tube_target.{number:05d}.obj").unlink()
    (source / "tube_sbs.00006.obj").unlink()  # a gap
    first, second = load_sequences([source], [target])[0]
    assert (first.frame_numbers.tolist(), second.frame_numbers.tolist()) == ([1, 2, 3, 4, 5], [7, 8, 9])
    assert (first.scanned.tolist(), second.scanned.tolist()) == ([1, 4], [0, 1])
    scans = tube_scans(tube_frames(9))
    for sequence in (first, second):
        for frame, number in enumerate(sequence.frame_numbers):
            assert sequence.has_scan(frame) == (frame in sequence.scanned)
            expected = scans[number - 1] if sequence.has_scan(frame) else np.full_like(scans[0], np.nan)
            np.testing.assert_allclose(sequence.scan_of(frame), expected, atol=1e-6)
    assert [line.split(" vertices")[1] for line in describe_sequences([first, second])] == [
        ", 2 of the 5 with scans: the others are context of these",
        ", 2 of the 3 with scans: the others are context of these; a sequence of its own, for frame 6 is not there",
    ]
    without = first.piece(2, 4)
    assert (len(without.scanned), without.has_scan(0), without.scan.shape) == (0, False, (0, 72, 3))


def test_other_vertex_count_names_both_files(tmp_path):
    source, target = write_tube(tmp_path, num_frames=3)
    path = source / "tube_sbs.00002.obj"
    path.write_text(path.read_text() + "v 0 0 0\n")
    with pytest.raises(InputError, match=r"sbs\.00002\.obj: 73 vertices, expected 72 as in .*sbs\.00001\.obj"):
        load_sequences([source], [target])


def test_other_topology(tmp_path):
    source, target = write_tube(tmp_path, num_frames=3)
    path = target / "tube_target.00002.obj"
    text = path.read_text()
    path.write_text(text.replace("f ", "# written differently\nf ").replace("f 1 2", "f 01 2"))
    load_sequences([source], [target])  # the same faces in other words
    path.write_text(text.replace("f 1 2 10 9", "f 1 2 9 10"))
    with pytest.raises(InputError, match=r"target\.00002\.obj: other faces than .*target\.00001"):
        load_sequences([source], [target])
    path.write_text(text)
    for file in target.glob("*.obj"):
        rows = [line for line in file.read_text().splitlines() if line.startswith("v ")]
        file.write_text("\n".join([*rows[::7], *(row for index, row in enumerate(rows) if index % 7), "f 1 2 10 9\n"]))
    with pytest.raises(InputError, match=r"target\.00001\.obj: other faces than .*sbs\.00001"):
        load_sequences([source], [target])


def test_no_faces(tmp_path):
    (tmp_path / "joints.1.obj").write_text("v 0 0 0\n")
    with pytest.raises(InputError, match="no faces"):
        load_sequences([tmp_path], None)


def test_predictions_of_some_of_the_frames(tmp_path):
    source, target = write_tube(tmp_path, num_frames=6)
    for number in (1, 4):
        (source / f"tube_sbs.{number:05d}.obj").unlink()
    sequences, _ = load_sequences([source], None)
    predicted = load_predictions([target], sequences)
    expected = load_frames(target).vertices
    assert [len(each) for each in predicted] == [2, 2]  # a gap between them
    np.testing.assert_array_equal(predicted[0], expected[1:3])
    np.testing.assert_array_equal(predicted[1], expected[4:6])
    write_obj(target / "tube_target.00001.obj", np.zeros((4, 3)), np.array([[0, 1, 2, 3]]))
    for number in range(2, 7):
        shutil.copy(target / "tube_target.00001.obj", target / f"tube_target.{number:05d}.obj")
    with pytest.raises(InputError, match="4 vertices, expected 72"):
        load_predictions([target], sequences)
