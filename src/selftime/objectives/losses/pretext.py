"""Losses of made-up tasks: values foretold, places and order recognised."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor


def observed_error(
    foretold: Float[Tensor, "*S"], values: Float[Tensor, "*S"], observed: Bool[Tensor, "*S"]
) -> Float[Tensor, ""]:
    """Mean squared error over the values that were observed; 0 where none was.

    Args:
        foretold: what is said of the values.
        values: what they are; numbers without meaning where nothing was observed.
        observed: True where a value was measured.
    """
    return mean_where((foretold - values.where(observed, 0.0)).square(), observed)


def place_loss(scores: Float[Tensor, "B S S"], there: Bool[Tensor, "B S"]) -> Float[Tensor, ""]:
    """Cross entropy of the place of each segment, mean over those that are there.

    Args:
        scores: (B,S,S) of segment s being at each place (last axis); its place is s.
        there: (B,S) segments that count.
    """
    places = torch.arange(scores.shape[1], device=scores.device).expand(len(scores), -1)
    return mean_where(F.cross_entropy(scores.mT, places, reduction="none"), there)


def order_loss(
    right: Float[Tensor, "B"], wrong: Float[Tensor, "B"], there: Bool[Tensor, "B"]
) -> Float[Tensor, ""]:
    """Logistic loss of telling a right order from a wrong one; each is half of the cases.

    Args:
        right: (B,) scores of orders that are right, positive where they are taken for it.
        wrong: (B,) scores of orders that are not.
        there: (B,) series that count.
    """
    return mean_where((F.softplus(-right) + F.softplus(wrong)) / 2, there)


def mean_where(losses: Float[Tensor, "*S"], there: Bool[Tensor, "*S"]) -> Float[Tensor, ""]:
    """Mean over what is there; 0, with a gradient of 0, where nothing is."""
    return losses.where(there, 0.0).sum() / there.sum().clamp(min=1)
