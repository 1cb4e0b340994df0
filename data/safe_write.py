"""Files that are either written whole or not there at all."""

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from data.input_error import InputError

OLD = 24 * 3600  # seconds: nothing takes so long to write


def check_replaceable(folder: Path, overwrite: bool, what: str, ours: Callable[[set[str]], bool]) -> None:
    """Raise `InputError` where a folder holds something, unless that is an earlier `what`, as `ours` says by the names in it,
    and is to be overwritten."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not folder.is_dir() or not ours({path.name for path in folder.iterdir()}):
        raise InputError(f"{folder}: holds something else than {what}, expected another --output_dir")
    if not overwrite:
        raise InputError(f"{folder}: holds {what} already, expected another --output_dir, or --overwrite")


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders of runs that were killed: those not touched for a day."""
    for partial in folder.glob(".*.partial"):
        with suppress(FileNotFoundError):  # somebody's that is whole by now
            if time.time() - partial.stat().st_mtime > OLD:
                remove(partial)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the file's name to errors of writing that lack it: a full disk names no file, and NumPy gives not even an error
    number."""
    try:
        yield
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from None


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write a file or fill a folder; rename it to `path` when the block ends well.

    On any error the temporary file or folder is removed and `path` stays as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with naming(path):
            yield partial
            partial.replace(path)
    except BaseException:
        remove(partial)
        raise
