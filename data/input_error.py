"""The one exception for wrong input: its message is all that a user needs to see."""

from collections.abc import Iterator
from contextlib import contextmanager


class InputError(ValueError):
    """What a user gave cannot be used; the message names the file or flag, what was found and what was expected."""


@contextmanager
def optional_packages(purpose: str) -> Iterator[None]:
    """Raise `InputError`, saying what to install, where a package imported inside the block is not there."""
    try:
        yield
    except ImportError as error:
        raise InputError(
            f"{purpose}: the package {error.name} is not installed; pip install -r requirements-pipeline.txt"
        ) from None
