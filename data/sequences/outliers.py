"""Frames and vertices that do not belong: a registration that failed or slipped, a mesh of another moment, a frame of zeros.

They are found by the correction, from the skinned mesh to the scan, which soft tissue changes little from frame to frame: by
how far it is from that of the scanned frames beside it, and from what is usual at the vertex, in units of its usual spread.
Vertices that are not observed, here or in the frames beside, say nothing. Clean takes of dancing, jumping and running bodies,
of cloth and of ears that swing reach half of the limits at most.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float, Int64
from numpy import ndarray

from data.sequences.mesh_sequence import MeshSequence

FRAMES_TO_LOOK_AT = 120  # for what is usual
FEWEST_FRAMES = 12  # that say what is usual
# in units of the spread of the corrections: how far a frame may be from those beside it, and from what is usual; a vertex
FRAME_JUMPS, FRAME_IS_OFF = 4.0, 15.0
FIRST_FRAMES, FIRST_JUMPS = 3, 15.0  # a simulation may start with a jolt
VERTEX_JUMPS, VERTEX_IS_OFF = 20.0, 150.0
MOST_OF_A_VERTEX = 30.0  # of its spread, that a vertex counts for in the mean of its frame: a few do not decide
SPREAD_OF_OTHERS = 0.3  # of the mean spread of all vertices, beside a vertex' own: some hardly move

Correction = Float[ndarray, "V 3"]


def middle_of(one: Correction, two: Correction, three: Correction) -> Correction:
    """Return the middle one of three numbers, for each coordinate."""
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))


def median_of_known(values: Float[ndarray, "T ..."]) -> Float[ndarray, "..."]:
    """Return the median over frames of what is known, zero where nothing is."""
    if not np.isnan(values).any():
        return np.asarray(np.median(values, axis=0))
    return np.asarray(np.ma.filled(np.ma.median(np.ma.masked_invalid(values), axis=0), 0.0))


class Usual:
    """What is usual: the median correction of each vertex, and its spread (V,), file units."""

    def __init__(self, sequences: list[MeshSequence]):
        places = [(sequence, frame) for sequence in sequences for frame in sequence.scanned.tolist()]
        step = max(1, len(places) // FRAMES_TO_LOOK_AT)
        some = np.stack([correction(*place) for place in places[::step]])
        self.correction = median_of_known(some)
        away = np.linalg.norm(some - self.correction, axis=2)
        self.spread = median_of_known(away)
        self.spread = self.spread + SPREAD_OF_OTHERS * self.spread.mean()
        self.of_frames = float(np.median([self.mean_of(each) for each in away if np.isfinite(each).any()] or [0]))

    def mean_of(self, distances: Float[ndarray, " V"]) -> float:
        """Return the mean of the distances of a frame's vertices (V,), of which none counts for too much, file units."""
        known = np.isfinite(distances)
        return float(np.minimum(distances, MOST_OF_A_VERTEX * self.spread)[known].mean()) if known.any() else 0.0

    def frame_is_off(self, frame: int, jump: Float[ndarray, " V"], away: Float[ndarray, " V"]) -> bool:
        """Say whether a frame of a sequence does not belong, by how far its vertices jump and are away from what is usual (V,),
        file units."""
        jumped, gone = (self.mean_of(each) / self.of_frames for each in (jump, away))
        return jumped > (FIRST_JUMPS if frame < FIRST_FRAMES else FRAME_JUMPS) or gone > FRAME_IS_OFF

    def vertices_are_off(self, jump: Float[ndarray, " V"], away: Float[ndarray, " V"]) -> Bool[ndarray, " V"]:
        """Say which vertices of a frame do not belong (V,)."""
        return (jump > VERTEX_JUMPS * self.spread) | (away > VERTEX_IS_OFF * self.spread)


def correction(sequence: MeshSequence, frame: int) -> Correction:
    """Return the way from the skinned mesh to the scan, file units."""
    return sequence.scan_of(frame).astype(np.float64) - sequence.skinned[frame]


def find_outliers(sequences: list[MeshSequence]) -> list[list[MeshSequence]]:
    """Return what is left of each sequence: without frames that do not belong, and with single vertices of scans repaired.

    A scan that does not belong is left out, but its frame's skinned mesh stays, as context of others. Where the skinned mesh
    does not belong, a sequence ends, and another one begins. The correction of a single vertex is replaced by the mean of those
    of the frames beside it where they belong, or else by the usual one.
    """
    num_scans = sum(len(sequence.scanned) for sequence in sequences)
    if num_scans < FEWEST_FRAMES or any(sequence.scan is None for sequence in sequences):
        return [[sequence] for sequence in sequences]
    usual = Usual(sequences)
    if not usual.of_frames > 0:
        return [[sequence] for sequence in sequences]
    return [pieces_that_belong(sequence, usual) for sequence in sequences]


def pieces_that_belong(sequence: MeshSequence, usual: Usual) -> list[MeshSequence]:
    """Return what is left of one sequence, as `find_outliers` does."""
    length, scanned = len(sequence.frame_numbers), sequence.scanned.tolist()
    if len(scanned) < 3:
        return [sequence]
    left_out, broken = np.zeros(length, bool), np.zeros(length, bool)
    off: dict[int, Int64[ndarray, " _"]] = {}
    known: dict[int, Correction] = {}
    for place, frame in enumerate(scanned):
        first = min(max(place - 1, 0), len(scanned) - 3)
        beside = [each for each in scanned[first : first + 3] if each != frame]
        known |= {each: correction(sequence, each) for each in (frame, *beside) if each not in known}
        middle = middle_of(known[frame], known[beside[0]], known[beside[1]])
        jump, away = lengths(known[frame] - middle), lengths(known[frame] - usual.correction)
        if usual.frame_is_off(frame, jump, away):
            left_out[frame], broken[frame] = True, skinned_is_off(sequence, frame, beside)
        elif len(vertices := np.flatnonzero(usual.vertices_are_off(jump, away))):
            off[frame] = vertices
        if place >= 2:
            known.pop(scanned[place - 2])
    if not left_out.any() and not off:
        return [sequence]
    repairs = {frame: (vertices, guessed(sequence, frame, off, left_out, usual)) for frame, vertices in off.items()}
    return pieces_between(replace(sequence, left_out=left_out, repairs=repairs), broken)


def guessed(
    sequence: MeshSequence,
    frame: int,
    off: dict[int, Int64[ndarray, " _"]],
    left_out: Bool[ndarray, " T"],
    usual: Usual,
) -> Float[ndarray, "_ 3"]:
    """Return where the vertices of a frame that are `off` may be (K, 3): with the mean correction of the frames beside it, of
    those where they belong, or else with the usual one."""
    vertices = off[frame]
    total, count = np.zeros((len(vertices), 3)), np.zeros((len(vertices), 1))
    scanned = sequence.scanned
    place = int(np.searchsorted(scanned, frame))
    for beside in scanned[max(place - 1, 0) : place + 2].tolist():
        if beside != frame and not left_out[beside]:
            there = correction(sequence, beside)[vertices]
            belongs = ~np.isin(vertices, off.get(beside, []))[:, None] & np.isfinite(there[:, :1])
            total += np.where(belongs, there, 0)
            count += belongs
    instead = np.where(count > 0, total / np.maximum(count, 1), usual.correction[vertices])
    return sequence.skinned[frame][vertices] + instead


def lengths(vectors: Float[ndarray, "V 3"]) -> Float[ndarray, " V"]:
    """Return the lengths of vectors."""
    return np.sqrt(np.einsum("vi,vi->v", vectors, vectors))


def skinned_is_off(sequence: MeshSequence, frame: int, beside: list[int]) -> bool:
    """Say whether it is the skinned mesh of a frame that is farther from those beside it than the scan is."""
    jumps = []
    for mesh_of in (sequence.skinned.__getitem__, sequence.scan_of):
        here, one, other = (mesh_of(each).astype(np.float64) for each in (frame, *beside))
        jumps.append(float(median_of_known(lengths(here - middle_of(here, one, other)))))
    return jumps[0] > jumps[1]


def pieces_between(sequence: MeshSequence, broken: Bool[ndarray, " T"]) -> list[MeshSequence]:
    """Return what is left of a sequence, as sequences of their own, without the frames that are broken."""
    if not broken.any():
        return [sequence]
    starts = np.flatnonzero(~broken & np.concatenate([[True], broken[:-1]]))
    ends = np.flatnonzero(~broken & np.concatenate([broken[1:], [True]])) + 1
    return [sequence.piece(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]
