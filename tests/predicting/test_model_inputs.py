"""What training and predictions show the network of some frames."""

import torch
from tube import tube_windows

from models.mesh_autoencoder import condition_of
from utils.predicting.model_inputs import Meshes, asked_vertices, whole_meshes


def test_the_network_sees_what_the_linear_part_answers(make_model):
    """In each vertex' own frame, before it is smoothed, wherever samples come from; and it makes a difference."""
    model = make_model(num_condition_frames=3)
    model.leave_out([])
    torch.nn.init.normal_(model.linear.coefficients)
    torch.nn.init.normal_(model.linear.constant)
    model.linear.smoothing_steps = 2
    model.answer_scale.fill_(2.0)
    meshes = Meshes((tube_windows(), None, None), torch.zeros(tube_windows()[:, -1].shape))
    features = model.features(tube_windows())
    whole, asked = whole_meshes(model, meshes), asked_vertices(model, meshes)
    expected = torch.cat([features, model.linear(features)], dim=2)
    torch.testing.assert_close(whole.features, expected)
    torch.testing.assert_close(asked.features, expected[:, model.surface.controls], rtol=1e-4, atol=1e-4)
    condition = condition_of(model, whole.features[0], whole.vertex[0])
    num_features = features.shape[2]
    torch.testing.assert_close(2 * condition[:, num_features : num_features + 3], model.linear(features)[0])
