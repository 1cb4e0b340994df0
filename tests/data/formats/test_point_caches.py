"""Point caches, byte by byte, and what is refused."""

import struct

import numpy as np
import pytest
from tube import tube_frames, tube_quads

from data.formats.obj_writing import write_obj
from data.formats.point_caches import write_mdd, write_pc2
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

VERTICES = tube_frames(3).astype(np.float32)


def test_the_bytes_of_pc2(tmp_path):
    write_pc2(tmp_path / "a.pc2", [4, 6, 8], VERTICES)
    content = (tmp_path / "a.pc2").read_bytes()
    assert content[:32] == struct.pack("<12siiffi", b"POINTCACHE2\0", 1, 72, 4.0, 2.0, 3)
    assert content[32:] == VERTICES.astype("<f4").tobytes()
    frames = load_frames(tmp_path / "a.pc2")
    assert frames.frame_numbers == [4, 6, 8]
    np.testing.assert_array_equal(frames.vertices, VERTICES)


def test_the_bytes_of_mdd(tmp_path):
    write_mdd(tmp_path / "a.mdd", [4, 6, 9], VERTICES, 25.0)
    content = (tmp_path / "a.mdd").read_bytes()
    assert content[:20] == struct.pack(">iifff", 3, 72, 4 / 25, 6 / 25, 9 / 25)
    assert content[20:] == VERTICES.astype(">f4").tobytes()
    np.testing.assert_array_equal(load_frames(tmp_path / "a.mdd").vertices, VERTICES)


def test_a_nan_that_signals_is_not_observed(tmp_path):
    vertices = VERTICES.astype(">f4")
    vertices.view(">u4")[1, 2, 0] = 0x7F800001
    content = struct.pack(">iifff", 3, 72, 0.04, 0.08, 0.12) + vertices.tobytes()
    (tmp_path / "a.mdd").write_bytes(content)
    frames = load_frames(tmp_path / "a.mdd", with_holes=True)
    assert np.flatnonzero(np.isnan(frames.vertices)).tolist() == [222, 223, 224]


def test_mdd_that_begins_at_zero_is_counted(tmp_path):
    (tmp_path / "a.mdd").write_bytes(struct.pack(">iifff", 3, 72, 0, 0.04, 0.08) + VERTICES.astype(">f4").tobytes())
    frames = load_frames(tmp_path / "a.mdd")
    assert frames.frame_numbers == [1, 2, 3]
    assert frames.counted


@pytest.mark.parametrize("ending", [".pc2", ".mdd"])
def test_faces_are_those_of_the_mesh_that_is_named(tmp_path, monkeypatch, ending):
    write = write_pc2 if ending == ".pc2" else lambda *given: write_mdd(*given, 30.0)
    (tmp_path / "in").mkdir()
    write(tmp_path / f"in/a{ending}", [1, 2, 3], VERTICES)
    write_obj(tmp_path / "in/rest.obj", VERTICES[0], tube_quads())
    np.savez(tmp_path / "rest.npz", vertices=VERTICES[:1], faces=tube_quads())
    monkeypatch.chdir(tmp_path)
    for part in ("rest.obj", "rest.npz", tmp_path / "in/rest.obj"):
        frames = load_frames(tmp_path / f"in/a{ending}:{part}")
        np.testing.assert_array_equal(frames.polygons.corners, tube_quads().ravel())
        assert frames.files[0] == tmp_path / f"in/a{ending}"
        assert frames.names[0] == "a.00001"
    write_obj(tmp_path / "in/rest.obj", VERTICES[0], tube_quads()[:-1])  # and where that changes, it is read again
    assert len(load_frames(tmp_path / f"in/a{ending}:rest.obj").polygons.sizes) == len(tube_quads()) - 1
    write_obj(tmp_path / "in/rest.obj", VERTICES[0, :-1], tube_quads()[:-8])
    with pytest.raises(InputError, match=rf"a{ending}: 72 vertices, expected 71 as in .*rest\.obj"):
        load_frames(tmp_path / f"in/a{ending}:rest.obj")
    for part, message in (
        ("none.obj", "none.obj: no such folder or file"),
        ("../in", "found a folder, expected the mesh"),
    ):
        with pytest.raises(InputError, match=message):
            load_frames(tmp_path / f"in/a{ending}:{part}")


PC2 = struct.Struct("<12siiffi")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pc2", PC2.pack(b"POINTCACHE2\0", 1, 2, 1.0, 0.5, 1) + bytes(24), "0.5 frames apart from frame 1 on"),
        ("a.pc2", PC2.pack(b"POINTCACHE2\0", 1, 2, 1.5, 1.0, 1) + bytes(24), "1 frames apart from frame 1.5 on"),
        ("a.pc2", PC2.pack(b"POINTCACHE2\0", 1, 2, float("nan"), 1.0, 1) + bytes(24), "from frame nan on"),
        ("a.pc2", PC2.pack(b"POINTCACHE2\0", 2, 2, 1.0, 1.0, 1) + bytes(24), "version 2, at its beginning"),
        ("a.pc2", PC2.pack(b"POINTCACHE2\0", 1, 2, 1.0, 1.0, 9) + bytes(24), "56 bytes, expected as many as 9 samples"),
        ("a.pc2", PC2.pack(b"POINTCACHE2\0", 1, 2**30, 1.0, 1.0, 2**30), "32 bytes, expected as many as"),
        ("a.pc2", PC2.pack(b"POINTCACHE2\0", 1, -2, 1.0, 1.0, -1) + bytes(24), "expected as many as -1 samples of -2"),
        ("a.pc2", b"POINTCACHE2\0", "not a whole PC2 file"),
        ("a.mdd", b"\0\0\0", "not a whole MDD file"),
        ("a.mdd", struct.pack(">ii", 3, 2) + bytes(12), "20 bytes, expected as many as 3 samples of 2 points"),
        ("a.mdd", struct.pack("<ii", 1, 2) + bytes(28), "another kind than its name says"),
        ("a.mdd", struct.pack(">ii", 2, 1) + bytes(32), "times of samples that do not rise"),
        ("a.mdd", struct.pack(">iif", 1, 1, 0.5) + struct.pack(">fff", 0, float("inf"), 0), "expected three finite numbers"),
    ],
)  # fmt: skip
def test_caches_that_cannot_be_used(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: .*{message}"):
        load_frames(tmp_path / name)


def test_pc2_knows_no_gaps(tmp_path):
    with pytest.raises(
        InputError, match=r"a\.pc2: frames 1 and 3 apart, expected the same everywhere: PC2 knows no gaps"
    ):
        write_pc2(tmp_path / "a.pc2", [1, 2, 5], VERTICES)
    assert not list(tmp_path.iterdir())
