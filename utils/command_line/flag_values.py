"""What the value of a flag may be: parsers that say what they found and what they expected; and what files say of it."""

import argparse
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.formats.mesh_formats import POINTS, said_in
from data.input_error import InputError
from models.model_settings import UNITS_IN_MM
from utils.runs.folder_names import FOLDER_NAME


class Sources(argparse.Action):
    """Folders or files of frames. A flag that is there twice adds to what it had; files that the shell made of a wildcard are
    the folder that they are in."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        earlier = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, [*earlier, *folder_of_wildcard(self.option_strings[-1], values)])


def folder_of_wildcard(flag: str, paths: Sequence[Path]) -> Sequence[Path]:
    """Return the folder whose files, of a frame each, the paths are; any other paths as they are.

    Raises `InputError`, naming the flag, where there are more of these files in the folder.
    """
    ending = paths[0].suffix.lower()
    if (
        len(paths) < 2
        or ending not in POINTS
        or ending in (".npy", ".npz")
        or len({(p.parent, p.suffix.lower()) for p in paths}) > 1
    ):
        return paths
    there = sum(each.suffix.lower() == ending for each in paths[0].parent.iterdir()) if paths[0].parent.is_dir() else 0
    if there != len({*paths}):
        raise InputError(
            f"{flag}: found {len(paths)} of the {there} {ending} files in {paths[0].parent}, expected the folder"
        )
    return [paths[0].parent]


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    return at_least(text, 1)


def not_negative(text: str) -> int:
    """Parse a whole number of at least 0."""
    return at_least(text, 0)


def at_least(text: str, lowest: int) -> int:
    """Parse a whole number with a lower limit; raise `ArgumentTypeError` for anything else."""
    if not re.fullmatch(r"[+-]?\d+", text.strip()) or int(text) < lowest:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a whole number of at least {lowest}")
    return int(text)


def number_in(text: str) -> float:
    """Return the number that a text is; nan where it is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def positive_number(text: str) -> float:
    """Parse a finite number above 0."""
    if not 0 < (number := number_in(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number above 0")
    return number


def not_negative_number(text: str) -> float:
    """Parse a finite number of at least 0."""
    if not 0 <= (number := number_in(text)) < math.inf:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number of at least 0")
    return number


def frame_rate(text: str) -> float:
    """Parse a number of frames per second that films and USD files can have."""
    if not 0.01 <= (number := positive_number(text)) <= 1000:
        raise argparse.ArgumentTypeError(f"found {text!r}, expected 0.01 to 1000 frames per second")
    return number


def folder_name(text: str) -> str:
    """Parse a name that is safe as one folder's name."""
    if not FOLDER_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected letters, digits, '.', '_' and '-'")
    return text


def said_by(path: Path, args: argparse.Namespace) -> dict[str, str]:
    """Return what a file that was read says of the flags `up_axis` and `units`; print it where these are not given."""
    said = said_in(path)
    of_unit = 1000 * said.get("metres_per_unit", 0)
    units = [name for name, in_mm in UNITS_IN_MM.items() if abs(of_unit / in_mm - 1) < 0.1]
    says = {"up_axis": said["up_axis"]} if "up_axis" in said else {}
    says |= {"units": units[0]} if units else {}
    taken = [f"{name} {value}" for name, value in says.items() if getattr(args, name) is None]
    if taken:
        print(f"as {path} says: {', '.join(taken)}")
    return says
