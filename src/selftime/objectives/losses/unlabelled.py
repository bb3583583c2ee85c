"""Neighbours told from what is far away, some of which may be alike (TNC)."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def neighbourhood(
    near: Float[Tensor, "N"], far: Float[Tensor, "N"], alike: float
) -> Float[Tensor, ""]:
    """Positive-unlabelled loss of a discriminator D (Tonekaboni et al. 2021, equation 2).

    −[log D(near) + (1 − w) log(1 − D(far)) + w log D(far)], mean over pairs. Windows that are far
    apart are not negatives but unlabelled: with chance w they are alike all the same.

    Args:
        near: (N,) logits of D for windows and their neighbours.
        far: (N,) logits of D for windows and distant ones.
        alike: w.
    """
    apart = (1 - alike) * F.softplus(far) + alike * F.softplus(-far)
    return (F.softplus(-near) + apart).mean()
