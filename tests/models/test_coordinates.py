"""What a vertex sees, in its own frame and in world coordinates."""

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from tube import tube_frames, tube_joints, tube_triangles, tube_windows

from models.local_features import OSCILLATORS
from models.mesh_autoencoder import MeshAutoencoder
from models.model_settings import ModelSettings
from models.oscillators import oscillator_states
from models.rest_surface import RestSurface


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


def test_a_longer_history_is_seen_by_the_oscillators_alone(make_model):
    model = make_model(num_condition_frames=3)
    frames = torch.from_numpy(tube_frames(20)).float()
    window, history = frames[None, -3:], frames[None, :, model.surface.anchors]
    short, long = model.features(window), model.features(window, history=history)
    columns = slice(model.coordinates.groups.columns_of(model.coordinates.groups.keys() & OSCILLATORS)[0], None)
    assert (short - long)[..., columns].abs().max() > 1e-3
    torch.testing.assert_close(short[..., : columns.start], long[..., : columns.start])


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
