"""Learning from labels alone: what self-supervision has to be better than."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Step
from selftime.objectives.parts import linear, weights_from
from selftime.objectives.ranks import shared
from selftime.objectives.recipe import Recipe
from selftime.settings import described


class Supervised(nn.Module):
    """Cross entropy of a linear map of the vectors; trained by the same loop as objectives.

    Attributes:
        encoder: what is trained, from its first weights.
        classes: how many there are.
        seed: draws the weights of the linear map.
    """

    recipe = Recipe(batch_size=16, rate=1e-3, weight_decay=1e-4, warmup=0.0, cosine=False)

    def __init__(self, *, encoder: Encoder, classes: int, seed: int = 0) -> None:
        super().__init__()
        self.encoder = encoder
        self.classes = classes
        self.seed = seed
        self.head = linear(encoder.dim, classes, weights_from(seed))

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Set what depends on the data but is not learned, from a sample of series."""
        self.encoder.prepare(sample, rng)

    def __repr__(self) -> str:
        return described(self)

    def forward(self, batch: Batch, rng: Generator, targets: Int[Tensor, " B"]) -> Step:  # noqa: ARG002
        """Encode, map, compare with the class of each series."""
        vectors = shared(self.encoder.embed, batch)
        loss = F.cross_entropy(self.head(vectors), targets)
        return Step(loss, {}, vectors.detach())

    def scores(self, batch: Batch) -> Float[Tensor, "B K"]:
        """One score a class for each series."""
        scores: Tensor = self.head(self.encoder.embed(batch))
        return scores

    def after_step(self, progress: float) -> None:
        """Nothing moves."""
