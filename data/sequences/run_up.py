"""What came before a sequence's first frame, which nobody has seen: a guess, or what a user says."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int
from numpy import ndarray

from data.sequences.mesh_sequence import MeshSequence

KNOWN = 3  # first frames, from which those before are guessed
GUESSES = ("fading", "straight", "still")
FADING = 0.7  # of the acceleration, per frame back: what is found for the sample's body, and does no harm to a dancer


def before_first(count: int, kind: str) -> Float64[ndarray, "H 3"]:
    """Return the guess of so many frames before a sequence's first, oldest first, as weights (H, 3) of its first three frames.

    Going back, the body moves as it does first, its acceleration "fading": that of frame -k is `FADING` to the power k of the
    first one; or it moves "straight", as fast as over its first two frames; or it stood "still".
    """
    back = np.arange(count, 0, -1)[:, None]
    velocity, acceleration = np.array([-1.0, 1.0, 0.0]), np.array([1.0, -2.0, 1.0])
    summed = (back - FADING * (1 - FADING**back) / (1 - FADING)) / (1 - FADING)  # what accelerations add up to, twice
    moved = {"fading": summed * acceleration - back * velocity, "straight": -back * velocity, "still": 0.0 * back}
    return np.array([1.0, 0.0, 0.0]) + moved[kind]


def known_frames(first: Float[ndarray, "_ P 3"]) -> Float[ndarray, "3 P 3"]:
    """Return the first three frames of a sequence; where it has fewer, it goes on as fast as it moved, or stands still."""
    frames = list(first[:KNOWN])
    while len(frames) < KNOWN:
        frames.append(2 * frames[-1] - frames[-2] if len(frames) > 1 else frames[-1])
    return np.stack(frames)


@dataclass(frozen=True)
class RunUp:
    """How a sequence is taken to begin, by `kind`: one of `GUESSES`, as in `before_first`, and "first", the one of these that a
    model knows, or else the first; or "rest", out of the rest pose (V, 3), file units, in so many `frames`, gently."""

    kind: str = "first"
    frames: int = 0
    rest: Float[ndarray, "V 3"] | None = None

    def before(
        self,
        frames: Int[ndarray, " K"],
        first: Float[ndarray, "_ P 3"],
        rest: Float[ndarray, "P 3"] | None = None,
    ) -> Float[ndarray, "K P 3"]:
        """Return where points are at some frames below zero, the first frame's number, by their first three frames and, of some
        kinds, their places at rest. Points of which there is no such place stand still."""
        start = np.repeat(first[:1], len(frames), axis=0)
        if self.kind != "rest":
            kind = GUESSES[0] if self.kind == "first" else self.kind
            weights = before_first(-int(frames.min()), kind)[frames - frames.min()]
            return np.tensordot(weights.astype(first.dtype), known_frames(first), axes=1)
        if rest is None:
            return start
        share = np.clip(-frames / self.frames, 0, 1)[:, None, None]
        return (start + share**2 * (3 - 2 * share) * (rest - first[0])).astype(first.dtype)

    def placed_at(self, first: Float[ndarray, "V 3"]) -> Float[ndarray, "V 3"] | None:
        """Return the rest pose, moved and turned to where a mesh is, rigidly and as near as can be; None where there is none
        (Kabsch 1976, "A solution for the best rotation to relate two sets of vectors")."""
        if self.rest is None:
            return None
        here, there = self.rest - self.rest.mean(axis=0), first - first.mean(axis=0)
        u, _, v = np.linalg.svd(here.T.astype(np.float64) @ there)
        turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ v))]) @ v
        return (here @ turn + first.mean(axis=0)).astype(first.dtype)


def path_of(
    sequence: MeshSequence,
    frames: Int[ndarray, " K"],
    positions: Float[ndarray, "T P 3"],
    points: Int[ndarray, " Q"] | slice,
    run_up: RunUp,
    rest: Float[ndarray, "P 3"] | None = None,
) -> Float32[ndarray, "K Q 3"]:
    """Return where some points of a sequence were in some frames, relative to its origin at the last of these; frames below
    zero are those of the run-up."""
    last, early, there = int(frames[-1]), frames[frames < 0], np.maximum(frames, 0)
    path = sequence.seen(positions[there] if isinstance(points, slice) else positions[np.ix_(there, points)], last)
    if len(early):
        first = sequence.seen(positions[:KNOWN, points], last)
        at_rest = None if rest is None else sequence.seen(rest[points], last)
        path[: len(early)] = run_up.before(early, first, at_rest)
    return path
