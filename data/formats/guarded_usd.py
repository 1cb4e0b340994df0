"""A guard around USD, which prints what is no concern of a user's."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data.formats.guarded_reading import refusing

USD_FILE = "USD file"


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
