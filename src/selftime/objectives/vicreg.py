"""VICReg: views agree, features spread, features differ; three terms, one for each."""

from typing import NamedTuple

from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_several
from selftime.objectives.distributed import distribute
from selftime.objectives.losses.agreement import covariance, invariance, variance
from selftime.objectives.parts.heads import normed_projector
from selftime.views.pairs import Independent, Pair


class Weights(NamedTuple):
    """Factors of the three terms, as Bardes et al. 2022, section 4.2, has them.

    Attributes:
        invariance: λ, of the distance between the views.
        variance: μ, of what features lack in spread.
        covariance: ν, of what features have in common.
    """

    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0


class VICReg(Objective):
    """Variance, invariance and covariance (Bardes et al. 2022, section 4.1 and algorithm 1).

    Projections are wider than the encoder's vectors, as in the paper, which has 8192 beside 2048;
    here 512 stand beside 128 to 320.

    Attributes:
        encoder: what is learned.
        pair: makes the two views.
        width: of the projections and the layers within.
        weights: of the three terms.
        seed: draws the weights of the projection.

    Raises:
        ValueError: a negative weight.
    """

    family = "without negatives"
    suits = "a loss whose terms say what goes wrong; no teacher, no negatives"
    recipe = Recipe(batch_size=64, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        pair: Pair = Independent(),  # noqa: B008
        width: int = 512,
        weights: Weights = Weights(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not min(weights) >= 0:
            raise ValueError(f"got {weights}, wanted each 0 or more: use 25, 25 and 1")
        self.encoder = encoder
        self.pair = pair
        self.width = width
        self.weights = weights
        self.seed = seed
        self.project = normed_projector([encoder.dim, width, width, width], seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, encode, project, the three terms; equation 6."""
        check_several(batch, "features spread over the batch")
        first, second = (distribute(self.encoder.embed, view) for view in self.pair(batch, rng))
        a, b = self.project(first), self.project(second)
        parts = {
            "invariance": self.weights.invariance * invariance(a, b),
            "variance": self.weights.variance * (variance(a) + variance(b)),
            "covariance": self.weights.covariance * (covariance(a) + covariance(b)),
        }
        loss = parts["invariance"] + parts["variance"] + parts["covariance"]
        detached = {name: part.detach() for name, part in parts.items()}
        return Step(loss, detached, first.detach())
