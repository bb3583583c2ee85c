"""Losses of made-up tasks: places and order recognised."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selftime.objectives.losses.means import mean_where


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
