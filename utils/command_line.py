"""How a script ends: wrong input is one clear line and exit code 2, never a traceback."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from data.input_error import InputError
from utils.processes import leave_processes, num_processes


class Interrupted(Exception):
    """Training was asked to stop, and did, with everything saved; `exit_code` as shells expect it of the signal."""

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Give a list that the first Ctrl-C or SIGTERM is added to; the second one ends the program as usual."""
    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def receive(number: int, _: Any) -> None:
        received.append(number)
        if num_processes() == 1:  # torchrun may well pass the same signal on once more, while the first process saves
            restore()

    for number in before:
        signal.signal(number, receive)
    try:
        yield received
    finally:
        restore()


def run(main: Callable[[], None]) -> None:
    """Call a script's `main` and exit: 0 when it went well, 2 on wrong input or a full disk, 130 on Ctrl-C."""
    code = 0
    try:
        main()
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        code = stop.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except (InputError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    if num_processes() > 1:
        leave_processes(code)
    sys.exit(code)
