"""Which weights of a pretrained encoder a strategy trains, and how fast."""

from copy import copy, deepcopy

from torch import Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.projected import Projected, Standardised, UnitLength
from selftime.shapes import Tokens

DECAY = 0.8
"""Each block learns so many times as fast as the one above it (ULMFiT's discriminative rates,
Howard & Ruder 2018, section 3.2; layer-wise decay of BEiT, Bao et al. 2022, appendix)."""


def unfrozen(encoder: Encoder) -> Encoder:
    """A copy in which everything that was learned can be trained, learned linear maps too."""
    own = deepcopy(encoder)
    for part in own.modules():
        if isinstance(part, Projected):
            weight: Tensor = part.weight
            del part.weight
            part.weight = nn.Parameter(weight)
    return own.requires_grad_(True)


def freeze(encoder: Encoder) -> Encoder:
    """The encoder itself, its linear maps fixed again, so that it is saved as ever."""
    for part in encoder.modules():
        if isinstance(part, Projected):
            weight: Tensor = part.weight.detach()
            del part.weight
            part.register_buffer("weight", weight)
    return encoder.eval()


def train_last(encoder: Encoder, count: int) -> Encoder:
    """The encoder itself, with only its last blocks left to be trained.

    Raises:
        ValueError: a count below 1.
    """
    if count < 1:
        raise ValueError(f"got {count} blocks to train, wanted at least 1: or choose 'probe'")
    for block in encoder.blocks()[:-count]:
        for weight in block.parameters():
            weight.requires_grad_(False)
    return encoder


def decayed(encoder: Encoder, rate: float) -> dict[str, float]:
    """For each weight, by its name behind ``encoder.``, the factor of its rate.

    The last block has ``rate``, each one before it :data:`DECAY` times as much.
    """
    names = {id(weight): f"encoder.{name}" for name, weight in encoder.named_parameters()}
    return {
        names[id(weight)]: rate * DECAY**place
        for place, block in enumerate(reversed(encoder.blocks()))
        for weight in block.parameters()
    }


class Stored(Encoder):
    """Vectors that were made before and come as series of one step, a number a channel.

    Stands for a part of an encoder that is not trained, so that it runs once and not every step.

    Attributes:
        start: the first of the channels that it gives.
        dim: how many.
    """

    def __init__(self, *, start: int, dim: int) -> None:
        super().__init__()
        self.start, self.dim = start, dim

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D)."""
        return x.values[:, None, self.start : self.start + self.dim, 0]


def cache_frozen(encoder: Encoder) -> tuple[Encoder, list[Encoder]]:
    """The encoder with :class:`Stored` for what is not trained, and the parts these stand for.

    What is trained is the same weights as in the encoder that was given.

    Raises:
        ValueError: a network is trained, which has to see the series themselves.
    """
    still: list[Encoder] = []
    return _cache_frozen(encoder, still), still


def is_linear(encoder: Encoder) -> bool:
    """Whether nothing but linear maps of vectors is trained."""
    maps = {id(part.weight) for part in encoder.modules() if isinstance(part, Projected)}
    return all(id(w) in maps for w in encoder.parameters() if w.requires_grad)


def _cache_frozen(encoder: Encoder, still: list[Encoder]) -> Encoder:
    if not any(weight.requires_grad for weight in encoder.parameters()):
        stored = Stored(start=sum(part.dim for part in still), dim=encoder.dim)
        still.append(encoder)
        return stored
    if isinstance(encoder, Joined):
        parts = [_cache_frozen(part, still) for part in encoder.encoders]
        return Joined(encoders=parts, weights=encoder.weights)
    if isinstance(encoder, Projected | Standardised | UnitLength):
        own = copy(encoder)
        own._modules = dict(encoder._modules)
        own.encoder = _cache_frozen(encoder.encoder, still)
        return own
    raise ValueError(f"got {type(encoder).__name__}, which is trained on series: it stays whole")
