"""BYOL: a network predicts the projection that its teacher makes of the other view."""

import torch
from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_several
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import negative_cosine
from selftime.objectives.parts.heads import normed_projector
from selftime.objectives.parts.teacher import Branch, Teacher
from selftime.views.pairs import Independent, Pair


class BYOL(Objective):
    """Bootstrap your own latent (Grill et al. 2020, section 3.1).

    Runs here take hundreds of steps, not a million: the momentum begins at 0.99, where the paper
    has 0.996, and layers of 256, where it has 4096, are as wide as the encoder's vectors.

    Attributes:
        encoder: what is learned.
        pair: makes the two views.
        width: of projections, predictions and the layers within both.
        momentum: of the teacher at the beginning; it rises to 1.
        seed: draws the weights of projection and prediction.

    Raises:
        ValueError: a momentum outside 0 to 1.
    """

    family = "without negatives"
    suits = "small batches, and series so similar that contrasting them would mislead"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        pair: Pair = Independent(),  # noqa: B008
        width: int = 256,  # Grill et al. 2020, section 3.3: outputs
        momentum: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.encoder, self.pair, self.width = encoder, pair, width
        self.momentum, self.seed = momentum, seed
        self.project = normed_projector([encoder.dim, width, width], seed=seed)
        self.predict = normed_projector([width, width, width], seed=seed + 1)
        self.teacher = Teacher(Branch(encoder, self.project), momentum=momentum, schedule="cosine")

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare the encoder; the teacher begins as its copy."""
        super().prepare(sample, rng)
        self.teacher.copy(Branch(self.encoder, self.project))

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, encode, predict the teacher's projection of the other view; equation 2, twice."""
        check_several(batch, "projections are normalised over the batch")
        views = self.pair(batch, rng)
        first, second = (distribute(self.encoder.embed, view) for view in views)
        with torch.no_grad():
            targets = [self.teacher.module(view) for view in views]
        forward = negative_cosine(self.predict(self.project(first)), targets[1])
        backward = negative_cosine(self.predict(self.project(second)), targets[0])
        return Step((2 + 2 * forward) + (2 + 2 * backward), {}, first.detach())

    def after_step(self, progress: float) -> None:
        """The teacher follows, ever more slowly."""
        self.teacher.follow(Branch(self.encoder, self.project), progress)
