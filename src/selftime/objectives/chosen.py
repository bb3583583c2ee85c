"""Chosen patches: those of each series that are hidden and have to be predicted."""

import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.views.draws import uniform


def trimmed(x: Batch) -> Batch:
    """Without the padding that all series share: what is drawn next cannot depend on it."""
    T = int(x.lengths.max().clamp(min=1))
    return Batch(x.values[:, :, :T], x.observed[:, :, :T])


def draw_patches(free: Bool[Tensor, "B P"], share: float, rng: Generator) -> Bool[Tensor, "B P"]:
    """round(share · count) of the patches of each series, at least one, and of several not all.

    As in random masking by sorting noise (He et al. 2022, *Masked autoencoders are scalable vision
    learners*, section 3); of one patch, that one.

    Args:
        free: (B,P) patches that may be chosen.
        share: of them, 0 to 1; halves are rounded to even.
        rng: draws which.
    """
    counts = free.sum(dim=1)  # (B,)
    wanted = (share * counts.double()).round().clamp(min=1)
    wanted = wanted.minimum((counts - 1).clamp(min=1))
    noise = uniform(*free.shape, rng=rng, like=free).masked_fill(~free, torch.inf)
    place = noise.argsort(dim=1, stable=True).argsort(dim=1)  # (B,P) in the order of noise
    return free & (place < wanted[:, None])


def patch_steps(patches: Bool[Tensor, "B P"], size: int, T: int) -> Bool[Tensor, "B {T}"]:
    """The first ``T`` steps (B,T), each True where its patch of ``size`` steps is."""
    return patches.repeat_interleave(size, dim=1)[:, :T]
