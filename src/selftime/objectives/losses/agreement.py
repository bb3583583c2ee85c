"""Agreement: two views of a series should give the same, without negatives and without collapse."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from selftime.shapes import Embedding

Square = Float[Tensor, "D D"]
"""A number for every two features."""
_EPSILON = 1e-4
"""Added to variances before their root (Bardes et al. 2022, section 4.1)."""
_FLAT = 1e-6
"""Least length that a feature is divided by, for features that are the same in all series."""


def negative_cosine(predicted: Embedding, target: Embedding) -> Float[Tensor, ""]:
    """−cos(p, z), mean over the batch (Chen & He 2021, equation 1); −1 at best.

    The squared distance of unit vectors is 2 + 2 · this (Grill et al. 2020, equation 2).
    """
    return -F.cosine_similarity(predicted, target, dim=1).mean()


def cross_correlation(first: Embedding, second: Embedding) -> Square:
    """Correlation over the batch of each feature of one view with each of the other.

    C_ij = Σ_b a_bi b_bj / (√Σ_b a_bi² √Σ_b b_bj²), means taken off before (Zbontar et al. 2021,
    equation 2). A feature that is the same in all series correlates with nothing: 0.
    """
    a, b = (F.normalize(z - z.mean(dim=0), dim=0, eps=_FLAT) for z in (first, second))
    return a.T @ b


def on_diagonal(correlation: Square) -> Float[Tensor, ""]:
    """Σ_i (1 − C_ii)²: each feature agrees with itself (Zbontar et al. 2021, equation 1)."""
    return (1 - correlation.diagonal()).square().sum()


def off_diagonal(matrix: Square) -> Float[Tensor, ""]:
    """Σ_i Σ_{j≠i} C_ij²: features say different things (Zbontar et al. 2021, equation 1)."""
    same = torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)
    return matrix.masked_fill(same, 0.0).square().sum()


def invariance(first: Embedding, second: Embedding) -> Float[Tensor, ""]:
    """Mean squared difference of two views, over series and features.

    Bardes et al. 2022, algorithm 1. Their equation 5 sums over the features instead; the weights
    25, 25 and 1 belong to the mean.
    """
    return (first - second).square().mean()


def variance(z: Embedding, wanted: float = 1.0) -> Float[Tensor, ""]:
    """How much features spread less than wanted, mean over them (Bardes et al. 2022, equation 1).

    1/D Σ_j max(0, γ − √(Var(z_j) + ε)), Var with B − 1.

    Args:
        z: (B,D) one view of at least two series.
        wanted: γ, the deviation from which on nothing is asked for.
    """
    return F.relu(wanted - (z.var(dim=0) + _EPSILON).sqrt()).mean()


def covariance(z: Embedding) -> Float[Tensor, ""]:
    """1/D Σ_{i≠j} Cov_ij², Cov with B − 1 (Bardes et al. 2022, equations 3 and 4)."""
    centred = z - z.mean(dim=0)
    return off_diagonal(centred.T @ centred / (len(z) - 1)) / z.shape[1]


def distillation(student: Embedding, teacher: Embedding) -> Float[Tensor, ""]:
    """Cross entropy −Σ_k p_k log softmax(s)_k, mean over the batch (Caron et al. 2021, equation 1).

    Args:
        student: (B,K) logits, already divided by their temperature.
        teacher: (B,K) chances p that sum to 1.
    """
    return -(teacher * student.log_softmax(dim=1)).sum(dim=1).mean()


def sharpened(logits: Embedding, centre: Float[Tensor, "D"], temperature: float) -> Embedding:
    """softmax((z − c) / τ): what a teacher says (Caron et al. 2021, section 3.1).

    The centre keeps one output from winning for all series, the low temperature keeps all from
    being equal.
    """
    return ((logits - centre) / temperature).softmax(dim=1)
