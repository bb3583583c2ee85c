"""A small instance of everything the contract suite runs on: a new part adds one line here."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from material import drawn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.registry import ENCODERS
from selftime.objectives import OBJECTIVES
from selftime.objectives.base import ClosedForm, Objective
from selftime.views.amplitude import magnitude_warp
from selftime.views.mild import Mild
from selftime.views.pairs import Independent

LENGTH = 64  # what the parts are prepared for; the laws feed them other lengths too


class EncoderCase(NamedTuple):
    """How to make an encoder, and what may be said of it.

    Attributes:
        make: (channels, seed) -> encoder, not yet prepared.
        random: whether the seed changes it.
        rounding: 0 where each series is encoded by itself; a matrix product over the batch may
            add up in an order that depends on the size of the batch.
    """

    make: Callable[[int, int], Encoder]
    random: bool = True
    rounding: float = 0.0

    def build(self, channels: int = 3, seed: int = 0) -> Encoder:
        """The encoder, prepared on random walks."""
        encoder = self.make(channels, seed)
        encoder.prepare(*sample(channels, seed=0))
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
    """

    make: Callable[[int, int], Objective]
    steady: bool = True

    def build(self, channels: int = 3, seed: int = 0) -> Objective:
        """The objective, prepared on random walks."""
        objective = self.make(channels, seed)
        objective.prepare(*sample(channels, seed=0))
        return objective


def sample(channels: int, seed: int) -> tuple[Batch, torch.Generator]:
    """What a part is prepared with."""
    rng = torch.Generator().manual_seed(seed)
    return drawn(rng, channels=channels, lengths=(LENGTH,) * 12), rng


def minirocket(channels: int, seed: int) -> Encoder:
    """The fewest features that still use several dilations."""
    return ENCODERS["MiniRocket"](channels=channels, length=LENGTH, features=336, seed=seed)


def hydra(channels: int, seed: int) -> Encoder:
    """Few kernels."""
    return ENCODERS["Hydra"](channels=channels, length=LENGTH, groups=4, kernels=4, seed=seed)


def quantiles(channels: int, seed: int) -> Encoder:
    """Few levels."""
    return ENCODERS["Quantiles"](channels=channels, length=LENGTH, depth=3)


def dilated(channels: int, seed: int) -> Encoder:
    """Few and narrow blocks."""
    return ENCODERS["Dilated"](channels=channels, hidden=8, depth=3, dim=16, seed=seed)


def joined(channels: int, seed: int) -> Encoder:
    """Two encoders side by side."""
    return ENCODERS["Joined"](encoders=[minirocket(channels, seed), quantiles(channels, seed)])


def standardised(channels: int, seed: int) -> Encoder:
    """Features with statistics of the sample."""
    return ENCODERS["Standardised"](encoder=minirocket(channels, seed))


def spectral(channels: int, strength: float, seed: int = 0) -> ClosedForm:
    """Few copies of few features."""
    view = Mild(strength=strength)
    return OBJECTIVES["spectral"](encoder=standardised(channels, seed), view=view, copies=4, dim=16)


def unit_length(channels: int, seed: int) -> Encoder:
    """What the spectral objective solves for."""
    objective = spectral(channels, 0.5, seed)
    x, rng = sample(channels, seed)
    objective.prepare(x, rng)
    return objective.solve(objective.accumulate(x, rng))


def ts2vec(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["ts2vec"](encoder=dilated(channels, seed))


def simclr(channels: int, seed: int) -> Objective:
    """With the views that it has where nothing else is said."""
    return OBJECTIVES["simclr"](encoder=dilated(channels, seed), seed=seed)


def simclr_of_curves(channels: int, seed: int) -> Objective:
    """With a view that draws a few numbers a series."""
    pair = Independent(view=magnitude_warp)
    return OBJECTIVES["simclr"](encoder=dilated(channels, seed), pair=pair, seed=seed)


def projected(channels: int, seed: int) -> Encoder:
    """The linear map within it."""
    return next(
        part for part in unit_length(channels, seed).children() if isinstance(part, Encoder)
    )


ENCODER_CASES = {
    "MiniRocket": EncoderCase(minirocket),
    "Hydra": EncoderCase(hydra),
    "Quantiles": EncoderCase(quantiles, random=False),
    "Dilated": EncoderCase(dilated, rounding=1e-5),
    "Joined": EncoderCase(joined),
    "Standardised": EncoderCase(standardised),
    "Projected": EncoderCase(projected, rounding=1e-5),
    "UnitLength": EncoderCase(unit_length, rounding=1e-5),
}
CLOSED_FORM_CASES = {"spectral": ClosedFormCase(spectral)}
GRADIENT_CASES = {
    "ts2vec": GradientCase(ts2vec),
    "simclr": GradientCase(simclr, steady=False),
    "simclr, steady": GradientCase(simclr_of_curves),
}
"""A second case of an objective has its name before a comma."""
