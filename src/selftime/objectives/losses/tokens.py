"""Tokens: what stands for hidden patches, held against their codes or their representations."""

import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from selftime.objectives.losses.means import mean_where


def hidden_codes(
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


def hidden_vectors(
    made: Float[Tensor, "B P D"], wanted: Float[Tensor, "B P D"], chosen: Bool[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Mean squared error of the vectors of chosen patches (Cheng et al. 2023, section 3.4).

    Args:
        made: (B,P,D) predictions.
        wanted: (B,P,D) targets.
        chosen: (B,P) patches that count.
    """
    return mean_where(((made - wanted) ** 2).mean(dim=2), chosen)


def next_segment(
    logits: Float[Tensor, "B"], follows: Bool[Tensor, "B"], asked: Bool[Tensor, "B"]
) -> Float[Tensor, ""]:
    """Binary cross entropy of B following A (Devlin et al. 2019, section 3.1, task 2).

    Args:
        logits: (B,) that it does.
        follows: (B,) whether it does.
        asked: (B,) series that count.
    """
    each = F.binary_cross_entropy_with_logits(logits, follows.to(logits.dtype), reduction="none")
    return mean_where(each, asked)
