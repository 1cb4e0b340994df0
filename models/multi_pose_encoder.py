"""The multi-pose encoder: what a vertex did over the window, and where it is on the surface, to a small latent."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu


class MultiPoseEncoder(nn.Module):
    """Two layers with skip connections, shared by all vertices: each layer sees the input again."""

    def __init__(self, condition_size: int, latent_size: int, hidden_size: int = 48):
        super().__init__()
        self.first = nn.Linear(condition_size, hidden_size)
        self.second = nn.Linear(hidden_size + condition_size, hidden_size)
        self.latent = nn.Linear(hidden_size + condition_size, latent_size)

    def forward(self, condition: Float[Tensor, "S C"]) -> Float[Tensor, "S L"]:
        """Return the latent (S, L) of S vertex samples from their condition (S, C): window and surface embedding."""
        hidden = silu(self.first(condition))
        hidden = silu(self.second(torch.cat([hidden, condition], dim=1)))
        return self.latent(torch.cat([hidden, condition], dim=1))
