"""The linear part of the correction: for each vertex its own map from what it sees, fitted in closed form."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearCorrection(nn.Module):
    """A mean and coefficients per vertex: zero until `utils.linear_fit` has seen the training frames.

    Skin and cloth follow the motion near them almost linearly, and every part in its own way. What is linear is solved for, per
    vertex and with as much regularisation as the data ask for; the network then learns what is left of the correction.
    """

    mean: Tensor
    coefficients: Tensor

    def __init__(self, num_vertices: int, num_features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_vertices, 3))
        self.register_buffer("coefficients", torch.zeros(num_vertices, num_features, 3))

    def forward(self, features: Float[Tensor, "B V C"]) -> Float[Tensor, "B V 3"]:
        """Return the linear correction (B, V, 3) in each vertex' own frame, file units."""
        return self.mean + (features.unsqueeze(2) @ self.coefficients).squeeze(2)
