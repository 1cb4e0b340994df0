"""Windows of a sequence for an ONNX file are those that the project reads."""

import numpy as np
import pytest
import torch
from tube import tube_surface_with_joints, untrained_model

from data.input_error import InputError
from data.sequences.mesh_windows import all_windows
from models.dials import Dials
from utils.predicting.model_inputs import read_inputs
from utils.predicting.onnx_forms import DEFAULTS, StreamingForm, WindowedMap, as_trained, example_sequence, windows_of


def test_windows_are_those_of_mesh_windows(make_model, make_tube_sequence):
    model, sequence = make_model(num_condition_frames=3), make_tube_sequence(80)
    frames = [0, 1, 2, 79]
    expected = read_inputs(model, all_windows([sequence], 3), np.array(frames), torch.device("cpu"))
    found = windows_of(model, {"skinned": torch.from_numpy(sequence.skinned)}, frames)
    for (name, each), other in zip(found.items(), (expected[0], expected[2]), strict=True):
        # those that are read are relative to the origin of their last frame
        shift = other[:, -1, :1] - each[:, -1, :1]
        torch.testing.assert_close(each + shift[:, None], other, msg=name)


def test_a_windowed_map_takes_what_the_model_sees():
    model = untrained_model(tube_surface_with_joints(5), True, num_condition_frames=3, num_joints=5).eval()
    inputs = windows_of(model, example_sequence(model, 4), [3])
    assert list(inputs) == ["window", "joints", "anchor_history"]
    with torch.no_grad():
        found = WindowedMap(model)(*(inputs | as_trained(DEFAULTS)).values())
        assert torch.equal(found, model.predict(*inputs.values()))
        model.dials = Dials(region=torch.linspace(0, 2, 72))
        found = WindowedMap(model)(*inputs.values(), torch.tensor(0.5), torch.tensor(2.0))
        assert torch.equal(found, model.predict(*inputs.values(), Dials(0.5, 2.0, model.dials.region)))


def test_world_coordinates_are_not_streamed(make_model):
    with pytest.raises(InputError, match="--streaming: found a model in world coordinates, expected one in local"):
        StreamingForm(make_model(coordinates="world"))
