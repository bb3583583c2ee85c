"""TS2Vec: every step of a series is told from other steps and other series, at all resolutions."""

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import max_over_time
from selftime.objectives.base import Objective, Recipe, Step, check_negatives
from selftime.objectives.distributed import distribute
from selftime.objectives.losses.contrast import hierarchical_contrast
from selftime.objectives.parts.heads import dropout
from selftime.objectives.parts.soft import Soft, soft_hierarchical_contrast
from selftime.shapes import Lengths, Tokens
from selftime.views.masks import Mask, RandomMask, hidden
from selftime.views.pairs import OverlappingCrops


class TS2Vec(Objective):
    """Contextual consistency (Yue et al. 2022): the same step in two contexts is a positive pair.

    A context is a crop with some steps hidden. Settings are the authors' (their appendix B).

    Attributes:
        encoder: what is learned; it must give one token a step.
        crops: cuts two overlapping crops from each series.
        mask: hides steps of each crop; they enter the encoder as 0.
        dropout: share of the numbers of each token that are set to 0.
        soft: how much other series and other steps count as positives; None is not at all.

    Raises:
        ValueError: an encoder of whole series, or a dropout that leaves nothing.
    """

    family = "contrastive"
    suits = "one vector a step is wanted as well: detection, forecasting, long recordings"
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
                f"ts2vec needs an encoder with one token a step, got {type(encoder).__name__}: "
                "use encoder='dilated'"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"got dropout={dropout}, wanted a share from 0 to below 1: 0.1 is a tenth"
            )
        self.encoder = encoder
        self.crops = crops
        self.mask = mask
        self.dropout = dropout
        self.soft = soft

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Crop, hide, encode, contrast the steps that both crops hold."""
        check_negatives(batch)
        crops = self.crops(batch, rng)
        first = self.tokens(crops.first, crops.start, crops.shared, rng)  # (B,S,D)
        second = self.tokens(crops.second, crops.start * 0, crops.shared, rng)  # (B,S,D)
        if self.soft is None:
            parts = hierarchical_contrast(first, second, crops.valid)
        else:
            similarity, decay = self.soft.between_series(batch), self.soft.decay
            parts = soft_hierarchical_contrast(first, second, similarity, decay, crops.valid)
        loss = parts["instance"] + parts["temporal"]
        detached = {name: part.detach() for name, part in parts.items()}
        return Step(loss, detached, max_over_time(first.detach(), crops.shared))

    def tokens(
        self, crop: Batch, start: Int[Tensor, "B"], steps: Lengths, rng: Generator
    ) -> Tokens:
        """Tokens (B,S,D) of ``steps`` steps of a crop from ``start`` on, some of it hidden."""
        x = hidden(crop, self.mask(crop, rng))
        first, most = int(start[0]), int(steps.max())
        if bool((start == first).all() and (steps == most).all()):
            z = distribute(lambda part: self.encoder.span(part, first, first + most), x)
        else:
            index = (start[:, None] + torch.arange(most, device=start.device))[:, :, None]
            z = distribute(self.encoder, x)
            z = z.gather(1, index.clamp(max=z.shape[1] - 1).expand(-1, -1, z.shape[2]))
        return dropout(z, self.dropout, rng)
