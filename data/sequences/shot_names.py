"""What sequences are called in the names of folders and files that are made of them."""

import re
from pathlib import Path

from data.formats.mesh_formats import POINTS, SEQUENCES
from data.sequences.mesh_sequence import MeshSequence


def clip_name(sequence: MeshSequence) -> str:
    """Return what the names of a sequence's frames have in common: all but the frame number."""
    number = rf"[._ -]*0*{abs(sequence.frame_numbers[0])}(?!\d)"
    return re.sub(rf"{number}(?!.*{number})", "", sequence.frame_names[0]) or "meshes"


def shot_name(sequence: MeshSequence) -> str:
    """Return a name that tells a sequence's source from others: that of the folder it is in, and of its frames."""
    path, clip = Path(sequence.name), clip_name(sequence)
    formats = {ending[1:] for ending in (*POINTS, *SEQUENCES)}  # folders of these names say nothing
    folders = [*path.parent.parts, path.name] if path.suffix.lower() not in SEQUENCES else path.parent.parts
    where = next((name for name in reversed(folders) if name.lower() not in formats and name.strip("./")), "")
    name = clip if where in clip else f"{where}_{clip}"
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "meshes"


def shot_names(sequences: list[MeshSequence]) -> list[str]:
    """Return the `shot_name` of each source."""
    return [shot_name(sequence) for sequence in {each.name: each for each in reversed(sequences)}.values()][::-1]


def names_of_sources(sequences: list[MeshSequence]) -> dict[str, str]:
    """Return a name for each source, by `MeshSequence.name`: what its frames have in common where it is the only one, else its
    `shot_name`, with a number behind it where another has the same."""
    firsts = {sequence.name: sequence for sequence in reversed(sequences)}
    sources = list(dict.fromkeys(sequence.name for sequence in sequences))
    if len(sources) == 1:
        return {sources[0]: clip_name(firsts[sources[0]])}
    names: dict[str, str] = {}
    for source, shot in zip(sources, shot_names(sequences), strict=True):
        name, count = shot, 2
        while name in names.values():
            name, count = f"{shot}_{count}", count + 1
        names[source] = name
    return names
