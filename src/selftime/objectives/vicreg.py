"""VICReg: views agree, features vary over the batch and are uncorrelated; one term for each."""

from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_several
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import off_diagonal
from selftime.objectives.parts.heads import normed_projector
from selftime.shapes import Embedding
from selftime.views.pairs import Independent, Pair


class Weights(NamedTuple):
    """Factors of the three terms, as Bardes et al. 2022, section 4.2, has them: λ, μ and ν."""

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
        self.encoder, self.pair, self.width = encoder, pair, width
        self.weights, self.seed = weights, seed
        self.project = normed_projector([encoder.dim, width, width, width], seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, encode, project, the three terms; equation 6."""
        check_several(batch, "features have a variance over the batch")
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


def invariance(first: Embedding, second: Embedding) -> Float[Tensor, ""]:
    """Mean squared difference of two views, over series and features."""
    # Bardes et al. 2022, algorithm 1; equation 5 sums over features, but 25, 25, 1 fit the mean.
    return (first - second).square().mean()


def variance(z: Embedding, std: float = 1.0) -> Float[Tensor, ""]:
    """Hinge on the std of features, mean over them (Bardes et al. 2022, equation 1)."""
    # 1/D Σ_j max(0, γ − √(Var(z_j) + ε)), γ = ``std``, ε = 10⁻⁴ (section 4.1), Var with B − 1.
    return F.relu(std - (z.var(dim=0) + 1e-4).sqrt()).mean()


def covariance(z: Embedding) -> Float[Tensor, ""]:
    """1/D Σ_{i≠j} Cov_ij², Cov with B − 1 (Bardes et al. 2022, equations 3 and 4)."""
    centred = z - z.mean(dim=0)
    return off_diagonal(centred.T @ centred / (len(z) - 1)) / z.shape[1]
