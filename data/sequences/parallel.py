"""Work on many files at the same time, in several processes."""

import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from itertools import cycle, islice
from multiprocessing import get_context, resource_tracker
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from tqdm import tqdm

from data.input_error import InputError

FILES_WORTH_A_POOL = 64  # below, starting the processes takes longer than the work
ITEMS_AHEAD = 2  # per process: one to work on, one to go on with

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def signals_kept() -> Iterator[None]:
    """Keep Ctrl-C and SIGTERM back until the end of the block; processes that are started in it never receive Ctrl-C.

    Otherwise a process that is interrupted while it starts prints a traceback, and so does one whose main process is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept: list[int] = []
    both = signal.SIGINT, signal.SIGTERM
    handlers = [signal.signal(number, lambda number, _: kept.append(number)) for number in both]
    posix = hasattr(signal, "pthread_sigmask")
    if posix:
        resource_tracker.ensure_running()  # or the first process started would start it, and let Ctrl-C in again
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        if posix:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
        for number, handler in zip(both, handlers, strict=True):
            signal.signal(number, handler)
        for caught in kept:
            signal.raise_signal(caught)


def work(connection: Connection) -> None:
    """Receive a function, then items; send back what it returns or raises for each of them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # left to the main process, which ends this one
    with suppress(EOFError, ConnectionError):
        function = connection.recv()
        while True:
            item = connection.recv()
            try:
                result = function(item)
            except Exception as error:
                result = error
            connection.send(result)


def send(worker: Connection, item: Any) -> None:
    """Send an item; raise `EOFError` where nobody is there to take it."""
    try:
        worker.send(item)
    except OSError:
        raise EOFError from None


def share_out(items: Iterable[Any], num_items: int, workers: list[Connection]) -> Generator[Any, None, None]:
    """Yield what the workers send back for every item, in order; they take turns.

    Items and results have to be small, such as file names, or each side could wait for ever for the other to receive.
    """
    waiting = iter(items)
    for item, worker in zip(islice(waiting, ITEMS_AHEAD * len(workers)), cycle(workers), strict=False):
        send(worker, item)
    for worker in islice(cycle(workers), num_items):
        try:
            result = worker.recv()
        except OSError:  # in the middle of a result
            raise EOFError from None
        if isinstance(result, Exception):
            raise result
        for item in islice(waiting, 1):
            send(worker, item)
        yield result


def map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], num_items: int, description: str
) -> Generator[Result, None, None]:
    """Yield what `function` returns for every item, in order, in parallel where there are many, with a progress bar.

    Every process has a connection of its own, so that one that is killed, even in the middle of a result, is noticed at once.
    """
    progress = partial(tqdm, total=num_items, desc=description, unit="file")
    num_workers = min(os.cpu_count() or 1, num_items // FILES_WORTH_A_POOL)
    if num_workers < 2:
        yield from progress(map(function, items))
        return
    context = get_context("spawn")
    processes, workers = [], []
    try:
        with signals_kept():
            for _ in range(num_workers):
                ours, theirs = context.Pipe()
                with closing(theirs):
                    process = context.Process(target=work, args=(theirs,), daemon=True)
                    process.start()
                processes.append(process)
                workers.append(ours)
        for worker in workers:  # not an argument of theirs: a large one, to a process that died, would wait for ever
            send(worker, function)
        yield from progress(share_out(items, num_items, workers))
    except EOFError:
        raise InputError(
            f"{description}: one of {num_workers} processes ended, killed or out of memory, "
            "expected all to go on to the end"
        ) from None
    finally:
        for process in processes:
            process.terminate()
            process.join()
        for worker in workers:
            worker.close()
