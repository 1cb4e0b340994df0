"""Work on many files at the same time."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import Any, TypeVar

from tqdm import tqdm

FILES_WORTH_A_POOL = 64  # below, starting the processes takes longer than the work

Item = TypeVar("Item")
Result = TypeVar("Result")

function_of_this_process: Callable[[Any], Any]


def start_process(function: Callable[[Item], Result]) -> None:
    """Keep the function, which is sent once and not with every item; leave Ctrl-C to the main process, which ends this one."""
    global function_of_this_process
    function_of_this_process = function
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def call(item: Any) -> Any:
    """Call the function of this process."""
    return function_of_this_process(item)


def map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], num_items: int, description: str
) -> Iterator[Result]:
    """Yield what `function` returns for every item, in order, in parallel where there are many, with a progress bar."""
    progress = partial(tqdm, total=num_items, desc=description, unit="file")
    workers = min(os.cpu_count() or 1, num_items // FILES_WORTH_A_POOL)
    if workers < 2:
        yield from progress(map(function, items))
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=start_process, initargs=(function,)) as pool:
        try:
            yield from progress(pool.map(call, items, chunksize=8))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
