"""The real command line of the conversion script, on real files."""

import numpy as np
import pytest
from terminal import ROOT, run_script
from tube import tube_frames, write_tube

import convert_meshes
from data.formats.mesh_formats import POINTS, said_in
from data.formats.obj_writing import write_obj
from data.input_error import InputError
from data.sequences import parallel
from data.sequences.mesh_frames import load_frames

pytestmark = pytest.mark.starts_scripts


def convert(*arguments):
    convert_meshes.main(list(map(str, arguments)))


def test_all_formats_in_a_row(tmp_path):
    source, _, joints = write_tube(tmp_path, num_frames=5, with_joints=True)
    for folder in (source, joints):
        steps = [(".drc", "drc"), (".npz",), (".usdc",), ("_ply", "ply"), (".usda",), ("_obj",)]
        path = folder
        for ending, *export in steps:
            following = tmp_path / f"{folder.parent.name}{ending}"
            convert(path, following, *(["--export", *export] if export else []))
            path = following
        before, after = load_frames(folder, tuple(POINTS)), load_frames(path, tuple(POINTS))
        np.testing.assert_array_equal(after.vertices, before.vertices)
        assert after.frame_numbers == before.frame_numbers
        assert after.polygons.are_like(before.polygons)
        assert len(list(path.glob("*.obj"))) == 5


@pytest.mark.parametrize(("flags", "rate", "count"), [(["--frame_rate", 24], 24.0, 8), ([], 30.0, 9)])
def test_a_character_is_evaluated_at_the_frame_rate(tmp_path, flags, rate, count):
    convert(ROOT / "tests/hosts/bar.fbx", tmp_path / "bar.abc", *flags)
    assert said_in(tmp_path / "bar.abc") == {"up_axis": "y", "metres_per_unit": 0.01, "frame_rate": rate}
    assert load_frames(tmp_path / "bar.abc").frame_numbers == list(range(1, count + 1))


def test_from_a_terminal_many_files_by_processes(tmp_path):
    num_frames = 2 * parallel.FILES_WORTH_A_POOL
    vertices = tube_frames(num_frames).astype(np.float32)
    for number, frame in enumerate(vertices, 1):
        write_obj(tmp_path / "points" / f"points.{number:03d}.obj", frame)
    process = run_script(tmp_path, "convert_meshes.py", "points", "drc", "--export", "drc")
    assert process.returncode == 0, process.stderr
    assert process.stdout == f"{num_frames} frames of 72 vertices and 0 faces in drc\n"
    assert "writing drc: 100%" in process.stderr
    frames = load_frames(tmp_path / "drc")
    np.testing.assert_array_equal(frames.vertices, vertices)


def test_what_is_there_stays(tmp_path):
    source, target = write_tube(tmp_path, num_frames=3)
    before = {path: path.read_bytes() for path in target.iterdir()}
    for taken in (target, next(iter(before))):
        with pytest.raises(InputError, match="is there already, expected a new file or folder"):
            convert(source, taken)
    assert {path: path.read_bytes() for path in target.iterdir()} == before


def test_wrong_arguments(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    with pytest.raises(InputError, match=r"--export: found drc, expected none where .*tube\.npz"):
        convert(source, tmp_path / "tube.npz", "--export", "drc")
    process = run_script(tmp_path, "convert_meshes.py", tmp_path / "nowhere", "out")
    assert process.returncode == 2
    assert process.stderr.startswith(
        f"error: {tmp_path / 'nowhere'}: no such folder or file, expected a folder of .obj"
    )
    assert len(process.stderr.splitlines()) == 1


def test_a_frame_that_does_not_fit_leaves_nothing(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    write_obj(source / "tube_sbs.00003.obj", np.zeros((3, 3)))
    with pytest.raises(InputError, match="3 vertices, expected 72"):
        convert(source, tmp_path / "out", "--export", "ply")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["geo"]
