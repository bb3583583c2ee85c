"""Branch: an encoder with its projection, and how fast a teacher of both follows."""

import math

from jaxtyping import Float
from torch import Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.ranks import shared


class Branch(nn.Module):
    """Series to projections; what a teacher is a copy of.

    Attributes:
        encoder: series to vectors.
        project: vectors to projections.
    """

    def __init__(self, encoder: Encoder, project: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.project = project

    def forward(self, x: Batch) -> Float[Tensor, "B K"]:
        """One projection a series; processes share the encoding."""
        out: Tensor = self.project(shared(self.encoder.embed, x))
        return out


def rising(base: float, progress: float) -> float:
    """Momentum that rises from ``base`` to 1 along half a cosine (Grill et al. 2020, section 3.3).

    τ = 1 − (1 − τ_base) · (cos(π · progress) + 1) / 2.

    Args:
        base: at the beginning of the run.
        progress: 0 to 1.
    """
    return 1 - (1 - base) * (math.cos(math.pi * progress) + 1) / 2


def check_momentum(momentum: float) -> None:
    """A teacher follows by a share.

    Raises:
        ValueError: a momentum outside 0 to 1.
    """
    if not 0 <= momentum <= 1:
        raise ValueError(
            f"got momentum={momentum}, wanted 0 to 1: 0.99 follows by a hundredth a step"
        )


def check_temperature(temperature: float) -> None:
    """What similarities are divided by is positive.

    Raises:
        ValueError: it is not.
    """
    if not temperature > 0:
        raise ValueError(f"got temperature={temperature}, wanted more than 0: use 0.2")
