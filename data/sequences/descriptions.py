"""Sequences in words: what there is of each, and what of it does not belong."""

from data.sequences.mesh_sequence import MeshSequence
from data.sequences.mesh_windows import MeshWindows


def describe_sequences(sequences: list[MeshSequence]) -> list[str]:
    """Return a line for each sequence, saying where a gap in a folder's numbering began it, and one for its outliers."""
    lines = []
    for index, sequence in enumerate(sequences):
        first, last = sequence.frame_numbers[0], sequence.frame_numbers[-1]
        apart = f", {sequence.step} apart" if sequence.step > 1 else ""
        line = f"{sequence.name}: frames {first} to {last}{apart}, {sequence.skinned.shape[1]} vertices"
        if sequence.scan is not None and (count := len(sequence.scanned)) < len(sequence.frame_numbers):
            line += f", {count} of the {len(sequence.frame_numbers)} with scans: the others are context of these"
        if index and sequences[index - 1].name == sequence.name:
            missing = "is not there" if sequence.left_out is None else "is not there or does not belong"
            line += f"; a sequence of its own, for frame {first - sequence.step} {missing}"
        lines += [line, *describe_outliers(sequence)]
    if len(steps := {sequence.step for sequence in sequences}) > 1:
        lines.append(
            f"frames are {' and '.join(map(str, sorted(steps)))} apart: motion per frame is not the same in all of them"
        )
    return lines


def describe_outliers(sequence: MeshSequence) -> list[str]:
    """Return a line about the frames and vertices of a sequence that do not belong; none where all do."""
    said = []
    if sequence.left_out is not None and (count := int(sequence.left_out.sum())):
        numbers = ", ".join(map(str, sequence.frame_numbers[sequence.left_out][:5]))
        said.append(f"{count} scans do not belong and are not trained on ({numbers}{', ...' if count > 5 else ''})")
    if sequence.repairs:
        count = sum(len(vertices) for vertices, _ in sequence.repairs.values())
        frame, (vertices, _) = next(iter(sequence.repairs.items()))
        where = f"first vertex {vertices[0] + 1} of frame {sequence.frame_numbers[frame]}"
        said.append(
            f"{count} vertices in {len(sequence.repairs)} frames, scanned or skinned, do not belong and are guessed ({where})"
        )
    return [f"{sequence.name}: {'; '.join(said)}"] if said else []


def describe_unobserved(windows: MeshWindows) -> list[str]:
    """Return a line about the vertices that no scan shows; none where there are none."""
    never = windows.never_observed
    if not len(never):
        return []
    return [
        f"{len(never)} vertices are in no scan (the first is vertex {never[0] + 1}): corrected as those around them"
    ]
