"""Views that change time: each makes positions, at which the series is interpolated, or swaps."""

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.settings import check_count, check_share, check_strength
from selftime.shapes import Lengths, Observed
from selftime.views.draws import either_way, normal, smooth_curves, uniform

Positions = Float[Tensor, "B T"]
"""The (fractional) step of the source for every step of the result."""


def identity_positions(x: Batch) -> Positions:
    """Return every step at its own position, from which changes of time begin."""
    B, _, T = x.values.shape
    return torch.arange(T, device=x.values.device, dtype=torch.float32).expand(B, T)


def resample(x: Batch, positions: Positions) -> Batch:
    """Interpolate series at positions (B,T), by straight lines between observed values.

    Positions before the first or after the last step of a series read that step; all channels of
    a series share them, and its padding stays padding. A step of the result counts as observed
    where the source step nearest to its position was. The last step of a series stays
    observed as it was, because it carries the length.
    """
    last = (x.lengths - 1).clamp(min=0)[:, None]  # (B,1)
    positions = positions.clamp(min=0).minimum(last)
    left = positions.long()  # (B,T)
    source = x.filled()
    a = gather_steps(source, left)  # (B,C,T)
    b = gather_steps(source, (left + 1).minimum(last))
    share = (positions - left)[:, None].to(a.dtype)
    values = torch.lerp(a, b, share)
    if not bool(values.isfinite().all()):  # their difference is beyond the largest number
        values = 4 * torch.lerp(a / 4, b / 4, share)
    return Batch(values.to(x.values.dtype), resampled_mask(x.observed, positions, last))


def resampled_mask(observed: Observed, positions: Positions, last: Tensor) -> Observed:
    """Return True if the nearest source step was observed; last steps (B,1) stay as they are."""
    if bool(observed.all()):
        return observed
    steps = torch.arange(observed.shape[2], device=observed.device)
    valid = gather_steps(observed, (positions + 0.5).long()) & (steps <= last)[:, None]
    return valid | (observed & (steps == last)[:, None])


def gather_steps(source: Tensor, steps: Tensor) -> Tensor:
    """Gather whole steps (B,T) of every channel of a source (B,C,T)."""
    return source.gather(2, steps[:, None].expand_as(source))


_PerSeries = Float[Tensor, "B"]


def stretch(x: Batch, rng: Generator, *, strength: float = 0.08) -> Batch:
    """Speed up or slow down around the middle, by up to ``strength`` of the speed."""
    check_share("strength", strength)
    factor = 1 + strength * either_way(len(x.values), rng=rng, like=x.values)
    return resample(x, stretched(identity_positions(x), x.lengths, factor))


def stretched(positions: Positions, lengths: Lengths, factor: _PerSeries) -> Positions:
    """Return ``centre + (positions - centre) * factor`` with the centre of each series."""
    centre = (lengths[:, None] - 1) / 2
    return centre + (positions - centre) * factor[:, None]


def shift(x: Batch, rng: Generator, *, strength: float = 0.04) -> Batch:
    """Move earlier or later by up to ``strength`` of the length; the end value is held."""
    check_share("strength", strength)
    by = strength * either_way(len(x.values), rng=rng, like=x.values)
    return resample(x, shifted(identity_positions(x), x.lengths, by))


def shifted(positions: Positions, lengths: Lengths, by: _PerSeries) -> Positions:
    """Move positions later by a share ``by`` of the length of each series."""
    return positions + (by * lengths)[:, None]


def time_warp(x: Batch, rng: Generator, *, strength: float = 0.02, knots: int = 6) -> Batch:
    """Warp time smoothly.

    After the time warping of Um et al. 2017 (*Data augmentation of wearable sensor data for
    Parkinson's disease monitoring using convolutional neural networks*, ICMI); here the smooth
    curve moves steps and does not set the speed, so that moves do not add up along the series. Its
    knots (at least 2), spread evenly over the series, are normal with deviation ``strength``, a
    share of the length; far above 1 / (2 knots) it can reverse time for some steps.
    """
    check_strength("strength", strength)
    check_count("knots", knots, 2)
    moves = strength * normal(len(x.values), knots, rng=rng, like=x.values)
    return resample(x, warped(identity_positions(x), x.lengths, moves))


def warped(positions: Positions, lengths: Lengths, moves: Float[Tensor, "B K"]) -> Positions:
    """Move positions by a smooth curve through ``moves``, shares of the length of each series."""
    curves = smooth_curves(moves[:, None], lengths, positions.shape[1])[:, 0]  # (B,T)
    return positions + lengths[:, None] * curves


def crop_resize(x: Batch, rng: Generator, *, least: float = 0.9) -> Batch:
    """Crop each series at random, and stretch the crop to the whole length.

    Window slicing (Le Guennec, Malinowski & Tavenard 2016, *Data augmentation for time series
    classification using convolutional neural networks*), with the slice brought back to the
    length of the series. The share that is kept is uniform in [least, 1].
    """
    check_share("least", least)
    kept, lies = uniform(2, len(x.values), rng=rng, like=x.values)
    return resample(x, cropped(identity_positions(x), x.lengths, least + (1 - least) * kept, lies))


def cropped(
    positions: Positions, lengths: Lengths, share: _PerSeries, lies: _PerSeries
) -> Positions:
    """Return positions within a crop of the given share; it lies first at 0, last at 1."""
    room = (1 - share) * (lengths - 1)  # steps before and after the crop
    return positions * share[:, None] + (lies * room)[:, None]


def window_warp(x: Batch, rng: Generator, *, share: float = 0.1, speed: float = 2.0) -> Batch:
    """Speed up or slow down a random part of each series.

    Window warping (Le Guennec, Malinowski & Tavenard 2016, section 3.2, also with a tenth of the
    series and speed 2): a part, ``share`` of the length, runs ``speed`` times faster or slower; the
    whole is brought back to the length of the series.
    """
    check_share("share", share)
    if not speed > 0:
        raise ValueError(f"got speed={speed}, wanted more than 0: 2.0 is twice as fast or slow")
    lies, slower = uniform(2, len(x.values), rng=rng, like=x.values)
    duration = torch.where(slower < 0.5, speed, 1 / speed)
    return resample(x, part_warped(identity_positions(x), x.lengths, share, lies, duration))


def part_warped(
    positions: Positions, lengths: Lengths, share: float, lies: _PerSeries, duration: _PerSeries
) -> Positions:
    """Return positions in a series of which a part takes ``duration`` times as long.

    ``share`` is the part before, and ``lies`` its position, first at 0, last at 1.
    """
    last = (lengths[:, None] - 1).clamp(min=0)
    begin, part = lies[:, None] * (1 - share) * last, share * last
    slow = positions * (1 + share * (duration[:, None] - 1))  # counted before all is brought back
    within = ((slow - begin) / duration[:, None]).clamp(min=0).minimum(part)
    after = (slow - begin - part * duration[:, None]).clamp(min=0)
    return slow.minimum(begin) + within + after


def reverse(x: Batch, rng: Generator, *, chance: float = 0.5) -> Batch:
    """Reverse time in some of the series."""
    check_share("chance", chance)
    turn = uniform(len(x.values), rng=rng, like=x.values) < chance
    return resample(x, reversed_where(identity_positions(x), x.lengths, turn))


def reversed_where(positions: Positions, lengths: Lengths, turn: Bool[Tensor, "B"]) -> Positions:
    """Count positions from the end of the series to be reversed."""
    return torch.where(turn[:, None], lengths[:, None] - 1 - positions, positions)


def permute(x: Batch, rng: Generator, *, segments: int = 4) -> Batch:
    """Cut at random steps into segments, and change their order.

    Permutation (Um et al. 2017; Eldele et al. 2021, TS-TCC, section 3.1). Cuts are uniform over the
    length; a single segment leaves the series as they are.
    """
    check_count("segments", segments, 1)
    cuts = uniform(len(x.values), segments - 1, rng=rng, like=x.values)
    ranks = uniform(len(x.values), segments, rng=rng, like=x.values)
    return resample(x, permuted(identity_positions(x), x.lengths, cuts, ranks))


def permuted(
    positions: Positions, lengths: Lengths, cuts: Float[Tensor, "B K"], ranks: Float[Tensor, "B S"]
) -> Positions:
    """Put segments in the order of their ranks; ``cuts`` are shares of the length, unsorted."""
    steps = torch.arange(positions.shape[1], device=positions.device)
    ends = cuts * lengths[:, None]  # (B,K)
    segment = (ends[:, :, None] <= steps).sum(dim=1)  # (B,T)
    rank = ranks.gather(1, segment).masked_fill(steps >= lengths[:, None], torch.inf)
    return positions.gather(1, rank.argsort(dim=1, stable=True))


def swap_neighbours(x: Batch, rng: Generator, *, chance: float = 0.1) -> Batch:
    """Swap some steps with their neighbours, whole: nothing is interpolated.

    Random swap of words (Wei & Zou 2019, *EDA*, section 2), here of neighbours: a sentence with
    two letters swapped is still read. Pairs begin at every other step, the first or the second of
    a series; each is swapped with a ``chance``. The last step stays, because it carries the length.
    """
    check_share("chance", chance)
    B, _, T = x.values.shape
    swaps = uniform(B, T, rng=rng, like=x.values) < chance
    second = uniform(B, rng=rng, like=x.values) < 0.5
    return swapped_neighbours(x, swaps, second)


def swapped_neighbours(x: Batch, swaps: Bool[Tensor, "B T"], second: Bool[Tensor, "B"]) -> Batch:
    """Swap steps t and t + 1 where ``swaps`` is True at t: even t, or odd ones for ``second``."""
    steps = torch.arange(x.values.shape[2], device=swaps.device)
    begins = swaps & (steps % 2 == second[:, None]) & (steps + 2 < x.lengths[:, None])
    ends = begins.roll(1, dims=1)  # nothing begins at the last step
    source = steps + begins.long() - ends.long()
    return Batch(*(gather_steps(part, source) for part in x))
