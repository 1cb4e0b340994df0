"""Training sequences of a character: skinned meshes, joints and scans, a NumPy archive each, as the toolkit reads them."""

# SPDX-License-Identifier: GPL-3.0-or-later

import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from . import copies, skinned
from .refused import Refused

SKINNED, JOINTS, SCAN = "skinned.npz", "joints.npz", "scan.npz"
UNITS = {1.0: "m", 0.01: "cm", 0.001: "mm"}


def folder_of(obj):
    """Return the folder of a character's sequences and models."""
    named = obj.skin2scan.folder
    if named.startswith("//") and not bpy.data.filepath:
        raise Refused(
            f"{named}: found a folder beside this file, which has no name yet: save it first, or choose another folder"
        )
    return Path(bpy.path.abspath(named))


def units_of(scene):
    """Return what the toolkit calls a scene's units."""
    for scale, name in UNITS.items():
        if abs(scene.unit_settings.scale_length / scale - 1) < 1e-6:
            return name
    raise Refused(
        f"found a unit scale of {scene.unit_settings.scale_length:g}, expected 1, 0.01 or 0.001: metres, cm or mm"
    )


def frames_of(settings, step):
    """Return the numbers of every so many frames from the first to the last."""
    frames = list(range(settings.frame_start, settings.frame_end + 1, step))
    if not frames:
        raise Refused(
            f"found a last frame of {settings.frame_end}, expected one after the first, {settings.frame_start}"
        )
    return frames


def scan_file(obj):
    """Return the path of the scan's file, or None where it is an object of the scene."""
    named = obj.skin2scan.scan_file
    if not named:
        return None
    path = Path(bpy.path.abspath(named))
    if not path.is_file():
        raise Refused(f"{path}: no such file, expected the scan's cache")
    return path


def scan_at(obj, scan, depsgraph):
    """Return the points (V, 3) of the scan's object where the scene stands, the world's units."""
    if scan.type != "MESH":
        raise Refused(f"{scan.name}: found something else than a mesh as the scan")
    there = scan.evaluated_get(depsgraph)
    if scan.name not in depsgraph.scene.objects or not scan.visible_get():
        raise Refused(f"{scan.name}: found it hidden, or in another scene, expected a scan that can be seen")
    points = skinned.to_world(skinned.positions_of(there.data), np.array(there.matrix_world, np.float64))
    if len(points) != len(obj.data.vertices):
        raise Refused(
            f"{scan.name}: found {len(points)} vertices at frame {depsgraph.scene.frame_current}, expected "
            f"{len(obj.data.vertices)} as in {obj.name}"
        )
    return points


def writing(obj, context, overwrite=False):
    """Write the sequences of a character: a generator that yields how far it is, 0 to 1, and leaves the scene where it was.

    Nothing is written before all frames are evaluated. Raises `Refused`.
    """
    scene, settings = context.scene, obj.skin2scan
    folder, frames, armature = folder_of(obj), frames_of(settings, settings.frame_step), skinned.armature_of(obj)
    units_of(scene)
    scan = None if scan_file(obj) else settings.scan
    if scan is None and not settings.scan_file:
        raise Refused(f"{obj.name}: found no scan, expected an object of the same vertices, or a cache file")
    there = [each for each in (SKINNED, JOINTS, SCAN) if (folder / each).exists()]
    if there and not overwrite:
        raise Refused(f"{folder}: found {', '.join(there)} there already: choose another folder, or to overwrite")
    names = [each.name for each in armature.pose.bones]
    taken = {SKINNED: [], JOINTS: [], SCAN: []}
    try:
        copies.edited(obj, scene)
        with skinned.time_kept(scene):
            for number, frame in enumerate(frames):
                points, joints, _ = skinned.evaluated(obj, frame)
                taken[SKINNED].append(points)
                taken[JOINTS].append(joints)
                if scan is not None:
                    scene.frame_set(frame)
                    taken[SCAN].append(scan_at(obj, scan, context.evaluated_depsgraph_get()).astype(np.float32))
                yield (number + 1) / len(frames)
    finally:
        if not settings.live:
            copies.remove_copies(copies.names_of_copies() - {obj.name})
    faces = skinned.faces_of(obj.data)
    for name, values in taken.items():
        if values:
            arrays = {"vertices": np.stack(values), "frame_numbers": np.array(frames)}
            if name == JOINTS:
                arrays["joint_names"] = np.array(names)
            else:
                arrays["faces"] = filled_up(faces)
            save(folder / name, arrays)


def filled_up(faces):
    """Return corners (P, K) of faces, rows of the smaller ones filled up with -1."""
    rows = np.full((len(faces), max(map(len, faces), default=3)), -1, np.int32)
    for row, face in zip(rows, faces, strict=True):
        row[: len(face)] = face
    return rows


def save(path, arrays):
    """Write an archive whole, or not at all."""
    with written_beside(path) as file:
        np.savez(file, **arrays)


@contextmanager
def written_beside(path):
    """Give a file to write, under a name of its own, that takes a path's place once it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            yield file
            file.close()
            os.replace(file.name, path)
        finally:
            Path(file.name).unlink(missing_ok=True)
