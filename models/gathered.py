"""Values by index, in the operator that torch and other runtimes are fast at."""

from jaxtyping import Int, Shaped
from torch import Tensor


def gathered(values: Shaped[Tensor, "..."], places: Int[Tensor, "K L"], dim: int) -> Shaped[Tensor, "..."]:
    """Return what is at some places (K, L) of a dimension, these two in place of it: `values[:, places]`, say, in a third of
    its time."""
    return values.index_select(dim, places.flatten()).unflatten(dim, places.shape)
