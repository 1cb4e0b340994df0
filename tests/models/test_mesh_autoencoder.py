import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from tube import tube_frames, tube_joints, tube_triangles

from models.coordinates import OSCILLATORS
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.oscillators import oscillator_states
from models.rest_surface import RestSurface


def tube_windows(num_frames=4, num_condition_frames=3):
    frames = torch.from_numpy(tube_frames(num_frames + num_condition_frames - 1)).float()
    return frames.unfold(0, num_condition_frames, 1).permute(0, 3, 1, 2)  # (B, N, V, 3)


@pytest.mark.parametrize("num_condition_frames", [1, 3])
@pytest.mark.parametrize("num_embeddings", [0, 12])
def test_untrained_it_answers_with_the_skinned_mesh(make_model, num_condition_frames, num_embeddings):
    model = make_model(num_condition_frames=num_condition_frames, num_embeddings=num_embeddings)
    window = tube_windows(num_condition_frames=num_condition_frames)
    torch.testing.assert_close(model.predict(window), window[:, -1])


def test_prediction_moves_with_the_body(make_model):
    model = make_model(random_output=True, num_condition_frames=3)
    window = tube_windows()
    # about the up axis, gravity is the same from every side
    turn = torch.from_numpy(Rotation.from_rotvec([0, 1.1, 0]).as_matrix()).float()
    shift = torch.tensor([0.5, -2.0, 1.0])
    prediction = model.predict(window)
    assert (prediction - window[:, -1]).abs().max() > 1e-3
    torch.testing.assert_close(model.predict(window @ turn.T + shift), prediction @ turn.T + shift, atol=2e-5, rtol=0)
    # fallen over, it is another: gravity has changed
    fall = torch.from_numpy(Rotation.from_rotvec([1.1, 0, 0]).as_matrix()).float()
    assert (model.predict(window @ fall.T) - prediction @ fall.T).abs().max() > 1e-3


def test_up_axis_is_where_gravity_comes_from(make_model):
    window = tube_windows()
    z_up = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # turns y into z
    upright = make_model(random_output=True, num_condition_frames=3, up_axis="y").predict(window)
    turned = make_model(random_output=True, num_condition_frames=3, up_axis="z").predict(window @ z_up.T)
    torch.testing.assert_close(turned, upright @ z_up.T, atol=2e-5, rtol=0)


def test_targets_undo_the_prediction(make_model):
    model = make_model(random_output=True, num_condition_frames=3)
    window = tube_windows()
    features = model.features(window)
    vertex = torch.arange(window.shape[2]).repeat(len(window))
    answer = model(features.flatten(0, 1), vertex).view_as(window[:, -1])
    torch.testing.assert_close(model.targets(window[:, -1], model.predict(window)), answer, atol=1e-6, rtol=1e-4)


def test_features_of_a_vertex_against_a_naive_one(make_model):
    model = make_model(num_condition_frames=4)
    window = tube_windows(1, 4)[0].double().numpy()
    vertex = 29
    surface = model.surface
    frame = model.surface.frames_of(torch.from_numpy(window[-1:]))[0, vertex].numpy()
    x = window[:, vertex]
    expected = [frame @ (x[3] - x[2]), frame @ (x[2] - 2 * x[1] + x[0]), frame @ (x[3] - 2 * x[2] + x[1])]
    expected.append(frame @ [0, -1, 0])
    rest = surface.vertices.double()
    rest_frame = model.surface.frames_of(rest.unsqueeze(0))[0, vertex].numpy()
    for anchor in surface.nearest_anchors[vertex].tolist():
        at_rest = rest_frame @ (rest[anchor] - rest[vertex]).numpy()
        expected.append(frame @ (window[-1, anchor] - window[-1, vertex]) - at_rest)
    now, rest_frames = (
        model.surface.frames_of(each)[0].numpy() for each in (torch.from_numpy(window[-1:]), rest.unsqueeze(0))
    )
    for anchor in surface.nearest_anchors[vertex, :4].tolist():
        turn = (rest_frames[anchor] @ rest_frames[vertex].T).T @ (now[anchor] @ frame.T)
        axis_and_angle = Rotation.from_matrix(turn.T).as_rotvec()
        angle = max(np.linalg.norm(axis_and_angle), 1e-12)
        expected.append(axis_and_angle / angle * 2 * np.sin(angle / 2))
    nearest = window[None][:, :, surface.nearest_anchors[vertex, :1].numpy()]
    expected += list(oscillator_states(torch.from_numpy(nearest))[0, 0].numpy() @ frame.T)
    features = model.features(torch.from_numpy(window).float().unsqueeze(0))[0, vertex]
    np.testing.assert_allclose(features, np.concatenate(expected), atol=1.5e-4)


@pytest.fixture
def jointed():
    """A model of variant 2, with windows of meshes and joints."""
    torch.manual_seed(0)
    surface = RestSurface.from_mesh(tube_frames(1)[0], tube_triangles(), tube_joints(1)[0])
    model = MeshAutoencoder(ModelSettings(num_condition_frames=3, num_joints=5), surface)
    for parameter in model.decoder.output.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    joints = torch.from_numpy(tube_joints(6)).float().unfold(0, 3, 1).permute(0, 3, 1, 2)
    return model, tube_windows(4, 3), joints


def test_joints_are_seen_in_the_frame_of_the_vertex(jointed):
    model, window, joints = jointed
    vertex, surface = 29, model.surface
    nearest = surface.nearest_joints[vertex]
    assert len(nearest) == 4
    rest = surface.vertices
    bones = torch.from_numpy(tube_joints(1)[0] - tube_frames(1)[0].mean(axis=0)).float()
    distance = torch.linalg.vector_norm(bones - rest[vertex], dim=1)
    assert nearest.tolist() == distance.argsort()[:4].tolist()
    frame = model.surface.frames_of(window[:, -1])[1, vertex]
    rest_frame = model.surface.frames_of(rest.unsqueeze(0))[0, vertex]
    expected = [
        frame @ (joints[1, -1, j] - window[1, -1, vertex]) - rest_frame @ (bones[j] - rest[vertex]) for j in nearest
    ]
    x = joints[1]
    for j in nearest:
        expected += [frame @ (x[2, j] - x[1, j]), frame @ (x[2, j] - 2 * x[1, j] + x[0, j])]
    features = model.features(window, joints)
    torch.testing.assert_close(features[1, vertex, -36:], torch.cat(expected), atol=1e-5, rtol=0)
    assert features.shape[2] == len(model.feature_mean)


def test_the_rotations_of_nearby_anchors_are_seen(jointed):
    model, window, joints = jointed
    vertex, surface = 31, model.surface
    own_rest, own = (
        model.surface.frames_of(surface.vertices.unsqueeze(0))[0, vertex],
        model.surface.frames_of(window[:, -1])[1, vertex],
    )
    found = model.features(window, joints)[1, vertex, model.coordinates.groups.columns_of(["anchors' rotations"])].view(
        -1, 3
    )
    assert len(found) == 4
    for place, anchor in enumerate(surface.nearest_anchors[vertex, :4]):
        before = own_rest @ model.surface.frames_of(surface.vertices.unsqueeze(0))[0, anchor].T
        now = own @ model.surface.frames_of(window[:, -1])[1, anchor].T
        turned = Rotation.from_matrix((now @ before.T).double().numpy()).as_rotvec()
        angle = np.linalg.norm(turned)
        expected = torch.from_numpy(turned * (2 * np.sin(angle / 2) / max(angle, 1e-9))).float()
        torch.testing.assert_close(found[place], expected, atol=1.1e-4, rtol=1e-3)
        assert angle > 1e-3 or anchor == vertex


def test_prediction_with_joints_moves_with_the_body(jointed):
    model, window, joints = jointed
    turn = torch.from_numpy(Rotation.from_rotvec([0, -0.7, 0]).as_matrix()).float()
    shift = torch.tensor([0.5, -2.0, 1.0])
    prediction = model.predict(window, joints)
    moved = model.predict(window @ turn.T + shift, joints @ turn.T + shift)
    torch.testing.assert_close(moved, prediction @ turn.T + shift, atol=2e-5, rtol=0)
    assert (model.predict(window, joints + 0.05) - prediction).abs().max() > 1e-4


def test_world_mode_sees_all_joints(jointed):
    model, window, joints = jointed
    world = MeshAutoencoder(ModelSettings(32, 0, 6, 3, "world", num_joints=5), model.surface)
    features = world.features(window, joints)
    expected = torch.cat([window[1, :, 7].flatten(), joints[1].flatten()])
    torch.testing.assert_close(features[1, 7], expected)
    assert features.shape[2] == len(world.feature_mean) == 3 * 3 * 6


def test_world_coordinates_are_seen_and_answered_as_they_are(make_model):
    model = make_model(coordinates="world", num_embeddings=0, num_condition_frames=2)
    window = tube_windows(2, 2)
    assert not hasattr(model, "embedding")
    torch.testing.assert_close(model.features(window)[1, 5], window[1, :, 5].flatten())
    torch.testing.assert_close(model.targets(window[:, -1], window[:, 0]), window[:, 0])


def test_the_answer_is_the_linear_part_and_as_much_of_the_networks_as_is_trusted(make_model):
    model = make_model(random_output=True, num_condition_frames=3)
    window = tube_windows()
    network = model.targets(window[:, -1], model.predict(window))
    torch.nn.init.normal_(model.linear.mean, std=0.1)
    torch.nn.init.normal_(model.linear.coefficients, std=0.1)
    model.network_strength.fill_(0.25)
    vertex = 11
    features = model.features(window)
    expected = features[:, vertex] @ model.linear.coefficients[vertex] + model.linear.mean[vertex]
    answer = model.targets(window[:, -1], model.predict(window))
    torch.testing.assert_close(answer[:, vertex], expected + 0.25 * network[:, vertex], atol=1e-5, rtol=1e-4)


def test_what_is_added_to_the_mean_is_smoothed_in_space(make_model):
    model = make_model(random_output=True, num_condition_frames=3)
    window = tube_windows()
    for name in ("mean", "constant"):
        torch.nn.init.normal_(getattr(model.linear, name), std=0.1)
    torch.nn.init.normal_(model.linear.coefficients, std=0.1)
    skinned = window[:, -1]
    mean = model.coordinates.to_points(model.linear.mean.expand(4, -1, -1), skinned, model.surface.frames_of(skinned))
    change = model.predict(window) - mean
    model.linear.smoothing_steps = 2
    for _ in range(2):
        change = torch.stack([change[:, near].mean(dim=1) for near in model.surface.neighbours], dim=1)
    torch.testing.assert_close(model.predict(window), mean + change, atol=1e-5, rtol=0)
    turn = torch.from_numpy(Rotation.from_rotvec([0, 0.9, 0]).as_matrix()).float()
    torch.testing.assert_close(
        model.predict(window @ turn.T + 2), model.predict(window) @ turn.T + 2, atol=2e-5, rtol=0
    )


def test_a_longer_history_is_seen_by_the_oscillators_alone(make_model):
    model = make_model(num_condition_frames=3)
    frames = torch.from_numpy(tube_frames(20)).float()
    window, history = frames[None, -3:], frames[None, :, model.surface.anchors]
    short, long = model.features(window), model.features(window, history=history)
    columns = slice(model.coordinates.groups.columns_of(model.coordinates.groups.keys() & OSCILLATORS)[0], None)
    assert (short - long)[..., columns].abs().max() > 1e-3
    torch.testing.assert_close(short[..., : columns.start], long[..., : columns.start])


def test_what_is_left_out_is_not_looked_at(jointed):
    model, window, joints = jointed
    features = model.features(window, joints)
    torch.nn.init.normal_(model.linear.coefficients)
    for names in (["oscillators of 18 frames", "oscillators of 27 frames"], ["joints"]):
        left = model.coordinates.groups.columns_of([name for name in model.coordinates.groups if name not in names])
        features, expected = features[..., left], model.linear.coefficients[:, left]
        model.leave_out(names)
        torch.testing.assert_close(model.features(window, joints), features)
        assert torch.equal(model.linear.coefficients, expected)
        assert model(features[0], torch.arange(features.shape[1])).shape == (features.shape[1], 3)
    assert not model.coordinates.sees_joints
    assert model.coordinates.periods == (5, 8, 12)
    torch.testing.assert_close(model.features(window), features)
    again = MeshAutoencoder(model.settings, model.surface)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.predict(window), model.predict(window))


def test_an_anchor_without_faces_is_not_said_to_turn():
    """Its frame stays as it is when the body turns."""
    surface = RestSurface.from_mesh(np.concatenate([tube_frames(1)[0], [[0.0, 2.0, 0.0]]]), tube_triangles())
    assert (surface.nearest_anchors[:, :4] == 72).any()
    assert not (surface.turning_anchors[:72] == 72).any()
    model = MeshAutoencoder(ModelSettings(num_condition_frames=1), surface)
    window = torch.cat([tube_windows(4, 1), torch.zeros(4, 1, 1, 3)], dim=2)
    turn = torch.from_numpy(Rotation.from_rotvec([0, 1.1, 0]).as_matrix()).float()
    torch.testing.assert_close(
        model.features(window @ turn.T)[:, :72], model.features(window)[:, :72], atol=1e-4, rtol=0
    )


def test_no_correction_is_longer_than_any_seen_in_training(make_model):
    model = make_model(num_condition_frames=3)
    window = tube_windows()
    model.linear.mean[:] = torch.tensor([0.0, 0.0, 0.3])
    model.longest.fill_(0.1)
    model.longest[5] = 0.5
    length = torch.linalg.vector_norm(model.predict(window) - window[:, -1], dim=2)
    torch.testing.assert_close(length[:, 5], torch.full((4,), 0.3))
    torch.testing.assert_close(length[:, 6:], torch.full((4, 66), 0.1))
