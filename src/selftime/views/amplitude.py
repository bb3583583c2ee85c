"""Views that change values and not time: noise, scale, drift, spikes, smoothing, rotation."""

import torch
from jaxtyping import Float
from torch import Generator, Tensor
from torch.nn.functional import pad

from selftime.data.batch import Batch
from selftime.settings import check_count, check_share, check_strength
from selftime.views.draws import either_way, normal, smooth_curves, uniform

_PerChannel = Float[Tensor, "B C"]


def jitter(x: Batch, rng: Generator, *, strength: float = 0.05) -> Batch:
    """Add white noise to every value.

    Jittering (Um et al. 2017). The noise has deviation ``strength``, in standard deviations of each
    channel of each series over its observed steps; a constant channel stays as it is.
    """
    check_strength("strength", strength)
    return jittered(x, strength * normal(*x.values.shape, rng=rng, like=x.values))


def jittered(x: Batch, noise: Float[Tensor, "B C T"]) -> Batch:
    """Return ``values + std * noise``."""
    return _with_values(x, x.values + channel_std(x)[:, :, None] * noise)


def channel_std(x: Batch) -> _PerChannel:
    """Return the standard deviation of each channel over its observed steps; 0 without any."""
    count, size = x.observed.sum(dim=2, keepdim=True).clamp(min=1), size_where_large(x)
    values = x.values.masked_fill(~x.observed, 0) / size
    mean = values.sum(dim=2, keepdim=True) / count
    rest = (values - mean).masked_fill(~x.observed, 0)
    return ((rest.square().sum(dim=2, keepdim=True) / count).sqrt() * size)[:, :, 0]


def moments_of_all(x: Batch) -> tuple[Float[Tensor, "B 1 1"], Float[Tensor, "B 1 1"]]:
    """Return mean and deviation of each series over all that was observed; 0 of nothing."""
    count = x.observed.sum(dim=(1, 2), keepdim=True).clamp(min=1)
    size = size_where_large(x).amax(dim=1, keepdim=True)
    values = x.values.masked_fill(~x.observed, 0) / size
    mean = values.sum(dim=(1, 2), keepdim=True) / count
    rest = (values - mean).masked_fill(~x.observed, 0)
    std = (rest.square().sum(dim=(1, 2), keepdim=True) / count).sqrt()
    return mean * size, std * size


_SQUARED = 1e15
"""Size up to which values are squared and summed as they are."""


def size_where_large(x: Batch) -> Float[Tensor, "B C 1"]:
    """Return the largest size in each channel where squares might overflow, else 1."""
    size = x.values.masked_fill(~x.observed, 0).abs().amax(dim=2, keepdim=True)
    return torch.where(size > _SQUARED, size, torch.ones_like(size))


def scale(x: Batch, rng: Generator, *, strength: float = 0.1) -> Batch:
    """Multiply every channel by one factor.

    Scaling (Um et al. 2017): one factor per channel and series, normal around 1 with deviation
    ``strength``. It acts around 0, so the mean of a series changes too.
    """
    check_strength("strength", strength)
    return scaled(x, 1 + strength * normal(*x.values.shape[:2], rng=rng, like=x.values))


def scaled(x: Batch, factors: _PerChannel) -> Batch:
    """Return ``values * factor``."""
    return _with_values(x, x.values * factors[:, :, None])


def light(
    x: Batch, rng: Generator, *, strength: float = 0.2, contrast: float | None = None
) -> Batch:
    """Change brightness and contrast of each series as a whole.

    Brightness and contrast jitter (Howard 2013, *Some improvements on deep convolutional neural
    network based image classification*, section 2), uniform. Brightness moves by up to
    ``strength`` standard deviations of the series over all its channels; differences from its mean
    grow by up to the share ``contrast``, which is ``strength`` too when None.
    """
    check_strength("strength", strength)
    bend = strength if contrast is None else contrast
    check_strength("contrast", bend)
    by, times = either_way(2, len(x.values), rng=rng, like=x.values)
    return lit(x, strength * by, 1 + bend * times)


def lit(x: Batch, by: Float[Tensor, "B"], times: Float[Tensor, "B"]) -> Batch:
    """Return ``mean + (values - mean) * times + std * by`` of each series over all channels."""
    mean, std = moments_of_all(x)
    moved = mean + (x.values - mean) * times[:, None, None] + std * by[:, None, None]
    return _with_values(x, moved)


def loudness(x: Batch, rng: Generator, *, strength: float = 0.2) -> Batch:
    """Make each sound louder or softer: one constant is added to the logarithms of its energy.

    A gain, as of the distance to a microphone. ``strength`` is the deviation of the constant, in
    standard deviations of the series over all its channels.
    """
    check_strength("strength", strength)
    by = strength * normal(len(x.values), rng=rng, like=x.values)
    return lit(x, by, torch.ones_like(by))


def magnitude_warp(x: Batch, rng: Generator, *, strength: float = 0.2, knots: int = 6) -> Batch:
    """Multiply every channel by a smooth curve.

    Magnitude warping (Um et al. 2017). The curve goes through at least 2 knots, spread evenly over
    the series, normal around 1 with deviation ``strength``. It acts around 0: the mean changes.
    """
    check_strength("strength", strength)
    check_count("knots", knots, 2)
    bends = strength * normal(*x.values.shape[:2], knots, rng=rng, like=x.values)
    return magnitude_warped(x, bends)


def magnitude_warped(x: Batch, bends: Float[Tensor, "B C K"]) -> Batch:
    """Return ``values * (1 + curve)`` with a smooth curve through ``bends``."""
    return _with_values(x, x.values * (1 + smooth_curves(bends, x.lengths, x.values.shape[2])))


def flip(x: Batch, rng: Generator, *, chance: float = 0.5) -> Batch:
    """Change the sign of some of the channels."""
    check_share("chance", chance)
    over = uniform(*x.values.shape[:2], rng=rng, like=x.values) < chance
    return scaled(x, 1.0 - 2.0 * over)


def drift(x: Batch, rng: Generator, *, strength: float = 0.2, knots: int = 4) -> Batch:
    """Add a slowly wandering baseline to every channel.

    Baseline wander, as in recordings of the heart (Mehari & Strodthoff 2022, *Self-supervised
    representation learning from 12-lead ECG data*, among the physiological noises), here a smooth
    curve through a few knots (at least 2, which make a straight trend), spread evenly over the
    series. ``strength`` is the deviation of the knots, in standard deviations of the channel.
    """
    check_strength("strength", strength)
    check_count("knots", knots, 2)
    return drifted(x, strength * normal(*x.values.shape[:2], knots, rng=rng, like=x.values))


def drifted(x: Batch, knots: Float[Tensor, "B C K"]) -> Batch:
    """Return ``values + std * curve`` with a smooth curve through ``knots``."""
    curves = smooth_curves(knots, x.lengths, x.values.shape[2])
    return _with_values(x, x.values + channel_std(x)[:, :, None] * curves)


def spike(x: Batch, rng: Generator, *, strength: float = 3.0, spikes: int = 2) -> Batch:
    """Add a few spikes of one step to every channel.

    Gross errors: a small share of the values comes from a far wider law than the others (Huber
    1964, *Robust estimation of a location parameter*, section 1). ``strength`` is the deviation of
    the heights, in standard deviations of the channel; a spike may lie in a gap.
    """
    check_strength("strength", strength)
    check_count("spikes", spikes, 0)
    shape = (*x.values.shape[:2], spikes)
    at = uniform(*shape, rng=rng, like=x.values)
    return spiked(x, at, strength * normal(*shape, rng=rng, like=x.values))


def spiked(x: Batch, at: Float[Tensor, "B C K"], heights: Float[Tensor, "B C K"]) -> Batch:
    """Return ``values + std * height`` at shares ``at`` in [0, 1) of each length."""
    steps = (at * x.lengths[:, None, None]).long()  # (B,C,K)
    off = torch.zeros_like(x.values, dtype=heights.dtype).scatter_add(2, steps, heights)
    return _with_values(x, x.values + channel_std(x)[:, :, None] * off)


def smooth(x: Batch, rng: Generator, *, strength: float = 0.04) -> Batch:
    """Replace every value by the mean around it, as a slower sensor does.

    A running mean, the simplest low-pass. ``strength`` is the largest width that is added to the
    step itself, as a share of each length; widths are uniform up to it, one per series. Gaps are
    bridged before, and are gaps again after.
    """
    check_strength("strength", strength)
    return smoothed(x, strength * uniform(len(x.values), rng=rng, like=x.values))


def smoothed(x: Batch, widths: Float[Tensor, "B"]) -> Batch:
    """Return means over windows of 1 + width * length steps, cut off at both ends.

    Each value holds for one step, so windows may begin and end within steps.
    """
    steps = torch.arange(x.values.shape[2], device=x.values.device)
    length = x.lengths[:, None].double()  # (B,1)
    half = (1 + widths.double()[:, None] * length) / 2
    low = (steps + 0.5 - half).clamp(min=0)  # (B,T) edges of the windows, in steps
    high = (steps + 0.5 + half).minimum(length).maximum(low + 1e-9)
    unit = size_where_large(x)
    values = x.filled() / unit
    base = values[:, :, :1]  # sums of differences from it are exact for constant series
    sums = pad((values - base).double().cumsum(dim=2), (1, 0))  # (B,C,T+1)
    total = _between(sums, high) - _between(sums, low)
    return _with_values(x, (base + total / (high - low)[:, None]) * unit)


def _between(sums: Float[Tensor, "B C S"], at: Float[Tensor, "B T"]) -> Float[Tensor, "B C T"]:
    """Interpolate sums (B,C,T+1) at fractional steps (B,T), by straight lines."""
    left = at.long().clamp(max=sums.shape[2] - 2)
    share = (at - left)[:, None]
    index = left[:, None].expand(-1, sums.shape[1], -1)
    return torch.lerp(sums.gather(2, index), sums.gather(2, index + 1), share)


def rotate(x: Batch, rng: Generator, *, strength: float = 0.1) -> Batch:
    """Rotate the channels into one another a little, as if the sensor were tilted.

    Rotation of a wearable sensor (Um et al. 2017) by small angles, for any number of channels,
    which should have comparable units. ``strength`` is the deviation of the angle between each two
    channels, radians. No other view mixes channels; a single one stays as it is. Gaps are bridged
    before, and are gaps again after.
    """
    check_strength("strength", strength)
    C = x.values.shape[1]
    return rotated(x, strength * normal(len(x.values), C, C, rng=rng, like=x.values))


def rotated(x: Batch, angles: Float[Tensor, "B C C"]) -> Batch:
    """Apply the rotation that the upper triangles of ``angles`` generate."""
    upper = angles.double().triu(diagonal=1)
    turns = torch.linalg.matrix_exp(upper - upper.mT)  # (B,C,C)
    precise = torch.promote_types(x.values.dtype, angles.dtype)
    return _with_values(x, turns.to(precise) @ x.filled().to(precise))


def _with_values(x: Batch, values: Tensor) -> Batch:
    return x._replace(values=finite(values.to(x.values.dtype)))


def finite(values: Tensor) -> Tensor:
    """Return values with the largest number in the place of what is beyond it."""
    most = torch.finfo(values.dtype).max
    return values.clamp(-most, most)
