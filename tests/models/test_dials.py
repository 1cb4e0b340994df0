"""Dials of a model: at their ends to the bit what they stand for, between them in proportion."""

import torch
from tube import filled, tube_windows, untrained_model
from tube import tube_surface_with_joints as surface_of

from models.dials import AS_TRAINED, Dials


def model_and_inputs(**settings):
    """A model that answers with something, and four frames of motion with their history."""
    model = untrained_model(surface_of(0), True, **{"num_condition_frames": 3} | settings)
    model = filled(model) if model.linear else model
    window = tube_windows(num_frames=4)
    history = None
    if model.coordinates.periods:
        path = window[:, :, model.surface.anchors]
        history = torch.cat([path[:, :1] + torch.arange(-5.0, 0)[:, None, None] * 0.01, path], dim=1)
    return model, (window, None, history)


def test_strength_0_is_the_skinned_mesh_and_1_the_answer_to_the_bit():
    for settings in ({}, {"coordinates": "world"}):
        model, inputs = model_and_inputs(**settings)
        skinned, answer = inputs[0][:, -1], model.predict(*inputs)
        assert (answer - skinned).abs().max() > 1e-3
        for zero in (0.0, torch.tensor(0.0)):
            assert torch.equal(model.predict(*inputs, Dials(strength=zero)), skinned)
        for one in (1.0, torch.tensor(1.0)):
            assert torch.equal(model.predict(*inputs, Dials(strength=one, dynamics=one)), answer)
        twice = model.predict(*inputs, Dials(strength=2.0))
        torch.testing.assert_close(twice - answer, answer - skinned, atol=1e-6, rtol=1e-5)


def test_a_region_of_zeros_does_not_move():
    model, inputs = model_and_inputs()
    region = torch.ones(72)
    region[:30], region[50:] = 0, 2
    skinned, answer = inputs[0][:, -1], model.predict(*inputs)
    found = model.predict(*inputs, Dials(region=region))
    assert torch.equal(found[:, :30], skinned[:, :30])
    assert torch.equal(found[:, 30:50], answer[:, 30:50])
    torch.testing.assert_close(found[:, 50:] - answer[:, 50:], answer[:, 50:] - skinned[:, 50:], atol=1e-6, rtol=1e-5)
    model.dials = Dials(0.5, region=region)  # those of the model, where none are given
    torch.testing.assert_close(model.predict(*inputs)[:, 50:], answer[:, 50:], atol=1e-6, rtol=1e-5)
    assert torch.equal(model.predict(*inputs, AS_TRAINED), answer)


def test_without_dynamics_it_is_the_pose_that_is_answered():
    model, (window, _, history) = model_and_inputs()
    still = window[:, -1:].expand_as(window), None, history[:, -1:].expand_as(history)
    expected = model.predict(*still)
    assert (model.predict(window, None, history) - expected).abs().max() > 1e-3
    torch.testing.assert_close(model.predict(window, None, history, Dials(dynamics=0.0)), expected)


def test_dynamics_are_those_of_a_body_that_moves_so_much_more():
    model, (window, _, history) = model_and_inputs()
    last = window[:, -1:], history[:, -1:]
    faster = (last[0] + 2 * (window - last[0]), None, last[1] + 2 * (history - last[1]))
    found = model.predict(window, None, history, Dials(dynamics=torch.tensor(2.0)))
    torch.testing.assert_close(found, model.predict(*faster))


def test_dynamics_hardly_matter_where_little_moves():
    """At a tenth of the speed, leaving them out changes the answer by less than a tenth of what it does at full speed."""
    model, (window, _, _) = model_and_inputs()
    rest, directions = window[:1, -1], 0.02 * torch.randn(2, 72, 3, generator=torch.Generator().manual_seed(0))

    def moved(frames, speed):
        times = speed * torch.arange(1.0 - frames, 1)[:, None, None]
        return (rest + torch.sin(0.9 * times) * directions[0] + torch.cos(0.7 * times) * directions[1]).unsqueeze(0)

    changes = []
    for speed in (1.0, 0.1):
        inputs = moved(3, speed), None, moved(72, speed)[:, :, model.surface.anchors]
        changes.append((model.predict(*inputs) - model.predict(*inputs, Dials(dynamics=0.0))).norm())
    assert 0 < changes[1] < 0.1 * changes[0]
