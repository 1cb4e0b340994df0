"""How far a frame goes beyond those of training, and how far to trust the answer there."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

SMALLEST_SIZE, LARGEST_SIZE = 1e-6, 1e6  # of an answer, in units of what is usual: squares stay within single precision


def wiener(square: Float[Tensor, "*B"], variance: Float[Tensor, "*M"]) -> Tensor:
    """Return how far to damp signals of some squares, whose errors have some variances: s² / (s² + v), which leaves least."""
    return square / (square + variance)


class Leverage(nn.Module):
    """The leverage of what the vertices see, and the strength of their answers that follows from it.

    Leverage is that of a ridge regression: with x what a vertex sees, about its mean over T frames of training and in units of
    its spread, and A the mean of x xᵀ over these frames plus the penalty, the prediction has the variance σ² (1 + xᵀ A⁻¹ x) / T
    (Hoerl and Kennard 1970, "Ridge regression", in Bayesian terms). It is measured at the anchors, in units of its mean over
    the frames of training, and spread over the surface between them. To this is added how much quieter the motion is than any
    in training, in standard deviations of the logarithm of its energy, squared: nonlinear motion has a mean of its own, which
    no still frame shares, and stillness is in the middle of all that a regression saw.

    Until `utils.fitting.leverage_fit` has seen the frames, every answer is trusted.
    """

    mean: Tensor
    scale: Tensor
    root: Tensor
    least: Tensor
    quietest: Tensor
    log_mean: Tensor
    log_spread: Tensor
    farthest: Tensor
    answer_size: Tensor
    relative_variance: Tensor

    def __init__(self, num_vertices: int, num_anchors: int, num_features: int, motion: list[slice]):
        super().__init__()
        self.motion = motion  # where the features are whose squares are the energy
        self.register_buffer("mean", torch.zeros(num_anchors, num_features))
        self.register_buffer("scale", torch.ones(num_features))
        self.register_buffer("root", torch.zeros(num_anchors, num_features, num_features))
        self.register_buffer("least", torch.zeros(num_anchors))
        self.register_buffer("quietest", torch.ones(num_anchors))
        self.register_buffer("log_mean", torch.zeros(num_anchors))
        self.register_buffer("log_spread", torch.ones(num_anchors))
        self.register_buffer("farthest", torch.full((), torch.inf))  # of a frame of training, seen from all others
        self.register_buffer("answer_size", torch.ones(num_vertices))
        self.register_buffer("relative_variance", torch.zeros(num_vertices))

    def forward(self, features: Float[Tensor, "B A C"]) -> Float[Tensor, "B A"]:
        """Return the leverage (B, A) of what the anchors see (B, A, C), file units.

        Over the frames of training it is 1 on average, but for what quiet frames add.
        """
        seen = (features - self.mean) / self.scale
        leverage = self.least + (seen.unsqueeze(2) @ self.root).square().sum(dim=(2, 3))
        return leverage + self.quietness(seen)

    def energy(self, seen: Float[Tensor, "B A C"]) -> Float[Tensor, "B A"]:
        """Return the energy of motion (B, A), from features about their means in units of their spread."""
        return torch.stack([seen[..., part].square().sum(dim=2) for part in self.motion]).sum(dim=0)

    def quietness(self, seen: Float[Tensor, "B A C"]) -> Float[Tensor, "B A"]:
        """Return what quiet motion adds to the leverage (B, A), from features about their means in units of their spread."""
        if not self.motion:
            return torch.zeros_like(seen[..., 0])
        level = (self.energy(seen) + self.quietest).log()
        return ((level - self.log_mean) / self.log_spread).clamp_max(0).square()

    def relative_square(self, answer: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V"]:
        """Return the squares of answers (B, V, 3), file units, in units of what is usual at each vertex (B, V)."""
        size = torch.linalg.vector_norm(answer, dim=2) / self.answer_size
        return size.clamp(SMALLEST_SIZE, LARGEST_SIZE).square()

    def strength(self, answer: Float[Tensor, "B V 3"], leverage: Float[Tensor, "B V"]) -> Float[Tensor, "B V 1"]:
        """Return how much of an answer (B, V, 3), file units, to trust (B, V, 1), 0 to 1, by the leverage there (B, V)."""
        return wiener(self.relative_square(answer), self.relative_variance * leverage).unsqueeze(2)
