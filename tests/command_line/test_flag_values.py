import argparse
from pathlib import Path

import pytest

from data.input_error import InputError
from utils.command_line.flag_values import Sources, frame_rate


@pytest.fixture
def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("-src", "--source_files_dir", type=Path, nargs="+", action=Sources)
    return lambda *words: parser.parse_args(words).source_files_dir


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("skin").mkdir()
    for number in range(3):
        Path(f"skin/body.{number}.obj").touch()
        Path(f"skin/all.{number}.npz").touch()
    return Path("skin")


def test_a_flag_that_is_there_twice_means_both(parse):
    assert parse("-src", "a", "-src", "b", "c") == [Path("a"), Path("b"), Path("c")]


def test_frames_per_second():
    assert frame_rate("23.976") == 23.976
    for text in ("1e300", "0", "nan", "1e-5", "film"):
        with pytest.raises(argparse.ArgumentTypeError, match=f"found '{text}', expected"):
            frame_rate(text)


def test_files_of_a_wildcard_are_their_folder(parse, folder):
    assert parse("-src", *map(str, sorted(folder.glob("*.obj")))) == [folder]
    assert len(parse("-src", *map(str, sorted(folder.glob("*.npz"))))) == 3  # each holds all frames of something
    assert parse("-src", "skin/body.1.obj") == [Path("skin/body.1.obj")]
    with pytest.raises(
        InputError, match=r"--source_files_dir: found 2 of the 3 \.obj files in skin, expected the folder"
    ):
        parse("-src", "skin/body.0.obj", "skin/body.1.obj")
