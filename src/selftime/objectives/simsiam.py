"""SimSiam: each view predicts the other, whose gradient is stopped."""

from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_several
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import negative_cosine
from selftime.objectives.parts.heads import normed_projector
from selftime.views.pairs import Independent, Pair


class SimSiam(Objective):
    """Simple siamese learning (Chen & He 2021, algorithm 1).

    The paper's widths of 2048 and 512 are those of its ResNet; here 256 and 64, in the same
    proportion, stand beside vectors of 128 to 320.

    Attributes:
        encoder: what is learned.
        pair: makes the two views.
        width: of the projections; the prediction passes through a quarter of it.
        seed: draws the weights of projection and prediction.

    Raises:
        ValueError: a width below 4.
    """

    family = "without negatives"
    suits = "as byol, with half the encoding: no teacher; watch for collapse"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        pair: Pair = Independent(),  # noqa: B008
        width: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if width < 4:
            raise ValueError(f"got width={width}, wanted at least 4: use width=256")
        self.encoder, self.pair, self.width, self.seed = encoder, pair, width, seed
        widths = [encoder.dim, width, width, width]  # section 4.4: three layers, then two
        self.project = normed_projector(widths, seed=seed, last=True)
        self.predict = normed_projector([width, width // 4, width], seed=seed + 1)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, encode, project, predict the other projection; equations 2 to 4."""
        check_several(batch, "projections are normalised over the batch")
        first, second = (distribute(self.encoder.embed, view) for view in self.pair(batch, rng))
        a, b = self.project(first), self.project(second)
        forward = negative_cosine(self.predict(a), b.detach())
        backward = negative_cosine(self.predict(b), a.detach())
        return Step((forward + backward) / 2, {}, first.detach())
