"""Reconstruction: what was predicted beside what was hidden, over what counts alone."""

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor


def mean_where(losses: Float[Tensor, "*S"], there: Bool[Tensor, "*S"]) -> Float[Tensor, ""]:
    """Mean over what is there; 0, with a gradient of 0, where nothing is."""
    return losses.where(there, 0.0).sum() / there.sum().clamp(min=1)


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


def masked_code_loss(
    logits: Float[Tensor, "B P K"], codes: Int[Tensor, "B P"], chosen: Bool[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Cross entropy of the codes of chosen patches (Devlin et al. 2019, section 3.1, task 1).

    The mean over all chosen patches of the batch; 0 where there are none.

    Args:
        logits: (B,P,K) for each code, before the softmax.
        codes: (B,P) from 0 to K − 1.
        chosen: (B,P) patches that count.
    """
    each = F.cross_entropy(logits.flatten(0, 1), codes.flatten(), reduction="none")
    return mean_where(each.view(codes.shape), chosen)
