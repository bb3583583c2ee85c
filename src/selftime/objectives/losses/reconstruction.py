"""Reconstruction: what was predicted beside what was hidden, over what counts alone."""

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from selftime.objectives.losses.means import mean_where


def squared_error(
    made: Float[Tensor, "*axes"], wanted: Float[Tensor, "*axes"], counts: Bool[Tensor, "*axes"]
) -> Float[Tensor, ""]:
    """Mean squared error over what counts (Zerveas et al. 2021, section 3.3); 0 of nothing.

    Args:
        made: predictions.
        wanted: targets, finite; without meaning where they do not count.
        counts: which numbers count.
    """
    return mean_where((made - wanted.where(counts, 0.0)) ** 2, counts)


def smooth_error(
    made: Float[Tensor, "*axes"],
    wanted: Float[Tensor, "*axes"],
    counts: Bool[Tensor, "*axes"],
    beta: float,
) -> Float[Tensor, ""]:
    """Mean smooth L1 error over what counts (Baevski et al. 2022, "Objective"); 0 of nothing.

    ½ d² / beta where the distance d is at most beta, and d − ½ beta beyond.

    Args:
        made: predictions.
        wanted: targets, finite; without meaning where they do not count.
        counts: which numbers count.
        beta: distance at which the square turns into a line, more than 0.
    """
    each = F.smooth_l1_loss(made, wanted.where(counts, 0.0), beta=beta, reduction="none")
    return mean_where(each, counts)
