"""Small instances of the encoders that need no training, and of those made of others."""

from kinds import LENGTH, EncoderCase, sample

from selftime.encoders.base import Encoder
from selftime.encoders.registry import ENCODERS
from selftime.objectives.base import ClosedForm
from selftime.objectives.spectral import Spectral
from selftime.views.mild import Mild


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


def layered(channels: int, seed: int) -> Encoder:
    """Another pooling of the last layer."""
    parts = dilated(channels, seed)
    return ENCODERS["Layered"](encoder=parts, layer=4, pooling="mean+deviation")


def halfway(channels: int, seed: int) -> Encoder:
    """A layer with tokens of another stride than the last one."""
    network = ENCODERS["PooledCNN"](channels=channels, hidden=8, seed=seed)
    return ENCODERS["Layered"](encoder=network, layer=1, pooling="mean+max")


def joined(channels: int, seed: int) -> Encoder:
    """Two encoders side by side."""
    return ENCODERS["Joined"](encoders=[minirocket(channels, seed), quantiles(channels, seed)])


def standardised(channels: int, seed: int) -> Encoder:
    """Features with statistics of the sample."""
    return ENCODERS["Standardised"](encoder=minirocket(channels, seed))


def spectral(channels: int, strength: float, seed: int = 0) -> ClosedForm:
    """Few copies of few features."""
    view = Mild(strength=strength)
    return Spectral(encoder=standardised(channels, seed), view=view, copies=4, dim=16)


def unit_length(channels: int, seed: int) -> Encoder:
    """What the spectral objective solves for."""
    objective = spectral(channels, 0.5, seed)
    x, rng = sample(channels, seed)
    objective.prepare(x, rng)
    return objective.solve(objective.accumulate(x, rng))


def projected(channels: int, seed: int) -> Encoder:
    """The linear map within it."""
    return next(
        part for part in unit_length(channels, seed).children() if isinstance(part, Encoder)
    )


CASES = {
    "MiniRocket": EncoderCase(minirocket),
    "Hydra": EncoderCase(hydra),
    "Quantiles": EncoderCase(quantiles, random=False),
    "Dilated": EncoderCase(dilated, rounding=1e-5),
    "Layered": EncoderCase(layered, rounding=1e-5),
    "Layered, halfway": EncoderCase(halfway, rounding=1e-5),
    "Joined": EncoderCase(joined),
    "Standardised": EncoderCase(standardised),
    "Projected": EncoderCase(projected, rounding=1e-5),
    "UnitLength": EncoderCase(unit_length, rounding=1e-5),
}
