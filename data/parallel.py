"""Work on many files at the same time."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

from tqdm import tqdm

from data.input_error import InputError

FILES_WORTH_A_POOL = 64  # below, starting the processes takes longer than the work

Item = TypeVar("Item")
Result = TypeVar("Result")

function_of_this_process: Callable[[Any], Any]


def end_with_the_main_process() -> None:
    """End this process as soon as the main one is gone: killed, that one cannot tell."""
    main = parent_process()
    assert main is not None
    main.join()
    os._exit(1)


def start_process(function: Callable[[Item], Result]) -> None:
    """Keep the function, which is sent once and not with every item; leave Ctrl-C to the main process, which ends this one."""
    global function_of_this_process
    function_of_this_process = function
    threading.Thread(target=end_with_the_main_process, daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def call(item: Any) -> Any:
    """Call the function of this process."""
    return function_of_this_process(item)


def map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], num_items: int, description: str
) -> Generator[Result, None, None]:
    """Yield what `function` returns for every item, in order, in parallel where there are many, with a progress bar."""
    progress = partial(tqdm, total=num_items, desc=description, unit="file")
    workers = min(os.cpu_count() or 1, num_items // FILES_WORTH_A_POOL)
    if workers < 2:
        yield from progress(map(function, items))
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=start_process, initargs=(function,)) as pool:
        try:
            yield from progress(pool.map(call, items, chunksize=8))
        except BrokenExecutor:
            raise InputError(
                f"{description}: one of {workers} processes ended, killed or out of memory, expected all to go on to the end"
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
