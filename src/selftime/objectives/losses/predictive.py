"""Prediction as a contrast: the future of a series is found among those of others."""

from jaxtyping import Bool, Float
from torch import Tensor


def info_nce(
    predicted: Float[Tensor, "B K D"],
    latents: Float[Tensor, "B K D"],
    there: Bool[Tensor, "B K"],
) -> Float[Tensor, ""]:
    """InfoNCE over futures (van den Oord et al. 2018, equations 3 and 4).

    The score of series j as the future of series i is exp(z_jkᵀ W_k c_i). The k-th segment of
    each series is found among the k-th segments of all series; mean over the segments there are,
    0 where there are none.

    Args:
        predicted: (B,K,D) W_k c for each series and segment.
        latents: (B,K,D) z, what the segments do look like.
        there: (B,K) which segments exist; others are neither positives nor negatives.
    """
    scores = predicted.transpose(0, 1) @ latents.permute(1, 2, 0)  # (K,B,B), candidates last
    exists = there.T  # (K,B)
    others = scores.masked_fill(~exists[:, None], -float("inf"))
    others = others.masked_fill(~exists[:, :, None], 0.0)  # rows without a loss stay finite
    loss = others.logsumexp(dim=2) - scores.diagonal(0, 1, 2)  # (K,B)
    return loss.where(exists, 0.0).sum() / there.sum().clamp(min=1)
