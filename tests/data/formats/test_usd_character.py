"""Characters as UsdSkel: what USD makes of them, against a loop over the vertices of the bar."""

import numpy as np
import pytest
from bar import RATE, Bar, translated
from pxr import Usd, UsdGeom, UsdValidation

from data.formats.gltf_reading import animated_character
from data.formats.mesh_formats import POINTS
from data.formats.usd_character import write_usd_character
from data.input_error import InputError
from data.sequences.mesh_frames import load_frames

RANDOM = np.random.default_rng(0)
SHAPES, WEIGHTS, NAMES = RANDOM.normal(size=(2, 28, 3)), RANDOM.normal(size=(5, 2)), ["correction 1", "correction 2"]


def written(tmp_path, character, change=lambda tree: None):
    opened = animated_character(character.write(tmp_path / "bar.glb", change), RATE)
    write_usd_character(tmp_path / "bar.usdc", opened, NAMES, SHAPES, WEIGHTS, RATE)
    return tmp_path / "bar.usdc"


def shaped(character):
    """The character in each frame, with the shapes added before its skin."""
    whole, place = character.points, np.array([4 * (v // 5) + v % 5 % 4 for v in range(35)])
    for frame in range(5):
        character.points = whole + np.tensordot(WEIGHTS[frame], SHAPES, axes=1)[place]
        yield character.expected(frame)


def test_usd_evaluates_the_character_as_a_loop_over_its_vertices_does(tmp_path):
    """Below a helper that is scaled unequally, and stands still: it moves the skeleton as a whole."""
    character = Bar()
    character.scales = np.float16(character.scales).astype(float)  # which is all that USD keeps of them
    path = written(tmp_path, character)
    stage = Usd.Stage.Open(str(path))
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    assert [each.GetMessage() for each in UsdValidation.ValidationContext(validators).Validate(stage)] == []
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Y", 1.0)
    assert stage.GetTimeCodesPerSecond() == RATE
    frames = load_frames(path)
    assert frames.frame_numbers == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(frames.vertices, np.array([*shaped(character)]), atol=5e-5)
    before = load_frames(tmp_path / "bar.glb", frame_rate=RATE)
    assert frames.polygons.are_like(before.polygons)
    joints, glb = (
        load_frames(tmp_path / name, tuple(POINTS), joints=True, frame_rate=RATE) for name in (path.name, "bar.glb")
    )
    np.testing.assert_allclose(joints.vertices, glb.vertices, atol=1e-5)
    assert joints.point_names == ["bone_0", "bone_1", "bone_2"]


def test_joints_may_stand_in_any_order_and_have_the_same_names(tmp_path):
    """The skin counts the last bone first; all are called the same; between two of them is a node that is no joint."""
    character = Bar(4)
    character.scales[:] = 1

    def change(tree):
        for bone in (1, 2, 3):
            tree["nodes"][bone]["name"] = "0 bone"
        tree["nodes"][2]["children"] = [5]
        tree["nodes"].append({"name": "between", "children": [3], "translation": [0, 0.5, 0]})
        tree["nodes"][3]["translation"] = [0, 0.5, 0]
        tree["skins"][0]["joints"] = [3, 2, 1]
        bind = np.stack([each.T.ravel() for each in character.bind[::-1]])
        tree["skins"][0]["inverseBindMatrices"] = character.add(bind)
        character.joints = 2 - character.joints
        attributes = tree["meshes"][0]["primitives"][0]["attributes"]
        attributes["JOINTS_0"] = character.add(character.joints, "u1")

    path = written(tmp_path, character, change)
    character.joints = 2 - character.joints
    np.testing.assert_allclose(load_frames(path).vertices, np.array([*shaped(character)]), atol=5e-5)


def test_what_is_above_the_skeleton_may_move(tmp_path):
    character = Bar()
    character.scales[:] = 1
    character.helper = translated([0.1, 0.2, 0.3])
    character.bind = [np.linalg.inv(character.helper @ translated([0, height, 0])) for height in range(3)]

    def change(tree):
        del tree["nodes"][0]["matrix"]
        tree["animations"][0]["samplers"].append(
            {"input": 0, "output": character.add(np.arange(15.0).reshape(5, 3))}
            | {"input": tree["animations"][0]["samplers"][0]["input"]}
        )
        tree["animations"][0]["channels"].append({"sampler": 6, "target": {"node": 0, "path": "translation"}})

    path = written(tmp_path, character, change)
    expected = np.array([*shaped(character)]) - [0.1, 0.2, 0.3] + np.arange(15.0).reshape(5, 1, 3)
    np.testing.assert_allclose(load_frames(path).vertices, expected, atol=5e-5)


def test_a_sheared_joint_is_refused(tmp_path):
    character = Bar()
    character.helper = np.diag([1.0, 3.0, 1.0, 1.0])

    def change(tree):
        tree["animations"][0]["channels"].append({"sampler": 3, "target": {"node": 0, "path": "translation"}})
        tree["nodes"][0] |= {"scale": [1, 3, 1]}
        del tree["nodes"][0]["matrix"]

    with pytest.raises(InputError, match=r"bar\.usdc: joint bone 0 is sheared, expected rotations and scales"):
        written(tmp_path, character, change)
    assert not (tmp_path / "bar.usdc").exists()
