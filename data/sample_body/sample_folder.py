"""Folders of sample meshes: made, and emptied before they are made again; and the character that moves in them."""

import re
from pathlib import Path

import numpy as np

from data.formats.gltf_writing import Rig, write_character
from data.formats.polygons import Polygons
from data.input_error import InputError

MARK = ".sample_data"  # the file in a folder that says whose meshes these are


def prepare_folders(folders: dict[Path, str]) -> None:
    """Make folders for new sample meshes, named as given and by their number, or a character of that name, without those that
    an earlier call made.

    Raises `InputError`, before anything is made or removed, where one holds anything else: a user's own meshes may have the
    same names.
    """
    earlier: list[Path] = []
    for folder, name in folders.items():
        there = [path for path in folder.iterdir() if path.name != MARK] if folder.exists() else []
        ours = [path for path in there if re.fullmatch(rf"{re.escape(name)}\.(\d+\.obj|glb)", path.name)]
        if there and (len(ours) < len(there) or not (folder / MARK).exists()):
            raise InputError(
                f"{folder}: holds what make_sample_data.py did not make, expected another --output_dir "
                f"({sorted({*there} - {*ours} or there)[0].name})"
            )
        earlier += ours
    for path in earlier:
        path.unlink()
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).touch()


def write_sample_character(path, simulated, poses, frame_rate):
    """Write the body of a sequence as a rig with its animation, from poses as `SimulatedBody.frames` takes; frames count from
    1."""
    body, (rotations, positions) = simulated.body, simulated.skeleton(*poses, frame_rate)
    triangles = Polygons.from_rows(body.polygons).triangles()
    bones = body.bone_heads, body.bone_parents.astype(np.int64), [str(name) for name in body.bone_names]
    rig = Rig(body.vertices, triangles, body.weights, *bones)
    write_character(path, rig, rotations, positions, list(range(1, len(rotations) + 1)), float(frame_rate))
