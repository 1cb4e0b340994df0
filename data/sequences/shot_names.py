"""What sequences are called in the names of folders and files that are made of them."""

import re
from pathlib import Path

from data.formats.mesh_formats import POINTS, SEQUENCES
from data.formats.named_parts import named_part
from data.sequences.mesh_sequence import MeshSequence


def clip_name(sequence: MeshSequence) -> str:
    """Return what the names of a sequence's frames have in common: all but the frame number."""
    number = rf"[._ -]*0*{abs(sequence.frame_numbers[0])}(?!\d)"
    return re.sub(rf"{number}(?!.*{number})", "", sequence.frame_names[0]) or "meshes"


def shot_name(sequence: MeshSequence) -> str:
    """Return a name that tells a sequence's source from others: that of the folder it is in, and of its frames."""
    (path, _), clip = named_part(Path(sequence.name)), clip_name(sequence)
    formats = {ending[1:] for ending in (*POINTS, *SEQUENCES)}  # folders of these names say nothing
    folders = [*path.parent.parts, path.name] if path.suffix.lower() not in SEQUENCES else path.parent.parts
    where = next((name for name in reversed(folders) if name.lower() not in formats and name.strip("./")), "")
    name = clip if where in clip else f"{where}_{clip}"
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "meshes"


def first_of_each(sequences: list[MeshSequence]) -> dict[str, MeshSequence]:
    """Return the first sequence of each source, by `MeshSequence.name`, in their order."""
    firsts: dict[str, MeshSequence] = {}
    for sequence in sequences:
        firsts.setdefault(sequence.name, sequence)
    return firsts


def shot_names(sequences: list[MeshSequence]) -> list[str]:
    """Return the `shot_name` of each source."""
    return [shot_name(sequence) for sequence in first_of_each(sequences).values()]


def names_of_sources(sequences: list[MeshSequence]) -> dict[str, str]:
    """Return a name for each source, by `MeshSequence.name`: what its frames have in common where it is the only one, else its
    `shot_name`, with a number behind it where another has the same."""
    firsts = first_of_each(sequences)
    if len(firsts) == 1:
        return {source: clip_name(first) for source, first in firsts.items()}
    names: dict[str, str] = {}
    for source, first in firsts.items():
        shot = shot_name(first)
        name, count = shot, 2
        while name in names.values():
            name, count = f"{shot}_{count}", count + 1
        names[source] = name
    return names
