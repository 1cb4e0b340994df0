"""What a model sees of some frames, read from disk to the device."""

import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from data.mesh_windows import MeshWindows
from models.mesh_autoencoder import MeshAutoencoder
from models.oscillators import HISTORY

Inputs = tuple[Float[Tensor, "B N V 3"], Float[Tensor, "B N J 3"] | None, Float[Tensor, "B H A 3"] | None]


def read_inputs(
    model: MeshAutoencoder, windows: MeshWindows, frames: Int[ndarray, " B"], device: torch.device
) -> Inputs:
    """Return the windows of skinned meshes and joints, and the anchors' history, of the given frames, file units.

    None stands for joints, and for a history, that the model does not look at.
    """
    joints = windows.joints(frames) if model.sees_joints else None
    history = None
    if model.periods:
        history = torch.from_numpy(windows.history(frames, model.surface.anchors.cpu().numpy(), HISTORY)).to(device)
    return (
        torch.from_numpy(windows.skinned(frames)).to(device),
        None if joints is None else torch.from_numpy(joints).to(device),
        history,
    )
