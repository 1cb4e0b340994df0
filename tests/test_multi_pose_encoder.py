import torch
from torch.nn.functional import silu

from models.multi_pose_encoder import MultiPoseEncoder


def test_every_layer_sees_the_input_again():
    torch.manual_seed(0)
    encoder = MultiPoseEncoder(condition_size=5, latent_size=4, hidden_size=8)
    condition = torch.randn(7, 5)
    first = silu(condition @ encoder.first.weight.T + encoder.first.bias)
    second = silu(torch.cat([first, condition], 1) @ encoder.second.weight.T + encoder.second.bias)
    expected = torch.cat([second, condition], 1) @ encoder.latent.weight.T + encoder.latent.bias
    torch.testing.assert_close(encoder(condition), expected)


def test_works_on_each_vertex_by_itself():
    encoder = MultiPoseEncoder(condition_size=5, latent_size=4)
    condition = torch.randn(7, 5)
    torch.testing.assert_close(encoder(condition)[3:4], encoder(condition[3:4]))
