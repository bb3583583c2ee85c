"""Aggregation: series rebuilt from all that are similar to them (SimMTM)."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

TINY = 1e-12
"""Below the weights of all series together, wherever one of them has a token."""


def similarities(vectors: Float[Tensor, "S D"], temperature: float) -> Float[Tensor, "S S"]:
    """Cosines over the temperature (Dong et al. 2023, section 3.2); −∞ of each with itself.

    Args:
        vectors: (S,D) one for each series, originals and masked versions.
        temperature: divides the cosines.
    """
    z = F.normalize(vectors, dim=1)
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    return (z @ z.T / temperature).masked_fill(own, -torch.inf)


def aggregated(
    tokens: Float[Tensor, "S N D"], there: Bool[Tensor, "S N"], logits: Float[Tensor, "B S"]
) -> Float[Tensor, "B N D"]:
    """Tokens as the weighted mean of those of all other series at the same place.

    Point-wise aggregation (Dong et al. 2023, section 3.2). Weights are the softmax of the
    similarities over the series that have a token at that place:
    ẑᵢ = Σⱼ exp(rᵢⱼ) zⱼ / Σⱼ exp(rᵢⱼ).

    Args:
        tokens: (S,N,D) point-wise representations.
        there: (S,N) tokens that begin within their series.
        logits: (B,S) similarities of the series that are rebuilt; −∞ where one does not count.
    """
    S, N, D = tokens.shape
    weights = logits.softmax(dim=1)
    total = weights @ (tokens * there[:, :, None]).reshape(S, N * D)  # (B,N·D)
    mass = weights @ there.to(weights.dtype)  # (B,N)
    return total.view(-1, N, D) / mass.clamp(min=TINY)[:, :, None]


def manifold_constraint(logits: Float[Tensor, "S S"], series: int) -> Float[Tensor, ""]:
    """A series and its masked versions are near one another, others far.

    The constraint of Dong et al. (2023, section 3.2): cross entropy of finding each version among
    all others; here the mean over series and versions, in the paper their sum.

    Args:
        logits: (S,S) similarities, −∞ of each with itself; rows i, i + series, i + 2·series, …
            are versions of series i.
        series: how many different ones there are.
    """
    number = torch.arange(len(logits), device=logits.device)
    alike = (number[:, None] - number) % series == 0
    alike = alike & (number[:, None] != number)
    found = logits.log_softmax(dim=1).where(alike, 0.0)
    return -found.sum() / alike.sum().clamp(min=1)


def weighed(losses: Float[Tensor, "L"], doubt: Float[Tensor, "L"]) -> Float[Tensor, ""]:
    """Σ ½ (exp(−s) · loss + s): each loss by its learned uncertainty s = log σ².

    Kendall et al. 2018, *Multi-task learning using uncertainty to weigh losses*, section 3.2.

    Args:
        losses: (L,) to be weighed.
        doubt: (L,) s of each, learned along; 0 weighs all by one half.
    """
    return ((-doubt).exp() * losses + doubt).sum() / 2
