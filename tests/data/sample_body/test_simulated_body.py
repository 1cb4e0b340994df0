import numpy as np
import pytest

import make_sample_data
from data.formats.obj import read_obj
from data.sample_body.motions import RANGE_OF_MOTION, TEST, TRAINING, pose_sequence
from data.sample_body.simulated_body import (
    SimulatedBody,
    dual_quaternion_skinning,
    linear_blend_skinning,
    load_body,
    pose_skeleton,
    skinning_transforms,
)
from data.sequences.mesh_sequence import load_sequences


@pytest.fixture(scope="module")
def simulated():
    return SimulatedBody("low", seed=0)


def test_rest_pose_is_the_rest_mesh(simulated):
    body = simulated.body
    still = np.zeros((40, len(body.bone_names), 3)), np.zeros(40)
    frames = list(simulated.frames(*still, 30))
    assert len(frames) == 10
    for skinned, joints, scan in frames:
        np.testing.assert_allclose(skinned, body.vertices, atol=1e-9)
        np.testing.assert_allclose(joints, body.bone_heads, atol=1e-9)
        # nothing moves, gravity is as at rest: all that is left is the scan's own detail
        np.testing.assert_allclose(scan - skinned, simulated.detail[:, None] * simulated.rest_normals, atol=1e-6)


def test_both_skinnings_move_a_stiff_body_rigidly():
    body = load_body("low")
    rotations = np.zeros((1, len(body.bone_names), 3))
    rotations[0, 0] = [0.4, -0.8, 0.3]  # the root alone
    transforms = skinning_transforms(body, *pose_skeleton(body, rotations, np.zeros(1), 120))[0]
    expected = body.vertices @ transforms[0, :, :3].T + transforms[0, :, 3]
    for skinning in (linear_blend_skinning, dual_quaternion_skinning):
        np.testing.assert_allclose(skinning(body, body.vertices, transforms), expected, atol=1e-6)


def test_soft_tissue_swings_after_a_stop(simulated):
    body, tissue = simulated.body, simulated.tissue
    steps = np.arange(240)
    height = 0.05 * np.clip(steps / 60, 0, 1)  # up for half a second, then still
    identity = np.concatenate([np.eye(3), np.zeros((3, 1))], axis=1)
    transforms = np.tile(identity, (240, len(body.bone_names), 1, 1))
    transforms[:, :, 1, 3] = height[:, None]
    response = tissue.respond(transforms, 1 / 120)
    length = [np.linalg.norm(tissue.displacement(each, simulated.rest_normals), axis=1) for each in response]
    assert max(length[65]) > 1e-3  # five steps after the stop: it depends on what was before
    assert max(length[239]) < 1e-4  # a second and a half later: at rest
    stiff = tissue.softness < 1e-3
    assert length[65][stiff].max() < 0.1 * max(length[65])


def test_motions_are_smooth_and_repeatable(simulated):
    body = simulated.body
    for segments in (TRAINING, TEST, RANGE_OF_MOTION):
        one, other = (pose_sequence(body.bone_names, body.bone_heads, segments, 8.0, 120, seed=3) for _ in range(2))
        np.testing.assert_array_equal(one[0], other[0])
        assert np.isfinite(one[0]).all()
        assert np.abs(np.diff(one[0], axis=0)).max() < 0.2  # radians in 1/120 s
    assert not {segment.motion for segment in TEST} <= {segment.motion for segment in TRAINING}


def test_resolutions():
    assert [len(load_body(name).vertices) for name in ("low", "medium", "high")] == [3008, 13718, 54848]
    for name in ("low", "high"):
        np.testing.assert_allclose(load_body(name).weights.sum(axis=1), 1, atol=1e-5)


@pytest.mark.starts_scripts
def test_sample_data_is_laid_out_like_a_users_own(tmp_path):
    for name in ("one", "two"):
        flags = ["--num_frames", "8", "--resolution", "low", "--character", "glb"]
        make_sample_data.main(["--output_dir", str(tmp_path / name), *flags])
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.obj"))
    assert len(files) == 3 * (2 + 8 + 2)
    for path in files:  # the same flags give the same files
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
    geo = tmp_path / "one" / "geo"
    sequences, faces = load_sequences([geo / "dyna_sbs/obj"], [geo / "dyna_target/obj"])
    assert sequences[0].skinned.shape == (8, 3008, 3)
    assert faces.shape == (6000, 3)
    error = np.linalg.norm(sequences[0].skinned - sequences[0].scan, axis=2)
    assert 1e-4 < error.mean() < 1e-2
    joints, polygons = read_obj(tmp_path / "one/geo_test/dyna_joints/obj/dyna_joints.00002.obj")
    assert joints.shape == (104, 3)
    assert len(polygons.sizes) == 0
    # the character is the same body, in the same frames, with the same joints
    character = geo / "dyna_character/glb/dyna_character.glb"
    (rigged,), _ = load_sequences([character], [geo / "dyna_target/obj"], [character])
    assert rigged.frame_numbers.tolist() == list(range(1, 9))
    np.testing.assert_allclose(rigged.skinned, sequences[0].skinned, atol=2e-6)
    for frame in range(8):
        joints, _ = read_obj(geo / f"dyna_joints/obj/dyna_joints.{frame + 1:05d}.obj")
        np.testing.assert_allclose(rigged.joints[frame], joints, atol=2e-6)
