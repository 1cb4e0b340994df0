"""Sequences of paired meshes: skinned and scanned frames of one topology, with joints or without, checked when paired."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64
from numpy import ndarray
from tqdm import tqdm

from data.formats.mesh_formats import CHARACTERS, POINTS
from data.formats.polygons import Polygons
from data.input_error import InputError
from data.sequences.frame_names import frame_step, starts_of_sequences
from data.sequences.mesh_frames import MeshFrames, load_frames
from data.sequences.same_topology import check_topology, in_the_same_order
from data.sequences.unobserved import rows_of_scans, weights_of_scans

# by frame: which vertices of its scan do not belong, and where they are taken to be
Repairs = dict[int, tuple[Int64[ndarray, " _"], Float[ndarray, "_ 3"]]]


@dataclass
class MeshSequence:
    """Consecutive frames: numbers (T,), source files, skinned mesh and, where there are any, scans and joints, file units.

    Frames may have no scan: `scan_rows` (T,) say which row of `scan` is of each frame, -1 where none is. Scans may lack
    vertices (`has_holes`), or be trusted more here than there (`scan_weights`, 0 to 1; 0 is as if it lacked them). The numbers
    are `step` apart, or in times a little more: of an animation on twos, 2. `frame_names` are the files' names without ending;
    where one file holds all frames, its name and the frame's number. `fingerprints` stand for all frames of "skinned", "scan"
    and "joints", as they were before gaps split them into sequences. Where outliers were looked for
    (`data.sequences.outliers`), the scans of frames that are `left_out` are not trained on, and there are `repairs` of others.
    """

    name: str
    frame_numbers: Int64[ndarray, " T"]
    files: list[Path]
    frame_names: list[str]
    polygons: Polygons
    skinned: Float[ndarray, "T V 3"]
    scan: Float[ndarray, "S V 3"] | None
    joints: Float[ndarray, "T J 3"] | None = None
    joint_names: list[str] = field(default_factory=list)
    scan_rows: Int64[ndarray, " T"] = field(default_factory=lambda: np.empty(0, np.int64))  # all in order, by default
    scan_weights: Float32[ndarray, "S V"] | None = None
    has_holes: bool = False
    step: int = 1
    fingerprints: dict[str, str] = field(default_factory=dict)
    left_out: Bool[ndarray, " T"] | None = None
    repairs: Repairs = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not len(self.scan_rows):
            self.scan_rows = np.arange(len(self.frame_numbers))

    def has_scan(self, frame: int | np.integer) -> bool:
        """Say whether a frame has a scan."""
        return self.scan is not None and bool(self.scan_rows[frame] >= 0)

    @property
    def scanned(self) -> Int64[ndarray, " S"]:
        """The frames that have a scan."""
        return np.flatnonzero(self.scan_rows >= 0) if self.scan is not None else np.empty(0, np.int64)

    def scan_of(self, frame: int | np.integer) -> Float[ndarray, "V 3"]:
        """Return the scan of a frame, file units; it is no number where nothing is observed, anywhere where there is none."""
        if self.scan is None or self.scan_rows[frame] < 0:
            return np.full_like(self.skinned[frame], np.nan)
        scan = self.scan[self.scan_rows[frame]]
        if self.scan_weights is None:
            return scan
        return np.where(self.scan_weights[self.scan_rows[frame], :, None] > 0, scan, np.nan).astype(scan.dtype)

    @property
    def trusted_wholly(self) -> bool:
        """Whether all scans are trusted everywhere."""
        return not self.has_holes and self.scan_weights is None

    def weights_of(self, frame: int | np.integer) -> Float32[ndarray, " V"] | None:
        """Return how far each vertex of a frame's scan is trusted, 0 to 1; 0 where it is not observed. None where all scans are
        trusted everywhere."""
        if self.trusted_wholly:
            return None
        observed = ~np.isnan(self.scan_of(frame)[:, 0])
        if self.scan_weights is None or self.scan_rows[frame] < 0:
            return observed.astype(np.float32)
        return observed * self.scan_weights[self.scan_rows[frame]]

    def piece(self, start: int, end: int) -> "MeshSequence":
        """Return some of the frames, one after the other, as a sequence of their own."""
        some = slice(start, end)
        rows = self.scan_rows[some]
        own = rows[rows >= 0]
        first, after = (int(own[0]), int(own[-1]) + 1) if len(own) else (0, 0)
        return replace(
            self,
            frame_numbers=self.frame_numbers[some],
            files=self.files[some],
            frame_names=self.frame_names[some],
            skinned=self.skinned[some],
            scan=None if self.scan is None else self.scan[first:after],
            scan_weights=None if self.scan_weights is None else self.scan_weights[first:after],
            scan_rows=np.where(rows >= 0, rows - first, -1),
            joints=None if self.joints is None else self.joints[some],
            left_out=None if self.left_out is None else self.left_out[some],
            repairs={frame - start: each for frame, each in self.repairs.items() if start <= frame < end},
        )

    def origin(self, frame: int | np.integer) -> Float64[ndarray, "3"]:
        """Return the origin (3,) that the model uses at a frame, file units: the middle of the mesh where that is far from the
        files' origin."""
        if self.skinned.dtype == np.float32:
            return np.zeros(3)
        return self.skinned[frame].mean(axis=0)

    def seen(self, positions: Float[ndarray, "*B 3"], frame: int | np.integer) -> Float32[ndarray, "*B 3"]:
        """Return some of its positions relative to the origin at a frame, in single precision."""
        origin = self.origin(frame)
        return (positions - origin if origin.any() else positions).astype(np.float32, copy=False)


def numbered_like(frames: MeshFrames, source: MeshFrames) -> MeshFrames:
    """Return frames with the numbers of `source`, where their own were only counted and there are as many of them.

    Raises `InputError` where there are not as many: which of them belong together, nobody says.
    """
    if not frames.counted or frames.frame_numbers == source.frame_numbers:
        return frames
    there, here = len(frames.frame_numbers), source.frame_numbers
    if there != len(here):
        raise InputError(
            f"{frames.path}: {there} frames without numbers, {source.path} has {len(here)}, {here[0]} to {here[-1]}: which "
            "belong together? Expected as many, or numbers, as in an .npz file with an array frame_numbers"
        )
    return replace(frames, frame_numbers=here)


def check_frames(here: MeshFrames, there: MeshFrames, complaint: str) -> None:
    """Raise `InputError` where `there` lacks some of the frames of `here`."""
    alone = sorted(set(here.frame_numbers) - set(there.frame_numbers))
    if alone:
        first = here.names[here.frame_numbers.index(alone[0])]
        hint = hint_on_rate(here, there) or hint_on_frames(here.frame_numbers, there.frame_numbers)
        raise InputError(
            f"{there.path}: {len(alone)} of the {len(here.frame_numbers)} frames in {here.path} {complaint}, "
            f"the first is frame {alone[0]} ({first}){hint}"
        )


def hint_on_rate(*frames: MeshFrames) -> str:
    """Return what may be wrong where some frames were sampled of an animation, behind a semicolon."""
    return (
        "; is --frame_rate that of the scans?" if any(f.files[0].suffix.lower() in CHARACTERS for f in frames) else ""
    )


def hint_on_frames(here: list[int], there: list[int]) -> str:
    """Return what to do about frame numbers that do not fit together, behind a semicolon; nothing where that is not known."""
    apart = {one - other for one, other in zip(here, there, strict=False)}
    if len(here) == len(there) and len(apart) == 1:
        return f"; all numbers are {abs(apart.pop())} apart, expected the same ones: rename the files of one folder"
    if set(there) < set(here):
        return "; expected one for each frame, or the frames that have one alone, in a folder of their own"
    return ""


def check_pair(source: MeshFrames, target: MeshFrames) -> None:
    """Raise `InputError` where there is a scan of no skinned mesh, or another topology. Skinned meshes may have no scan.

    Scans may have other faces, where their vertices are in the skinned mesh's order: faces turned, cut or sorted otherwise.
    """
    check_frames(target, source, "have no partner")
    try:
        check_topology(source, target)
    except InputError:
        triangles = source.polygons.triangles()
        if not in_the_same_order(source.vertices[0], target.vertices[0], triangles):
            raise
        tqdm.write(f"{target.path}: other faces than {source.path}, but vertices in the same order: taken")


def load_joints(path: Path, source: MeshFrames, frame_rate: float) -> MeshFrames:
    """Return the joints in a folder or file, those of every frame of `source` among them.

    Raises `InputError` for what `load_frames` refuses, and for a frame without joints.
    """
    joints = numbered_like(load_frames(path, tuple(POINTS), joints=True, frame_rate=frame_rate), source)
    check_frames(source, joints, "have no joints")
    return joints


def split_at_gaps(
    source: MeshFrames,
    target: MeshFrames | None,
    joints: MeshFrames | None,
    weights: Float32[ndarray, "S V"] | None = None,
) -> list[MeshSequence]:
    """Return one sequence per run of frame numbers as far apart as most are: no window may cross a gap.

    Raises `InputError` where neither the skinned meshes nor the scans have faces, and where no scan shows anything.
    """
    polygons = source.polygons
    if not len(polygons.sizes) and target is not None:
        polygons = target.polygons
    if not len(polygons.sizes):
        raise InputError(
            f"{source.files[0]}: no faces found, expected a mesh: points alone, or a layer over another file's mesh, do "
            "not say which vertices belong together"
        )
    numbers = np.array(source.frame_numbers, dtype=np.int64)
    joint_positions = None
    scan_rows = np.full(len(numbers), -1)
    if target is not None:
        scan_rows = rows_of_scans(target, weights, numbers)
    if joints is not None:
        joint_positions = joints.vertices[np.searchsorted(joints.frame_numbers, source.frame_numbers)]
    named = {"skinned": source, "scan": target, "joints": joints}
    fingerprints = {name: frames.fingerprint for name, frames in named.items() if frames is not None}
    if weights is not None:
        fingerprints["scan weights"] = f"{crc32(weights.tobytes()):08x}"
    whole = MeshSequence(
        name=str(source.path),
        frame_numbers=numbers,
        files=source.files,
        frame_names=source.names,
        polygons=polygons,
        skinned=source.vertices,
        scan=None if target is None else target.vertices,
        joints=joint_positions,
        joint_names=[] if joints is None else joints.point_names,
        scan_rows=scan_rows,
        scan_weights=weights,
        has_holes=target is not None and bool(target.missing.any()),
        step=frame_step(numbers),
        fingerprints=fingerprints,
    )
    return [whole.piece(start, end) for start, end in pairwise([*starts_of_sequences(numbers).tolist(), len(numbers)])]


def check_joint_counts(sequences: list[MeshSequence]) -> None:
    """Raise `InputError` where two sequences differ in their number of joints."""
    counts = [(sequence.name, sequence.joints.shape[1]) for sequence in sequences if sequence.joints is not None]
    for name, count in counts:
        if count != counts[0][1]:
            raise InputError(f"{name}: {count} joints, expected {counts[0][1]} as in {counts[0][0]}")


def check_one_per_source(flag: str, folders: list[Path], source_dirs: list[Path]) -> None:
    """Raise `InputError`, naming the flag, where there are not as many folders as source folders."""
    if len(folders) != len(source_dirs):
        raise InputError(f"{flag}: found {len(folders)} folders, expected one per source folder, {len(source_dirs)}")


def load_sequences(
    source_dirs: list[Path],
    target_dirs: list[Path] | None,
    joint_dirs: list[Path] | None = None,
    weight_files: list[Path] | None = None,
    frame_rate: float = 30.0,
) -> tuple[list[MeshSequence], Int64[ndarray, "F 3"]]:
    """Return the sequences of all source folders or files, with their scans and joints where given, and their triangles (F, 3).

    Files of weights, one for all or one per target, say how far the scans are trusted (`data.formats.vertex_weights`). A gap in
    a folder's frame numbers starts a new sequence. Raises `InputError` for a source given twice, for another number of target
    or joint than source folders, a scan without its frame, a frame without joints, and meshes or joints that are not alike in
    all frames.
    """
    if target_dirs is not None:
        check_one_per_source("--target_files_dir", target_dirs, source_dirs)
    if joint_dirs is not None:
        check_one_per_source("--joint_files_dir", joint_dirs, source_dirs)
    if weight_files is not None and target_dirs is None:
        raise InputError("--scan_weights: found without scans, expected both or neither")
    if weight_files is not None and len(weight_files) > 1:
        check_one_per_source("--scan_weights", weight_files, source_dirs)
    for index, folder in enumerate(source_dirs):
        earlier = [each for each in source_dirs[:index] if each.resolve() == folder.resolve()]
        if earlier:
            also = f", also as {earlier[0]}" if earlier[0] != folder else ""
            raise InputError(f"--source_files_dir: found {folder} twice{also}, expected each source once")
    sequences: list[MeshSequence] = []
    sources = [load_frames(folder, frame_rate=frame_rate) for folder in source_dirs]
    for index, source in enumerate(sources):
        check_topology(sources[0], source)
        target = (
            None if target_dirs is None else load_frames(target_dirs[index], with_holes=True, frame_rate=frame_rate)
        )
        weights = None
        if target is not None:
            source, target = numbered_like(source, target), numbered_like(target, source)
            check_pair(source, target)
            if weight_files is not None:
                weights = weights_of_scans(weight_files[index % len(weight_files)], target)
        joints = None if joint_dirs is None else load_joints(joint_dirs[index], source, frame_rate)
        sequences += split_at_gaps(source, target, joints, weights)
    check_joint_counts(sequences)
    return sequences, sequences[0].polygons.triangles()
