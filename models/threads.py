"""Ranges of rows, for compiled loops that let other threads run meanwhile."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch

FEWEST_ROWS = 4096  # for a thread of its own: fewer are done sooner than a thread is woken


@cache
def thread_pool(process: int, num_threads: int) -> ThreadPoolExecutor:
    """Return threads that wait for work; a process that was forked has none of its parent's."""
    return ThreadPoolExecutor(num_threads, "loop")


def in_ranges(loop: Callable[..., None], num_rows: int, *arguments: object, fewest: int = FEWEST_ROWS) -> None:
    """Call `loop(*arguments, first, last)` for all rows, in as many threads as torch may use here, each with `fewest` rows or
    more."""
    num_parts = min(torch.get_num_threads(), max(1, num_rows // fewest))
    bounds = [num_rows * part // num_parts for part in range(num_parts + 1)]
    if num_parts == 1:
        loop(*arguments, 0, num_rows)
        return
    pool = thread_pool(os.getpid(), num_parts - 1)
    others = [pool.submit(loop, *arguments, bounds[part], bounds[part + 1]) for part in range(1, num_parts)]
    loop(*arguments, bounds[0], bounds[1])
    for other in others:
        other.result()
