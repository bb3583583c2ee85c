"""CPC: from its past alone, the future of a series is found among the futures of others."""

from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_negatives
from selftime.objectives.distributed import distribute
from selftime.objectives.losses.contrast import info_nce
from selftime.objectives.patches.future import Ahead, Predictor


class CPC(Objective):
    """Contrastive predictive coding (van den Oord et al. 2018, section 2).

    Series are cut at a random place. The context is the embedding of what comes before, the
    latents are embeddings of the segments that follow, each encoded by itself, so that any encoder
    will do, also one that looks ahead. The paper has an encoder of short windows and a recurrent
    net over them instead; here a single encoder does both, and is what is kept.

    Attributes:
        encoder: what is learned.
        ahead: cuts series into a past and the segments that are predicted.
        seed: draws the weights of the predictions.
    """

    family = "contrastive"
    suits = "what comes next depends on what the series is: speech, machines, activity"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        ahead: Ahead = Ahead(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.ahead = ahead
        self.seed = seed
        self.predict = Predictor(encoder.dim, encoder.dim, ahead.segments, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Cut, encode past and future apart, predict, contrast."""
        check_negatives(batch)
        cut = self.ahead(batch, rng)
        context = distribute(self.encoder.embed, cut.before(batch))  # (B,D)
        future = cut.after(batch)
        latents = distribute(self.encoder.embed, future)  # (B*K,D)
        latents = latents.view(len(context), self.ahead.segments, -1)
        loss = info_nce(self.predict(context), latents, cut.valid(future))
        return Step(loss, {}, context.detach())
