"""Losses that several methods share; the loss of a single method stands in its own file."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from selftime.shapes import Embedding, Tokens

Pairs = Float[Tensor, "G M D"]
"""G groups of M = 2n vectors; vectors i and n + i of a group are a positive pair."""
Valid = Bool[Tensor, "B N"]
"""True where a token lies within its series."""
GroupLoss = Callable[[Tensor, Tensor | None], Tensor]
"""Groups (G,M,D) and their valid vectors (G,M) to a loss of each vector (G,M)."""


def mean_where(losses: Float[Tensor, "*S"], valid: Bool[Tensor, "*S"]) -> Float[Tensor, ""]:
    """Mean over the valid entries; 0, with a gradient of 0, where none is."""
    return losses.where(valid, 0.0).sum() / valid.sum().clamp(min=1)


def squared_error(
    made: Float[Tensor, "*axes"], wanted: Float[Tensor, "*axes"], counts: Bool[Tensor, "*axes"]
) -> Float[Tensor, ""]:
    """Mean squared error over what counts (Zerveas et al. 2021, section 3.3); 0 of nothing."""
    return mean_where((made - wanted.where(counts, 0.0)) ** 2, counts)


def masked_code_loss(
    logits: Float[Tensor, "B P K"], codes: Int[Tensor, "B P"], selected: Bool[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Mean cross entropy of codes of selected patches (Devlin et al. 2019, section 3.1, task 1)."""
    each = F.cross_entropy(logits.flatten(0, 1), codes.flatten(), reduction="none")
    return mean_where(each.view(codes.shape), selected)


def negative_cosine(predicted: Embedding, target: Embedding) -> Float[Tensor, ""]:
    """−cos(p, z), mean over the batch (Chen & He 2021, equation 1); −1 at best."""
    # The squared distance of unit vectors is 2 + 2 · this (Grill et al. 2020, equation 2).
    return -F.cosine_similarity(predicted, target, dim=1).mean()


def off_diagonal(matrix: Float[Tensor, "D D"]) -> Float[Tensor, ""]:
    """Σ_i Σ_{j≠i} C_ij²: features differ from one another (Zbontar et al. 2021, equation 1)."""
    same = torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)
    return matrix.masked_fill(same, 0.0).square().sum()


def contrast(z: Pairs, valid: Bool[Tensor, "G M"] | None = None) -> Float[Tensor, "G M"]:
    """Cross entropy of finding the positive among all other vectors of the group.

    lossᵢ = log Σ_{j ≠ i} exp(zᵢ·zⱼ) − zᵢ·z₊, the form that equation 1 of Chen et al. (2020) and
    equations 1 and 2 of Yue et al. (2022) share. A group of one pair has loss 0 and no gradient;
    so has a vector that is not valid.
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


def nt_xent(
    first: Embedding, second: Embedding, temperature: float, loss: GroupLoss = contrast
) -> Float[Tensor, ""]:
    """Normalised temperature-scaled cross entropy (Chen et al. 2020, equation 1)."""
    # Each vector (B,D) has its other view as positive and the 2B − 2 of other series as negatives.
    z = F.normalize(torch.cat([first, second]), dim=1) / temperature**0.5  # (2B,D)
    return loss(z[None], None).mean()


def resolutions(
    first: Tokens, second: Tokens, valid: Valid | None
) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Yield tokens of both views and their validity, max pooled over two steps again and again."""
    yield first, second, valid
    while first.shape[1] > 1:
        first, second = halve_resolution(first, valid), halve_resolution(second, valid)
        valid = None if valid is None else valid[:, 0 : 2 * first.shape[1] : 2]
        yield first, second, valid


def halve_resolution(z: Tokens, valid: Valid | None) -> Float[Tensor, "B M D"]:
    """Take the larger of every two neighbouring tokens, or the valid one; drop an odd last one."""
    N = z.shape[1] // 2
    even, odd = z[:, 0 : 2 * N : 2], z[:, 1 : 2 * N : 2]
    higher = even > odd
    if valid is not None:
        higher = higher | ~valid[:, 1 : 2 * N : 2, None]
    return torch.where(higher, even, odd)  # its gradient takes half as long as maximum's


def between_series(
    first: Tokens, second: Tokens, valid: Valid | None = None, loss: GroupLoss = contrast
) -> Float[Tensor, ""]:
    """Contrast tokens with other series at the same step (Yue et al. 2022, equation 2)."""
    steps = None if valid is None else valid.T
    return _mean_loss(first.transpose(0, 1), second.transpose(0, 1), steps, loss)


def between_steps(
    first: Tokens, second: Tokens, valid: Valid | None = None, loss: GroupLoss = contrast
) -> Float[Tensor, ""]:
    """Contrast tokens with other steps of the same series (Yue et al. 2022, equation 1)."""
    return _mean_loss(first, second, valid, loss)


def _mean_loss(
    first: Tensor, second: Tensor, valid: Bool[Tensor, "G n"] | None, loss: GroupLoss
) -> Float[Tensor, ""]:
    """Mean loss (G,n,D) of both views in groups, over the valid vectors."""
    z = torch.cat([first, second], dim=1)  # (G,2n,D)
    if valid is None:
        return loss(z, None).mean()
    both = torch.cat([valid, valid], dim=1)  # (G,2n)
    return loss(z, both).where(both, 0.0).sum() / both.sum()
