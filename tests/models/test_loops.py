"""Compiled loops write what torch does."""

import numpy as np
import pytest
import torch
import trimesh
from tube import filled, tube_frames, tube_joints, tube_surface_with_joints, tube_triangles, untrained_model

from models import controls, loops
from models.edges import longest_edge_ends, unique_edges
from models.local_features import OSCILLATORS
from models.loops import CornersAround
from models.oscillators import HISTORY
from models.rest_surface import RestSurface
from models.surface_frames import surface_frames

FACES = torch.from_numpy(tube_triangles())


def inputs_of(model, batch=3):
    settings = model.settings
    frames = torch.from_numpy(tube_frames(HISTORY + batch)).float()
    ends = [HISTORY + place for place in range(batch)]
    window = torch.stack([frames[end - settings.num_condition_frames : end] for end in ends])
    history = torch.stack([frames[end - HISTORY : end, model.surface.anchors] for end in ends])
    joints = torch.from_numpy(tube_joints(HISTORY + batch)).float()
    joints = torch.stack([joints[end - settings.num_condition_frames : end] for end in ends])
    return window, joints if settings.num_joints else None, history


@pytest.mark.parametrize("num_controls", [2048, 30])
@pytest.mark.parametrize("left_out", [(), (*list(OSCILLATORS)[2:],), ("joints", *OSCILLATORS)])
@pytest.mark.parametrize(("num_frames", "num_joints"), [(3, 5), (4, 0), (1, 5), (2, 0)])
@pytest.mark.parametrize("smoothing_steps", [0, 2])
def test_features_and_predictions_are_those_of_torch(
    monkeypatch, num_controls, left_out, num_frames, num_joints, smoothing_steps
):
    monkeypatch.setattr(controls, "MOST_CONTROLS", num_controls)
    settings = {"num_condition_frames": num_frames, "num_joints": num_joints}
    model = filled(untrained_model(tube_surface_with_joints(num_joints), True, **settings))
    model.leave_out([name for name in left_out if name in model.coordinates.groups])
    model.linear.smoothing_steps = smoothing_steps
    inputs = inputs_of(model)
    with torch.no_grad():
        features, predicted = model.features(*inputs), model.predict_and_judge(*inputs)
        monkeypatch.setattr(loops, "compiles", lambda *tensors: False)
        torch.testing.assert_close(features, model.features(*inputs), atol=2e-6, rtol=1e-5)
        for found, expected in zip(predicted, model.predict_and_judge(*inputs), strict=True):
            torch.testing.assert_close(found, expected, atol=2e-6, rtol=1e-4)
    assert (predicted.points - inputs[0][:, -1]).abs().max() > 0.01


@pytest.mark.parametrize("threads", [1, 2])
def test_many_vertices_in_several_threads(monkeypatch, threads):
    sphere = trimesh.creation.icosphere(5)
    model = filled(
        untrained_model(
            RestSurface.from_mesh(np.array(sphere.vertices), np.array(sphere.faces)), True, num_condition_frames=2
        )
    )
    window = model.surface.vertices + 0.02 * torch.randn(2, 2, len(sphere.vertices), 3)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    with torch.no_grad():
        found = model.predict_and_judge(window)
        torch.set_num_threads(before)
        monkeypatch.setattr(loops, "compiles", lambda *tensors: False)
        for one, other in zip(found, model.predict_and_judge(window), strict=True):
            torch.testing.assert_close(one, other, atol=5e-6, rtol=1e-4)


def test_surface_frames_of_any_geometry_are_those_of_torch():
    lonely = torch.randn(1, 6, 3)  # vertices 3, 4 and 5 without a face
    line = torch.linspace(0, 1, 6)[None, :, None] * torch.tensor([0.0, 0.0, 1.0])  # all on the fallback normal
    faces, ends = torch.tensor([[0, 1, 2]]), torch.tensor([1, 2, 0, 3, 4, 5])
    cases = [(each, faces, ends) for each in (torch.zeros(2, 6, 3), line, lonely, 1e-5 * lonely, 1e5 * lonely)]
    tube_ends = torch.from_numpy(longest_edge_ends(tube_frames(1)[0], unique_edges(tube_triangles())))
    cases.append((torch.from_numpy(tube_frames(3)).float(), FACES, tube_ends))
    for vertices, triangles, edge_ends in cases:
        around = CornersAround.of(triangles, vertices.shape[1])
        found = loops.surface_frames(vertices, around, edge_ends)
        torch.testing.assert_close(found, surface_frames(vertices, triangles, edge_ends), atol=1e-5, rtol=0)


def test_corners_around_a_vertex():
    starts, corners = CornersAround.of(torch.tensor([[0, 1, 2], [2, 1, 3]]), 5)
    assert starts.tolist() == [0, 1, 3, 5, 6, 6]
    assert corners.tolist() == [[1, 2], [2, 0], [3, 2], [1, 3], [0, 1], [2, 1]]


def test_what_loops_are_for():
    tensor = torch.zeros(3)
    assert loops.compiles(tensor)
    assert not loops.compiles(tensor, tensor.double())
    assert not loops.compiles(tensor.to("meta"))
    assert not loops.compiles(tensor.clone().requires_grad_())
    assert not loops.compiles(torch.nn.Parameter(tensor))
    with torch._subclasses.FakeTensorMode() as mode:
        assert not loops.compiles(mode.from_tensor(tensor))


def test_what_is_no_number_stays_so():
    model = filled(untrained_model(tube_surface_with_joints(0), num_condition_frames=3))
    window, _, history = inputs_of(model, 1)
    window[0, -1, 10] = torch.nan
    with torch.no_grad():
        points = model.predict(window, None, history)
    assert points[0, 10].isnan().all()
