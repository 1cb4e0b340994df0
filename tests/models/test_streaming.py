"""One frame after another gives what windows give."""

import pytest
import torch
from tube import filled, tube_frames, tube_joints, tube_surface_with_joints, untrained_model

from data.sequences.run_up import before_first
from models import controls
from models.dials import Dials
from models.local_features import OSCILLATORS
from models.oscillators import HISTORY
from models.streaming import StreamedMap, smoothed
from utils.predicting.onnx_forms import STREAMED, as_trained, windows_of

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
            points, *state = streamed(skinned, *seen, *state, *as_trained(STREAMED).values())
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
                points, *state = streamed(skinned, *state, *as_trained(STREAMED).values())
            states.append([points, *state])
    for one, other in zip(*states, strict=True):
        assert torch.equal(one, other)


def test_a_state_is_as_small_as_it_can_be(make_model):
    model = make_model(num_condition_frames=2)
    num_vertices, num_anchors = len(model.surface.vertices), len(model.surface.anchors)
    always = {"means": (2, 3, num_vertices), "frames_before": (1,)}
    assert StreamedMap(make_model(num_condition_frames=1), BEFORE).state_shapes == always
    assert StreamedMap(model, BEFORE).state_shapes == {
        "previous": (2, num_vertices, 3),  # an acceleration takes three frames
        "accelerations": (HISTORY - 2, num_anchors, 3),
        **always,
    }
    model.leave_out(list(OSCILLATORS))
    assert StreamedMap(model, BEFORE).state_shapes == {"previous": (1, num_vertices, 3), **always}


@pytest.mark.parametrize("num_joints", [0, 5])
def test_dials_are_those_of_windows_and_leave_the_state_of_motion_alone(num_joints):
    surface = tube_surface_with_joints(num_joints)
    model = filled(untrained_model(surface, True, num_condition_frames=3, num_joints=num_joints))
    model.dials = Dials(region=torch.linspace(0, 2, 72))
    frames, joints = (torch.from_numpy(each(8)).float() for each in (tube_frames, tube_joints))
    streamed, turned = StreamedMap(model, BEFORE), (torch.tensor(1.5), torch.tensor(0.3), torch.tensor(0.0))
    states = [[torch.zeros(shape) for shape in streamed.state_shapes.values()] for _ in range(2)]
    with torch.no_grad():
        for number, skinned in enumerate(frames):
            seen = [joints[number]] if num_joints else []
            points, *states[0] = streamed(skinned, *seen, *states[0], *turned)
            _, *states[1] = streamed(skinned, *seen, *states[1], *as_trained(STREAMED).values())
            inputs = windows_of(model, {"skinned": frames[: number + 1]} | {"joints": joints[: number + 1]}, [number])
            inputs = inputs["window"], inputs["joints"] if num_joints else None, inputs["anchor_history"]
            expected = model.predict(*inputs, Dials(*turned[:2], model.dials.region))[0]
            torch.testing.assert_close(points, expected, atol=1e-6, rtol=0)
    for name, one, other in zip(streamed.state_shapes, *states, strict=True):
        assert torch.equal(one, other) == (name != "means"), name


def test_steadied_corrections_are_means_in_local_frames(make_model):
    model = filled(make_model(num_condition_frames=3))
    streamed, frames = StreamedMap(model, BEFORE), torch.from_numpy(tube_frames(9)).float()
    first = second = torch.zeros(0)
    states = [[torch.zeros(shape) for shape in streamed.state_shapes.values()] for _ in range(2)]
    with torch.no_grad():
        for number, skinned in enumerate(frames):
            plain, *states[0] = streamed(skinned, *states[0], *as_trained(STREAMED).values())
            steadied, *states[1] = streamed(
                skinned, *states[1], *(as_trained(STREAMED) | {"steady": torch.tensor(4.0)}).values()
            )
            axes = model.surface.frames_of(skinned[None])[0].double()
            local = torch.einsum("vak,vk->va", axes, (plain - skinned).double())
            first, second = (local, local) if number == 0 else (local / 3 + first * 2 / 3, second)
            second = first / 3 + second * 2 / 3
            expected = skinned + torch.einsum("vak,va->vk", axes, 2 * first - second)
            torch.testing.assert_close(steadied.double(), expected, atol=1e-6, rtol=0)
    assert (steadied - plain).abs().max() > 1e-3


def test_what_grows_steadily_is_smoothed_without_lag_in_the_end():
    step, means = torch.rand(3, 7, dtype=torch.float64), torch.zeros(2, 3, 7, dtype=torch.float64)
    for number in range(200):
        correction, before = 5 + number * step, torch.tensor([float(min(number, 3))])
        level, means = smoothed(correction, means, before, torch.tensor(6.0, dtype=torch.float64))
    torch.testing.assert_close(level, correction)
    assert torch.equal(smoothed(correction, means, before, torch.tensor(0.0))[0], correction)
