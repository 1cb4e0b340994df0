"""The list and the table of chosen frames."""

import csv
from pathlib import Path

import numpy as np
import pytest

from data.input_error import InputError
from data.sequences.mesh_windows import all_windows
from utils.predicting.chosen_frames import COLUMNS, check_free, write_choice

CHOSEN = [(np.array([14, 15]), 0.5), (np.array([2, 3]), 0.25)]


def test_list_and_table(make_tube_sequence, tmp_path):
    windows = all_windows([make_tube_sequence(12), make_tube_sequence(12)], 3)
    write_choice(tmp_path / "out", windows, CHOSEN)
    lines = (tmp_path / "out/frames.txt").read_text().splitlines()
    assert lines == [f"tube_sbs.{number:05d}.obj" for number in (3, 4, 3, 4)]
    with open(tmp_path / "out/frames.csv", newline="") as file:
        assert list(csv.reader(file)) == [
            list(COLUMNS),
            ["1", "tube", "3", "4", "tube_sbs.00003.obj", "50.00"],
            ["2", "tube", "3", "4", "tube_sbs.00003.obj", "25.00"],
        ]


def test_frames_of_one_file_have_their_numbers(make_tube_sequence, tmp_path):
    sequence = make_tube_sequence(20)
    sequence.files = [Path("tube.npz")] * 20
    write_choice(tmp_path, all_windows([sequence], 3), CHOSEN)
    assert (tmp_path / "frames.txt").read_text().splitlines() == [f"tube.npz\t{number}" for number in (3, 4, 15, 16)]


def test_what_is_there_is_not_replaced_unasked(make_tube_sequence, tmp_path):
    check_free(tmp_path, False)
    check_free(tmp_path / "new", False)
    write_choice(tmp_path, all_windows([make_tube_sequence(20)], 3), CHOSEN)
    check_free(tmp_path, True)
    with pytest.raises(
        InputError, match="holds a choice of frames already, expected another --output_dir, or --overwrite"
    ):
        check_free(tmp_path, False)
    (tmp_path / "mine.txt").write_text("")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="holds something else than a choice of frames"):
            check_free(tmp_path, overwrite)
    with pytest.raises(InputError, match="holds something else"):
        check_free(tmp_path / "mine.txt", True)
