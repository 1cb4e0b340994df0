"""The linear part of the correction: for each vertex its own map from what it sees, fitted in closed form."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

MOST_SMOOTHING_STEPS = 2


def in_loop_order(coefficients: Float[Tensor, "V C 3"]) -> Float[Tensor, "V C 3"]:
    """Return the same numbers, in memory one component of the answer after another: so compiled loops go over the features."""
    return coefficients.transpose(1, 2).contiguous().transpose(1, 2)


class LinearCorrection(nn.Module):
    """A mean correction per vertex, and a linear map from its features to a change of that mean.

    Both are zero until `utils.fitting.linear_fit` has seen the frames. Skin and cloth follow the motion near them almost
    linearly, and every part in its own way. This linear part is solved for, vertex by vertex, with as much regularisation as
    the data ask for; the network then learns what is left of the correction. The change of the mean, the network's share
    included, is smoothed over the surface `smoothing_steps` times, 0 to `MOST_SMOOTHING_STEPS`; a checkpoint keeps the number.
    """

    mean: Tensor
    constant: Tensor
    coefficients: Tensor

    def __init__(self, num_vertices: int, num_features: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(num_vertices, 3))
        self.register_buffer("constant", torch.zeros(num_vertices, 3))
        self.register_buffer("coefficients", in_loop_order(torch.zeros(num_vertices, num_features, 3)))
        self.smoothing_steps = 0

    def get_extra_state(self) -> Tensor:
        """Return what a checkpoint keeps beside the tensors."""
        return torch.tensor(self.smoothing_steps)

    def set_extra_state(self, state: Tensor) -> None:
        """Take what `get_extra_state` gave; raise `ValueError` where that is no number of steps."""
        if not 0 <= int(state) <= MOST_SMOOTHING_STEPS:
            raise ValueError(f"found {int(state)} smoothing steps, expected 0 to {MOST_SMOOTHING_STEPS}")
        self.smoothing_steps = int(state)

    def forward(self, features: Float[Tensor, "B V C"]) -> Float[Tensor, "B V 3"]:
        """Return how the features change the mean correction (B, V, 3), in each vertex' own frame, file units."""
        return (features.unsqueeze(2) @ self.coefficients).squeeze(2) + self.constant
