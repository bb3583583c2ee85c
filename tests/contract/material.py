"""Series that the laws are tried on: ragged, with gaps, of several channels."""

import torch

from selftime.data.batch import Batch

LENGTHS = (64, 23, 41, 9, 1)


def drawn(rng: torch.Generator, *, channels: int = 3, lengths: tuple[int, ...] = LENGTHS) -> Batch:
    """Random walks of these lengths, complete, zeros as padding."""
    values = torch.randn(len(lengths), channels, max(lengths), generator=rng).cumsum(dim=2)
    within = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]  # (B,T)
    observed = within[:, None].expand_as(values).clone()
    return Batch(values.masked_fill(~observed, 0.0), observed)


def with_gaps(x: Batch, rng: torch.Generator) -> Batch:
    """A quarter of the steps missing, a whole channel too; the first and last steps are kept."""
    gone = torch.rand(x.values.shape, generator=rng) < 0.25
    gone[0, -1] = x.values.shape[1] > 1
    gone[:, :, 0] = False
    gone.scatter_(2, (x.lengths - 1)[:, None, None].expand(-1, x.values.shape[1], 1), False)
    observed = x.observed & ~gone
    return Batch(x.values.masked_fill(~observed, 0.0), observed)


def with_garbage(x: Batch, rng: torch.Generator) -> Batch:
    """The same series, with other numbers standing where nothing was observed."""
    garbage = torch.randn(x.values.shape, generator=rng) * 1e6
    return Batch(torch.where(x.observed, x.values, garbage), x.observed)


def padded(x: Batch, steps: int) -> Batch:
    """The same series with more padding, full of garbage."""
    more = (*x.values.shape[:2], steps)
    values = torch.cat([x.values, torch.full(more, 1e6)], dim=2)
    return Batch(values, torch.cat([x.observed, torch.zeros(more, dtype=torch.bool)], dim=2))


def chosen(x: Batch, index: list[int]) -> Batch:
    """Some of the series, cropped to the longest of them."""
    T = int(x.lengths[index].max())
    return Batch(x.values[index, :, :T], x.observed[index, :, :T])


def same(x: Batch) -> Batch:
    """The series as they are."""
    return x


SYMBOLS = 11
"""V, of the texts that :func:`symbols_of` makes."""


def symbols_of(x: Batch) -> Batch:
    """One channel of symbols: every channel of a step counts by its place, where all were seen."""
    places = torch.arange(1, x.values.shape[1] + 1)[:, None]  # (C,1)
    mixed = (2 * x.values * places).sum(dim=1, keepdim=True).round()  # (B,1,T)
    observed = x.observed.any(dim=1, keepdim=True)
    return Batch(mixed.remainder(SYMBOLS).where(observed, 0.0), observed)


def copy_of(x: Batch) -> Batch:
    """The same numbers in other memory."""
    return Batch(x.values.clone(), x.observed.clone())


def waves(rng: torch.Generator, *, channels: int = 1, steps: int = 32, each: int = 4) -> Batch:
    """Sine waves of three speeds, ``each`` of every speed, at random phases, a little noisy."""
    speeds = torch.tensor([1.0, 3.0, 7.0]).repeat(each)[:, None, None]  # (B,1,1)
    phases = torch.rand(3 * each, channels, 1, generator=rng)
    noise = 0.1 * torch.randn(3 * each, channels, steps, generator=rng)
    time = torch.arange(steps) / steps
    values = torch.sin(2 * torch.pi * (speeds * time + phases)) + noise
    return Batch(values, torch.ones_like(values, dtype=torch.bool))
