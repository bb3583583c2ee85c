"""Soft contrast: others count as positives as far as they are similar in the data (SoftCLT)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from selftime.data.batch import Batch
from selftime.objectives.losses import Pairs
from selftime.settings import check_count, check_share, check_strength


@dataclass(frozen=True, kw_only=True)
class Soft:
    """Soft assignments (SoftCLT, Lee et al. 2024, section 3), a part of contrastive methods.

    A series close to another in the data counts as a positive in part: ``most`` (α, 0 to 1) where
    they are equal, less with their distance by the ``sharpness`` (τ_I). So does a step close to
    another in time, by the ``decay`` (τ_T). The distance of two series is Euclidean, after both are
    brought to ``steps`` steps; dynamic time warping is slightly better in the paper and far dearer.
    """

    most: float = 0.5  # section 4
    sharpness: float = 10.0  # of those tried in the paper: 1 to 20
    decay: float = 2.0  # of those tried in the paper: 0.5 to 2.5
    steps: int = 64

    def __post_init__(self) -> None:
        check_share("most", self.most)
        check_strength("sharpness", self.sharpness)
        check_strength("decay", self.decay)
        check_count("steps", self.steps, 1)

    def between_series(self, x: Batch) -> Float[Tensor, "B B"]:
        """Return 2 α σ(−τ_I D), D the distance divided by the largest of the batch (equation 2)."""
        # Each is at distance 0 from itself, so this is the paper's min-max normalisation.
        far = pairwise_distances(resample_evenly(x, self.steps))
        far = far / far.max().clamp(min=torch.finfo(far.dtype).tiny)
        similarity = 2 * self.most * torch.sigmoid(-self.sharpness * far)
        return similarity.fill_diagonal_(1.0)


def resample_evenly(x: Batch, steps: int) -> Float[Tensor, "B C {steps}"]:
    """Read series at ``steps`` even times from their first to their last step, gaps bridged."""
    last = (x.lengths - 1).clamp(min=0)[:, None]  # (B,1)
    places = torch.linspace(0, 1, steps, device=last.device) * last  # (B,steps)
    left = places.long().minimum(last)
    source, shape = x.filled(), (-1, x.values.shape[1], -1)
    a = source.gather(2, left[:, None].expand(shape))
    b = source.gather(2, (left + 1).minimum(last)[:, None].expand(shape))
    return torch.lerp(a, b, (places - left)[:, None].to(a.dtype))


def pairwise_distances(values: Float[Tensor, "B C T"]) -> Float[Tensor, "B B"]:
    """Return Euclidean distances between all pairs, over all channels and steps."""
    flat = values.flatten(1)
    return torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")


Similarity = Float[Tensor, "n n"]
"""Soft assignments of n things to one another, 0 to 1; 1 of each to itself."""


def step_similarity(T: int, decay: float) -> Similarity:
    """2 σ(−τ |t − t'|) for all pairs of T steps (Lee et al. 2024, equation 5)."""
    steps = torch.arange(T, dtype=torch.float64)
    return 2 * torch.sigmoid(-decay * (steps[:, None] - steps).abs())


def soft_contrast(
    similarity: Similarity, z: Pairs, valid: Bool[Tensor, "G M"] | None = None
) -> Float[Tensor, "G M"]:
    """Cross entropy of finding the positive, and all others in proportion to their similarity.

    lossᵢ = −Σ_{j ≠ i} w_ij log p_ij, p_ij = exp(zᵢ·zⱼ) / Σ_{s ≠ i} exp(zᵢ·z_s), w = 1 for the
    positive (Lee et al. 2024, equations 3, 4, 6, 7). Views and groups share the (n,n) similarity.
    """
    M = z.shape[1]
    itself = torch.eye(M, dtype=torch.bool, device=z.device)
    weights = similarity.repeat(2, 2).masked_fill(itself, 0.0)[None]  # (1,M,M)
    logits = torch.bmm(z, z.transpose(1, 2))  # (G,M,M)
    absent = itself[None]
    if valid is not None:
        absent = absent | ~valid[:, None]
        weights = weights * valid[:, None]
    total = logits.masked_fill(absent, torch.finfo(z.dtype).min).logsumexp(dim=2)  # (G,M)
    loss = weights.sum(dim=2) * total - (weights * logits).sum(dim=2)
    return loss if valid is None else loss.where(valid, 0.0)
