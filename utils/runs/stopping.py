"""How a training is asked to stop, by Ctrl-C, by SIGTERM or by the end of a terminal, and how it says that it did.

`utils.command_line.run_main` makes exit codes of that; `data.sequences.parallel` keeps signals back while processes start.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Interrupted(BaseException):
    """A script was asked to stop, and did; `exit_code` is what shells expect after the signal.

    It is no `Exception`, like `KeyboardInterrupt`: code that catches the errors of a broken file must not catch it.
    """

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


def signals_to_stop() -> list[signal.Signals]:
    """Return the signals that ask a program to stop, beside Ctrl-C: SIGTERM, and SIGHUP where a terminal ends or its connection
    breaks.

    `nohup` has SIGHUP ignored, and so it stays; but torchrun, itself started so, passes it on to its processes.
    """
    hang_up = getattr(signal, "SIGHUP", None)  # Windows has none
    if hang_up is None or (signal.getsignal(hang_up) == signal.SIG_IGN and "TORCHELASTIC_RUN_ID" not in os.environ):
        return [signal.SIGTERM]
    return [signal.SIGTERM, hang_up]


@contextmanager
def stop_signals() -> Iterator[list[int]]:
    """Give a list that the first Ctrl-C, or other signal to stop, is added to; the second one ends the program as usual."""
    from utils.runs.processes import num_processes  # training has imported torch long since; other scripts need none

    received: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *signals_to_stop())}

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
