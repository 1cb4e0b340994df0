"""The multi-pose encoder: from what a vertex sees, and where it is on the surface, to a small latent."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from models.split_linear import SplitLinear


class MultiPoseEncoder(nn.Module):
    """Two layers and the latent, shared by all vertices; each of the three reads the condition, which is what a vertex
    sees."""

    def __init__(self, condition_size: int, embedding_size: int, latent_size: int, hidden_size: int = 48):
        super().__init__()
        self.first = nn.Linear(condition_size, hidden_size)
        self.embedding = nn.Linear(embedding_size, hidden_size, bias=False) if embedding_size else None
        self.second = SplitLinear(condition_size, hidden_size, hidden_size)
        self.latent = SplitLinear(condition_size, hidden_size, latent_size)

    def forward(self, condition: Float[Tensor, "S C"], embedding: Float[Tensor, "S E"] | None) -> Float[Tensor, "S L"]:
        """Return the latent (S, L) of S vertex samples, from their condition (S, C) and their embedding (S, E)."""
        hidden = self.first(condition)
        if self.embedding is not None:
            hidden = hidden + self.embedding(embedding)
        hidden = self.second(condition, silu(hidden))
        return self.latent(condition, silu(hidden))
