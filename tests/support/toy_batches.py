"""Small batches that methods learned by gradient are tried on."""

import torch
from torch import Generator

from selftime.data.batch import Batch
from selftime.objectives.base import Objective

LENGTHS = (24, 17, 9, 2, 1)


def ragged(lengths: tuple[int, ...] = LENGTHS, *, channels: int = 2) -> Batch:
    """Float64 random walks of these lengths; a garbage number stands in all padding."""
    rng = Generator().manual_seed(11)
    shape = (len(lengths), channels, max(lengths))
    values = torch.randn(shape, generator=rng, dtype=torch.float64).cumsum(dim=2)
    within = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None, None]
    return Batch(values.where(within, 1e6), within.expand(shape).clone())


def with_gap(x: Batch, start: int, stop: int) -> Batch:
    """Without these steps of all series that go on behind them."""
    steps = torch.arange(x.values.shape[2])
    gap = (start <= steps) & (steps < stop) & (x.lengths[:, None, None] > stop)
    return Batch(x.values, x.observed & ~gap)


def padded(x: Batch, steps: int) -> Batch:
    """The same series with more padding and other garbage in all of it."""
    more = x.values.new_zeros(*x.values.shape[:2], steps)
    observed = torch.cat([x.observed, more.bool()], dim=2)
    return Batch(torch.cat([x.values, more], dim=2).where(observed, -3e3), observed)


def sines() -> Batch:
    """Sixteen sine waves of four speeds at drawn phases, with noise."""
    rng = Generator().manual_seed(12)
    speeds = torch.tensor([1.0, 2.0, 4.0, 8.0]).repeat(4)[:, None, None]
    phases = torch.rand(16, 1, 1, generator=rng)
    values = torch.sin(2 * torch.pi * (speeds * torch.arange(32) / 32 + phases))
    values = values + 0.1 * torch.randn(16, 1, 32, generator=rng)
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def loss_of(objective: Objective, x: Batch) -> float:
    """Mean over a few draws, the same for every call."""
    draws = [Generator().manual_seed(100 + k) for k in range(5)]
    return sum(float(objective(x, rng).loss.detach()) for rng in draws) / len(draws)


def before_and_after(objective: Objective, x: Batch, *, steps: int = 30) -> tuple[float, float]:
    """The loss before and after so many steps on one batch."""
    before, rng = loss_of(objective, x), Generator().manual_seed(0)
    optimiser = torch.optim.AdamW(objective.parameters(), lr=0.01)
    for _ in range(steps):
        optimiser.zero_grad()
        objective(x, rng).loss.backward()
        optimiser.step()
    return before, loss_of(objective, x)
