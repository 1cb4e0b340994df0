"""How a script ends: wrong input is one clear line and exit code 2, never a traceback."""

import os
import signal
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any, NoReturn, TextIO

from data.input_error import InputError
from utils.runs.stopping import Interrupted, signals_to_stop


def interrupt(number: int, _: Any) -> NoReturn:
    """End what is under way, as Ctrl-C does, on another signal."""
    raise Interrupted("interrupted", 128 + number)


def in_one_line(error: Exception) -> str:
    """Return an error's message in one line, without characters that a terminal would act on."""
    text = " ".join(str(error).split())
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def out_of_memory(error: Exception) -> bool:
    """Say whether an error is that of memory that is not there, on any device."""
    torch = sys.modules.get("torch")  # without it, a script starts in a fraction of the time
    of_device = torch is not None and isinstance(error, torch.OutOfMemoryError)
    return isinstance(error, MemoryError) or of_device or "allocate memory" in str(error)


def nobody_reads(stream: TextIO) -> bool:
    """Say whether who read a stream has gone, as `| head` does; from then on, nothing is written to it."""
    try:
        print(file=stream, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return True
    return False


def run_main(main: Callable[[], None]) -> None:
    """Call a script's `main` and exit: 0 when it went well, 2 on wrong input, a full disk or too little memory, 130 on Ctrl-C,
    143 on SIGTERM, 129 on SIGHUP, 141 where nobody reads what it prints."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text
    for number in signals_to_stop():
        signal.signal(number, interrupt)
    code = 0
    try:
        main()
        sys.stdout.flush()
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        code = stop.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        code = 130
    except (InputError, OSError, MemoryError, RuntimeError) as error:
        message = in_one_line(error)
        if out_of_memory(error):
            message = (
                f"out of memory ({message[:200]}), expected enough for what is asked for at once: "
                "try a smaller --mini_batch_size or --num_frames"
            )
        elif not isinstance(error, InputError | OSError):
            raise
        if isinstance(error, BrokenPipeError) and nobody_reads(sys.stdout):
            code = 128 + 13  # as after SIGPIPE
        else:
            print(f"error: {message}", file=sys.stderr)
            code = 2
    if "torch" in sys.modules:
        from utils.runs.processes import leave_processes, num_processes

        if num_processes() > 1:
            leave_processes(code)
    sys.exit(code)
