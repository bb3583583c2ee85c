"""Forecast: the next values of a series are predicted from the embedding of its past."""

import torch.nn.functional as F
from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import PatchHead
from selftime.objectives.patches import Patches
from selftime.settings import check_count
from selftime.shapes import Lengths
from selftime.views.draws import uniform
from selftime.views.pairs import crop, integers_between


class Forecast(Objective):
    """Forecasting as a task to learn by, all steps at once (Ben Taieb et al. 2012, MIMO).

    Every series is cut at a random moment. Its past alone is encoded, by any encoder, and a linear
    map of its vector predicts the values that follow, all at once.

    Attributes:
        encoder: what is learned.
        horizon: steps that are predicted, as far as the series has them.
        least: smallest share of a series that is past, 0 to below 1.
        seed: draws the weights of the linear map.

    Raises:
        ValueError: no step to predict, or a share that leaves none.
    """

    family = "pretext"
    suits = "series whose past says what comes: loads, traffic, machines; any encoder"
    signals = ("series", "text", "sound", "wave", "film")
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4)

    def __init__(
        self, *, encoder: Encoder, horizon: int = 16, least: float = 0.25, seed: int = 0
    ) -> None:
        super().__init__()
        check_count("horizon", horizon, 1)
        if not 0 <= least < 1:
            raise ValueError(
                f"got least={least}, wanted a share from 0 to below 1: 0.25 cuts off three "
                "quarters at most"
            )
        self.encoder, self.horizon, self.least, self.seed = encoder, horizon, least, seed
        self.head = PatchHead(encoder, horizon, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Cut, encode the past, predict what follows."""
        now = self.moments(batch, rng)
        z = distribute(self.encoder.embed, crop(batch, now * 0, now))  # (B,D)
        future = future_steps(batch, now, self.horizon)
        wanted = Patches(*(part[:, None] for part in future))  # (B,1,C,L)
        return Step(self.head.loss(z[:, None], wanted), {}, z.detach())

    def moments(self, x: Batch, rng: Generator) -> Lengths:
        """Draw past steps (B,), so few that the horizon follows, else ``least`` of the series."""
        lengths = x.lengths.clamp(min=1)
        fewest = (self.least * lengths.double()).long().clamp(min=1)
        most = (lengths - self.horizon).maximum(fewest)
        return integers_between(uniform(len(lengths), rng=rng, like=x.values), fewest, most)


def future_steps(x: Batch, now: Lengths, steps: int) -> Batch:
    """Return the ``steps`` steps of each series from ``now`` on; unobserved beyond the end."""
    longer = Batch(*(F.pad(part, (0, steps)) for part in x))
    return crop(longer, now, now * 0 + steps)
