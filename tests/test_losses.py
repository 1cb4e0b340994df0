import torch

from utils.losses import mean_distance


def test_mean_distance_against_a_naive_loop():
    predicted, target = torch.randn(2, 5, 3, dtype=torch.float64), torch.randn(2, 5, 3, dtype=torch.float64)
    distances = [torch.dist(p, t) for p, t in zip(predicted.view(-1, 3), target.view(-1, 3), strict=True)]
    torch.testing.assert_close(mean_distance(predicted, target), torch.stack(distances).mean())


def test_a_perfect_vertex_has_a_gradient():
    predicted = torch.zeros(2, 3, requires_grad=True)
    mean_distance(predicted, torch.zeros(2, 3)).backward()
    assert torch.equal(predicted.grad, torch.zeros(2, 3))
