"""A training as a process of its own, in the toolkit's Python: its lines as they come, and the model that it ends with."""

# SPDX-License-Identifier: GPL-3.0-or-later

import queue
import re
import subprocess
import threading
from pathlib import Path

from . import sequences
from .refused import Refused

BAR = re.compile(r"\|.*?\|")  # of progress, which has no place in a panel
NEWEST = re.compile(r"saved (.+\.pt)")


def checked_toolkit(python, toolkit):
    """Return the paths of the toolkit's Python and folder; raise `Refused` where they are not there."""
    python, toolkit = Path(python), Path(toolkit)
    if not str(python).strip(".") or not python.is_file():
        raise Refused(
            f"Python: found {str(python)!r}, expected Skin2Scan's, .venv/bin/python, in the preferences of this extension"
        )
    if not (toolkit / "fit_mesh.py").is_file():
        raise Refused(
            f"Skin2Scan: found no fit_mesh.py in {str(toolkit)!r}, expected its folder in the preferences of this extension"
        )
    return python, toolkit


class Training:
    """A process that trains, and then another one that exports the model.

    `lines` are what was printed, `now` the last of them, which may be a progress bar; `model` is the path of the exported file,
    once it is there.
    """

    def __init__(self, obj, scene, python, toolkit):
        """Start it; raise `Refused` where something is missing."""
        self.python, self.toolkit = checked_toolkit(python, toolkit)
        self.folder, settings = sequences.folder_of(obj), obj.skin2scan
        target = sequences.scan_file(obj) or self.folder / sequences.SCAN
        joints = settings.with_joints
        for path in (self.folder / sequences.SKINNED, target, *([self.folder / sequences.JOINTS] if joints else [])):
            if not path.is_file():
                raise Refused(f"{path}: no such file: write the sequences first")
        command = [
            self.toolkit / ("fit_mesh_with_joints.py" if joints else "fit_mesh.py"),
            "-src",
            self.folder / sequences.SKINNED,
        ]
        command += ["-tar", target, *(["-src_joint", self.folder / sequences.JOINTS] if joints else [])]
        command += [
            "-n_cond",
            "3",
            "-min_batch",
            "8192",
            "-n_ep",
            str(settings.epochs),
            "--up_axis",
            "z",
            "--units",
            sequences.units_of(scene),
        ]
        self.lines, self.now, self.model, self.checkpoint = [], "", None, None
        self.start(command)

    def start(self, command):
        self.process = subprocess.Popen(
            [str(each) for each in (self.python, *command)],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
        self.printed = queue.SimpleQueue()
        threading.Thread(target=self.read, args=(self.process, self.printed), daemon=True).start()

    @staticmethod
    def read(process, printed):
        """Take what a process prints, as it comes; then None."""
        while chunk := process.stdout.read1():
            printed.put(chunk.decode(errors="replace"))
        printed.put(None)

    def poll(self):
        """Take what was printed since the last time; return whether it is still running."""
        while True:
            try:
                chunk = self.printed.get_nowait()
            except queue.Empty:
                return True
            if chunk is None:
                return self.went_on(self.process.wait())
            *whole, rest = (self.now + chunk).split("\n")
            for line in whole:
                self.lines.append(line.rstrip("\r").split("\r")[-1])
                if found := NEWEST.search(self.lines[-1]):
                    self.checkpoint = self.folder / found[1]
            self.now = rest

    def went_on(self, code):
        """Export the model that a training ended with; return whether there is more to wait for."""
        if self.now:
            self.lines.append(self.now.split("\r")[-1])
            self.now = ""
        exported = self.process.args[1].endswith("export_onnx.py")
        if code == 0 and exported:
            self.model = Path(self.process.args[3])
        elif code == 0 and self.checkpoint is not None:
            model = self.folder / f"{self.checkpoint.parent.name}.onnx"
            self.start([self.toolkit / "export_onnx.py", self.checkpoint, model, "--streaming"])
            return True
        return False

    def shown(self):
        """Return the lines to show: where it is, and the newest errors."""
        now = BAR.sub("", self.now.split("\r")[-1]) or next(
            (each for each in reversed(self.lines) if each.strip()), "starting"
        )
        errors = next((each for each in reversed(self.lines) if "held out" in each), None)
        return [now] if errors is None else [now, errors]

    def stop(self):
        """Ask it to stop: the toolkit keeps what was trained so far."""
        self.process.terminate()
