"""A character's file with further morph targets: against a loop over its vertices, and all else as it was."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from bar import RATE, Bar

from data.formats.gltf_morphs import write_morphs
from data.formats.gltf_reading import animated_character
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

RANDOM = np.random.default_rng(0)
SHAPES, TURNED, WEIGHTS = (RANDOM.normal(size=size) for size in ((2, 28, 3), (2, 28, 3), (5, 2)))


def added_to(path, written):
    write_morphs(written, animated_character(path, RATE), ["one", "two"], SHAPES, TURNED, WEIGHTS)
    return load_frames(written, frame_rate=RATE).vertices


def tree_of(path):
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    return json.loads(content[20 : 20 + length])


@pytest.mark.parametrize("name", ["bar.glb", "bar.gltf", "within.gltf"])
def test_shapes_are_added_before_the_skin(tmp_path, name):
    character = Bar()
    found = added_to(character.write(tmp_path / name), tmp_path / "morphs.glb")
    whole, place = character.points.copy(), np.array([4 * (v // 5) + v % 5 % 4 for v in range(35)])
    for frame in range(5):
        character.points = whole + np.tensordot(WEIGHTS[frame], SHAPES, axes=1)[place]
        np.testing.assert_allclose(found[frame], character.expected(frame), atol=2e-5)
    tree = tree_of(tmp_path / "morphs.glb")
    assert tree["meshes"][0]["extras"]["targetNames"] == ["target 1", "one", "two"]
    assert ["NORMAL" in each for each in tree["meshes"][0]["primitives"][0]["targets"]] == [False, True, True]
    assert len(tree["meshes"]) == len(tree["buffers"]) == 1


def test_other_animations_and_meshes_stay_as_they_are(tmp_path):
    def change(tree):
        tree["nodes"].append({"name": "Twin", "mesh": 0, "skin": 0})
        tree["animations"].append(dict(tree["animations"][0], name="Walk"))

    path = Bar().write(tmp_path / "bar.glb", change)
    opened = animated_character(tmp_path / "bar.glb:Bar,Walk", RATE)
    write_morphs(tmp_path / "morphs.glb", opened, ["one", "two"], SHAPES, TURNED, WEIGHTS)
    for part in ("Bar,Wave", "Twin,Walk"):
        files = [Path(f"{each}:{part}") for each in (path, tmp_path / "morphs.glb")]
        before, after = (load_frames(each, frame_rate=RATE) for each in files)
        np.testing.assert_array_equal(before.vertices, after.vertices)
    moved = load_frames(tmp_path / "morphs.glb:Bar,Walk", frame_rate=RATE).vertices
    assert np.abs(moved - before.vertices).max() > 0.1


def test_a_pose_has_its_weights_without_an_animation(tmp_path):
    character = Bar()
    character.morphing[0] = 0.25

    def change(tree):
        tree.pop("animations")
        tree["nodes"][4]["weights"] = [0.25]

    character.write(tmp_path / "bar.glb", change)
    opened = animated_character(tmp_path / "bar.glb", RATE)
    write_morphs(tmp_path / "morphs.glb", opened, ["one", "two"], SHAPES, TURNED, WEIGHTS[:1])
    still = animated_character(tmp_path / "morphs.glb", RATE)
    np.testing.assert_allclose(still.character.morph_weights, [0.25, *WEIGHTS[0]])
    np.testing.assert_allclose(still.character.morphs[1:], SHAPES, atol=1e-6)


def test_pictures_beside_the_file_come_along(tmp_path):
    def change(tree):
        tree["images"], tree["textures"] = [{"uri": "skin%20tone.png"}], [{"source": 0}]
        tree["materials"] = [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}]
        tree["meshes"][0]["primitives"][0]["material"] = 0

    path = Bar().write(tmp_path / "bar.gltf", change)
    with pytest.raises(InputError, match=r"bar\.gltf: refers to skin%20tone\.png, expected a \.png or \.jpg that is"):
        added_to(path, tmp_path / "morphs.glb")
    assert not (tmp_path / "morphs.glb").exists()
    (tmp_path / "skin tone.png").write_bytes(b"\x89PNG pixels")
    added_to(path, tmp_path / "morphs.glb")
    (image,) = tree_of(tmp_path / "morphs.glb")["images"]
    opened = animated_character(tmp_path / "morphs.glb", RATE)
    view = opened.file.tree.bufferViews[image["bufferView"]]
    assert opened.file.buffers[0][view.byteOffset :][: view.byteLength] == b"\x89PNG pixels"
    assert image == {"mimeType": "image/png", "bufferView": image["bufferView"]}
