from pathlib import Path

import numpy as np
import pytest

from data.input_error import InputError
from data.sequences.frame_names import frame_step, numbers_in_names, starts_of_sequences


def numbers_of(names):
    return numbers_in_names([Path(f"{name}.obj") for name in names])


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["body.0001", "body.0002"], [1, 2]),
        (["take12_0001_cam3", "take12_0002_cam3"], [1, 2]),  # what stays is no frame number
        (["body.0001_v002", "body.0002_v002"], [1, 2]),
        (["body.0001.00", "body.0002.00"], [1, 2]),
        (["shot1_0001", "shot1_0002", "shot2_0003"], [1, 2, 3]),  # the last that differs
        (["body -008", "body -007"], [-8, -7]),  # 3ds Max before frame 0
        (["body.-0002", "body.00000", "body.00001"], [-2, 0, 1]),
        (["scan-002", "scan-001", "scan000", "scan001"], [-2, -1, 0, 1]),  # Python's format
        (["-2", "-1"], [-2, -1]),
        (["take-0001", "take-0002"], [1, 2]),  # here it separates
        (["2024-01-05_0001", "2024-01-05_0002"], [1, 2]),
        (["2024-03-01", "2024-03-02"], [1, 2]),
        (["body - 0001", "body - 0002"], [1, 2]),
        (["body_7"], [7]),
        (["a1", "b2"], [1, 2]),
    ],
)
def test_numbers_in_names(names, expected):
    assert numbers_of(names) == expected


def test_names_that_say_no_number_or_are_copies():
    with pytest.raises(
        InputError, match=r"rest\.obj: no number in the name, expected a frame number as in name\.00001\.obj"
    ):
        numbers_of(["body.0001", "rest"])
    names = [f"body.{number:04d}" for number in range(10, 20)]
    with pytest.raises(InputError, match=r"body\.0012 \(1\)\.obj: not named as 10 others are \(body\.0010\.obj\)"):
        numbers_of([*names, "body.0012 (1)"])


@pytest.mark.parametrize(
    ("numbers", "step", "starts"),
    [
        ([1, 2, 3], 1, [0]),
        ([2, 4, 6, 8], 2, [0]),
        ([-4, -2, 0, 2, 20, 22], 2, [0, 4]),
        ([1, 2, 11, 12, 21, 22], 1, [0, 2, 4]),
        ([1, 3], 1, [0, 1]),  # two frames say nothing about a step
        ([1, 5, 9, 10], 1, [0, 1, 2]),
        ([1000, 1033, 1067, 1100, 1133, 2000, 2033], 33, [0, 5]),  # milliseconds
        ([7], 1, [0]),
    ],
)
def test_frames_that_are_some_numbers_apart(numbers, step, starts):
    assert frame_step(np.array(numbers)) == step
    assert starts_of_sequences(np.array(numbers)).tolist() == starts
