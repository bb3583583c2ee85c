"""SimCLR: two views of a series are a positive pair, all other series are negatives."""

from functools import partial

from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_negatives
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import GroupLoss, contrast, nt_xent
from selftime.objectives.parts.heads import projector
from selftime.objectives.parts.soft import Soft, soft_contrast
from selftime.settings import check_positive
from selftime.views.pairs import Independent, Pair


class SimCLR(Objective):
    """Contrast of whole series (Chen et al. 2020, algorithm 1).

    Attributes:
        encoder: what is learned.
        pair: makes the two views.
        temperature: divides the cosine similarities.
        width: of the projections, on which the loss is computed.
        seed: draws the weights of the projection.
        soft: weights of other series as positives; None is 0.

    Raises:
        ValueError: a temperature that is not positive.
    """

    family = "contrastive"
    suits = "series that stay themselves under mild views; a strong first choice by gradient"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        pair: Pair = Independent(),  # noqa: B008
        temperature: float = 0.2,  # Eldele et al. 2021, section 4.2
        width: int = 128,  # Chen et al. 2020, section 2.1
        seed: int = 0,
        soft: Soft | None = None,
    ) -> None:
        super().__init__()
        check_positive("temperature", temperature, 0.2)
        self.encoder, self.pair, self.temperature = encoder, pair, temperature
        self.width, self.seed, self.soft = width, seed, soft
        self.project = projector(encoder.dim, encoder.dim, width, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, encode, project, contrast."""
        check_negatives(batch)
        first, second = (distribute(self.encoder.embed, view) for view in self.pair(batch, rng))
        z, y = self.project(first), self.project(second)
        loss: GroupLoss = contrast
        if self.soft is not None:
            loss = partial(soft_contrast, self.soft.between_series(batch))
        return Step(nt_xent(z, y, self.temperature, loss), {}, first.detach())
