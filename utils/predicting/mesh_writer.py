"""Predicted meshes on their way to disk, in one or several formats."""

import json
import os
import re
import threading
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch

from data.formats.mesh_formats import MESHES, WITH_VALUES, WriteFrame, frame_writer, write_sequence
from data.formats.obj_writing import position_template, write_positions
from data.formats.usd import Scene, check_usable
from data.input_error import InputError
from data.safe_write import naming, remove_leftovers, write_beside
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.mesh_windows import MeshWindows
from utils.predicting.prediction import PredictedFrame
from utils.runs.processes import combine, rank

EXPORTS = {"obj": ".obj", "drc": ".drc", "ply": ".ply", "npz": ".npz", "usd": ".usdc"}

EXPECTED_ERROR = "expected_error"  # the name of the vertices' attribute


def clip_name(sequence: MeshSequence) -> str:
    """Return what the names of a sequence's frames have in common: all but the frame number."""
    number = rf"[._ -]*0*{abs(sequence.frame_numbers[0])}(?!\d)"
    return re.sub(rf"{number}(?!.*{number})", "", sequence.frame_names[0]) or "meshes"


class MeshWriter:
    """Writes the prediction of every frame into a folder: OBJ files there, .drc and .ply files in folders of their own.

    An OBJ file keeps the text of the skinned mesh's OBJ file, all but the positions. Formats that hold all frames in one file
    get a file per source folder, named as its frames are; until all frames are there, these wait in a temporary file. The
    `record` of what the meshes were made with and from is written to a .json file of the same name. The mean error to expect,
    file units, is an attribute of the vertices in .ply, .npz and .usdc files, where it is known. Use as a context: the files
    of all frames are written at its end, but not where it ends in an error.
    """

    def __init__(self, windows: MeshWindows, folder: Path, exports: list[str], scene: Scene, record: dict[str, Any]):
        """Raise `InputError` where two files would be one, and where a format cannot be written."""
        self.windows, self.folder, self.scene, self.record = windows, folder, scene, record
        self.endings = [EXPORTS[name] for name in exports]
        if ".usdc" in self.endings:
            check_usable(scene)
        self.has_clips = not {*self.endings} <= {*MESHES}
        self.clips: dict[str, list[int]] = {}  # the frames of each source, by the name of its file
        taken: dict[str, Path] = {}
        for index, (number, frame) in enumerate(windows.entries):
            sequence = windows.sequences[number]
            name, source = sequence.frame_names[frame], sequence.files[frame]
            if name in taken:
                raise InputError(
                    f"{source}: same frame name as {taken[name]}, {name}, expected names that differ in one export"
                )
            taken[name] = source
            clip = self.clips.setdefault(clip_name(sequence), [])
            clip.append(index)
            first = windows.sequences[windows.entries[clip[0], 0]]
            if self.has_clips and first.name != sequence.name:
                raise InputError(
                    f"{sequence.name}: named {clip_name(sequence)} as {first.name}, expected names that differ in one export"
                )
        self.writers: dict[tuple[int, str], WriteFrame] = {}
        self.waiting = folder / f".predictions.{os.environ.get('MASTER_PORT', os.getpid())}.partial"
        self.kind = "<f8" if any(each.skinned.dtype == np.float64 for each in windows.sequences) else "<f4"
        self.num_expected = 0  # errors to expect of a frame: none, or one for each vertex
        self.lock = threading.Lock()

    def __enter__(self) -> "MeshWriter":
        self.folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(self.folder)
        if self.has_clips:
            self.waiting_file = open(os.open(self.waiting, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        return self

    def write(self, frame: PredictedFrame) -> None:
        """Write one frame, given relative to its origin, or keep it for the files of all frames.

        Called from several threads.
        """
        number, place = self.windows.entries[frame.index]
        sequence = self.windows.sequences[number]
        origin = sequence.origin(place)
        vertices = frame.predicted + origin if origin.any() else frame.predicted
        self.num_expected = len(frame.expected_error)
        values = {EXPECTED_ERROR: frame.expected_error} if self.num_expected else {}
        for ending in self.endings:
            if ending in MESHES:
                folder = self.folder if ending == ".obj" else self.folder / ending[1:]
                path = folder / (sequence.frame_names[place] + ending)
                write = self.writer(sequence, sequence.files[place], ending)
                write(path, vertices, **({"values": values} if ending in WITH_VALUES else {}))
        if self.has_clips:
            content = vertices.astype(self.kind).tobytes() + frame.expected_error.astype("<f4").tobytes()
            with self.lock, naming(self.waiting):
                self.waiting_file.seek(frame.index * len(content))
                self.waiting_file.write(content)

    def writer(self, sequence: MeshSequence, source: Path, ending: str) -> WriteFrame:
        """Return the function that writes a frame of a sequence, given the file of its skinned mesh."""
        if ending == source.suffix.lower() == ".obj":
            return partial(write_positions, template=position_template(source))
        key = id(sequence.polygons), ending
        if key not in self.writers:
            self.writers[key] = frame_writer(ending, sequence.polygons, sequence.skinned.shape[1])
        return self.writers[key]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        try:
            if self.has_clips:
                with naming(self.waiting):
                    self.waiting_file.close()
            if error is None:
                combine(torch.zeros(()))  # every process has written its frames
                if rank() == 0:
                    self.write_clips()
        finally:
            if rank() == 0:
                self.waiting.unlink(missing_ok=True)

    def write_clips(self) -> None:
        """Write the files of all frames, and beside them what they were made by and from."""
        for name in self.clips:
            with write_beside(self.folder / f"{name}.json") as partial:
                partial.write_text(json.dumps(self.record, indent=1), encoding="utf-8")
        if not self.has_clips:
            return
        shape = self.windows.sequences[0].skinned.shape[1:]
        of_frame = np.dtype([("vertices", self.kind, shape), (EXPECTED_ERROR, "<f4", self.num_expected)])
        stored = np.memmap(self.waiting, dtype=of_frame, mode="r", shape=len(self.windows))
        for name, indices in self.clips.items():
            entries = self.windows.entries[indices]
            sequences = [self.windows.sequences[number] for number, _ in entries]
            numbers = [int(each.frame_numbers[frame]) for each, (_, frame) in zip(sequences, entries, strict=True)]
            own = stored[indices[0] : indices[-1] + 1]
            values = {EXPECTED_ERROR: own[EXPECTED_ERROR]} if self.num_expected else {}
            for ending in self.endings:
                if ending not in MESHES:
                    path = self.folder / (name + ending)
                    write_sequence(path, numbers, own["vertices"], sequences[0].polygons, self.scene, values)
