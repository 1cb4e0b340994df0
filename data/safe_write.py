"""Files that are either written whole or not there at all."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def write_beside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path` to write a file or fill a folder; rename it to `path` when the block ends well.

    On any error the temporary file or folder is removed and `path` stays as it was. A folder that somebody else finished
    in the meantime is kept, and ours is dropped.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        try:
            partial.replace(path)
        except OSError:
            if not (partial.is_dir() and path.is_dir()):
                raise
            shutil.rmtree(partial)
    except BaseException as error:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)
        if (
            isinstance(error, OSError) and error.filename is None
        ):  # a full disk names no file; NumPy, no error number either
            raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(path)) from None
        raise
