import pytest
import torch
from scipy.spatial.transform import Rotation
from tube import tube_windows

from models.mesh_autoencoder import MeshAutoencoder


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


def test_prediction_with_joints_moves_with_the_body(jointed):
    model, window, joints = jointed
    turn = torch.from_numpy(Rotation.from_rotvec([0, -0.7, 0]).as_matrix()).float()
    shift = torch.tensor([0.5, -2.0, 1.0])
    prediction = model.predict(window, joints)
    moved = model.predict(window @ turn.T + shift, joints @ turn.T + shift)
    torch.testing.assert_close(moved, prediction @ turn.T + shift, atol=2e-5, rtol=0)
    assert (model.predict(window, joints + 0.05) - prediction).abs().max() > 1e-4


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
    # beyond training, less, by the mean of the anchors nearby
    surface, leverage = model.surface, model.leverage
    leverage.reached.fill_(2.0)
    leverage.least.copy_(torch.linspace(1, 4, len(surface.anchors)))
    shares = 1 / (1 + (leverage.least[surface.places_of_anchors[vertex]] / 2) ** 4)
    share = float((surface.anchor_weights[vertex] * shares).sum())
    assert 0.1 < share < 0.9
    answer = model.targets(window[:, -1], model.predict(window))
    torch.testing.assert_close(answer[:, vertex], expected + share * 0.25 * network[:, vertex], atol=1e-5, rtol=1e-4)


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
        seen = torch.cat([features, model.linear(features)], dim=2)[0]
        assert model(seen, torch.arange(len(seen))).shape == (len(seen), 3)
    assert not model.coordinates.sees_joints
    assert model.coordinates.periods == (5, 8, 12)
    torch.testing.assert_close(model.features(window), features)
    again = MeshAutoencoder(model.settings, model.surface)
    again.load_state_dict(model.state_dict())
    torch.testing.assert_close(again.predict(window), model.predict(window))


def test_no_correction_is_longer_than_any_seen_in_training(make_model):
    model = make_model(num_condition_frames=3)
    window = tube_windows()
    model.linear.mean[:] = torch.tensor([0.0, 0.0, 0.3])
    model.longest.fill_(0.1)
    model.longest[5] = 0.5
    length = torch.linalg.vector_norm(model.predict(window) - window[:, -1], dim=2)
    torch.testing.assert_close(length[:, 5], torch.full((4,), 0.3))
    torch.testing.assert_close(length[:, 6:], torch.full((4, 66), 0.1))
