"""A guard around libraries that trust the files they read: their errors become one line, and a header that lies about its size
cannot make them take all memory."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.input_error import InputError

TIMES_THE_FILE = 200  # the densest of compressed meshes need less
AT_LEAST = 1 << 28  # bytes: what a library needs for itself


@contextmanager
def guarded(path: Path, expected: str) -> Iterator[None]:
    """Raise `InputError` as `refusing` does, and where the block asks for much more memory than the file is long.

    The limit is `TIMES_THE_FILE` its length, and `AT_LEAST`. Not for libraries that start threads: each reserves memory of its
    own.
    """
    with refusing(path, expected), limited_memory(path):
        yield


@contextmanager
def refusing(path: Path, expected: str) -> Iterator[None]:
    """Raise `InputError`, naming `path` and what was `expected` of it, for whatever is raised inside the block."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except MemoryError:
        raise InputError(
            f"{path}: claims to be much more than a file of its length can hold, expected a whole {expected}"
        ) from None
    except Exception as error:  # libraries raise many kinds, by how the file is broken
        raise InputError(f"{path}: not a whole {expected} ({reason_of(error)})") from None


def reason_of(error: Exception) -> str:
    """Return the first line of an error's message, without the source lines that USD puts before it; it may hold bytes that
    are no text."""
    try:
        lines = str(error).strip().splitlines() or [type(error).__name__]
    except UnicodeDecodeError:
        return type(error).__name__
    return lines[0].split(" : ")[-1].strip(" '")


@contextmanager
def limited_memory(path: Path) -> Iterator[None]:
    """Let this process take only so much memory inside the block, measured by the length of the file at `path`; on Linux
    only."""
    if sys.platform != "linux":
        yield
        return
    import resource

    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = taken + AT_LEAST + TIMES_THE_FILE * path.stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit if soft == resource.RLIM_INFINITY else min(limit, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
