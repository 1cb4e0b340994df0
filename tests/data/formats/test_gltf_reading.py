"""Characters in glTF files: a bar of three bones against an independent loop over its vertices, and what files may hold."""

from pathlib import Path

import numpy as np
import pytest
from bar import RATE, Bar
from scipy.spatial.transform import Rotation, Slerp

from data.formats.gltf_reading import open_gltf
from data.formats.mesh_formats import POINTS, said_in
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames


@pytest.mark.parametrize("influences", [4, 8])
@pytest.mark.parametrize("name", ["bar.glb", "bar.gltf", "within.gltf"])
def test_a_bar_moves_as_a_loop_over_its_vertices_says(tmp_path, influences, name):
    character = Bar(influences)
    frames = load_frames(character.write(tmp_path / name), frame_rate=RATE)
    assert frames.frame_numbers == [1, 2, 3, 4, 5]
    assert frames.vertices.shape == (5, 28, 3)  # 35 less the seam
    for frame in range(5):
        np.testing.assert_allclose(frames.vertices[frame], character.expected(frame), atol=1e-5)
    joints = load_frames(tmp_path / name, tuple(POINTS), joints=True, frame_rate=RATE)
    for frame in range(5):
        world = character.world(character.turns[:, frame], character.moves[frame], character.scales[frame])
        np.testing.assert_allclose(joints.vertices[frame], [each[:3, 3] for each in world], atol=1e-5)
    # faces lead to the welded points, texture coordinates stay apart along the seam, upwards
    place = np.array([4 * (v // 5) + v % 5 % 4 for v in range(35)])
    np.testing.assert_array_equal(frames.polygons.corners, place[character.faces.ravel()])
    textured = frames.polygons.texture[frames.polygons.texture_corners]
    np.testing.assert_allclose(textured, (character.texture * [1, -1] + [0, 1])[character.faces.ravel()], atol=1e-6)
    assert said_in(tmp_path / name) == {"up_axis": "y", "metres_per_unit": 1.0}


def test_frames_between_keys_are_interpolated(tmp_path):
    character = Bar()
    frames = load_frames(character.write(tmp_path / "bar.glb"), frame_rate=2 * RATE)
    assert frames.frame_numbers == list(range(2, 11))
    np.testing.assert_allclose(frames.vertices[2], character.expected(1), atol=1e-5)
    half = [Slerp([0, 1], Rotation.from_quat(each[1:3]))(0.5).as_quat() for each in character.turns]
    for own in (character.moves, character.scales, character.morphing):
        own[0] = (own[1] + own[2]) / 2
    np.testing.assert_allclose(frames.vertices[3], character.expected(0, half), atol=1e-5)


def test_steps_and_splines(tmp_path):
    """A translation held until its next key, and a cubic one: of a parabola with its own tangents, exact."""
    character = Bar()

    def change(tree):
        cubic = np.stack([np.stack([[0, 2 * t, 0], [t, t**2, 0], [0, 2 * t, 0]]) for t in character.times])
        cubic[:, [0, 2], 0] = 1
        moved = {"input": tree["animations"][0]["samplers"][0]["input"], "output": character.add(cubic.reshape(-1, 3))}
        tree["animations"][0]["samplers"].append(moved | {"interpolation": "CUBICSPLINE"})
        tree["animations"][0]["samplers"][4]["interpolation"] = "STEP"
        tree["animations"][0]["channels"][3]["sampler"] = 6

    frames = load_frames(character.write(tmp_path / "bar.glb", change), tuple(POINTS), joints=True, frame_rate=4 * RATE)
    at = np.arange(4, 21) / (4 * RATE)
    expected = np.stack([at, at**2, np.zeros(17), np.ones(17)], axis=1) @ character.helper.T
    np.testing.assert_allclose(frames.vertices[:, 0], expected[:, :3], atol=1e-6)
    lengths = np.linalg.norm(frames.vertices[:, 2] - frames.vertices[:, 1], axis=1)
    assert len(np.unique(lengths.round(4))) > 5  # turned, between keys


def test_quantized_sparse_and_strided_numbers(tmp_path):
    """Positions as normalised whole numbers, three of them replaced, in rows with a gap."""
    character = Bar()
    whole = np.round(character.points / 4 * 32767).astype("<i2")

    def change(tree):
        rows = np.zeros((35, 4), "<i2")
        rows[:, :3] = whole
        number = character.add(rows, "i2", normalized=True)
        tree["accessors"][number]["type"] = "VEC3"
        tree["bufferViews"][tree["accessors"][number]["bufferView"]]["byteStride"] = 8
        places, values = character.add(np.array([3, 20, 34]), "u1"), character.add(np.full((3, 3), 16384), "i2")
        tree["accessors"][number]["sparse"] = {
            "count": 3,
            "indices": {"bufferView": tree["accessors"][places]["bufferView"], "componentType": 5121},
            "values": {"bufferView": tree["accessors"][values]["bufferView"]},
        }
        tree["meshes"][0]["primitives"][0]["attributes"]["POSITION"] = number

    character.write(tmp_path / "bar.glb", change)
    character.points = whole / 32767
    character.points[[3, 20, 34]] = 16384 / 32767
    # vertices that were one along the seam are two where a number differs
    frames = load_frames(tmp_path / "bar.glb", frame_rate=RATE).vertices
    own = character.expected(2)
    kept = [place for place, vertex in enumerate(v for v in range(35) if v % 5 < 4) if vertex not in (20, 30)]
    distance = np.abs(frames[2][:, None] - own[None, kept]).max(axis=2).min(axis=0)
    assert distance.max() < 1e-5


def test_a_mesh_without_skin_is_moved_by_its_node(tmp_path):
    character = Bar()

    def change(tree):
        del tree["nodes"][4]["skin"]
        tree["animations"][0]["channels"][3]["target"]["node"] = 4

    frames = load_frames(character.write(tmp_path / "bar.glb", change), frame_rate=RATE)
    for frame in range(5):
        moved = character.points + character.morphing[frame] * character.morph + character.moves[frame]
        np.testing.assert_allclose(frames.vertices[frame], moved[np.arange(35) % 5 < 4], atol=1e-5)
    with pytest.raises(InputError, match=r"bar\.glb: a mesh without a skin, expected one with joints"):
        load_frames(tmp_path / "bar.glb", tuple(POINTS), joints=True)


def test_a_pose_without_animation_is_one_frame(tmp_path):
    """Its morph targets have the node's own weights, and without these the mesh's."""
    character = Bar()

    def change(tree, weights=None):
        tree.pop("animations")
        tree["nodes"][4] |= {} if weights is None else {"weights": weights}

    frames = load_frames(character.write(tmp_path / "bar.glb", change))
    assert frames.frame_numbers == [1]
    assert frames.counted
    own = load_frames(Bar().write(tmp_path / "own.gltf", lambda tree: change(tree, [0.25])))
    none = load_frames(Bar().write(tmp_path / "none.glb", lambda tree: change(tree, [0.0])))
    np.testing.assert_allclose(own.vertices, (frames.vertices + none.vertices) / 2, atol=1e-6)
    assert np.abs(own.vertices - frames.vertices).max() > 0.01


def two_of_each(tree):
    tree["nodes"].append({"name": "Hat", "mesh": 0, "skin": 0})
    tree["animations"].append(dict(tree["animations"][0], name="Walk"))


def test_one_of_several_is_named(tmp_path):
    character = Bar()
    character.write(tmp_path / "bar.glb", two_of_each)
    frames = load_frames(tmp_path / "bar.glb:Hat, Walk", frame_rate=RATE)
    assert frames.vertices.shape == (5, 28, 3)
    with pytest.raises(InputError, match=r"found 2 meshes \(Bar, Hat\), expected one: name it, as in bar\.glb:NAME"):
        load_frames(tmp_path / "bar.glb:Walk")
    with pytest.raises(
        InputError, match=r"found 2 animations \(Wave, Walk\), expected one: name it, as in bar\.glb:Wave"
    ):
        load_frames(tmp_path / "bar.glb:Bar")
    with pytest.raises(InputError, match=r"found no Wlak in it, expected .* that are there: Bar, bar mesh, Hat, Wave"):
        load_frames(tmp_path / "bar.glb:Bar,Wlak")


def test_a_name_is_asked_for_where_there_is_one_of_each(tmp_path):
    """Whoever names another mesh has another file in mind."""
    Bar().write(tmp_path / "bar.glb")
    with pytest.raises(
        InputError, match=r"bar\.glb: found no Nope in it, expected meshes and animations that are there"
    ):
        load_frames(tmp_path / "bar.glb:Nope")


def without_indices_behind(tree):
    tree["bufferViews"][0]["byteLength"] = 12


def a_joint_too_many(tree):
    tree["skins"][0]["joints"] = [1, 2]
    del tree["skins"][0]["inverseBindMatrices"]


def turning_by_nothing(tree):
    number = tree["animations"][0]["samplers"][0]["output"]
    tree["accessors"][number] = {"componentType": 5126, "count": 5, "type": "VEC4"}  # of no view: zeros


def in_a_circle(tree):
    tree["nodes"][3]["children"] = [0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_indices_behind, r"not a whole glTF file \(buffer view 0 ends before its values"),
        (a_joint_too_many, "not a whole glTF file"),
        (in_a_circle, r"not a whole glTF file \(nodes that are their own parents"),
        (lambda tree: tree["accessors"][0].update(count=10**9), "not a whole glTF file"),
        (lambda tree: tree["meshes"][0]["primitives"][0].update(mode=5), "faces in strips, fans, lines or points"),
        (lambda tree: tree.update(extensionsRequired=["KHR_draco_mesh_compression"]), "packed by KHR_draco"),
        (lambda tree: tree["nodes"][1].update(rotation=[0, 0, 0, 0]), "a rotation that is none"),
        (turning_by_nothing, "a rotation that is none"),
        (lambda tree: tree["nodes"][4].pop("mesh"), r"found 0 meshes \(none\)"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, change, message):
    path = Bar().write(tmp_path / "bar.glb", change)
    with pytest.raises(InputError, match=rf"bar\.glb: .*{message}"):
        load_frames(path, frame_rate=RATE)


def test_a_buffer_that_is_not_there(tmp_path):
    path = Bar().write(tmp_path / "bar.gltf")
    (tmp_path / "bar data.bin").unlink()
    with pytest.raises(InputError, match=r"bar\.gltf: refers to bar%20data\.bin, which is not there"):
        load_frames(path)
    for content in (b"glTF", b"glTF" + bytes(40)):
        (tmp_path / "cut.glb").write_bytes(content)
        with pytest.raises(InputError, match=r"cut\.glb: not a whole glTF file"):
            open_gltf(Path(tmp_path / "cut.glb"))
