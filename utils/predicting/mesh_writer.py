"""Predicted meshes on their way to disk, in one or several formats."""

import json
import os
import threading
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch

from data.formats.alembic import check_alembic
from data.formats.gltf_writing import check_gltf
from data.formats.mesh_formats import EXPORTS, MESHES, WITH_VALUES, WriteFrame, frame_writer, write_sequence
from data.formats.obj_writing import Template, position_template, write_positions
from data.formats.point_caches import check_steps
from data.formats.usd import Scene, check_usable
from data.input_error import InputError
from data.safe_write import check_replaceable, naming, remove, write_beside
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.mesh_windows import MeshWindows
from data.sequences.shot_names import names_of_sources
from utils.predicting.prediction import PredictedFrame
from utils.runs.processes import combine, rank

EXPECTED_ERROR = "expected_error"  # the name of the vertices' attribute
FRAMES = "frame_names"  # the name of the list of frames in a record: by them, an export's files are known


class MeshWriter:
    """Writes the prediction of every frame into a folder: OBJ files there, .drc and .ply files in folders of their own; frames
    of several sources into a folder for each.

    An OBJ file keeps the text of the skinned mesh's OBJ file, all but the positions. Formats that hold all frames in one file
    get a file per source, named as its frames are; until all frames are there, these wait in a temporary file. The `record` of
    what the meshes were made with and from is written to a .json file of the same name. The mean error to expect, file units,
    is an attribute of the vertices in .ply, .npz, .usdc and .abc files, and .glb in the mean, where it is known. Use as a
    context: the files of all frames are written at its end, but not where it ends in an error.
    """

    def __init__(
        self,
        windows: MeshWindows,
        folder: Path,
        exports: list[str],
        scene: Scene,
        record: dict[str, Any],
        overwrite: bool = False,
    ):
        """Raise `InputError` where there is something in the folder that is not to be overwritten, and where a format cannot be
        written. What is overwritten is an earlier export as a whole."""
        self.windows, self.folder, self.scene, self.record = windows, folder, scene, record
        self.endings = [EXPORTS[name] for name in exports]
        self.has_clips = not {*self.endings} <= {*MESHES}
        self.names = names_of_sources(windows.sequences)
        self.clips: dict[str, list[int]] = {name: [] for name in self.names.values()}  # the frames of each source
        for index, (number, _) in enumerate(windows.entries):
            self.clips[self.names[windows.sequences[number].name]].append(index)
        check_formats(self.endings, scene, {name: numbers_of(windows, each) for name, each in self.clips.items()})
        check_free(folder, overwrite, windows.sequences)
        self.writers: dict[tuple[int, str], WriteFrame] = {}
        self.template: Template | None = None  # of the latest OBJ file
        self.waiting = folder / f".predictions.{os.environ.get('MASTER_PORT', os.getpid())}.partial"
        self.kind = "<f8" if any(each.skinned.dtype == np.float64 for each in windows.sequences) else "<f4"
        self.num_expected, self.lock = 0, threading.Lock()  # errors to expect of a frame: none, or one for each vertex

    def __enter__(self) -> "MeshWriter":
        combine(torch.zeros(()))  # every process has seen that the folder is free
        if rank() == 0:
            remove_export(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            self.write_records()
        combine(torch.zeros(()))
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
        shot = self.folder if len(self.clips) == 1 else self.folder / self.names[sequence.name]
        for ending in (each for each in self.endings if each in MESHES):
            path = shot / ("" if ending == ".obj" else ending[1:]) / (sequence.frame_names[place] + ending)
            more = {"values": values} if ending in WITH_VALUES else {}
            self.writer(sequence, sequence.files[place], ending)(path, vertices, **more)
        if self.has_clips:
            content = vertices.astype(self.kind).tobytes() + frame.expected_error.astype("<f4").tobytes()
            with self.lock, naming(self.waiting):
                self.waiting_file.seek(frame.index * len(content))
                self.waiting_file.write(content)

    def writer(self, sequence: MeshSequence, source: Path, ending: str) -> WriteFrame:
        """Return the function that writes a frame of a sequence, given the file of its skinned mesh."""
        if ending == source.suffix.lower() == ".obj":
            self.template = template = position_template(source, self.template)
            return partial(write_positions, template=template)
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
                if error is not None and all(path.suffix == ".json" for path in self.folder.iterdir()):
                    remove_export(self.folder)

    def write_records(self) -> None:
        """Write what the meshes are made by and from: first of all, so that an export that was cut short is known as one."""
        for name, indices in self.clips.items():
            record = self.record | {FRAMES: list(map(self.windows.name, indices))}
            with write_beside(self.folder / f"{name}.json") as unfinished:
                unfinished.write_text(json.dumps(record, indent=1), encoding="utf-8")

    def write_clips(self) -> None:
        """Write the files of all frames."""
        if not self.has_clips:
            return
        shape = self.windows.sequences[0].skinned.shape[1:]
        of_frame = np.dtype([("vertices", self.kind, shape), (EXPECTED_ERROR, "<f4", self.num_expected)])
        stored = np.memmap(self.waiting, dtype=of_frame, mode="r", shape=len(self.windows))
        for name, indices in self.clips.items():
            polygons = self.windows.sequences[self.windows.entries[indices[0], 0]].polygons
            own = stored[indices[0] : indices[-1] + 1]
            values = {EXPECTED_ERROR: own[EXPECTED_ERROR]} if self.num_expected else {}
            for ending in self.endings:
                if ending not in MESHES:
                    path = self.folder / (name + ending)
                    write_sequence(
                        path, numbers_of(self.windows, indices), own["vertices"], polygons, self.scene, values
                    )


def numbers_of(windows: MeshWindows, indices: list[int]) -> list[int]:
    """Return the frame numbers of some of the windows."""
    return [int(windows.sequences[sequence].frame_numbers[frame]) for sequence, frame in windows.entries[indices]]


def check_formats(endings: list[str], scene: Scene, numbers: dict[str, list[int]]) -> None:
    """Raise `InputError` where clips, given as their frames' numbers by name, cannot be written in the formats of some endings:
    a package is missing, or a format cannot say what there is."""
    if ".usdc" in endings:
        check_usable(scene)
    if ".abc" in endings:
        check_alembic()
    for name, of_frames in numbers.items():
        if ".pc2" in endings:
            check_steps(Path(f"{name}.pc2"), of_frames)
        if ".glb" in endings:
            check_gltf(Path(f"{name}.glb"), of_frames)


def records_of(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the records that exports wrote into a folder, by the names of their sources."""
    records = {}
    for path in folder.glob("*.json"):
        with suppress(OSError, ValueError):
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found, dict) and {"checkpoint", FRAMES} <= found.keys():
                records[path.stem] = found
    return records


def files_of_export(folder: Path) -> list[Path]:
    """Return the files that an export may have written into a folder, and pictures and films of it; nobody else's."""
    records = records_of(folder)
    films = [f"{name}.{ending}" for name in (*records, "turntable") for ending in ("mp4", "gif")]
    names = [*films, "comparison.png", "report.html"] if records else []
    for name, record in records.items():
        names += [name + ending for ending in EXPORTS.values() if ending not in MESHES]
        shot = "" if len(records) == 1 else name
        for frame in (each for each in map(str, record[FRAMES]) if Path(each).name == each):  # never outside the folder
            names += [
                str(Path(shot, "" if ending == ".obj" else ending[1:], frame + ending))
                for ending in EXPORTS.values()
                if ending in MESHES
            ]
    # the records last, by which an export is known
    return [
        path for path in (folder / name for name in [*names, *(f"{name}.json" for name in records)]) if path.is_file()
    ]


def check_free(folder: Path, overwrite: bool, sequences: list[MeshSequence]) -> None:
    """Raise `InputError` where a folder holds something, unless that is an earlier export, is to be overwritten, and is not
    what the sequences are read from."""
    check_replaceable(folder, overwrite, "predictions", lambda _: bool(records_of(folder)))
    read = {path.resolve() for path in files_of_export(folder)} & {
        path.resolve() for each in sequences for path in set(each.files)
    }
    if read:
        raise InputError(f"{min(read)}: is read from and would be replaced, expected another --output_dir")


def remove_export(folder: Path) -> None:
    """Remove what an export wrote into a folder, if there is one; what somebody else put there stays."""
    for path in files_of_export(folder):
        remove(path)
        for parent in path.relative_to(folder).parents:
            if parent != Path() and not any((folder / parent).iterdir()):
                (folder / parent).rmdir()
