import numpy as np
import pytest
from pxr import Usd, UsdGeom
from trimesh.exchange.ply import load_ply
from tube import tube_quads, write_tube

from data.formats.obj import read_obj
from data.formats.obj_writing import write_obj
from data.formats.usd import Scene
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from data.sequences.mesh_sequence import load_sequences
from data.sequences.mesh_windows import all_windows
from data.sequences.predicted_meshes import load_predictions
from utils.predicting.mesh_writer import EXPORTS, MeshWriter
from utils.predicting.prediction import PredictedFrame

NOTHING = np.empty(0, np.float32)


def predicted_frame(index, vertices, expected_error=NOTHING):
    return PredictedFrame(index, vertices, vertices, expected_error, NOTHING)


def write_all(windows, folder, exports, vertices, expected_errors=None):
    with MeshWriter(windows, folder, exports, Scene(), {}) as writer:
        for index in np.random.default_rng(0).permutation(len(windows)).tolist():  # threads finish in any order
            expected_error = NOTHING if expected_errors is None else expected_errors[index]
            writer.write(predicted_frame(index, vertices[index], expected_error))


def test_every_format_at_once_of_several_sources_with_a_gap(tmp_path):
    walk, _ = write_tube(tmp_path, "walk", num_frames=6)
    jump, _ = write_tube(tmp_path, "jump", num_frames=4)
    for path in jump.iterdir():
        path.rename(path.with_name(path.name.replace("tube_sbs", "jump_sbs")))
    next(walk.glob("*00003.obj")).unlink()
    windows = all_windows(load_sequences([walk, jump], None)[0], 1)
    vertices = np.random.default_rng(1).normal(size=(9, 72, 3)).astype(np.float32)
    folder = tmp_path / "out"
    with pytest.raises(InputError, match=r"walk_sbs_tube_sbs\.pc2: frames 1 and 2 apart.*PC2 knows no gaps"):
        write_all(windows, folder, ["obj", "pc2"], vertices)
    assert not folder.exists()
    write_all(windows, folder, [name for name in EXPORTS if name != "pc2"], vertices)
    of_all = (".abc", ".glb", ".mdd", ".npz", ".usdc")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{shot}{ending}" for shot in ("jump_sbs", "walk_sbs_tube_sbs") for ending in ("", ".json", *of_all)
    )
    for name, shot, number, own in (
        ("tube_sbs", "walk_sbs_tube_sbs", [1, 2, 4, 5, 6], vertices[:5]),
        ("jump_sbs", "jump_sbs", [1, 2, 3, 4], vertices[5:]),
    ):
        for ending in of_all:
            frames = load_frames(folder / (shot + ending))
            if ending == ".glb":  # played at every frame, in single precision of its targets
                assert frames.frame_numbers == list(range(number[0], number[-1] + 1))
                kept = [frames.frame_numbers.index(each) for each in number]
                np.testing.assert_allclose(frames.vertices[kept], own, atol=1e-6)
                continue
            assert frames.frame_numbers == number
            np.testing.assert_array_equal(frames.vertices, own)
        for kind in ("", "drc", "ply"):
            for frame, expected in zip(number, own, strict=True):
                (path,) = (folder / shot / kind).glob(f"{name}.{frame:05d}.*")
                (tmp_path / "one").mkdir(exist_ok=True)
                one = path.rename(tmp_path / "one" / path.name)
                np.testing.assert_array_equal(load_frames(one).vertices[0], expected)


def test_errors_to_expect_are_attributes_of_the_vertices(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    windows = all_windows(load_sequences([source], None)[0], 1)
    random = np.random.default_rng(1)
    vertices = random.normal(size=(3, 72, 3)).astype(np.float32)
    expected = random.random((3, 72)).astype(np.float32)
    write_all(windows, tmp_path / "out", ["npz", "ply", "usd"], vertices, expected)
    with np.load(tmp_path / "out" / "tube_sbs.npz") as stored:
        np.testing.assert_array_equal(stored["expected_error"], expected)
    stage = Usd.Stage.Open(str(tmp_path / "out" / "tube_sbs.usdc"))
    primvar = UsdGeom.PrimvarsAPI(stage.GetDefaultPrim().GetChildren()[0]).GetPrimvar("expected_error")
    assert primvar.GetInterpolation() == "vertex"
    for number in (1, 2, 3):
        np.testing.assert_array_equal(primvar.Get(number), expected[number - 1])
        path = tmp_path / "out" / "ply" / f"tube_sbs.{number:05d}.ply"
        with open(path, "rb") as file:
            data = load_ply(file)["metadata"]["_ply_raw"]["vertex"]["data"]
        np.testing.assert_array_equal(data["expected_error"], expected[number - 1])
    for path in ("tube_sbs.npz", "tube_sbs.usdc", "ply"):
        np.testing.assert_array_equal(load_frames(tmp_path / "out" / path).vertices, vertices)


def test_predictions_of_a_file_of_all_frames(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    frames = load_frames(source)
    np.savez(tmp_path / "tube.npz", vertices=frames.vertices, faces=tube_quads())
    windows = all_windows(load_sequences([tmp_path / "tube.npz"], None)[0], 1)
    write_all(windows, tmp_path / "out", ["obj", "usd"], frames.vertices + 1)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "tube.00001.obj", "tube.00002.obj", "tube.00003.obj", "tube.json", "tube.usdc",
    ]  # fmt: skip
    vertices, polygons = read_obj(tmp_path / "out" / "tube.00002.obj")
    np.testing.assert_array_equal(vertices, frames.vertices[1] + 1)
    np.testing.assert_array_equal(polygons.to_rows(polygons.corners), tube_quads())


def test_texture_of_an_obj_reaches_usd(tmp_path):
    write_obj(tmp_path / "in" / "a.1.obj", np.eye(3))
    path = tmp_path / "in" / "a.1.obj"
    path.write_text(path.read_text() + "vt 0 0\nvt 0.5 1\nvt 1 0\nf 1/3 2/2 3/1\n")
    windows = all_windows(load_sequences([tmp_path / "in"], None)[0], 1)
    write_all(windows, tmp_path / "out", ["usd"], np.eye(3, dtype=np.float32)[None])
    polygons = load_frames(tmp_path / "out" / "a.usdc").polygons
    np.testing.assert_array_equal(polygons.texture[polygons.texture_corners], [[1, 0], [0.5, 1], [0, 0]])


def test_an_error_leaves_no_file_of_all_frames(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    windows = all_windows(load_sequences([source], None)[0], 1)
    with (
        pytest.raises(KeyboardInterrupt),
        MeshWriter(windows, tmp_path / "out", ["npz", "usd"], Scene(), {"checkpoint": "2.pt"}) as writer,
    ):
        writer.write(predicted_frame(0, np.zeros((72, 3), np.float32)))
        raise KeyboardInterrupt
    assert list((tmp_path / "out").iterdir()) == []


def test_sources_whose_frames_have_the_same_names_get_folders_of_their_own(tmp_path):
    sources = [write_tube(tmp_path, name, num_frames=2, seed=seed)[0] for seed, name in enumerate(("one", "other"))]
    sequences, _ = load_sequences(sources, None)
    vertices = np.random.default_rng(1).normal(size=(4, 72, 3)).astype(np.float32)
    write_all(all_windows(sequences, 1), tmp_path / "out", ["obj", "ply", "npz"], vertices)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "one_sbs_tube_sbs", "one_sbs_tube_sbs.json", "one_sbs_tube_sbs.npz",
        "other_sbs_tube_sbs", "other_sbs_tube_sbs.json", "other_sbs_tube_sbs.npz",
    ]  # fmt: skip
    both = np.split(vertices, 2)
    np.testing.assert_array_equal(load_predictions([tmp_path / "out"], sequences), both)  # as the viewer reads them
    files = [tmp_path / "out" / f"{name}_sbs_tube_sbs.npz" for name in ("one", "other")]
    np.testing.assert_array_equal(load_predictions(files, sequences), both)
    assert len(list((tmp_path / "out/other_sbs_tube_sbs/ply").iterdir())) == 2


def test_nothing_is_replaced_unasked(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    windows = all_windows(load_sequences([source], None)[0], 1)
    folder, vertices = tmp_path / "out", np.zeros((3, 72, 3), np.float32)
    record = {"checkpoint": "2.pt"}
    with MeshWriter(windows, folder, ["obj"], Scene(), record) as writer:
        writer.write(predicted_frame(0, vertices[0]))
    with pytest.raises(
        InputError, match="out: holds predictions already, expected another --output_dir, or --overwrite"
    ):
        MeshWriter(windows, folder, ["obj"], Scene(), record)
    (folder / "notes.txt").write_text("somebody else's")
    (folder / "scan").mkdir()
    (folder / "scan/scan.00001.obj").write_text("somebody else's, too")
    with MeshWriter(windows, folder, ["npz"], Scene(), record, overwrite=True) as writer:
        for index in range(3):
            writer.write(predicted_frame(index, vertices[index]))
    assert sorted(path.name for path in folder.iterdir()) == ["notes.txt", "scan", "tube_sbs.json", "tube_sbs.npz"]
    assert len(list((folder / "scan").iterdir())) == 1
    for name in ("holiday.jpg", "notes.json"):
        mine = tmp_path / "mine" / name
        mine.parent.mkdir()
        mine.write_text('{"checkpoint": "of another program"}')
        with pytest.raises(InputError, match="mine: holds something else than predictions"):
            MeshWriter(windows, mine.parent, ["obj"], Scene(), record, overwrite=True)
        mine.unlink()
        mine.parent.rmdir()


def test_what_is_read_is_not_overwritten(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=3)
    windows = all_windows(load_sequences([source], None)[0], 1)
    folder, record = tmp_path / "out", {"checkpoint": "2.pt"}
    with MeshWriter(windows, folder, ["obj", "ply"], Scene(), record) as writer:
        for index in range(3):
            writer.write(predicted_frame(index, np.zeros((72, 3), np.float32)))
    windows = all_windows(load_sequences([folder / "ply"], [folder / "ply"])[0], 1)
    with pytest.raises(InputError, match=r"ply/tube_sbs\.00001\.ply: is read from and would be replaced"):
        MeshWriter(windows, folder, ["obj"], Scene(), record, overwrite=True)
    assert len(list(folder.rglob("*.ply"))) == 3


def test_an_up_axis_that_usd_does_not_know_is_found_before_the_work(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=2)
    windows = all_windows(load_sequences([source], None)[0], 1)
    with pytest.raises(InputError, match="--up_axis: found x, expected y or z"):
        MeshWriter(windows, tmp_path / "out", ["usd"], Scene("x"), {})
