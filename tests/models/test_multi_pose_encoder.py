import torch
from torch.nn.functional import silu

from models.multi_pose_encoder import MultiPoseEncoder
from models.split_linear import SplitLinear


def test_a_split_layer_is_one_layer_on_both_inputs():
    torch.manual_seed(0)
    layer = SplitLinear(condition_size=5, input_size=3, output_size=4)
    condition, inputs = torch.randn(7, 5), torch.randn(7, 3)
    weight = torch.cat([layer.of_condition.weight, layer.of_inputs.weight], dim=1)
    expected = torch.cat([condition, inputs], dim=1) @ weight.T + layer.of_condition.bias
    torch.testing.assert_close(layer(condition, inputs), expected)


def test_every_layer_sees_the_condition_again():
    torch.manual_seed(0)
    encoder = MultiPoseEncoder(condition_size=5, embedding_size=2, latent_size=4, hidden_size=8)
    condition, embedding = torch.randn(7, 5), torch.randn(7, 2)
    first = encoder.first(condition) + embedding @ encoder.embedding.weight.T
    expected = encoder.latent(condition, silu(encoder.second(condition, silu(first))))
    torch.testing.assert_close(encoder(condition, embedding), expected)


def test_works_on_each_vertex_by_itself():
    encoder = MultiPoseEncoder(condition_size=5, embedding_size=0, latent_size=4)
    condition = torch.randn(7, 5)
    torch.testing.assert_close(encoder(condition, None)[3:4], encoder(condition[3:4], None))
