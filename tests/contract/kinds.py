"""What the contract suite is told of each part: how to make a small one, what may be said of it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from material import drawn, same

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import ClosedForm, Objective

LENGTH = 64  # what the parts are prepared for; the laws feed them other lengths too


class EncoderCase(NamedTuple):
    """How to make an encoder, and what may be said of it.

    Attributes:
        make: (channels, seed) -> encoder, not yet prepared.
        random: whether the seed changes it.
        rounding: 0 where each series is encoded by itself; a matrix product over the batch may
            add up in an order that depends on the size of the batch.
        read: turns random walks into series that the encoder reads, such as symbols.
    """

    make: Callable[[int, int], Encoder]
    random: bool = True
    rounding: float = 0.0
    read: Callable[[Batch], Batch] = same

    def build(self, channels: int = 3, seed: int = 0) -> Encoder:
        """The encoder, prepared on random walks."""
        encoder = self.make(channels, seed)
        x, rng = sample(channels, seed=0)
        encoder.prepare(self.read(x), rng)
        return encoder


class ClosedFormCase(NamedTuple):
    """How to make an objective that is solved in closed form.

    Attributes:
        make: (channels, strength) -> objective, not yet prepared; strength 0 makes all copies
            of a series equal to it.
    """

    make: Callable[[int, float], ClosedForm]

    def build(self, channels: int = 3, seed: int = 0, strength: float = 0.5) -> ClosedForm:
        """The objective, prepared on random walks."""
        objective = self.make(channels, strength)
        objective.prepare(*sample(channels, seed))
        return objective


class GradientCase(NamedTuple):
    """How to make an objective that is learned by gradient.

    Attributes:
        make: (channels, seed) -> objective, not yet prepared.
        steady: whether nothing is drawn for each step, so that more padding draws the same.
        read: turns random walks into series that its encoder reads, such as symbols.
    """

    make: Callable[[int, int], Objective]
    steady: bool = True
    read: Callable[[Batch], Batch] = same

    def build(self, channels: int = 3, seed: int = 0) -> Objective:
        """The objective, prepared on random walks."""
        objective = self.make(channels, seed)
        x, rng = sample(channels, seed=0)
        objective.prepare(self.read(x), rng)
        return objective


def sample(channels: int, seed: int) -> tuple[Batch, torch.Generator]:
    """What a part is prepared with."""
    rng = torch.Generator().manual_seed(seed)
    return drawn(rng, channels=channels, lengths=(LENGTH,) * 12), rng
