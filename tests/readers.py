"""A small good file of every kind, and every kind's reader: what is harmed, and what has to stand it."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from bar import Bar
from tube import save_untrained, tube_frames, tube_surface_with_joints, tube_triangles

from data.formats.mesh_formats import MESHES, POINTS, SEQUENCES, write_sequence
from data.formats.polygons import Polygons
from data.formats.usd import Scene
from data.formats.usd_reading import open_survived
from data.input_error import InputError
from data.sequences.frame_files import write_frames
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from utils.runs.checkpoint import build_model, load_checkpoint

TRICKY_OBJ = """\ufeff# a comment, then CRLF lines\r
mtllib some%20file.mtl\r
o first
v 0 0 0 0.5 0.5 0.5
v 1.0e0 0 0 1 0 0 # a colour and a comment
  v +1 1. -0.0
vt 0.5 0.5
vt 0.1 0.9
vn 0 0 1
f 1/1/1 2/2/1 3/1/1
g scattered
v 0 1 0 1.0
v .5 \\
  .5 \\
  1E-1
f -1//1 -2//1 -4//1
f 1 2 \\
  3 4
s off
usemtl none
f 1/1 2/2 5/1 4/2 3/2
"""

KINDS = ("obj", "drc", "ply", "npy", "npz", "txt", "mdd", "pc2", "glb", "usda", "usdc", "abc", "fbx", "pt")


def good_file(folder: Path, kind: str) -> bytes:
    """Write a small file of a kind, and return what is in it."""
    vertices, polygons = tube_frames(2)[:, :8].astype(np.float32), Polygons.from_rows(tube_triangles()[:4] % 8)
    path = folder / f"1.{kind}"
    if kind == "pt":
        save_untrained(path, MeshAutoencoder(ModelSettings(), tube_surface_with_joints(0)))
    elif kind == "glb":
        Bar(4).write(path)
    elif kind == "fbx":
        path.write_bytes((Path(__file__).parent / "hosts/bar.fbx").read_bytes())
    elif kind == "txt":
        np.savetxt(path, vertices[0])
    elif f".{kind}" in MESHES:
        path = folder / kind / path.name
        write_frames(path.parent, path.suffix, [path.stem], vertices[:1], polygons)
    else:
        write_sequence(path, [1, 2], vertices, polygons, Scene())
    return path.read_bytes()


def read_or_refuse(path: Path, survives: tuple[str, ...]) -> None:
    """Read a file by its ending: what is read has to be sound, and a refusal to name the file.

    USD files of the endings in `survives` are read in this process, without another one that tries them first.
    """
    for kinds in (POINTS, SEQUENCES, {".pt": None}):
        if path.suffix in kinds:
            try:
                if path.suffix == ".pt":
                    build_model(load_checkpoint(path), path)
                elif kinds is POINTS:
                    known = POINTS[path.suffix](path)
                    check(known.polygons, [known.positions_of(path)])
                else:
                    opened = (open_survived if path.suffix in survives else SEQUENCES[path.suffix])(path)
                    check(opened.polygons, opened.positions)
            except InputError as refusal:
                if str(path) not in str(refusal):
                    raise AssertionError(f"{refusal} does not name the file") from None


def check(polygons: Polygons, frames: Iterable[np.ndarray]) -> None:
    """What was read is sound."""
    for vertices in frames:
        assert vertices.shape[1] == 3
        assert not np.isinf(vertices).any()
        assert ((polygons.corners >= 0) & (polygons.corners < len(vertices))).all()
    polygons.triangles()
