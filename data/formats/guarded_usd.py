"""A guard around USD, which crashes on some broken files, and prints what is no concern of a user's."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.formats.guarded_reading import refusing
from data.input_error import InputError

USD_FILE = "USD file"


def check_survival(path: Path, reader: str) -> None:
    """Raise `InputError` where USD crashes on a file: another process tries it first.

    `reader` is the name of a function of `data.formats.usd_reading`.
    """
    project = str(Path(__file__).parents[2])
    program = (
        "import sys; sys.path.insert(0, sys.argv[3]); from data.formats import usd_reading; "
        "usd_reading.read_through(*sys.argv[1:3])"
    )
    tried = subprocess.run([sys.executable, "-c", program, str(path), reader, project], capture_output=True)
    if tried.returncode not in (0, 1):  # 1: a Python exception, which will be raised here again
        raise InputError(
            f"{path}: USD crashes on it, or runs out of memory ({tried.returncode}), expected a whole {USD_FILE}"
        )


@contextmanager
def quiet_usd(path: Path) -> Iterator[None]:
    """Raise `InputError`, naming `path`, for whatever USD raises inside the block, and let it print nothing besides."""
    from pxr import UsdUtils

    with refusing(path, USD_FILE):
        warnings = UsdUtils.CoalescingDiagnosticDelegate()  # as long as there is one, it takes them
        try:
            yield
        finally:
            warnings.TakeUncoalescedDiagnostics()
            del warnings
