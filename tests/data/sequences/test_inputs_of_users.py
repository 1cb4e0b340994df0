"""What people hand over, and what becomes of it: the right frames, or a line that says what to do."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tube import tube_frames, tube_joints, tube_quads, tube_scans, tube_triangles

from data.formats.obj_writing import write_obj
from data.input_error import InputError
from data.sequences.mesh_sequence import describe_sequences, load_sequences

SKINNED = tube_frames(16)
SCANS = tube_scans(SKINNED)
JOINTS = tube_joints(16)
NUMBERS = range(1, 17)


def folder(name, frames, pattern="{:04d}", numbers=NUMBERS, polygons=None):
    """Write OBJ files, a frame each."""
    for number, points in zip(numbers, frames, strict=True):
        write_obj(
            Path(name) / f"body.{pattern.format(number)}.obj", points, tube_quads() if polygons is None else polygons
        )


def both(**options):
    folder("skin", SKINNED, **options)
    folder("scan", SCANS, **options)


def archive(name, **arrays):
    np.savez(name, **{"vertices": SKINNED, "faces": tube_triangles()} | arrays)


def scans_without(*frames):
    both()
    for frame in frames:
        Path(f"scan/body.{frame:04d}.obj").unlink()


def scans_on_twos():
    folder("skin", SKINNED)
    folder("scan", SCANS[::2], numbers=range(1, 17, 2))


def numbers_a_thousand_apart():
    folder("skin", SKINNED, numbers=range(1001, 1017))
    folder("scan", SCANS)


def a_copy_beside():
    both()
    Path("skin/body.0012 (1).obj").write_bytes(Path("skin/body.0012.obj").read_bytes())


def a_template_beside():
    both()
    Path("scan/template.obj").write_bytes(Path("scan/body.0001.obj").read_bytes())


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


def other_faces(polygons):
    folder("skin", SKINNED)
    folder("scan", SCANS, polygons=polygons)


def another_order():
    folder("skin", SKINNED)
    order = np.random.default_rng(0).permutation(72)
    place = np.argsort(order)
    folder("scan", SCANS[:, order], polygons=place[tube_quads()])


def more_vertices():
    folder("skin", SKINNED)
    folder("scan", np.concatenate([SCANS, SCANS[:, :4]], axis=1))


def joints_as_text(form, head="", encoding="utf-8"):
    folder("skin", SKINNED)
    Path("joints").mkdir()
    for number, points in zip(NUMBERS, JOINTS, strict=True):
        lines = [form.format(*point) for point in points]
        Path(f"joints/j.{number:04d}.txt").write_text("\n".join([head, *lines]) + "\n", encoding=encoding)


def an_archive_for_each_frame(**more):
    folder("scan", SCANS)
    Path("skin").mkdir()
    for number, points in zip(NUMBERS, SKINNED, strict=True):
        np.savez(f"skin/take.{number:06d}.npz", posed=points, shape=np.zeros(10), **more)


def mixed_binary_ply(order):
    """Quads and two triangles, as Blender writes them, with normals and a flag for each face."""
    folder("scan", SCANS)
    Path("skin").mkdir()
    kind, rows = "<" if order == "little" else ">", [*tube_quads()[1:].tolist(), [0, 1, 9], [0, 9, 8]]
    header = ["ply", f"format binary_{order}_endian 1.0", "element vertex 72"]
    header += [f"property float {name}" for name in ("x", "y", "z", "nx", "ny", "nz")]
    header += [
        f"element face {len(rows)}",
        "property uchar flags",
        "property list uchar uint vertex_indices",
        "end_header",
        "",
    ]
    faces = b"".join(b"\1" + bytes([len(row)]) + np.array(row, kind + "u4").tobytes() for row in rows)
    for number, points in zip(NUMBERS, SKINNED, strict=True):
        vertices = np.concatenate([points, points], axis=1).astype(kind + "f4").tobytes()
        Path(f"skin/body.{number:04d}.ply").write_bytes("\n".join(header).encode() + vertices + faces)


def rewritten(change, encoding="utf-8"):
    """OBJ files of skinned meshes whose text was changed."""
    both()
    for path in Path("skin").iterdir():
        path.write_bytes(change(path.read_text()).encode(encoding))


def with_everything_else(text):
    text = "// body.obj\nmtllib a b.mtl\no body\ng default other\ns off\n" + text.replace(
        "\nf ", "\nvn 0 0 1\nvp 0.5\nusemtl skin\nf ", 1
    )
    return text + "l 1 2\np 3\n"


def two_objects_that_begin_at_one(text):
    lines = text.splitlines()
    vertices, faces = ([line for line in lines if line.startswith(kind)] for kind in ("v ", "f "))
    first = [face for face in faces if max(map(int, face.split()[1:])) <= 40]
    return "\n".join(["o a", *vertices[:40], *first, "o b", *vertices[40:], *first, ""])


def vertices_of_four_numbers(text):
    lines = text.splitlines()
    return "\n".join(f"{line} 1" if line.startswith("v ") else line for line in lines)


def shots_in_folders():
    for shot in ("skin/shotA", "skin/shotB"):
        folder(shot, SKINNED)


def usd_files_of_one_frame():
    Path("skin").mkdir()
    for number in NUMBERS:
        Path(f"skin/body.{number:04d}.usdc").touch()


def arrays_of(name, array):
    np.save(name, array, allow_pickle=True)


def times_in_milliseconds():
    numbers = [1699000000000 + round(index * 1000 / 30) for index in range(16)]
    both(pattern="{}", numbers=numbers)


INPUTS = {
    "negative numbers behind a blank": (partial(both, pattern="{:04d}", numbers=range(-16, 0)), range(-16, 0)),
    "negative and positive numbers": (partial(both, pattern="{:05d}", numbers=range(-5, 11)), range(-5, 11)),
    "on twos": (partial(both, numbers=range(2, 34, 2)), range(2, 34, 2)),
    "scans on twos": (scans_on_twos, r"scan: 8 of the 16 frames in skin .*\(body\.0002\); expected one for each frame, or"),
    "scans that failed": (partial(scans_without, 7, 8), r"2 of the 16 frames .* the first is frame 7 .*of their own"),
    "other numbers": (numbers_a_thousand_apart, "all numbers are 1000 apart, expected the same ones"),
    "version behind the number": (partial(both, pattern="{:04d}_v002"), NUMBERS),
    "two digits behind the number": (partial(both, pattern="{:04d}.00"), NUMBERS),
    "times": (times_in_milliseconds, [1699000000000 + round(index * 1000 / 30) for index in range(16)]),
    "a copy beside the frames": (a_copy_beside, r"body\.0012 \(1\)\.obj: not named as 16 others are"),
    "a template beside the frames": (a_template_beside, r"template\.obj: no number in the name"),
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
    "faces that start at another corner": (partial(other_faces, np.roll(tube_quads(), 1, axis=1)), NUMBERS),
    "faces in another order": (partial(other_faces, tube_quads()[::-1]), NUMBERS),
    "faces turned inside out": (partial(other_faces, tube_quads()[:, ::-1]), NUMBERS),
    "quads cut along the other diagonal": (
        partial(other_faces, np.concatenate([tube_quads()[:, [0, 1, 3]], tube_quads()[:, [1, 2, 3]]])), NUMBERS,
    ),
    "vertices in another order": (another_order, "other faces than .*, expected the same topology"),
    "more vertices": (more_vertices, r"76 vertices, expected 72 as in .*: remove what was added, or register a raw scan"),
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
    "quads and triangles in binary PLY": (partial(mixed_binary_ply, "little"), NUMBERS),
    "quads and triangles in binary PLY, big-endian": (partial(mixed_binary_ply, "big"), NUMBERS),
    "lines that end in CR alone": (partial(rewritten, lambda text: text.replace("\n", "\r")), NUMBERS),
    "UTF-16": (partial(rewritten, str, "utf-16"), NUMBERS),
    "comments, groups, materials, normals, lines and points": (partial(rewritten, with_everything_else), NUMBERS),
    "weights behind the coordinates": (partial(rewritten, vertices_of_four_numbers), NUMBERS),
    "decimal commas": (
        partial(rewritten, lambda text: text.replace(".", ",")), r"line 1: found 'v .*,.*', expected `v` and three",
    ),
    "exponents of Fortran": (
        partial(rewritten, lambda text: text.replace("v ", "v 1.0D-01 ", 1)), r"line 1: found 'v 1\.0D-01 .*three finite",
    ),
    "a second object whose indices begin at one": (
        partial(rewritten, two_objects_that_begin_at_one), "faces are there twice, and 32 vertices have none",
    ),
    "shots in folders of a folder": (shots_in_folders, r"but folders \(shotA, shotB\): give each as a source"),
    "a USD file for each frame": (usd_files_of_one_frame, r"but \.usdc files: expected one of them, with all frames in it"),
    "a vector for each frame": (partial(arrays_of, "skin.npy", SKINNED.reshape(16, -1)), r"\(16, 216\), expected \(T, V, 3\)"),
    "a pickled dictionary": (partial(arrays_of, "skin.npy", {"vertices": SKINNED}), "not a whole array of numbers"),
    "a batch of one": (partial(archive, "skin.npz", vertices=SKINNED[None]), r"\(1, 16, 72, 3\), expected \(T"),
    "frames behind": (partial(archive, "skin.npz", vertices=SKINNED.transpose(1, 2, 0)), r"\(72, 3, 16\), expected \(T"),
    "faces counted from one": (partial(archive, "skin.npz", faces=tube_triangles() + 1), "a corner at vertex 72"),
    "a single frame": (partial(archive, "skin.npz", vertices=SKINNED[0]), r"of shape \(72, 3\), expected \(T, V, 3\)"),
    "an object beside": (partial(archive, "skin.npz", meta=np.array({}, dtype=object)), "not a whole archive of arrays"),
    "matrices of joints": (
        lambda: (folder("skin", SKINNED), arrays_of("joints.npy", np.zeros((16, 3, 4, 4)))), r"\(16, 3, 4, 4\), expected",
    ),
    "joints with names": (partial(joints_as_text, "hip {} {} {}"), "not a whole array of numbers, three in a line"),
    "joints in one line": (partial(joints_as_text, "{0}"), r"found an array of shape \(5, 1\)"),
    "half numbers": (partial(archive, "skin.npz", frame_numbers=np.arange(16) / 2), "expected to be 16 whole numbers"),
    "numbers twice": (partial(archive, "skin.npz", frame_numbers=[*range(8), *range(8)]), "each above the last"),
    "a hole in a frame": (
        partial(archive, "skin.npz", vertices=np.where(np.arange(16)[:, None, None] == 8, np.nan, SKINNED)),
        r"skin\.npz: frame 9: vertex 0 is \[nan, nan, nan\]",
    ),
}  # fmt: skip


def found(*names):
    return [[next(Path().glob(f"{name}*"))] if list(Path().glob(f"{name}*")) else None for name in names]


@pytest.mark.parametrize("name", INPUTS)
def test_what_people_hand_over(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    make, expected = INPUTS[name]
    make()
    if isinstance(expected, str):
        with pytest.raises(InputError, match=expected):
            load_sequences(*found("skin", "scan", "joints"))
        return
    (sequence,), _ = load_sequences(*found("skin", "scan", "joints"))
    assert sequence.frame_numbers.tolist() == list(expected)
    np.testing.assert_allclose(sequence.skinned, SKINNED, atol=1e-6)
    if sequence.scan is not None:
        np.testing.assert_allclose(sequence.scan, SCANS, atol=1e-6)
    if sequence.joints is not None:
        np.testing.assert_allclose(sequence.joints, JOINTS, atol=1e-6)


def test_steps_are_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder("skin", SKINNED, numbers=range(2, 34, 2))
    folder("other", SKINNED)
    sequences, _ = load_sequences([Path("skin"), Path("other")], None)
    lines = describe_sequences(sequences)
    assert lines[0] == "skin: frames 2 to 32, 2 apart, 72 vertices"
    assert lines[-1] == "frames are 1 and 2 apart: motion per frame is not the same in all of them"
