"""TS2Vec: every step is contrasted with other steps and other series, at all resolutions."""

from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.door import option
from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import max_over_time
from selftime.objectives.base import Objective, Recipe, Step, check_negatives
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import (
    GroupLoss,
    Valid,
    between_series,
    between_steps,
    contrast,
    resolutions,
)
from selftime.objectives.parts.heads import dropout
from selftime.objectives.parts.soft import Similarity, Soft, soft_contrast, step_similarity
from selftime.shapes import Lengths, Tokens
from selftime.views.masks import Mask, RandomMask, hidden
from selftime.views.pairs import OverlappingCrops


class TS2Vec(Objective):
    """Contextual consistency (Yue et al. 2022): the same step in two contexts is a positive pair.

    A context is a crop with some steps hidden. Settings are the authors' (their appendix B).

    Attributes:
        encoder: what is learned; it must give one token per step.
        crops: cuts two overlapping crops from each series.
        mask: hides steps of each crop; they enter the encoder as 0.
        dropout: share of the numbers of each token that are set to 0.
        soft: weights of other series and other steps as positives; None is 0.

    Raises:
        ValueError: an encoder of whole series, or a dropout that leaves nothing.
    """

    family = "contrastive"
    suits = "one vector per step is wanted as well: detection, forecasting, long recordings"
    signals = ("series", "text", "sound", "film")
    """No waveforms, of which a single sample says nothing; no pictures, which have no time."""
    recipe = Recipe(batch_size=8, warmup=0.0, cosine=False, averaging="mean")

    def __init__(
        self,
        *,
        encoder: Encoder,
        crops: OverlappingCrops = OverlappingCrops(),  # noqa: B008
        mask: Mask = RandomMask(share=0.5),  # noqa: B008
        dropout: float = 0.1,
        soft: Soft | None = None,
    ) -> None:
        super().__init__()
        if not encoder.is_stepwise:
            raise ValueError(
                f"ts2vec needs an encoder with one token per step, got {type(encoder).__name__}: "
                f"use {option('encoder', 'dilated')}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"got dropout={dropout}, wanted a share from 0 to below 1: 0.1 is a tenth"
            )
        self.encoder, self.crops, self.mask = encoder, crops, mask
        self.dropout, self.soft = dropout, soft

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Crop, hide, encode, contrast the steps that both crops hold."""
        check_negatives(batch)
        crops = self.crops(batch, rng)
        first = self.tokens(crops.first, crops.start, crops.shared, rng)  # (B,S,D)
        second = self.tokens(crops.second, crops.start * 0, crops.shared, rng)  # (B,S,D)
        similarity = None if self.soft is None else self.soft.between_series(batch)
        decay = 0.0 if self.soft is None else self.soft.decay
        parts = hierarchical_contrast(first, second, crops.valid, similarity, decay)
        loss = parts["instance"] + parts["temporal"]
        detached = {name: part.detach() for name, part in parts.items()}
        return Step(loss, detached, max_over_time(first.detach(), crops.shared))

    def tokens(
        self, crop: Batch, start: Int[Tensor, "B"], steps: Lengths, rng: Generator
    ) -> Tokens:
        """Return tokens (B,S,D) of ``steps`` steps of a crop from ``start`` on, some hidden."""
        x = hidden(crop, self.mask(crop, rng))
        first, most = int(start[0]), int(steps.max())
        if bool((start == first).all() and (steps == most).all()):
            z = distribute(lambda part: self.encoder.span(part, first, first + most), x)
        else:
            index = (start[:, None] + torch.arange(most, device=start.device))[:, :, None]
            z = distribute(self.encoder, x)
            z = z.gather(1, index.clamp(max=z.shape[1] - 1).expand(-1, -1, z.shape[2]))
        return dropout(z, self.dropout, rng)


def hierarchical_contrast(
    first: Tokens,
    second: Tokens,
    valid: Valid | None = None,
    similarity: Similarity | None = None,
    decay: float = 0.0,
) -> dict[str, Float[Tensor, ""]]:
    """Contrast series and steps, at every resolution (Yue et al. 2022, section 3.3).

    Equations 1 to 3: half of the contrast with other series (``instance``) and of that with other
    steps (``temporal``), mean over resolutions, summed. Valid steps come first; the others are no
    negatives. With a ``similarity`` both are soft (Lee et al. 2024, equations 3 to 7): at depth k,
    where a token stands for 2^k steps, that of steps is 2 σ(−2^k τ |t − t'|), τ the ``decay``.
    """
    instance = temporal = first.new_zeros(())
    series_loss: GroupLoss = contrast
    step_loss: GroupLoss = contrast
    levels = 0
    for one, other, within in resolutions(first, second, valid):
        T = one.shape[1]
        if similarity is not None:
            series_loss = partial(soft_contrast, similarity)
            step_loss = partial(soft_contrast, step_similarity(T, 2**levels * decay).to(one))
        instance = instance + between_series(one, other, within, series_loss)
        if T > 1:
            temporal = temporal + between_steps(one, other, within, step_loss)
        levels += 1
    return {"instance": instance / (2 * levels), "temporal": temporal / (2 * levels)}
