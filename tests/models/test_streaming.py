"""One frame after another gives what windows give."""

import pytest
import torch
from tube import filled, tube_frames, tube_joints, tube_surface_with_joints, untrained_model

from models import controls
from models.local_features import OSCILLATORS
from models.oscillators import HISTORY
from models.streaming import StreamedMap


def prediction_of_windows(model, frames, joints, last):
    """What the model predicts for frame `last` (V, 3) by its window."""
    window = torch.arange(last + 1 - model.settings.num_condition_frames, last + 1).clamp_min(0)
    before = torch.arange(last + 1 - HISTORY, last + 1)
    history = frames[before.clamp_min(0)][:, model.surface.anchors]
    if last:
        start = (frames[1] - frames[0])[model.surface.anchors]
        history = history + before.clamp_max(0)[:, None, None] * start
    return model.predict(frames[window][None], joints[window][None], history[None])[0]


@pytest.mark.parametrize("left_out", [(), tuple(OSCILLATORS)[1:], ("joints",), ("joints", *OSCILLATORS)])
@pytest.mark.parametrize("num_frames", [1, 2, 3, 4])
def test_streamed_predictions_are_those_of_windows(monkeypatch, left_out, num_frames):
    monkeypatch.setattr(controls, "MOST_CONTROLS", 30)
    surface = tube_surface_with_joints(5)
    model = untrained_model(surface, True, num_condition_frames=num_frames, num_joints=5)
    model.leave_out([name for name in left_out if name in model.coordinates.groups])
    model = filled(model)
    for parameter in model.decoder.output.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    model.linear.smoothing_steps = num_frames % 2
    frames, joints = (torch.from_numpy(each(HISTORY + 2)).float() for each in (tube_frames, tube_joints))
    streamed = StreamedMap(model)
    state = [torch.zeros(shape) for shape in streamed.state_shapes.values()]
    with torch.no_grad():
        for number, skinned in enumerate(frames):
            seen = [joints[number]] if model.coordinates.sees_joints else []
            points, *state = streamed(skinned, *seen, *state)
            if number < 4 or number >= HISTORY - 1:
                expected = prediction_of_windows(model, frames, joints, number)
                torch.testing.assert_close(points, expected, atol=1e-6, rtol=0)
                assert (points - skinned).abs().max() > 0.01


def test_the_state_forgets_what_windows_forget(make_model):
    model = filled(make_model(num_condition_frames=3))
    streamed = StreamedMap(model)
    frames = torch.from_numpy(tube_frames(HISTORY + 6)).float()
    states = []
    with torch.no_grad():
        for start in (0, 5):
            state = [torch.zeros(shape) for shape in streamed.state_shapes.values()]
            for skinned in frames[start:]:
                points, *state = streamed(skinned, *state)
            states.append([points, *state])
    for one, other in zip(*states, strict=True):
        assert torch.equal(one, other)


def test_a_state_is_as_small_as_it_can_be(make_model):
    shapes = StreamedMap(make_model(num_condition_frames=1)).state_shapes
    assert shapes == {"frames_before": (1,)}
    model = make_model(num_condition_frames=2)
    num_vertices, num_anchors = len(model.surface.vertices), len(model.surface.anchors)
    assert StreamedMap(model).state_shapes == {
        "previous": (2, num_vertices, 3),  # an acceleration takes three frames
        "accelerations": (HISTORY - 2, num_anchors, 3),
        "frames_before": (1,),
    }
    model.leave_out(list(OSCILLATORS))
    assert StreamedMap(model).state_shapes == {"previous": (1, num_vertices, 3), "frames_before": (1,)}
