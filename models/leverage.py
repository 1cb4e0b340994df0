"""How far a frame goes beyond those of training, and how far to trust the answer there."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

# of an answer, in units of what is usual: squares stay within single precision, and a longer answer is no surer for that
SMALLEST_SIZE, LARGEST_SIZE = 1e-6, 2**0.5
LARGEST_DOUBT = 10**0.75  # by theory 1; from a few on, errors are as large as answers, and all are as likely
FAR = 20.0  # the leverage from which on the map's being linear costs more than its being uncertain


def wiener(square: Float[Tensor, "*B"], variance: Float[Tensor, "*M"] | float) -> Tensor:
    """Return how far to damp signals of some squares, whose errors have some variances: s² / (s² + v), which leaves least."""
    return square / (square + variance)


def growth(leverage: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Return how the variance of errors grows with a leverage l: as l (1 + l / `FAR`).

    It grows with l where the map is right but uncertain. What a linear map misses of a nonlinear world grows with the square of
    the distance (Taylor), its variance with that of the leverage.
    """
    return leverage * (1 + leverage / FAR)


def share_of_squares(one: Float[Tensor, "*B"], other: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Return what one of two lengths has of the sum of their squares, 0 to 1; where both are zero, 1."""
    return 1 / (1 + (other / one.clamp_min(torch.finfo(one.dtype).tiny)).square())  # squares themselves would overflow


def uncertainty(
    size: Float[Tensor, "*B"], residual: Float[Tensor, "*M"], variance: Float[Tensor, "*B"]
) -> Float[Tensor, "*B"]:
    """Return the RMS error of answers of some size, damped as `wiener` does, given what is left over where all is like in
    training, and their variance in units of its square. No answer is more uncertain than it is large."""
    return torch.hypot(residual, size * share_of_squares(residual * variance.sqrt(), size).sqrt())


class Leverage(nn.Module):
    """The leverage of what the vertices see, and what follows from it: how far to trust their answers, and the error to expect.

    Leverage is that of a ridge regression: with x what a vertex sees, about its mean over T frames of training and in units of
    its spread, and A the mean of x xᵀ over these frames plus the penalty, the prediction has the variance σ² (1 + xᵀ A⁻¹ x) / T
    (Hoerl and Kennard 1970, "Ridge regression", in Bayesian terms). It is measured at the anchors, in units of its mean over
    the frames of training, and spread over the surface between them. To this is added how much quieter the motion is than any
    in training, in standard deviations of the logarithm of its energy, squared: nonlinear motion has a mean of its own, which
    no still frame shares, and stillness is in the middle of all that a regression saw.

    For the same reason a part of the mean correction, `moving_share`, is taken to come of the motion: where that is stiller
    than usual, this part goes as its amplitude, the root of the energy, does.

    The error to expect is what the regression leaves over, `residual`, and, of an answer s, the part s² v / (s² + v) that is as
    uncertain as v, `doubt` times the square of the residual, times the `growth` of the leverage. Frames kept out of the fit say
    how large the doubt is, what to take the outcome times (`error_scale`), and, of it, what 68 % and 95 % of the errors stay
    `within`. Where that v drowns most answers of a frame, little is taken of what it drowns there
    (`models.conclusion.share_of_frame`).

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
    reached: Tensor
    moving_share: Tensor
    answer_size: Tensor
    relative_variance: Tensor
    residual: Tensor
    doubt: Tensor
    error_scale: Tensor
    within: Tensor

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
        self.register_buffer("reached", torch.full((num_anchors,), torch.inf))  # the highest at each anchor, likewise
        self.register_buffer("moving_share", torch.zeros(num_anchors))
        self.register_buffer("answer_size", torch.ones(num_vertices))
        self.register_buffer("relative_variance", torch.zeros(num_vertices))
        self.register_buffer("residual", torch.zeros(num_vertices))
        self.register_buffer("doubt", torch.zeros(()))
        self.register_buffer("error_scale", torch.ones(()))
        self.register_buffer("within", torch.ones(2))

    def forward(self, features: Float[Tensor, "B A C"]) -> Float[Tensor, "B A"]:
        """Return the leverage (B, A) of what the anchors see (B, A, C), file units.

        Over the frames of training it is 1 on average, but for what quiet frames add.
        """
        seen = (features - self.mean) / self.scale
        # anchor by anchor, all frames in one product
        leverage = self.least + (seen.transpose(0, 1) @ self.root).square().sum(dim=2).T
        return leverage + self.quietness(seen)

    def share_fitted(self, num_frames: int) -> float:
        """Return how much of a frame's error the regression fits, on average over the anchors: its degrees of freedom, per
        frame of training."""
        return float((1 / self.least).mean().clamp_max(0.9 * num_frames)) / num_frames

    def energy(self, seen: Float[Tensor, "B A C"]) -> Float[Tensor, "B A"]:
        """Return the energy of motion (B, A), from features about their means in units of their spread."""
        return torch.stack([seen[..., part].square().sum(dim=2) for part in self.motion]).sum(dim=0)

    def quietness(self, seen: Float[Tensor, "B A C"]) -> Float[Tensor, "B A"]:
        """Return what quiet motion adds to the leverage (B, A), from features about their means in units of their spread."""
        if not self.motion:
            return torch.zeros_like(seen[..., 0])
        return (self.level(seen) / self.log_spread).clamp_max(0).square()

    def level(self, seen: Float[Tensor, "B A C"]) -> Float[Tensor, "B A"]:
        """Return the logarithm of the energy of motion (B, A), 0 where it is as usual, from features as `energy` takes them."""
        return (self.energy(seen) + self.quietest).log() - self.log_mean

    def share_of_mean(self, features: Float[Tensor, "B A C"]) -> Float[Tensor, "B A"]:
        """Return how much of the mean correction to take (B, A), 0 to 1, by what the anchors see (B, A, C), file units: all
        where motion is as lively as usual in training, or livelier."""
        if not self.motion:
            return torch.ones_like(features[..., 0])
        amplitude = (self.level((features - self.mean) / self.scale).clamp_max(0) / 2).exp()
        return 1 - self.moving_share * (1 - amplitude)

    def relative_square(self, size: Float[Tensor, "*B V"]) -> Float[Tensor, "*B V"]:
        """Return the squares of answers' lengths (*B, V), file units, in units of what is usual at each vertex; no more than
        twice that."""
        return (size / self.answer_size).clamp(SMALLEST_SIZE, LARGEST_SIZE).square()

    def strength(
        self, size: Float[Tensor, "*B V"], leverage: Float[Tensor, "*B V"], of_frame: Float[Tensor, "*B 1"]
    ) -> Float[Tensor, "*B V"]:
        """Return how much of answers of some length (*B, V), file units, to trust, 0 to 1, by the leverage there (*B, V), and
        by how much of what is in doubt is taken in the frame (*B, 1)."""
        grown = growth(leverage)
        doubted = self.residual * (self.doubt * grown).sqrt()
        taken = share_of_squares(size, doubted) + share_of_squares(doubted, size) * of_frame
        return wiener(self.relative_square(size), self.relative_variance * grown) * taken.clamp_max(1)

    def share_of_network(self, leverage: Float[Tensor, "B A"]) -> Float[Tensor, "B A"]:
        """Return how much of the network's answers to take (B, A), 0 to 1, by the leverage at the anchors (B, A): all where
        motion is like that of training, half at the highest leverage that training reached there, next to nothing beyond:
        there, a network's answers are chance."""
        return 1 / (1 + (leverage / self.reached) ** 4)

    def expected_error(self, size: Float[Tensor, "*B V"], leverage: Float[Tensor, "*B V"]) -> Float[Tensor, "*B V"]:
        """Return how far answers of some length (*B, V), once damped, are expected to be off on average, file units."""
        return self.error_scale * uncertainty(size, self.residual, self.doubt * growth(leverage))
