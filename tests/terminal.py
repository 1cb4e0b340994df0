"""The project's scripts in processes of their own, as from a terminal, and what they leave behind.

A script needs seconds to import torch. So most tests fork theirs from one process that has imported everything already
(`run_script`, `start_script`): a process like any other, with a command line, exit code, signals and memory of its own, that
runs the script's file from its first line on. `run_fresh` starts an interpreter, where that is the point.
"""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing import forkserver
from pathlib import Path
from textwrap import indent
from types import SimpleNamespace
from unittest.mock import patch

ROOT = Path(__file__).parent.parent
IMPORTED_BEFORE = [path.stem for path in ROOT.glob("*.py")] + ["torch._dynamo"]
NOT_MARKED = "found a test that starts scripts, expected it to be marked: pytest.mark.starts_scripts"
one_at_a_time = threading.Lock()
COARSE = "from utils.showing import rendering; rendering.SAMPLES_PER_SIDE = 1"  # for `script_with`: pictures of one ray a pixel
CAN_FORK = "forkserver" in multiprocessing.get_all_start_methods()

# set by conftest.py: where the processes' output goes, and whether the test that runs is marked as one that starts scripts
session = SimpleNamespace(folder=None, may_start_scripts=True)


def run_fresh(folder, *command, interpreter=sys.executable, **options):
    """Run a Python command in a folder; return the finished process, its output as text."""
    assert session.may_start_scripts, NOT_MARKED
    options = {"capture_output": True, "text": True, "encoding": "utf-8", **options}
    return subprocess.run(list(map(str, [interpreter, *command])), cwd=folder, **options)


def begin(script, arguments, folder, environment, output, errors):
    """Run a script's file, in a process that was forked for it."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((output, sys.stdout), (errors, sys.stderr)):
        with open(path, "ab") as file:
            os.dup2(file.fileno(), stream.fileno())
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def start_server():
    """Start the process that all scripts are forked from, once, such that it finds what it is to import before."""
    multiprocessing.set_forkserver_preload(IMPORTED_BEFORE)
    with one_at_a_time, patch.dict(os.environ, PYTHONPATH=str(ROOT)):
        forkserver.ensure_running()


def new_file():
    """Make an empty file for what a process prints; return its path."""
    number, path = tempfile.mkstemp(dir=session.folder)
    os.close(number)
    return path


class ForkedScript:
    """A script that runs, with what `subprocess.Popen` has for it."""

    def __init__(self, folder, script, arguments, environment, output):
        context = multiprocessing.get_context("forkserver")
        start_server()
        self.files = [str(output or new_file()) for _ in ("output", "errors")]
        command = (str(ROOT / script), list(map(str, arguments)), str(folder), dict(environment), *self.files)
        self.process = context.Process(target=begin, args=command)
        self.process.start()
        self.pid = self.process.pid

    @property
    def returncode(self):
        return self.process.exitcode

    def poll(self):
        return self.process.exitcode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def kill(self):
        if self.poll() is None:
            self.process.kill()

    def communicate(self, timeout=None):
        """Wait for its end; return what it printed, and what it wrote to its standard error."""
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired(self.files[0], timeout)
        return tuple(Path(file).read_bytes().decode("utf-8", "replace") for file in self.files)


def start_script(folder, script, *arguments, environment=None, output=None):
    """Start a script of the project, or another one, in `folder`; return the running process.

    `output` is a file for all that it prints; without one, the process' `communicate` tells.
    """
    assert session.may_start_scripts, NOT_MARKED
    environment = os.environ if environment is None else environment
    if CAN_FORK:
        return ForkedScript(folder, script, arguments, environment, output)
    command = list(map(str, [sys.executable, ROOT / script, *arguments]))
    streams = dict.fromkeys(("stdout", "stderr"), open(output, "wb") if output else subprocess.PIPE)  # noqa: SIM115
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, encoding="utf-8", **streams)


def run_script(folder, script, *arguments):
    """Run a script of the project in `folder`; return its `returncode`, `stdout` and `stderr`."""
    process = start_script(folder, script, *arguments)
    output, errors = process.communicate()
    return SimpleNamespace(returncode=process.returncode, stdout=output, stderr=errors)


def script_with(folder, name, *lines):
    """Write a script that is one of the project's but for some lines run before; return its path."""
    path = folder / f"changed_{Path(name).name}"
    module = name.removesuffix(".py").replace("/", ".")
    run = ["import sys", f"sys.path.insert(0, {str(ROOT)!r})", f"import {module} as script"]
    run += ["from utils.command_line.run_main import run_main", "from utils.fitting import sampling", *lines]
    text = "\n".join([*run, "run_main(script.main)"])
    # processes that the script starts import this file, but nothing of it is theirs to run
    path.write_text(f'if __name__ == "__main__":\n{indent(text, "    ")}\n')
    return path


def wait_for(condition, process, seconds=60, pause=0.01):
    """Wait until a condition is there; fail where the process ends before."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(pause)


def leftovers(folder):
    return [path for path in folder.rglob("*") if path.name.endswith(".partial")]


def in_one_line(process_or_errors):
    """The last line that a process wrote to its standard error, which holds no traceback."""
    assert "Traceback" not in process_or_errors
    return process_or_errors.strip().splitlines()[-1]
