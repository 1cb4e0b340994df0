"""NumPy files, and joints as text."""

from functools import partial
from pathlib import Path

import numpy as np
from tube import tube_triangles

from inputs_of_users.meshes import JOINTS, NUMBERS, SCANS, SKINNED, Read, archive, arrays_of, folder


def joints_of_a_whole_take():
    folder("skin", SKINNED[3:13], numbers=range(3, 13))
    np.save("joints.npy", JOINTS)


def joints_from_zero():
    folder("skin", SKINNED, numbers=range(16))
    np.save("joints.npy", JOINTS)


def arrays_without_numbers():
    folder("skin", SKINNED, numbers=range(101, 117))
    np.save("scan.npy", SCANS)


def arrays_of_one_frame_each():
    folder("scan", SCANS)
    Path("skin").mkdir()
    for number, points in zip(NUMBERS, SKINNED, strict=True):
        np.save(f"skin/{number:04d}.npy", points)


def everything_in_one_archive():
    np.savez("skin.npz", verts=SKINNED, joints=JOINTS, faces=tube_triangles(), fps=30)
    Path("joints.npz").write_bytes(Path("skin.npz").read_bytes())


def joints_as_text(form, head="", encoding="utf-8"):
    folder("skin", SKINNED)
    Path("joints").mkdir()
    for number, points in zip(NUMBERS, JOINTS, strict=True):
        lines = [form.format(*point) for point in points]
        Path(f"joints/j.{number:04d}.txt").write_text("\n".join([head, *lines]) + "\n", encoding=encoding)


def joints_in_files(ending, form, last=16):
    """Each frame's joints in a file of its own, one joint less from some frame on."""
    folder("skin", SKINNED)
    Path("joints").mkdir()
    for number, points in zip(NUMBERS, JOINTS, strict=True):
        Path(f"joints/j.{number:04d}{ending}").write_text(form(points if number <= last else points[1:]))


def lines_of(points, between=" "):
    return "\n".join(between.join(map(str, point)) for point in points) + "\n"


def a_joint_that_is_lost(points):
    lost = lines_of(np.where(np.arange(len(points))[:, None] == 1, np.nan, points))
    return lines_of(points) if points[1, 1] > JOINTS[5, 1, 1] else lost


def an_archive_for_each_frame(**more):
    folder("scan", SCANS)
    Path("skin").mkdir()
    for number, points in zip(NUMBERS, SKINNED, strict=True):
        np.savez(f"skin/take.{number:06d}.npz", posed=points, shape=np.zeros(10), **more)


def faces_of_a_body_model():
    np.savez("skin.npz", v=SKINNED, f=tube_triangles(), ft=tube_triangles(), vt=np.zeros((72, 2)))


def numbers_without_a_sign():
    folder("skin", SKINNED)
    numbers = np.array([*range(1, 9), 10, 9, *range(11, 17)], np.uint16)
    np.savez("joints.npz", joints=JOINTS, frame_numbers=numbers)


def poses_of_a_body_model():
    folder("skin", SKINNED)
    np.savez("joints.npz", poses=JOINTS, trans=np.zeros((16, 3)), betas=np.zeros(10))


INPUTS = {
    **{
        f"numbers called {name}": (partial(archive, "skin.npz", **{name: numbers}), range(10, 26))
        for name, numbers in {
            "frame_idx": np.arange(10, 26), "frameNumbers": np.arange(10.0, 26), "Frames": np.arange(10, 26)[:, None],
        }.items()
    },
    "faces and vertices called f and v": (faces_of_a_body_model, NUMBERS),
    "faces in columns": (partial(archive, "skin.npz", faces=tube_triangles().T), r"faces of shape \(3, 128\), .*transpose"),
    "numbers without a sign that fall": (numbers_without_a_sign, r"joints\.npz: found 16 numbers of frames, .*above the last"),
    "poses of a body model for joints": (poses_of_a_body_model, r"found betas \(10,\), poses .*expected an array joints"),
    "joints of a whole take": (
        joints_of_a_whole_take,
        r"joints\.npy: 16 frames without numbers, skin has 10, 3 to 12: which belong together\? .*frame_numbers",
    ),
    "joints counted from zero": (joints_from_zero, range(16)),
    "arrays without numbers": (arrays_without_numbers, range(101, 117)),
    "an array for each frame": (arrays_of_one_frame_each, NUMBERS),
    "meshes and joints in one archive": (everything_in_one_archive, NUMBERS),
    "numbers of another name": (partial(archive, "skin.npz", frames=np.arange(10, 26)), range(10, 26)),
    "numbers as floats": (partial(archive, "skin.npz", frame_numbers=np.arange(1.0, 17)), NUMBERS),
    "joints with commas": (partial(joints_as_text, "{}, {},{}"), NUMBERS),
    "joints with a byte order mark, a comment and tabs": (
        partial(joints_as_text, "{}\t{}  {}", "# joints\n", "utf-8-sig"), NUMBERS,
    ),
    "joints with a heading": (partial(joints_as_text, "{} {} {}", "x y z"), r"j\.0001\.txt: not a whole array"),
    "joints with a confidence": (partial(joints_as_text, "{} {} {} 0.9"), r"found an array of shape \(5, 4\)"),
    "an archive for each frame": (an_archive_for_each_frame, NUMBERS),
    "an archive of two meshes for each frame": (
        partial(an_archive_for_each_frame, canonical=SKINNED[0]),
        r"found canonical \(72, 3\), posed \(72, 3\), shape \(10,\), expected one array of positions, or one named vertices",
    ),
    "a vector for each frame": (partial(arrays_of, "skin.npy", SKINNED.reshape(16, -1)), r"\(16, 216\), expected \(T, V, 3\)"),
    "a pickled dictionary": (partial(arrays_of, "skin.npy", {"vertices": SKINNED}), "not a whole array of numbers"),
    "a batch of one": (partial(archive, "skin.npz", vertices=SKINNED[None]), r"\(1, 16, 72, 3\), expected \(T"),
    "frames behind": (partial(archive, "skin.npz", vertices=SKINNED.transpose(1, 2, 0)), r"\(72, 3, 16\), expected \(T"),
    "faces counted from one": (partial(archive, "skin.npz", faces=tube_triangles() + 1), "a corner at vertex 72"),
    "a single frame": (partial(archive, "skin.npz", vertices=SKINNED[0]), r"of shape \(72, 3\), expected \(T, V, 3\)"),
    "an object beside": (partial(archive, "skin.npz", meta=np.array({}, dtype=object)), NUMBERS),
    "nothing but an object": (
        lambda: np.savez("skin.npz", vertices=np.array({}, dtype=object)),
        "found no arrays of numbers, expected an array vertices",
    ),
    "matrices of joints": (
        lambda: (folder("skin", SKINNED), arrays_of("joints.npy", np.zeros((16, 3, 4, 4)))), r"\(16, 3, 4, 4\), expected",
    ),
    "joints in CSV files": (partial(joints_in_files, ".csv", partial(lines_of, between=",")), NUMBERS),
    "joints in JSON files": (
        partial(joints_in_files, ".json", lambda points: str(points.tolist())), r"files found, but \.json: convert",
    ),
    "a joint that is lost": (
        partial(joints_in_files, ".txt", a_joint_that_is_lost), "vertex 1 is .*nan.*, expected three finite",
    ),
    "a joint less from some frame on": (
        partial(joints_in_files, ".txt", lines_of, last=8), r"j\.0009\.txt: 4 vertices, expected 5 as in .*j\.0001\.txt",
    ),
    "half precision, big-endian": (partial(archive, "skin.npz", vertices=SKINNED.astype(">f2")), Read(tolerance=1e-3)),
    "joints with names": (partial(joints_as_text, "hip {} {} {}"), "not a whole array of numbers, three in a line"),
    "joints in one line": (partial(joints_as_text, "{0}"), r"found an array of shape \(5, 1\)"),
    "half numbers": (partial(archive, "skin.npz", frame_numbers=np.arange(16) / 2), "expected to be 16 whole numbers"),
    "numbers twice": (partial(archive, "skin.npz", frame_numbers=[*range(8), *range(8)]), "each above the last"),
    "a hole in a frame": (
        partial(archive, "skin.npz", vertices=np.where(np.arange(16)[:, None, None] == 8, np.nan, SKINNED)),
        r"skin\.npz: frame 9: vertex 0 is \[nan, nan, nan\]",
    ),
}  # fmt: skip
