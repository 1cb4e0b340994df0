"""How a training is asked to stop, by Ctrl-C or by SIGTERM, and how it says that it did.

`utils.command_line.run_main` makes exit codes of that; `data.sequences.parallel` keeps signals back while processes start.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from utils.runs.processes import num_processes


class Interrupted(BaseException):
    """A script was asked to stop, and did; `exit_code` is what shells expect after the signal.

    It is no `Exception`, like `KeyboardInterrupt`: code that catches the errors of a broken file must not catch it.
    """

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
