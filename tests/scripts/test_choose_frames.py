"""Few scans, and frames to scan next, chosen as a user would."""

import csv

import pytest
from terminal import run_script
from tube import write_tube

import check_data
import choose_frames
import fit_mesh
import inference_mesh
from data.input_error import InputError
from utils.fitting import linear_fit, sampling

pytestmark = pytest.mark.starts_scripts


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(sampling, "STEPS_PER_EPOCH", 20)
    monkeypatch.setattr(linear_fit, "FOLDS", 3)


def chosen(folder):
    with open(folder / "frames.csv", newline="") as file:
        return [(row["source"], int(row["first frame"]), int(row["last frame"])) for row in csv.DictReader(file)]


def test_with_and_without_a_model(short, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source, target = write_tube(tmp_path, num_frames=20)
    more, _ = write_tube(tmp_path, name="more/tube", num_frames=30, seed=1)
    fit_mesh.main(["-src", str(source), "-tar", str(target), "-n_cond", "3", "-n_ep", "1"])
    capsys.readouterr()
    process = run_script(tmp_path, "choose_frames.py", "-src", source, more, "--count", 6, "-o", "covering")
    assert process.returncode == 0, process.stderr
    assert "6 of 50 frames: frames.txt, frames.csv and frames.png in covering; their scans leave" in process.stdout
    assert len({each for each in chosen(tmp_path / "covering")}) == 6
    assert {name for name, *_ in chosen(tmp_path / "covering")} == {str(source), str(more)}
    flags = ["-src", str(more), "-saved_path", "saved_model/without_joints", "--count", "2", "--run_length", "5"]
    choose_frames.main(flags)
    runs = chosen(tmp_path / "chosen_frames")
    assert [last - first for _, first, last in runs] == [4, 4]
    assert len((tmp_path / "chosen_frames/frames.txt").read_text().splitlines()) == 10
    with pytest.raises(InputError, match="chosen_frames: holds a choice of frames already"):
        choose_frames.main(flags)
    choose_frames.main([*flags, "--overwrite"])
    assert chosen(tmp_path / "chosen_frames") == runs
    with pytest.raises(InputError, match="--up_axis: found z, expected y as in the checkpoint"):
        choose_frames.main([*flags, "--overwrite", "--up_axis", "z"])


def test_longer_runs_than_there_are_end_in_a_line(tmp_path):
    source, _ = write_tube(tmp_path, num_frames=6)
    process = run_script(tmp_path, "choose_frames.py", "-src", source, "--run_length", 7)
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1] == (
        "error: --run_length: found 7, expected at most 6, as many frames as a sequence has"
    )
    assert not (tmp_path / "chosen_frames").exists()


def test_a_fit_to_few_scans(short, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    source, target = write_tube(tmp_path, num_frames=48)
    for number in range(1, 49):
        if number % 4:
            (target / f"tube_target.{number:05d}.obj").unlink()
    data = ["-src", str(source), "-tar", str(target)]
    check_data.main(data)
    fit_mesh.main([*data, "-n_cond", "3", "-n_ep", "1"])
    found = capsys.readouterr().out
    assert found.count("given: 1 sequence, 48 frames (12 with scans) of 72 vertices") == 2
    assert (
        found.count(f"{source}: frames 1 to 48, 72 vertices, 12 of the 48 with scans: the others are context of these")
        == 2
    )
    flags = ["-tar_avail", "-saved_path", "saved_model/without_joints", "--report", "--video", "gif", "--export", "npz"]
    inference_mesh.main([*data, *flags, "--output_dir", "out"])
    found = capsys.readouterr().out
    assert "48 meshes in out" in found
    assert "12 frames, skinned → predicted" in found
    assert "nan" not in found
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert ">nan" not in page
    assert "the prediction coloured by its correction" in page
    assert (tmp_path / "out/comparison.png").is_file()
