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


def in_another_process(function: Callable[..., None], *arguments: str) -> int:
    """Call a function of the project in another process, with some words; return how that ended."""
    project = str(Path(__file__).parents[2])
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from importlib import import_module; "
        "getattr(import_module(sys.argv[2]), sys.argv[3])(*sys.argv[4:])"
    )
    command = [sys.executable, "-c", program, project, function.__module__, function.__name__, *arguments]
    return subprocess.run(command, capture_output=True).returncode


def survived(path: Path, reader: Callable[[Path], OpenedFrames], library: str) -> OpenedFrames:
    """Return what a reader returns, where another process survives it; raise `InputError`, naming its library, where that
    crashes."""
    ended = in_another_process(read_through, str(path), reader.__module__, reader.__name__)
    if ended not in (0, 1):  # 1: a Python exception, which will be raised here again
        raise InputError(
            f"{path}: {library} crashes on it, or runs out of memory ({ended}), expected a whole {library} file"
        )
    return reader(path)
