"""Windows over frames: every frame of a sequence together with the n-1 frames before it."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Float64, Int, Int64
from numpy import ndarray

from data.input_error import InputError
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.outliers import find_outliers
from data.sequences.run_up import RunUp, path_of
from data.sequences.unobserved import HarmonicFill


def window_frames(frame: Int[ndarray, " B"], num_condition_frames: int) -> Int[ndarray, "B N"]:
    """Return the frames of each window (B, N), oldest first; before a sequence's start they are below zero."""
    return np.asarray(frame)[:, None] + np.arange(1 - num_condition_frames, 1)


@dataclass
class MeshWindows:
    """Frames to train or test on, out of several sequences, each seen through its window of `num_condition_frames`."""

    sequences: list[MeshSequence]
    num_condition_frames: int
    entries: Int[ndarray, "K 2"]  # sequence, frame in it
    run_up: RunUp = field(default_factory=RunUp)  # what came before a sequence's first frame
    rests: dict[int, Float[ndarray, "V 3"] | None] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, index: int) -> str:
        """Return the name of a frame's file, without ending."""
        sequence, frame = self.entries[index]
        return self.sequences[sequence].frame_names[frame]

    def origin(self, index: int) -> Float64[ndarray, "3"]:
        """Return what a frame's positions are relative to, file units."""
        sequence, frame = self.entries[index]
        return self.sequences[sequence].origin(frame)

    def has_scan(self, index: int) -> bool:
        """Say whether a frame has a scan."""
        sequence, frame = self.entries[index]
        return self.sequences[sequence].has_scan(frame)

    def rest(self, s: int) -> Float[ndarray, "V 3"] | None:
        """Return the rest pose where a sequence begins, where its run-up knows one."""
        if s not in self.rests:
            self.rests[s] = self.run_up.placed_at(self.sequences[s].skinned[0])
        return self.rests[s]

    def skinned(self, indices: Int[ndarray, " B"]) -> Float32[ndarray, "B N V 3"]:
        """Return windows (B, N, V, 3) of the skinned mesh, file units, oldest frame first, the current frame last.

        They, and all that follows, are relative to the origin of the current frame. Before a sequence's start they are as its
        `run_up` says.
        """
        sequence, frame = self.entries[indices].T
        frames, every = window_frames(frame, self.num_condition_frames), slice(None)
        windows = [
            path_of(self.sequences[s], window, self.sequences[s].skinned, every, self.run_up, self.rest(s))
            for s, window in zip(sequence.tolist(), frames, strict=True)
        ]
        return np.stack(windows)

    def joints(self, indices: Int[ndarray, " B"]) -> Float32[ndarray, "B N J 3"] | None:
        """Return windows (B, N, J, 3) of the joints, file units; None where the sequences have none."""
        windows = []
        sequence, frame = self.entries[indices].T
        for s, window in zip(sequence.tolist(), window_frames(frame, self.num_condition_frames), strict=True):
            joints = self.sequences[s].joints
            if joints is None:
                return None
            windows.append(path_of(self.sequences[s], window, joints, slice(None), self.run_up))
        return np.stack(windows)

    def history(
        self, indices: Int[ndarray, " B"], vertices: Int[ndarray, " A"], num_frames: int
    ) -> Float32[ndarray, "B H A 3"]:
        """Return where a few vertices of the skinned mesh were over the last `num_frames` frames (B, H, A, 3), file units, as
        `skinned` does."""
        sequence, frame = self.entries[indices].T
        frames = window_frames(frame, num_frames)
        paths = [
            path_of(self.sequences[s], before, self.sequences[s].skinned, vertices, self.run_up, self.rest(s))
            for s, before in zip(sequence.tolist(), frames, strict=True)
        ]
        return np.stack(paths)

    def scan(self, indices: Int[ndarray, " B"]) -> Float32[ndarray, "B V 3"]:
        """Return the scans (B, V, 3) of the current frames, file units; no numbers where nothing is observed."""
        scans = []
        for s, frame in self.entries[indices]:
            sequence = self.sequences[s]
            scan = sequence.scan_of(frame)
            if frame in sequence.repairs:
                vertices, positions = sequence.repairs[frame]
                scan = scan.copy()
                scan[vertices] = positions
            scans.append(sequence.seen(scan, frame))
        return np.stack(scans)

    def weights(self, indices: Int[ndarray, " B"]) -> Float32[ndarray, "B V"] | None:
        """Return how far each vertex of the current frames' scans is trusted, 0 to 1, 0 where it is not observed; None where
        all are wholly."""
        of_frames = [self.sequences[s].weights_of(frame) for s, frame in self.entries[indices]]
        if all(each is None for each in of_frames):
            return None
        ones = np.ones(self.sequences[0].skinned.shape[1], np.float32)
        return np.stack([ones if each is None else each for each in of_frames])

    @cached_property
    def never_observed(self) -> Int64[ndarray, " U"]:
        """The vertices (U,) that no scan of these frames shows."""
        never = np.ones(self.sequences[0].skinned.shape[1], bool)
        for s, frame in self.entries:
            if (weights := self.sequences[s].weights_of(frame)) is None or not (never := never & (weights == 0)).any():
                return np.empty(0, np.int64)
        return np.flatnonzero(never)

    @cached_property
    def fill(self) -> HarmonicFill:
        """What fills in corrections where nothing is observed."""
        return HarmonicFill(self.sequences[0].skinned[0], self.sequences[0].polygons.triangles())

    def to_learn(self, indices: Int[ndarray, " B"]) -> tuple[Float32[ndarray, "B V 3"], Float32[ndarray, "B V"] | None]:
        """Return the scans (B, V, 3) as they are learned, file units, and how far they are trusted (B, V), if not wholly.

        Vertices that no scan shows are corrected as those around them; others that are not observed, not at all.
        """
        scan, weights = self.scan(indices), self.weights(indices)
        if weights is None:
            return scan, None
        skinned = self.skinned(indices)[:, -1]
        for number, away in enumerate(scan - skinned if len(self.never_observed) else []):
            scan[number, self.never_observed] = (skinned[number] + self.fill(away))[self.never_observed]
            weights[number, self.never_observed] = 1
        return np.where(np.isnan(scan), skinned, scan), weights


def all_windows(sequences: list[MeshSequence], num_condition_frames: int) -> MeshWindows:
    """Return every frame of every sequence."""
    entries = [(s, frame) for s, sequence in enumerate(sequences) for frame in range(len(sequence.frame_numbers))]
    return MeshWindows(sequences, num_condition_frames, np.array(entries))


def split_last(windows: MeshWindows, share: float) -> tuple[MeshWindows, MeshWindows]:
    """Return all frames but the last `share`, 0 to 1, of each sequence, and these."""
    last = np.zeros(len(windows), bool)
    for sequence in np.unique(windows.entries[:, 0]):
        own = np.flatnonzero(windows.entries[:, 0] == sequence)
        last[own[len(own) - int(share * len(own)) :]] = True
    first, second = (replace(windows, entries=windows.entries[some]) for some in (~last, last))
    return first, second


def split_windows(
    sequences: list[MeshSequence], num_condition_frames: int, num_inference_meshes: int
) -> tuple[MeshWindows, MeshWindows]:
    """Return the frames to train on, and the last `num_inference_meshes` of each sequence, kept out of training: of those
    that have a scan, without any that does not belong (`data.sequences.outliers`).

    Raises `InputError` where that leaves a sequence no frame to train on.
    """
    pieces: list[MeshSequence] = []
    training: list[tuple[int, int]] = []
    held_out: list[tuple[int, int]] = []
    for sequence, own in zip(sequences, find_outliers(sequences), strict=True):
        entries = []
        for number, piece in enumerate(own, len(pieces)):
            frames = np.arange(len(piece.frame_numbers)) if piece.scan is None else piece.scanned
            entries += [(number, int(frame)) for frame in frames if piece.left_out is None or not piece.left_out[frame]]
        if len(entries) <= num_inference_meshes:
            raise InputError(
                f"{sequence.name}: a sequence of {len(entries)} frames (from {sequence.files[0].name}) to train on, "
                f"expected more than the {num_inference_meshes} of --num_inference_meshes kept out of training"
            )
        pieces += own
        last = len(entries) - num_inference_meshes
        training, held_out = training + entries[:last], held_out + entries[last:]
    first, second = (np.array(entries, dtype=np.int64).reshape(-1, 2) for entries in (training, held_out))
    return MeshWindows(pieces, num_condition_frames, first), MeshWindows(pieces, num_condition_frames, second)
