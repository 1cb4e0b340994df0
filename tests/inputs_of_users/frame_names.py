"""Numbers and files in folders."""

from functools import partial
from pathlib import Path

import numpy as np

from inputs_of_users.meshes import NUMBERS, SCANS, SKINNED, Read, both, folder


def scans_without(*frames):
    both()
    for frame in frames:
        Path(f"scan/body.{frame:04d}.obj").unlink()


def scans_on_twos(numbers=range(1, 17, 2)):
    folder("skin", SKINNED)
    folder("scan", SCANS[::2], numbers=numbers)


def numbers_a_thousand_apart():
    folder("skin", SKINNED, numbers=range(1001, 1017))
    folder("scan", SCANS)


def a_copy_beside():
    both()
    Path("skin/body.0012 (1).obj").write_bytes(Path("skin/body.0012.obj").read_bytes())


def a_template_beside():
    both()
    Path("scan/template.obj").write_bytes(Path("scan/body.0001.obj").read_bytes())


def shots_in_folders():
    for shot in ("skin/shotA", "skin/shotB"):
        folder(shot, SKINNED)


def usd_files_of_one_frame():
    Path("skin").mkdir()
    for number in NUMBERS:
        Path(f"skin/body.{number:04d}.usdc").touch()


def times_in_milliseconds():
    numbers = [1699000000000 + round(index * 1000 / 30) for index in range(16)]
    both(pattern="{}", numbers=numbers)


def in_capitals():
    both()
    for path in [*Path("skin").iterdir(), *Path("scan").iterdir()]:
        path.rename(path.parent / path.name.upper())


def a_version_that_differs_once():
    both(pattern="{:04d}_v002")
    Path("skin/body.0007_v002.obj").rename("skin/body.0007_v003.obj")


def few(*numbers):
    for name, frames in (("skin", SKINNED), ("scan", SCANS)):
        folder(name, frames[: len(numbers)], numbers=numbers)


def two_numbers_that_change():
    for name, frames in (("skin", SKINNED), ("scan", SCANS)):
        folder(name, frames)
        for number in NUMBERS:
            Path(f"{name}/body.{number:04d}.obj").rename(f"{name}/body_{number:04d}_left{48 - number:04d}.obj")


TIMES_OF_A_CAMERA = (1000 + np.random.default_rng(0).integers(31, 38, 16).cumsum()).tolist()  # milliseconds

INPUTS = {
    "two numbers that change": (
        two_numbers_that_change, r"two numbers change from name to name, \d+ and \d+ here, and say different orders",
    ),
    "times of a camera": (partial(both, numbers=TIMES_OF_A_CAMERA), TIMES_OF_A_CAMERA),
    "times at 120 frames a second": (
        partial(both, numbers=[round(index * 1000 / 120) for index in range(16)]),
        [round(index * 1000 / 120) for index in range(16)],
    ),
    "capitals": (in_capitals, NUMBERS),
    "a number before and one behind": (partial(both, pattern="take12_{:04d}_cam3"), NUMBERS),
    "a version that differs once": (a_version_that_differs_once, r"frame 2 is there twice, also as .*the last that differs"),
    "three frames": (partial(few, 1, 2, 3), range(1, 4)),
    "sequences of two frames": (
        partial(few, 1, 2, 11, 12), r"a sequence of 2 frames \(from body\.0001\.obj\) to train on, expected more than",
    ),
    "negative numbers behind a blank": (partial(both, pattern="{:04d}", numbers=range(-16, 0)), range(-16, 0)),
    "negative and positive numbers": (partial(both, pattern="{:05d}", numbers=range(-5, 11)), range(-5, 11)),
    "on twos": (partial(both, numbers=range(2, 34, 2)), range(2, 34, 2)),
    "scans on twos": (scans_on_twos, Read(NUMBERS, said="8 of the 16 with scans: the others are context of these")),
    "scans that failed": (partial(scans_without, 7, 8), Read(NUMBERS, said="14 of the 16 with scans")),
    "scans on twos, numbered anew": (
        partial(scans_on_twos, numbers=range(1, 9)),
        Read(NUMBERS, said="warning: the scans in skin seem to be of one frame in 2, numbered anew", with_its_scans=False),
    ),
    "other numbers": (numbers_a_thousand_apart, "all numbers are 1000 apart, expected the same ones"),
    "version behind the number": (partial(both, pattern="{:04d}_v002"), NUMBERS),
    "two digits behind the number": (partial(both, pattern="{:04d}.00"), NUMBERS),
    "times": (times_in_milliseconds, [1699000000000 + round(index * 1000 / 30) for index in range(16)]),
    "a copy beside the frames": (a_copy_beside, r"body\.0012 \(1\)\.obj: not named as 16 others are"),
    "a template beside the frames": (a_template_beside, r"template\.obj: no number in the name"),
    "shots in folders of a folder": (shots_in_folders, r"but folders \(shotA, shotB\): give each as a source"),
    "a USD file for each frame": (usd_files_of_one_frame, r"but \.usdc files: expected one of them, with all frames in it"),
}  # fmt: skip
