"""A linear layer on two inputs, only one of which needs a gradient."""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SplitLinear(nn.Module):
    """A linear layer on a condition and on the output of another layer, as two products that are added.

    One product of both, concatenated, would copy the condition for every layer, and compute a gradient of it that nobody
    needs: a sixth of a training step.
    """

    def __init__(self, condition_size: int, input_size: int, output_size: int):
        super().__init__()
        self.of_condition = nn.Linear(condition_size, output_size)
        self.of_inputs = nn.Linear(input_size, output_size, bias=False)

    def forward(self, condition: Float[Tensor, "S C"], inputs: Float[Tensor, "S I"]) -> Float[Tensor, "S O"]:
        """Return the sum of both products (S, O)."""
        return torch.addmm(self.of_condition(condition), inputs, self.of_inputs.weight.t())
