"""How functions are compiled: by Numba, in seconds, when they are called first; what came out is kept beside their file."""

from collections.abc import Callable
from typing import Any

from numba import njit

# sums in any order, as the processor likes them; but what is not a number stays so
FAST = {"contract", "reassoc", "nsz", "arcp"}


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function with Numba when it is called; keep the outcome where there is a folder to keep it in."""
    try:
        return njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")(function)
    except RuntimeError:  # neither this folder nor the user's can be written to
        return njit(nogil=True, fastmath=FAST, error_model="numpy")(function)
