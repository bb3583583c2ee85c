"""Contrast: a positive is found among negatives (InfoNCE and its kin)."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from selftime.objectives.losses.reconstruction import mean_where
from selftime.shapes import Embedding

Pairs = Float[Tensor, "G M D"]
"""G groups of M = 2n vectors; vectors i and n + i of a group are a positive pair."""


def nt_xent(first: Embedding, second: Embedding, temperature: float) -> Float[Tensor, ""]:
    """Normalised temperature-scaled cross entropy (Chen et al. 2020, equation 1).

    Cosine similarities; every vector has its other view as positive and the 2B − 2 views of all
    other series as negatives.

    Args:
        first: (B,D) one view of each series.
        second: (B,D) the other view.
        temperature: divides the similarities.
    """
    z = F.normalize(torch.cat([first, second]), dim=1) / temperature**0.5  # (2B,D)
    return contrast(z[None]).mean()


def hierarchical_contrast(
    first: Float[Tensor, "B T D"],
    second: Float[Tensor, "B T D"],
    valid: Bool[Tensor, "B T"] | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """Contrast between series and between steps, at every resolution (Yue et al. 2022).

    Section 3.3, equations 1 to 3: at each resolution, made from the one before by max pooling over
    two steps, tokens are told from those of other series at the same step (``instance``) and from
    those of other steps of the same series (``temporal``). The loss is half of each, mean over
    resolutions; it is the sum of the two parts that are returned.

    Args:
        first: (B,T,D) tokens of one view.
        second: (B,T,D) tokens of the same steps in the other view.
        there: (B,T) which steps exist, where series have unequal lengths; others are neither
            positives nor negatives. Steps that exist come first.
    """
    instance = temporal = first.new_zeros(())
    levels = 0
    for one, other, within in resolutions(first, second, valid):
        levels += 1
        instance = instance + between_series(one, other, within)
        if one.shape[1] > 1:
            temporal = temporal + between_steps(one, other, within)
    return {"instance": instance / (2 * levels), "temporal": temporal / (2 * levels)}


def resolutions(
    first: Float[Tensor, "B T D"], second: Float[Tensor, "B T D"], valid: Tensor | None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Tokens of both views and which exist, at every resolution down to a single step."""
    yield first, second, valid
    while first.shape[1] > 1:
        first, second = halve_resolution(first, valid), halve_resolution(second, valid)
        valid = None if valid is None else valid[:, 0 : 2 * first.shape[1] : 2]
        yield first, second, valid


def between_series(
    first: Float[Tensor, "B T D"],
    second: Float[Tensor, "B T D"],
    valid: Bool[Tensor, "B T"] | None = None,
) -> Float[Tensor, ""]:
    """Tokens told from those of other series at the same step (Yue et al. 2022, equation 2)."""
    z = torch.cat([first.transpose(0, 1), second.transpose(0, 1)], dim=1)  # (T,2B,D)
    return mean_over(contrast(z, pair_mask(valid, 0)), pair_mask(valid, 0))


def between_steps(
    first: Float[Tensor, "B T D"],
    second: Float[Tensor, "B T D"],
    valid: Bool[Tensor, "B T"] | None = None,
) -> Float[Tensor, ""]:
    """Tokens told from those of other steps of the same series (Yue et al. 2022, equation 1)."""
    z = torch.cat([first, second], dim=1)  # (B,2T,D)
    return mean_over(contrast(z, pair_mask(valid, 1)), pair_mask(valid, 1))


def pair_mask(valid: Bool[Tensor, "B T"] | None, dim: int) -> Bool[Tensor, "G M"] | None:
    """Which vectors of the groups exist: groups are steps (``dim`` 0) or series (``dim`` 1)."""
    if valid is None:
        return None
    groups = valid.T if dim == 0 else valid
    return torch.cat([groups, groups], dim=1)


def mean_over(loss: Float[Tensor, "G M"], valid: Bool[Tensor, "G M"] | None) -> Float[Tensor, ""]:
    """Mean over the vectors that exist."""
    return loss.mean() if valid is None else loss.where(valid, 0.0).sum() / valid.sum()


def halve_resolution(
    z: Float[Tensor, "B T D"], valid: Bool[Tensor, "B T"] | None
) -> Float[Tensor, "B N D"]:
    """The larger of every two neighbouring tokens, or the one that exists; no odd last one."""
    N = z.shape[1] // 2
    even, odd = z[:, 0 : 2 * N : 2], z[:, 1 : 2 * N : 2]
    higher = even > odd
    if valid is not None:
        higher = higher | ~valid[:, 1 : 2 * N : 2, None]
    return torch.where(higher, even, odd)  # its gradient takes half as long as maximum's


def contrast(z: Pairs, valid: Bool[Tensor, "G M"] | None = None) -> Float[Tensor, "G M"]:
    """Cross entropy of finding the positive among all other vectors of the group.

    lossᵢ = log Σ_{j ≠ i} exp(zᵢ·zⱼ) − zᵢ·z₊, the form that equation 1 of Chen et al. (2020) and
    equations 1 and 2 of Yue et al. (2022) share. A group of one pair has loss 0 and no gradient.

    Args:
        z: (G,M,D) groups of vectors; their products are the logits.
        there: (G,M) which vectors exist; the loss of the others is 0.
    """
    loss: Tensor = Contrast.apply(z, valid)  # type: ignore[no-untyped-call]
    return loss


class Contrast(torch.autograd.Function):
    """:func:`contrast` with its gradient: one product of the similarities and the vectors.

    z Zᵀ is symmetric, so both its factors get their gradient from a single product with G + Gᵀ,
    where automatic differentiation makes two; and no copy of the similarities is cut or filled.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, valid: Tensor | None) -> Tensor:
        """Log-sum-exp over the others less the product with the positive."""
        logits = torch.bmm(z, z.transpose(1, 2))  # (G,M,M)
        n = z.shape[1] // 2
        positive = torch.cat([logits.diagonal(n, 1, 2), logits.diagonal(-n, 1, 2)], dim=1)
        logits.diagonal(0, 1, 2).fill_(-torch.inf)
        if valid is not None:
            logits.masked_fill_(~valid[:, None], -torch.inf)
        top = logits.amax(dim=2)  # (G,M)
        share = logits.sub_(top[:, :, None]).exp_()  # in place, and faster than logsumexp
        total = share.sum(dim=2)
        ctx.save_for_backward(z, share.div_(total[:, :, None]), valid)
        loss = top + total.log() - positive
        return loss if valid is None else loss.where(valid, 0.0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Softmax less one at the positive, times the vectors, for both factors."""
        z, share, valid = ctx.saved_tensors
        if valid is not None:
            grad, share = grad.where(valid, 0.0), share.where(valid[:, :, None], 0.0)
        n = z.shape[1] // 2
        pull = share * grad[:, :, None]  # (G,M,M)
        pull.diagonal(n, 1, 2).sub_(grad[:, :n])
        pull.diagonal(-n, 1, 2).sub_(grad[:, n:])
        return torch.bmm(pull + pull.transpose(1, 2), z), None


def info_nce(
    predicted: Float[Tensor, "B K D"],
    latents: Float[Tensor, "B K D"],
    valid: Bool[Tensor, "B K"],
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
    exists = valid.T  # (K,B)
    others = scores.masked_fill(~exists[:, None], -float("inf"))
    others = others.masked_fill(~exists[:, :, None], 0.0)  # rows without a loss stay finite
    loss = others.logsumexp(dim=2) - scores.diagonal(0, 1, 2)  # (K,B)
    return mean_where(loss, exists)
