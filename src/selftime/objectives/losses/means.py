"""Means over what counts, which every loss of a ragged batch needs."""

from jaxtyping import Bool, Float
from torch import Tensor


def mean_where(losses: Float[Tensor, "*S"], there: Bool[Tensor, "*S"]) -> Float[Tensor, ""]:
    """Mean over what is there; 0, with a gradient of 0, where nothing is."""
    return losses.where(there, 0.0).sum() / there.sum().clamp(min=1)
