"""What the value of a flag may be: parsers that say what they found and what they expected."""

import argparse
import re

from utils.runs.run_folders import FOLDER_NAME


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


def positive_number(text: str) -> float:
    """Parse a finite number above 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected a number above 0")
    return number


def folder_name(text: str) -> str:
    """Parse a name that is safe as one folder's name."""
    if not FOLDER_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"found {text!r}, expected letters, digits, '.', '_' and '-'")
    return text
