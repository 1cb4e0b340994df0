"""Whether scans are those of other frames than their numbers say."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from data.sequences.mesh_sequence import MeshSequence

VERTICES_TO_LOOK_AT = 2000
LAGS = range(-6, 7)  # frames
RUN = 16  # scans in a row, to see a lag in
FEWEST_SCANS = 4
MUCH_BETTER = 0.6  # times as far

Points = Float[ndarray, "_ _ 3"]


def some_of(positions: Float[ndarray, "T V 3"], frames: slice | list[int], step: int) -> Points:
    """Return every `step`-th vertex of some frames."""
    return np.asarray(positions[frames, ::step], dtype=np.float64)


def some_scans(sequence: MeshSequence, frames: list[int], step: int) -> Points:
    """Return every `step`-th vertex of the scans of some frames."""
    return np.stack([np.asarray(sequence.scan_of(frame)[::step], dtype=np.float64) for frame in frames])


def mean_distance(skinned: Points, scan: Points) -> float:
    """Return how far scans are from skinned meshes on average, where they are observed; 0 where nothing is."""
    distances = np.linalg.norm(scan - skinned, axis=2)
    return float(np.nansum(distances) / max(1, np.isfinite(distances).sum()))


def best_lag(sums: Float[ndarray, " L"]) -> int:
    """Return the lag at which scans fit the skinned meshes, by how far they are away at each of `LAGS`; 0 where none is much
    better than that."""
    lag = LAGS[int(sums.argmin())]
    better = MUCH_BETTER if abs(lag) <= 3 else MUCH_BETTER**2  # of many lags, one fits better by chance
    return lag if sums.min() < better * sums[LAGS.index(0)] else 0


def late_scans(sequences: list[MeshSequence]) -> list[str]:
    """Return a warning where scans fit the skinned meshes of earlier or later frames: all of them, or some frames in a row.

    Nothing is said where nothing moves enough to tell.
    """
    step = max(1, sequences[0].skinned.shape[1] // VERTICES_TO_LOOK_AT)
    runs: list[tuple[str, Float[ndarray, " L"]]] = []
    for sequence in sequences[:8]:
        length, most = len(sequence.frame_numbers), max(LAGS)
        between = [frame for frame in sequence.scanned.tolist() if most <= frame < length - most]
        for start in np.unique(np.linspace(0, max(0, len(between) - RUN), 4).astype(int)):
            run, sums = between[start : start + RUN], np.zeros(len(LAGS))
            if len(run) < 4:
                continue
            scan = some_scans(sequence, run, step)
            for place, lag in enumerate(LAGS):
                skinned = some_of(sequence.skinned, [frame - lag for frame in run], step)
                sums[place] += mean_distance(skinned, scan) * len(run)
            numbers = sequence.frame_numbers
            runs.append((f" of frames {numbers[run[0]]} to {numbers[run[-1]]} in {sequence.name}", sums))
    which, lag = "", best_lag(np.sum([sums for _, sums in runs], axis=0)) if runs else 0
    if not lag:
        which, lag = next(((name, best_lag(sums)) for name, sums in runs if best_lag(sums)), ("", 0))
    if not lag:
        return []
    when = f"{abs(lag)} frame{'s' * (abs(lag) > 1)} {'late' if lag > 0 else 'early'}"
    return [f"warning: the scans{which} seem to be {when}: they fit the skinned meshes of other frames better"]


def numbered_anew(sequences: list[MeshSequence]) -> list[str]:
    """Return a warning where scans of a sequence's first frames fit every second, third, ... skinned mesh better: scans of some
    frames, numbered from one on."""
    step = max(1, sequences[0].skinned.shape[1] // VERTICES_TO_LOOK_AT)
    for sequence in sequences[:8]:
        scanned, length = sequence.scanned, len(sequence.frame_numbers)
        if not FEWEST_SCANS <= len(scanned) <= length // 2 or scanned[-1] >= len(scanned):
            continue
        scan = some_scans(sequence, scanned.tolist(), step)
        away = {
            every: mean_distance(some_of(sequence.skinned, (every * scanned).tolist(), step), scan)
            for every in range(1, (length - 1) // (len(scanned) - 1) + 1)
        }
        best = min(away, key=lambda every: away[every])
        if away[best] < MUCH_BETTER * away[1]:
            return [
                f"warning: the scans in {sequence.name} seem to be of one frame in {best}, numbered anew: they fit these better"
            ]
    return []
