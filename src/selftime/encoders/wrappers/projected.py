"""Maps of another encoder's vectors: standardised features, and a learned linear map."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.quantisation import quantise
from selftime.shapes import Embedding, Tokens

_LARGE = 2**16
"""Weights of a map from which 8 bits each are worth it, and rounding errors average out."""


_VALUES = 2**19
"""Values of series that are encoded at a time: networks make hundreds of numbers of each."""
_STILL = 1e-30
"""Standard deviations up to this count as 0: their inverse would leave 32 bits."""


class VectorMap(nn.Module):
    """All that encoders share which map the vectors of another encoder."""

    encoder: Encoder

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D)."""
        return self.after(self.encoder.embed(x))[:, None]

    @abstractmethod
    def after(self, vectors: Float[Tensor, "*B F"]) -> Float[Tensor, "*B D"]:
        """Map the vectors of the encoder."""

    def blocks(self) -> list[nn.Module]:
        """Those of the encoder."""
        return self.encoder.blocks()


class Standardised(VectorMap, Encoder):
    """Each feature to mean 0 and standard deviation 1 over the sample it was prepared with.

    The whole is divided by √D, so that vectors of any encoder have mean squared length 1 and
    several encoders can be joined without the one with most features outweighing the others.
    Near-constant features are not blown up: no standard deviation counts as less than a tenth of
    the median one.

    Attributes:
        encoder: makes the features.
        mean: (D,) buffer.
        scale: (D,) buffer, the factors of the centred features.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, *, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim = encoder.dim
        self.register_buffer("mean", torch.zeros(self.dim))
        self.register_buffer("scale", torch.full((self.dim,), self.dim**-0.5))

    def after(self, vectors: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """The vectors of the encoder, standardised."""
        return (vectors - self.mean) * self.scale

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Prepare the encoder and measure its features on the sample."""
        self.encoder.prepare(x, rng)
        self.mean, self.scale = standardisation(embed_in_parts(self.encoder, x))


def embed_in_parts(encoder: Encoder, x: Batch) -> Embedding:
    """Return the vectors (B,D) of many series, in parts whose features fit in memory."""
    size = max(_VALUES // x.values[0].numel(), 1)
    parts = zip(torch.split(x.values, size), torch.split(x.observed, size), strict=True)
    return torch.cat([encoder.embed(Batch(*part)) for part in parts])


def standardisation(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (D,) and the factor (D,) that brings features (B,D) to mean squared length 1."""
    deviation = features.std(dim=0, correction=0)
    moving = deviation[deviation > _STILL]
    floor = 0.1 * moving.median() if len(moving) else torch.ones(())
    return features.mean(dim=0), features.shape[1] ** -0.5 / deviation.clamp(min=floor)


class Projected(VectorMap, Encoder):
    """A linear map of another encoder's vectors, learned by the closed-form objectives.

    Attributes:
        encoder: makes the features (B,F).
        dim: D, length of the vectors.
        centre: (F,) buffer, subtracted from the features.
        weight: (F,D) buffer.
    """

    centre: Tensor
    weight: Tensor

    def __init__(self, *, encoder: Encoder, dim: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim = dim
        self.register_buffer("centre", torch.zeros(encoder.dim))
        self.register_buffer("weight", torch.zeros(encoder.dim, dim))

    @classmethod
    def of(
        cls, encoder: Encoder, centre: Float[Tensor, "F"], weight: Float[Tensor, "F D"]
    ) -> "Projected":
        """Return the map; a large one quantised, so that it takes a quarter of the room."""
        made = cls(encoder=encoder, dim=weight.shape[1])
        made.centre = centre
        made.weight = quantise(weight) if weight.numel() > _LARGE else weight
        return made

    def after(self, vectors: Float[Tensor, "*B F"]) -> Float[Tensor, "*B D"]:
        """The vectors of the encoder, mapped."""
        return (vectors - self.centre) @ self.weight

    def blocks(self) -> list[nn.Module]:
        """Those of the encoder, then the map itself where it is to be trained."""
        own = [nn.ParameterList([self.weight])] if isinstance(self.weight, nn.Parameter) else []
        return [*self.encoder.blocks(), *own]


class UnitLength(VectorMap, Encoder):
    """Another encoder's vectors, scaled to length 1; a vector of zeros stays one.

    Attributes:
        encoder: makes the vectors.
    """

    def __init__(self, *, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim = encoder.dim

    def after(self, vectors: Float[Tensor, "*B D"]) -> Float[Tensor, "*B D"]:
        """The vectors of the encoder at length 1."""
        return F.normalize(vectors, dim=-1)

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Prepare the encoder."""
        self.encoder.prepare(x, rng)


def backbone(encoder: Encoder) -> Encoder:
    """The encoder without the maps that follow it: the network that was trained."""
    while isinstance(encoder, Projected | Standardised | UnitLength):
        encoder = encoder.encoder
    return encoder
