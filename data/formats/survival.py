"""Files that crash the library that reads them: another process tries it first."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from data.formats.opened_frames import OpenedFrames
from data.input_error import InputError


def read_through(path: str, module: str, reader: str) -> None:
    """Read a whole file by a function of a module and end the process.

    What is wrong with the file is not said here, but when it is read again.
    """
    with suppress(InputError):
        for _ in getattr(import_module(module), reader)(Path(path)).positions:
            pass
    os._exit(0)  # an orderly exit of the interpreter may crash in the library, even after good files


def survived(path: Path, reader: Callable[[Path], OpenedFrames], library: str) -> OpenedFrames:
    """Return what a reader returns, where another process survives it; raise `InputError`, naming its library, where that
    crashes."""
    project = str(Path(__file__).parents[2])
    program = (
        "import sys; sys.path.insert(0, sys.argv[4]); from data.formats import survival; "
        "survival.read_through(*sys.argv[1:4])"
    )
    command = [sys.executable, "-c", program, str(path), reader.__module__, reader.__name__, project]
    tried = subprocess.run(command, capture_output=True)
    if tried.returncode not in (0, 1):  # 1: a Python exception, which will be raised here again
        raise InputError(
            f"{path}: {library} crashes on it, or runs out of memory ({tried.returncode}), expected a whole {library} file"
        )
    return reader(path)
