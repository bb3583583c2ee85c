"""Barlow Twins: features agree between two views and differ from one another."""

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


class BarlowTwins(Objective):
    """Redundancy reduction (Zbontar et al. 2021, algorithm 1).

    Projections are wider than the encoder's vectors, as in the paper (figure 4), which has 8192
    beside 2048; here 512 stand beside 128 to 320.

    Attributes:
        encoder: what is learned.
        pair: makes the two views.
        width: of the projections and the layers within.
        redundancy: λ, the weight of all pairs of different features.
        seed: draws the weights of the projection.

    Raises:
        ValueError: a negative redundancy.
    """

    family = "without negatives"
    suits = "features that are to be little correlated; no teacher, no negatives"
    recipe = Recipe(batch_size=64, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        pair: Pair = Independent(),  # noqa: B008
        width: int = 512,
        redundancy: float = 0.005,  # Zbontar et al. 2021, section 2.2
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not redundancy >= 0:
            raise ValueError(f"got redundancy={redundancy}, wanted 0 or more: use 0.005")
        self.encoder, self.pair, self.width = encoder, pair, width
        self.redundancy, self.seed = redundancy, seed
        self.project = normed_projector([encoder.dim, width, width, width], seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, encode, project, correlate; equation 1."""
        check_several(batch, "features are correlated over the batch")
        first, second = (distribute(self.encoder.embed, view) for view in self.pair(batch, rng))
        correlation = cross_correlation(self.project(first), self.project(second))  # (D,D)
        agreement = on_diagonal(correlation)
        redundancy = self.redundancy * off_diagonal(correlation)
        parts = {"agreement": agreement.detach(), "redundancy": redundancy.detach()}
        return Step(agreement + redundancy, parts, first.detach())


def cross_correlation(first: Embedding, second: Embedding) -> Float[Tensor, "D D"]:
    """C_ij = Σ_b a_bi b_bj / (√Σ_b a_bi² √Σ_b b_bj²), centred (Zbontar et al. 2021, equation 2)."""
    # A feature that is the same in all series correlates with nothing: 0.
    a, b = (F.normalize(z - z.mean(dim=0), dim=0, eps=1e-6) for z in (first, second))
    return a.T @ b


def on_diagonal(correlation: Float[Tensor, "D D"]) -> Float[Tensor, ""]:
    """Σ_i (1 − C_ii)²: each feature agrees with itself (Zbontar et al. 2021, equation 1)."""
    return (1 - correlation.diagonal()).square().sum()
