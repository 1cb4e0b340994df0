"""One frame after another gives what windows give."""

import pytest
import torch
from tube import filled, tube_frames, tube_joints, tube_surface_with_joints, untrained_model

from data.sequences.run_up import before_first
from models import controls
from models.dials import Dials
from models.local_features import OSCILLATORS
from models.oscillators import HISTORY
from models.streaming import StreamedMap
from utils.predicting.onnx_forms import as_trained, windows_of

BEFORE = torch.from_numpy(before_first(HISTORY, "fading")).float()


def prediction_of_windows(model, frames, joints, last):
    """What the model predicts for frame `last` (V, 3) by its window, when no later frame is known."""
    sequence = {"skinned": frames[: last + 1], "joints": joints[: last + 1]}
    inputs = windows_of(model, sequence, [last])
    return model.predict(inputs["window"], inputs["joints"], inputs.get("anchor_history"))[0]


@pytest.mark.parametrize("left_out", [(), tuple(OSCILLATORS)[1:], ("joints",), ("joints", *OSCILLATORS)])
@pytest.mark.parametrize("num_frames", [1, 2, 3, 6])
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
    streamed = StreamedMap(model, BEFORE)
    state = [torch.zeros(shape) for shape in streamed.state_shapes.values()]
    with torch.no_grad():
        for number, skinned in enumerate(frames):
            seen = [joints[number]] if model.coordinates.sees_joints else []
            points, *state = streamed(skinned, *seen, *state, *as_trained().values())
            if number < 8 or number >= HISTORY - 1:
                expected = prediction_of_windows(model, frames, joints, number)
                torch.testing.assert_close(points, expected, atol=1e-6, rtol=0)
                assert (points - skinned).abs().max() > 0.01


def test_the_state_forgets_what_windows_forget(make_model):
    model = filled(make_model(num_condition_frames=3))
    streamed = StreamedMap(model, BEFORE)
    frames = torch.from_numpy(tube_frames(HISTORY + 6)).float()
    states = []
    with torch.no_grad():
        for start in (0, 5):
            state = [torch.zeros(shape) for shape in streamed.state_shapes.values()]
            for skinned in frames[start:]:
                points, *state = streamed(skinned, *state, *as_trained().values())
            states.append([points, *state])
    for one, other in zip(*states, strict=True):
        assert torch.equal(one, other)


def test_a_state_is_as_small_as_it_can_be(make_model):
    shapes = StreamedMap(make_model(num_condition_frames=1), BEFORE).state_shapes
    assert shapes == {"frames_before": (1,)}
    model = make_model(num_condition_frames=2)
    num_vertices, num_anchors = len(model.surface.vertices), len(model.surface.anchors)
    assert StreamedMap(model, BEFORE).state_shapes == {
        "previous": (2, num_vertices, 3),  # an acceleration takes three frames
        "accelerations": (HISTORY - 2, num_anchors, 3),
        "frames_before": (1,),
    }
    model.leave_out(list(OSCILLATORS))
    assert StreamedMap(model, BEFORE).state_shapes == {"previous": (1, num_vertices, 3), "frames_before": (1,)}


@pytest.mark.parametrize("num_joints", [0, 5])
def test_dials_are_those_of_windows_and_leave_the_state_alone(num_joints):
    surface = tube_surface_with_joints(num_joints)
    model = filled(untrained_model(surface, True, num_condition_frames=3, num_joints=num_joints))
    model.dials = Dials(region=torch.linspace(0, 2, 72))
    frames, joints = (torch.from_numpy(each(8)).float() for each in (tube_frames, tube_joints))
    streamed, turned = StreamedMap(model, BEFORE), (torch.tensor(1.5), torch.tensor(0.3))
    states = [[torch.zeros(shape) for shape in streamed.state_shapes.values()] for _ in range(2)]
    with torch.no_grad():
        for number, skinned in enumerate(frames):
            seen = [joints[number]] if num_joints else []
            points, *states[0] = streamed(skinned, *seen, *states[0], *turned)
            _, *states[1] = streamed(skinned, *seen, *states[1], *as_trained().values())
            inputs = windows_of(model, {"skinned": frames[: number + 1]} | {"joints": joints[: number + 1]}, [number])
            inputs = inputs["window"], inputs["joints"] if num_joints else None, inputs["anchor_history"]
            expected = model.predict(*inputs, Dials(*turned, model.dials.region))[0]
            torch.testing.assert_close(points, expected, atol=1e-6, rtol=0)
    for one, other in zip(*states, strict=True):
        assert torch.equal(one, other)
