"""Predicted meshes read back from what an export wrote."""

from pathlib import Path

from jaxtyping import Float
from numpy import ndarray

from data.input_error import InputError
from data.sequences.mesh_frames import load_frames
from data.sequences.mesh_sequence import MeshSequence, check_one_per_source
from data.sequences.same_topology import check_like
from data.sequences.shot_names import names_of_sources


def load_predictions(paths: list[Path], sequences: list[MeshSequence]) -> list[Float[ndarray, "T V 3"]]:
    """Return the positions of predicted meshes for the frames of each sequence; other frames may be there too.

    One folder or file per source, one for all, or the folder of an export of several. Raises `InputError` for another number of
    them, a frame without prediction, and meshes of another topology.
    """
    names = names_of_sources(sequences)
    sources = list(names)
    folders = [paths[0] / name for name in names.values()]
    if len(paths) == 1 and len(sources) > 1 and all(folder.is_dir() for folder in folders):
        paths = folders
    if len(paths) != 1:
        check_one_per_source("--predicted_files_dir", paths, [Path(source) for source in sources])
    loaded = [load_frames(path) for path in paths]
    predicted = []
    for sequence in sequences:
        frames = loaded[sources.index(sequence.name) % len(loaded)]
        missing = sorted({*sequence.frame_numbers.tolist()} - {*frames.frame_numbers})
        if missing:
            raise InputError(
                f"{frames.path}: {len(missing)} frames of {sequence.name} are missing, the first is {missing[0]}"
            )
        check_like(sequence.files[0], sequence.skinned.shape[1], sequence.polygons, frames)
        first = frames.frame_numbers.index(sequence.frame_numbers[0])
        predicted.append(frames.vertices[first : first + len(sequence.frame_numbers)])
    return predicted
