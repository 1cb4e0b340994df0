"""From the motion of a skeleton to the weights of a few shapes, one frame after another: what an engine can afford."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from models.oscillators import HISTORY, PERIODS, states_after, streamed_accelerations

SMALLEST = 1e-20  # determinant of a matrix that is inverted


def inverse(matrices: Float[Tensor, "*B 3 3"]) -> Float[Tensor, "*B 3 3"]:
    """Return inverses, by cross products of columns; ONNX has none."""
    one, two, three = matrices.unbind(-1)
    rows = torch.stack(
        [torch.linalg.cross(two, three), torch.linalg.cross(three, one), torch.linalg.cross(one, two)], -2
    )
    determinant = (one * rows[..., 0, :]).sum(-1)
    determinant = torch.where(determinant.abs() < SMALLEST, SMALLEST, determinant)
    return rows / determinant[..., None, None]


class ShapeWeights(nn.Module):
    """A linear map from what a skeleton (J joints) does to the weights of K shapes, each as a share of its range in training,
    to which it is clamped; and before these a constant one, the weight of what is always there.

    It sees how each joint is turned against the one above it, and at A anchors, points of the skinned mesh, where up is, how
    they moved since the last frame, and how oscillators (`models.oscillators`) swing that they carry along, all three as they
    are where the mesh is bound. The state is what is known of the frames before, zero at a sequence's start: the anchors'
    `previous` two places, their `accelerations`, and how many `frames_before` there were, as far as that matters.
    """

    parents: Tensor
    turning: Tensor
    inverse_bind: Tensor
    anchors: Tensor
    influences: Tensor
    up: Tensor
    path: Tensor
    mean: Tensor
    coefficients: Tensor
    constant: Tensor
    lowest: Tensor
    highest: Tensor

    def __init__(
        self,
        parents: Int64[Tensor, " J"],
        inverse_bind: Float[Tensor, "J 4 4"],
        anchors: Float[Tensor, "A 3"],
        influences: Float[Tensor, "A J"],
        up: Float[Tensor, "3"],
        before_first: Float[Tensor, "H 3"],
        num_shapes: int,
    ):
        """`parents` are -1 where there is no joint above; anchors are where the mesh is bound; `before_first` is the guess of
        the frames before a sequence's first, oldest first, as weights of its first three."""
        super().__init__()
        turning = (parents >= 0).nonzero().squeeze(1)
        num_features = 9 * len(turning) + 3 * len(anchors) * (2 + 2 * len(PERIODS))
        constants = {"parents": parents[turning], "turning": turning, "inverse_bind": inverse_bind, "up": up}
        # frames up to the third, as weights of the first three
        constants["path"] = torch.cat([before_first, torch.eye(3)])
        constants |= {"anchors": anchors, "influences": influences, "mean": torch.zeros(num_features)}
        constants |= {"coefficients": torch.zeros(num_features, num_shapes), "constant": torch.zeros(num_shapes)}
        constants |= {"lowest": torch.zeros(num_shapes), "highest": torch.ones(num_shapes)}
        for name, values in constants.items():
            self.register_buffer(name, values)

    @property
    def state_shapes(self) -> dict[str, tuple[int, ...]]:
        """The shapes of what the state consists of, by name."""
        count = len(self.anchors)
        return {"previous": (2, count, 3), "accelerations": (HISTORY - 2, count, 3), "frames_before": (1,)}

    def groups(self) -> list[int]:
        """Return how many features there are of a kind: turned joints; of anchors, up, motion, and each of the oscillators'
        states."""
        return [9 * len(self.turning), *[3 * len(self.anchors)] * (2 + 2 * len(PERIODS))]

    def features(
        self, joints: Float[Tensor, "J 4 4"], state: tuple[Float[Tensor, "..."], ...]
    ) -> tuple[Float[Tensor, " D"], tuple[Float[Tensor, "..."], ...]]:
        """Return what is seen (D,) of the joints' matrices to world space, and the next state."""
        previous, accelerations, before = state
        moves = (joints @ self.inverse_bind)[:, :3].flatten(1)
        to_world = (self.influences @ moves).view(-1, 3, 4)
        axes = to_world[..., :3]
        here = (axes @ self.anchors.unsqueeze(2)).squeeze(2) + to_world[..., 3]
        window = torch.cat([torch.where(before < 1, here, previous), here.unsqueeze(0)])
        accelerations = streamed_accelerations(accelerations, window, before, self.path)
        back = inverse(axes)
        turned = inverse(joints[self.parents, :3, :3]) @ joints[self.turning, :3, :3]
        swinging = states_after(accelerations.unsqueeze(0), PERIODS).squeeze(0) @ back.transpose(1, 2)
        moved = (back @ (window[2] - window[1]).unsqueeze(2)).squeeze(2)
        of_anchors = torch.stack([back @ self.up, moved, *swinging.unbind(1)])
        seen = torch.cat([turned.flatten(), of_anchors.flatten()])
        return seen, (window[1:], accelerations, (before + 1).clamp_max(3))

    def forward(self, joints: Float[Tensor, "J 4 4"], *state: Float[Tensor, "..."]) -> tuple[Float[Tensor, "..."], ...]:
        """Return a one and the weights of the shapes (1 + K,), between 0 and 1, and the next state."""
        seen, following = self.features(joints, state)
        weights = self.constant + (seen - self.mean) @ self.coefficients
        shares = ((weights - self.lowest) / (self.highest - self.lowest)).clamp(0, 1)
        return torch.cat([shares.new_ones(1), shares]), *following
