"""How much of a trained model's answer is wanted: of all of it, of it here and there, and of what motion brings."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Number = float | Float[Tensor, ""]


class Dials(NamedTuple):
    """`strength` of the correction: 0 leaves the skinned mesh, 1 is as trained, more exaggerates; times `region` (V,), by
    vertex. `dynamics` of the motion that the model sees: 0 is a body that has always been in its pose, 1 as trained, 2 twice
    as fast.

    What is scaled is the motion, and not what it brings: the answer stays one that the model knows, damped and clamped as any.
    Whoever predicts sequences smooths the corrections over `steady` frames on either side.
    """

    strength: Number = 1.0
    dynamics: Number = 1.0
    region: Float[Tensor, " V"] | None = None
    steady: int = 0

    def paced(self, frames: Float[Tensor, "B N P 3"]) -> Float[Tensor, "B N P 3"]:
        """Return points over some frames, the current one last, as if they had moved as much more or less to where they are."""
        if isinstance(self.dynamics, float) and self.dynamics == 1:
            return frames
        dynamics = torch.as_tensor(self.dynamics).to(frames)
        last = frames[:, -1:]
        return torch.where(dynamics == 1, frames, last + dynamics * (frames - last))

    def inputs(
        self,
        window: Float[Tensor, "B N V 3"],
        joints: Float[Tensor, "B N J 3"] | None,
        history: Float[Tensor, "B H A 3"] | None,
    ) -> tuple[Float[Tensor, "B N V 3"], Float[Tensor, "B N J 3"] | None, Float[Tensor, "B H A 3"] | None]:
        """Return what a model sees, paced."""
        of_joints, of_anchors = (None if each is None else self.paced(each) for each in (joints, history))
        return self.paced(window), of_joints, of_anchors

    def blended(self, skinned: Float[Tensor, "B V 3"], predicted: Float[Tensor, "B V 3"]) -> Float[Tensor, "B V 3"]:
        """Return points between the skinned mesh and its prediction, or beyond; at 0 and 1 they are these, to the bit."""
        if isinstance(self.strength, float) and self.strength == 1 and self.region is None:
            return predicted
        strength = torch.as_tensor(self.strength).to(predicted)
        if self.region is not None:
            strength = (strength * self.region.to(predicted)).unsqueeze(1)
        return torch.where(strength == 1, predicted, skinned + strength * (predicted - skinned))


AS_TRAINED = Dials()
