"""Views that change values where they are: noise, size, slow gain, sign."""

from jaxtyping import Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.views.draws import (
    check_count,
    check_share,
    check_strength,
    normal,
    smooth_curves,
    uniform,
)

_PerChannel = Float[Tensor, "B C"]


def jitter(x: Batch, rng: Generator, *, strength: float = 0.05) -> Batch:
    """White noise on every value, as large as the channel's own spread asks.

    Jittering (Um et al. 2017), with noise in units of the standard deviation of each channel of
    each series over its observed steps; a constant channel stays as it is.

    Args:
        x: the series.
        rng: draws the noise.
        strength: deviation of the noise, in standard deviations of the channel.

    Raises:
        ValueError: a negative strength.
    """
    check_strength("strength", strength)
    return jittered(x, strength * normal(*x.values.shape, rng=rng, like=x.values))


def jittered(x: Batch, noise: Float[Tensor, "B C T"]) -> Batch:
    """``values + spread * noise``."""
    return _with_values(x, x.values + channel_std(x)[:, :, None] * noise)


def channel_std(x: Batch) -> _PerChannel:
    """Standard deviation (B,C) of each channel of each series over its observed steps.

    0 where nothing was observed.
    """
    count = x.observed.sum(dim=2, keepdim=True).clamp(min=1)
    mean = x.values.masked_fill(~x.observed, 0).sum(dim=2, keepdim=True) / count
    rest = (x.values - mean).masked_fill(~x.observed, 0)
    return (rest.square().sum(dim=2, keepdim=True) / count).sqrt()[:, :, 0]


def scale(x: Batch, rng: Generator, *, strength: float = 0.1) -> Batch:
    """Every channel larger or smaller by one factor.

    Scaling (Um et al. 2017). It acts around 0, so the level of a series moves with it.

    Args:
        x: the series.
        rng: draws one factor a channel and series, normal around 1.
        strength: deviation of the factor.

    Raises:
        ValueError: a negative strength.
    """
    check_strength("strength", strength)
    return scaled(x, 1 + strength * normal(*x.values.shape[:2], rng=rng, like=x.values))


def scaled(x: Batch, factors: _PerChannel) -> Batch:
    """``values * factor``."""
    return _with_values(x, x.values * factors[:, :, None])


def magnitude_warp(x: Batch, rng: Generator, *, strength: float = 0.2, knots: int = 6) -> Batch:
    """Every channel larger here and smaller there, by a smooth curve.

    Magnitude warping (Um et al. 2017). It acts around 0, so the level moves with it.

    Args:
        x: the series.
        rng: draws the knots of one curve a channel and series, normal around 1.
        strength: deviation of the knots.
        knots: evenly spaced from the first to the last step of a series, at least 2.

    Raises:
        ValueError: a negative strength or fewer than 2 knots.
    """
    check_strength("strength", strength)
    check_count("knots", knots, 2)
    bends = strength * normal(*x.values.shape[:2], knots, rng=rng, like=x.values)
    return magnitude_warped(x, bends)


def magnitude_warped(x: Batch, bends: Float[Tensor, "B C K"]) -> Batch:
    """``values * (1 + curve)``, the curve being smooth and going through ``bends``."""
    return _with_values(x, x.values * (1 + smooth_curves(bends, x.lengths, x.values.shape[2])))


def flip(x: Batch, rng: Generator, *, chance: float = 0.5) -> Batch:
    """Other sign, in some of the channels.

    Args:
        x: the series.
        rng: draws which channels of which series are turned over.
        chance: that a channel is turned over, 0 to 1.

    Raises:
        ValueError: chance outside 0 to 1.
    """
    check_share("chance", chance)
    over = uniform(*x.values.shape[:2], rng=rng, like=x.values) < chance
    return scaled(x, 1.0 - 2.0 * over)


def _with_values(x: Batch, values: Tensor) -> Batch:
    return x._replace(values=values.to(x.values.dtype))
