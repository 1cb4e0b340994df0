"""What was given, in a few lines, and whether the skinned mesh and the scan can belong together: before anything is trained."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from data.formats.mesh_formats import said_in
from data.input_error import InputError
from data.sequences.mesh_sequence import MeshSequence
from data.sequences.outliers import FEWEST_FRAMES
from data.sequences.scan_timing import VERTICES_TO_LOOK_AT, Points, late_scans, numbered_anew, some_of, some_scans

FRAMES_TO_LOOK_AT = 24
FEWEST_VERTICES = 4  # of those that are looked at: fewer do not say how a body stands
UNITS = (1000.0, 304.8, 100.0, 39.37, 30.48, 25.4, 12.0, 10.0, 3.281, 2.54)  # of lengths, in one another
TARGETS = "--target_files_dir"
ALIKE = (0.7, 1.4)  # times as large as the skinned mesh: a scan of it may be
FARTHEST, FAR = 0.5, 0.1  # of the body's size: a scan may be away; from where on it is said
LARGER = 0.14  # as a logarithm: 15 % larger or smaller along an axis is said
ANOTHER_MOTION = 0.03  # of the body's size: scans of another motion are farther away
SMALLEST_TURN = 60.0  # degrees
SMALLEST_BODY, LARGEST_BODY = 0.1, 10.0  # metres
TORN = 5.0  # times as long as in the other mesh: skin does not stretch so

Pairs = list[tuple[Float[ndarray, "_ 3"], Float[ndarray, "_ 3"]]]


@dataclass
class Given:
    """Some frames of skinned meshes and scans, (T, V, 3), file units."""

    skinned: Points
    scan: Points

    @property
    def size(self) -> float:
        """The extent of the skinned mesh, file units."""
        return float(np.median(np.ptp(self.skinned, axis=1).max(axis=1)))

    @property
    def distances(self) -> Float[ndarray, "T V"]:
        """How far scans are from skinned meshes, file units; no number where they are not observed."""
        return np.linalg.norm(self.scan - self.skinned, axis=2)


def some_frames(sequences: list[MeshSequence]) -> Given:
    """Return some frames from all over the sequences, and some of their vertices; raise `InputError` where the scans show
    hardly any."""
    num_vertices = sequences[0].skinned.shape[1]
    step = max(1, num_vertices // VERTICES_TO_LOOK_AT)
    each = max(2, FRAMES_TO_LOOK_AT // len(sequences))
    parts: list[tuple[Points, Points]] = []
    for sequence in sequences[:FRAMES_TO_LOOK_AT]:
        if not len(sequence.scanned):
            continue
        frames = sequence.scanned[np.unique(np.linspace(0, len(sequence.scanned) - 1, each).astype(int))].tolist()
        parts.append((some_of(sequence.skinned, frames, step), some_scans(sequence, frames, step)))
    skinned, scan = (np.concatenate(part) for part in zip(*parts, strict=True))
    shown = np.isfinite(scan[..., 0]).sum(axis=1) >= min(FEWEST_VERTICES, num_vertices)
    if not shown.any():
        raise InputError(f"{TARGETS}: scans that show hardly any vertices, expected some tens at least")
    return Given(skinned[shown], scan[shown])


def typical(given: Given) -> Pairs:
    """Return vertices (K, 3) of each frame, skinned and scanned, without those that are not observed and the few that are much
    farther apart than others."""
    limits = 5 * np.nanmedian(given.distances, axis=1, keepdims=True)
    return [
        (skinned[near], scan[near])
        for skinned, scan, near in zip(given.skinned, given.scan, given.distances <= limits, strict=True)
    ]


def check_units(given: Given, name: str) -> None:
    """Raise `InputError` where the scan is another number of times as large as the skinned mesh, and where it equals it."""
    sizes = np.array([[np.std(each, axis=0).max() for each in pair] for pair in typical(given)])
    times = float(np.median(sizes[:, 1] / np.maximum(sizes[:, 0], 1e-30)))
    if not ALIKE[0] < times < ALIKE[1]:
        near = [unit for unit in (*UNITS, *(1 / unit for unit in UNITS)) if abs(times / unit - 1) < 0.05]
        named = f", about {near[0]:g}" if near and near[0] >= 1 else f", about 1 / {1 / near[0]:g}" if near else ""
        raise InputError(
            f"{TARGETS}: scans {times:.3g} times as large as the skinned meshes{named}{name}, expected the same units: "
            "scale one"
        )
    if np.nanmax(given.distances) <= 1e-7 * given.size:
        raise InputError(
            f"{TARGETS}: scans that equal the skinned meshes{name}, expected others: there is nothing to learn"
        )


def times_along_axes(given: Given) -> Float[ndarray, "3"]:
    """Return how many times as large scans are as skinned meshes, along each axis; one where these are flat."""
    sizes = np.array([[np.std(each, axis=0) for each in pair] for pair in typical(given)])
    flat = sizes[:, 0] < 0.05 * sizes[:, 0].max(axis=1, keepdims=True)
    return np.median(np.where(flat, 1, sizes[:, 1] / np.maximum(sizes[:, 0], 1e-30)), axis=0)


def check_axes(given: Given, name: str) -> None:
    """Raise `InputError` where most scans are turned against their skinned meshes, by a quarter or a half about some axis, or
    mirrored."""
    turns, mirrored = [], np.zeros(3)
    for skinned, scan in typical(given):
        one, other = skinned - skinned.mean(axis=0), scan - scan.mean(axis=0)
        before = np.linalg.norm(other - one)
        turn, left = Rotation.align_vectors(other, one)
        turns.append(turn.as_rotvec(degrees=True) if left < 0.5 * before else np.zeros(3))
        for axis in range(3):
            mirror = np.where(np.arange(3) == axis, -one, one)
            mirrored[axis] += np.linalg.norm(other - mirror) < 0.5 * min(left, before)
    if mirrored.max() > 0.5 * len(turns):
        axis = int(mirrored.argmax())
        raise InputError(
            f"{TARGETS}: scans mirrored in {'xyz'[axis]} against the skinned meshes{name}, expected the same axes"
        )
    vector = sorted(turns, key=lambda turn: float(np.linalg.norm(turn)))[len(turns) // 2]
    angle = float(np.linalg.norm(vector))
    if angle > SMALLEST_TURN:
        axis = int(np.abs(vector).argmax())
        raise InputError(
            f"{TARGETS}: scans turned by {angle * np.sign(vector[axis]):.0f}° about {'xyz'[axis]} against the skinned "
            f"meshes{name}, expected the same axes: export one of them again, with the same axis up"
        )


def check_place(given: Given, metres_per_unit: float, name: str) -> list[str]:
    """Return a warning where the scan is a little away from the skinned mesh, or a little larger; raise `InputError` where it
    is in another place."""
    of_frames = np.array([(scan - skinned).mean(axis=0) for skinned, scan in typical(given)])
    away = np.median(of_frames, axis=0)
    varies = np.median(np.linalg.norm(of_frames - away, axis=1))
    where = ", ".join(f"{metres_per_unit * each:.3g}" for each in away)
    far = f"{metres_per_unit * np.linalg.norm(away):.3g} m away from the skinned meshes{name} ({where})"
    if np.linalg.norm(away) > FARTHEST * given.size:
        raise InputError(f"{TARGETS}: scans {far}, expected the same place: shift one of them")
    if np.linalg.norm(away) > max(FAR * given.size, 5 * varies):
        return [f"warning: the scans are {far}, in all frames: in another place?"]
    times = times_along_axes(given)
    off = np.abs(np.log(np.maximum(times, 1e-9)))
    if off.max() > LARGER:
        axis = int(off.argmax())
        return [
            f"warning: the scans are {times[axis]:.3g} times as large as the skinned meshes along {'xyz'[axis]}{name}: "
            "another body, or other units?"
        ]
    return []


def torn_vertices(sequences: list[MeshSequence]) -> list[str]:
    """Return a warning for vertices that are far from all their neighbours, in the scan alone or in the skinned mesh alone, in
    many of some frames: nothing stands out in time there."""
    triangles = sequences[0].polygons.triangles()
    one, other = triangles.ravel(), triangles[:, [1, 2, 0]].ravel()
    some = [each for each in sequences if len(each.scanned)][:3]
    frames = [(each, each.scanned[place]) for each in some for place in (0, len(each.scanned) // 2, -1)]
    meshes = {
        "scans": [each.scan_of(frame) for each, frame in frames],
        "skinned meshes": [each.skinned[frame] for each, frame in frames],
    }
    lengths = {
        name: np.stack([np.linalg.norm(mesh[one].astype(float) - mesh[other], axis=1) for mesh in each])
        for name, each in meshes.items()
    }
    lines = []
    for (name, own), usual in zip(lengths.items(), reversed(lengths.values()), strict=True):
        stretched = (own > TORN * np.maximum(usual, np.nanmedian(usual))).mean(axis=0) >= 0.5
        counts = [
            np.bincount(np.concatenate([one[which], other[which]]), minlength=len(meshes[name][0]))
            for which in (slice(None), stretched)
        ]
        torn = np.flatnonzero(2 * counts[1] > counts[0])
        if len(torn):
            lines.append(
                f"warning: {len(torn)} vertices of the {name} are far from their neighbours in most frames, the first is "
                f"vertex {torn[0] + 1}: they are learned as they are given"
            )
    return lines


def follow_another_motion(given: Given) -> bool:
    """Say whether scans are more than half as far from the skinned meshes of their own frames as from those of others, and far
    from both."""
    own = float(np.nanmedian(given.distances))
    others = float(np.nanmedian(Given(np.roll(given.skinned, len(given.skinned) // 3, axis=0), given.scan).distances))
    return len(given.skinned) > 5 and own > ANOTHER_MOTION * given.size and own > 0.5 * others


def what_files_say(sequences: list[MeshSequence], up_axis: str, metres_per_unit: float) -> list[str]:
    """Return a warning for each source whose file says another up axis, or other units, than it is taken for."""
    lines = []
    for path in dict.fromkeys(sequence.files[0] for sequence in sequences):
        said = said_in(path)
        if (axis := said.get("up_axis", up_axis)) != up_axis:
            lines.append(f"warning: {path} says that {axis} is up, taken is {up_axis}: see --up_axis")
        if not 0.9 < (metres := said.get("metres_per_unit", metres_per_unit)) / metres_per_unit < 1.1:
            unit = f"a unit is {metres:g} m, taken is {metres_per_unit:g} m"
            lines.append(f"warning: {path} says that {unit}: see --units")
    return lines


def check_plausible(sequences: list[MeshSequence], metres_per_unit: float) -> list[str]:
    """Return what was given in a few lines, and a warning for what is strange; raise `InputError` for what cannot be meant.

    Looks at a few frames and vertices alone.
    """
    num_frames, num_scans = (
        sum(len(each) for each in kind)
        for kind in ([s.frame_numbers for s in sequences], [s.scanned for s in sequences])
    )
    warnings: list[str] = []
    names = list(dict.fromkeys(sequence.name for sequence in sequences))
    for each in names:  # one take of several may be in other units
        given, name = some_frames([sequence for sequence in sequences if sequence.name == each]), ""
        if len(names) > 1:
            name = f" of {each}"
        check_units(given, name)
        check_axes(given, name)
        warnings += check_place(given, metres_per_unit, name)
    given = some_frames(sequences)
    size, in_mm = metres_per_unit * given.size, 1000 * metres_per_unit * given.distances
    scanned = f" ({num_scans} with scans)" if num_scans < num_frames else ""
    lines = [
        f"given: {len(sequences)} sequence{'s' * (len(sequences) > 1)}, {num_frames} frames{scanned} of "
        f"{sequences[0].skinned.shape[1]} vertices, a body of {size:.3g} m; "
        f"scans are {np.nanmean(in_mm):.3g} mm away on average, {np.nanmax(in_mm):.3g} at most (of some frames)"
    ]
    if lacking := float(np.isnan(in_mm).mean()):
        lines.append(f"{100 * lacking:.3g} % of the scans' vertices are not observed or not trusted (of some frames)")
    if not SMALLEST_BODY < size < LARGEST_BODY:
        lines.append(f"warning: a body of {size:.3g} m? Say with --units what the files' numbers are")
    lines += [*warnings, *torn_vertices(sequences)]
    if num_scans < FEWEST_FRAMES:
        lines.append(f"{num_scans} frames are too few to tell which of them do not belong: nothing is left out")
    if late := numbered_anew(sequences) or late_scans(sequences):
        lines += late
    elif not warnings and follow_another_motion(given):
        lines.append("warning: the scans fit the skinned meshes of other frames as well as their own: of another take?")
    for name, points in (("skinned meshes", given.skinned), ("scans", given.scan)):
        away = np.abs(points - points[0])[1:]
        if np.isfinite(away).any() and np.nanmax(away) <= 1e-6 * given.size:
            lines.append(f"warning: all {name} are the same: there is no motion to learn from")
    return lines
