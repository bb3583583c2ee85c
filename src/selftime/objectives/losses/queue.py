"""Contrast with a queue: the positive is found among keys of this batch and of earlier ones."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selftime.shapes import Embedding


def queue_contrast(
    queries: Embedding,
    keys: Embedding,
    queue: Float[Tensor, "K D"],
    temperature: float,
) -> Float[Tensor, ""]:
    """Cross entropy of finding each query's own key (He et al. 2020, equation 1).

    −log exp(q·k₊/τ) / Σ_k exp(q·k/τ) on vectors of length 1, mean over the batch. Negatives are
    the keys of the other series and those of the queue.

    Args:
        queries: (B,D) of any length.
        keys: (B,D) the positive of each query; of length 1.
        queue: (K,D) of length 1; K may be 0.
        temperature: divides the similarities.
    """
    logits = F.normalize(queries, dim=1) @ torch.cat([keys, queue]).T / temperature  # (B,B+K)
    return F.cross_entropy(logits, torch.arange(len(keys), device=keys.device))
