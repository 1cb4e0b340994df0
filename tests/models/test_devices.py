"""On other devices than the CPU: whatever a model makes has to be where its inputs are."""

import pytest
import torch
from tube import tube_joints, tube_surface_with_joints, tube_windows, untrained_model

from models.oscillators import HISTORY
from utils.fitting.losses import reconstruction
from utils.predicting.model_inputs import Meshes, whole_meshes


@pytest.mark.parametrize(
    "settings",
    [
        {"num_condition_frames": 3},
        {"num_condition_frames": 1, "num_embeddings": 0},
        {"num_condition_frames": 3, "num_joints": 5},
        {"num_condition_frames": 2, "coordinates": "world", "num_embeddings": 0, "num_joints": 5},
    ],
)
@pytest.mark.parametrize("smoothing_steps", [0, 2])
def test_features_predictions_and_a_step_stay_on_the_device_of_their_inputs(settings, smoothing_steps):
    """The device without memory stands for all: it refuses to work with numbers of another one."""
    model = untrained_model(tube_surface_with_joints(settings.get("num_joints", 0)), **settings)
    if model.linear is not None:
        model.linear.smoothing_steps = smoothing_steps
    anchors = len(model.surface.anchors)
    model = model.to("meta")
    num_frames = settings["num_condition_frames"]
    window = tube_windows(4, num_frames).to("meta")
    joints = torch.from_numpy(tube_joints(num_frames)).float().expand(4, -1, -1, -1).to("meta")
    inputs = (
        window,
        joints if model.coordinates.sees_joints else None,
        torch.zeros(4, HISTORY, anchors, 3, device="meta") if model.coordinates.periods else None,
    )
    for each in model.predict_and_judge(*inputs):
        assert each.is_meta
    assert model.predict(*inputs).shape == (4, 72, 3)
    samples = whole_meshes(model, Meshes(inputs, window[:, -1]))
    assert samples.features.is_meta
    loss = reconstruction(model, samples)["reconstruction"]
    loss.backward()
    assert all(each.grad.is_meta for each in model.parameters() if each.requires_grad and each.grad is not None)
