"""Which number in a file's name is the frame's, and whether a minus sign belongs to it: all names of a folder say so."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from data.input_error import InputError

STEPS_MAY_VARY_FROM = 5  # times in milliseconds, say, are rounded, and a camera is not always on time


def check_alike(paths: list[Path], texts: list[list[str]]) -> bool:
    """Say whether names differ in their numbers alone; raise `InputError` where most do and some do not, as a copy may."""
    kinds = [tuple(text.removesuffix("-") for text in each) for each in texts]
    usual, count = Counter(kinds).most_common(1)[0]
    if 2 < count < len(kinds) < 2 * count:
        odd = next(index for index, kind in enumerate(kinds) if kind != usual)
        like = kinds.index(usual)
        raise InputError(
            f"{paths[odd]}: not named as {count} others are ({paths[like].name}), expected no other meshes beside the frames"
        )
    return count == len(kinds)


def frame_column(texts: list[list[str]], numbers: list[list[str]]) -> int:
    """Return which of the numbers is the frame's in names that are alike: the last that differs, counted from the end."""
    signed = [
        [(text.endswith("-"), int(number)) for text, number in zip(before, own, strict=False)]
        for before, own in zip(texts, numbers, strict=True)
    ]
    differing = [column for column in range(len(numbers[0])) if len({each[column] for each in signed}) > 1]
    return differing[-1] - len(numbers[0]) if differing else -1


def check_order(paths: list[Path], numbers: list[list[str]], column: int) -> None:
    """Raise `InputError` where another number than the frame's, in names that are alike, could be the frame's as well: all
    differ, too, and say another order."""
    frames = [int(own[column]) for own in numbers]
    order = np.argsort(frames, kind="stable") if len({*frames}) == len(frames) else np.arange(0)
    for other in range(len(numbers[0]) + column):
        values = np.array([int(own[other]) for own in numbers], dtype=object)[order]
        if len({*values}) == len(values) > 2 and (values[1:] <= values[:-1]).any():
            raise InputError(
                f"{paths[order[0]]}: two numbers change from name to name, {values[0]} and {frames[order[0]]} here, "
                "and say different orders; expected one number for the frame, the last that changes: rename the files"
            )


def numbers_in_names(paths: list[Path]) -> list[int]:
    """Return the frame numbers in the names of a folder's files.

    The frame's number is the last in a name or, where names differ in their numbers alone, the last that differs: a version
    may stand behind it. A minus sign before it counts where some names have one and others not, and where what is before it is
    no letter or digit, as in `body.-0012`; in `take-0012` it separates. Raises `InputError` for a name without a number, and
    for a few that are not like the others.
    """
    texts = [re.split(r"\d+", path.stem) for path in paths]
    numbers = [re.findall(r"\d+", path.stem) for path in paths]
    for path, found in zip(paths, numbers, strict=True):
        if not found:
            raise InputError(f"{path}: no number in the name, expected a frame number as in name.00001{path.suffix}")
    column = -1
    if check_alike(paths, texts):
        column = frame_column(texts, numbers)
        check_order(paths, numbers, column)
    before = [own[column - 1] for own in texts]  # there is one text more than numbers
    minus = [text.endswith("-") for text in before]
    same_text = len({text.removesuffix("-") for text in before}) == 1
    if not (same_text and any(minus) and not all(minus)):
        follows_number = [text == "-" and len(own) + column > 0 for text, own in zip(before, numbers, strict=True)]
        minus = [
            sign and not text[-2:-1].isalnum() and not follows
            for sign, text, follows in zip(minus, before, follows_number, strict=True)
        ]
    return [-int(own[column]) if sign else int(own[column]) for own, sign in zip(numbers, minus, strict=True)]


def frame_step(numbers: Int64[ndarray, " T"]) -> int:
    """Return how far the numbers of consecutive frames are apart: 1, or more where more than half of the steps are as long as
    the shortest or, of numbers that are times, about as long as the middle one."""
    steps = numbers[1:] - numbers[:-1]
    if len(steps) < 2:
        return 1
    middle = int(np.sort(steps)[(len(steps) - 1) // 2])
    step = middle if middle >= STEPS_MAY_VARY_FROM else int(steps.min())
    return step if 2 * (steps <= longest_step(step)).sum() > len(steps) else 1


def longest_step(step: int) -> int:
    """Return how far frames may be apart that follow one another."""
    return step + (step // 2 if step >= STEPS_MAY_VARY_FROM else 0)


def starts_of_sequences(numbers: Int64[ndarray, " T"]) -> Int64[ndarray, " S"]:
    """Return where, among frame numbers in their order, a sequence starts: at the first, and behind every gap."""
    steps = numbers[1:] - numbers[:-1]
    return np.concatenate([[0], np.flatnonzero(steps > longest_step(frame_step(numbers))) + 1])
