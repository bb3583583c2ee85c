"""Drift, spikes, running means, rotations and missing bands against plain loops in float64."""

import math

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.views import amplitude
from selftime.views.draws import spline_weights
from selftime.views.spectrum import frequency_mask, outside_band, ragged_dft

LENGTHS = [21, 1, 2, 12]


@pytest.fixture
def x() -> Batch:
    """Four series of three channels, of unequal length, some steps missing."""
    rng = Generator().manual_seed(4)
    within = torch.arange(21) < torch.tensor(LENGTHS)[:, None]
    observed = within[:, None] & (torch.rand(4, 3, 21, generator=rng) > 0.2)
    observed[torch.arange(4), 2, torch.tensor(LENGTHS) - 1] = True  # a length is a last value
    return Batch(5 + torch.randn(4, 3, 21, generator=rng), observed)


def draws(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=Generator().manual_seed(9))


def whole(values: Tensor) -> Batch:
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def each(x: Batch) -> list[tuple[int, int, int]]:
    return [(int(i), int(c), int(t)) for i, c, t in x.observed.nonzero()]


def deviation(x: Batch, i: int, c: int) -> float:
    valid = x.values[i, c][x.observed[i, c]].double()
    return float(valid.std(correction=0)) if len(valid) else 0.0


def test_drift_adds_a_spline_in_units_of_the_spread(x: Batch) -> None:
    knots = draws(4, 3, 5)
    y = amplitude.drifted(x, knots)
    assert torch.equal(y.observed, x.observed)
    for i, c, t in each(x):
        place = torch.tensor(t * 4 / max(LENGTHS[i] - 1, 1), dtype=torch.float64)
        curve = (spline_weights(place, 5) @ knots[i, c].double()).item()
        want = x.values[i, c, t].item() + deviation(x, i, c) * curve
        assert y.values[i, c, t].item() == pytest.approx(want, rel=1e-5)


def test_two_knots_of_drift_are_a_straight_trend() -> None:
    x = whole(torch.randn(6, 2, 40, generator=Generator().manual_seed(0)))
    moved = amplitude.drift(x, Generator().manual_seed(1), knots=2).values - x.values
    bend = moved[:, :, 2:] - 2 * moved[:, :, 1:-1] + moved[:, :, :-2]
    assert bend.abs().max() < 1e-5 < moved.abs().min(dim=2).values.max()


def test_spikes_are_added_at_drawn_steps_and_two_at_one_step_add_up(x: Batch) -> None:
    at, heights = draws(4, 3, 6), 3 * draws(4, 3, 6).flip(2)
    y = amplitude.spiked(x, at, heights)
    hit = 0
    for i, c, t in each(x):
        here = [k for k in range(6) if math.floor(at[i, c, k].item() * LENGTHS[i]) == t]
        want = x.values[i, c, t].item() + deviation(x, i, c) * heights[i, c, here].sum().item()
        assert y.values[i, c, t].item() == pytest.approx(want, rel=1e-5)
        hit += len(here) > 1
    assert hit, "no two spikes at one step: the case is not tested"


def test_as_many_spikes_as_were_asked_for() -> None:
    x = whole(torch.randn(30, 2, 5000, generator=Generator().manual_seed(0)))
    y = amplitude.spike(x, Generator().manual_seed(1), spikes=3)
    changed = (y.values != x.values).sum(dim=2)
    assert changed.max() == 3 and changed.double().mean() > 2.9


def test_smooth_takes_means_over_windows_that_end_within_steps(x: Batch) -> None:
    widths = torch.tensor([0.3, 0.5, 2.0, 0.21])
    y, filled = amplitude.smoothed(x, widths), x.filled().double()
    assert torch.equal(y.observed, x.observed)
    for i, c, t in each(x):
        L, half = LENGTHS[i], (1 + widths[i].item() * LENGTHS[i]) / 2
        low, high = max(t + 0.5 - half, 0), min(t + 0.5 + half, L)
        covered = [max(min(high, s + 1) - max(low, s), 0) for s in range(L)]  # of each step
        want = sum(w * filled[i, c, s].item() for s, w in enumerate(covered)) / sum(covered)
        assert y.values[i, c, t].item() == pytest.approx(want, rel=1e-5)


def test_smooth_takes_away_what_is_fast_and_leaves_what_is_slow() -> None:
    t = torch.arange(200.0)
    fast, slow = torch.sin(2 * math.pi * t / 5), torch.sin(2 * math.pi * t / 200)
    y = amplitude.smoothed(whole(torch.stack([fast, slow])[:, None]), torch.full((2,), 0.02))
    inner = y.values[:, 0, 5:-5]  # windows of 5 steps: the fast wave has the period 5
    assert inner[0].abs().max() < 1e-5
    torch.testing.assert_close(inner[1], slow[5:-5], atol=0.01, rtol=0.0)


def test_rotation_keeps_lengths_and_is_a_turn_by_the_angle() -> None:
    x = whole(torch.randn(5, 4, 9, generator=Generator().manual_seed(0)))
    y = amplitude.rotate(x, Generator().manual_seed(1), strength=2.0)
    torch.testing.assert_close(y.values.norm(dim=1), x.values.norm(dim=1))
    turn = torch.tensor([[[9.0, 0.5], [9.0, 9.0]]])  # only what lies above the diagonal counts
    y = amplitude.rotated(whole(torch.tensor([[[1.0], [0.0]]])), turn)
    want = torch.tensor([[[math.cos(0.5)], [-math.sin(0.5)]]])
    torch.testing.assert_close(y.values, want)


def test_rotation_bridges_gaps_and_leaves_them(x: Batch) -> None:
    angles = draws(4, 3, 3)
    y, filled = amplitude.rotated(x, angles), x.filled()
    assert torch.equal(y.observed, x.observed)
    for i in range(4):
        skew = np.triu(angles[i].double().numpy(), 1)
        skew, turn, term = skew - skew.T, np.eye(3), np.eye(3)
        for k in range(1, 40):  # the series of the exponential
            term = term @ skew / k
            turn = turn + term
        np.testing.assert_allclose(y.values[i], turn @ filled[i].double().numpy(), atol=1e-5)


def test_a_single_channel_is_not_rotated() -> None:
    x = whole(draws(3, 1, 8))
    assert torch.equal(
        amplitude.rotate(x, Generator().manual_seed(0), strength=5.0).values, x.values
    )


def test_a_band_of_frequencies_is_missing_and_the_rest_stays() -> None:
    x = whole(torch.randn(40, 2, 33, generator=Generator().manual_seed(0)))
    before = ragged_dft(x.values.to(torch.complex64), x.lengths)[:, :, :17].abs()
    y = frequency_mask(x, Generator().manual_seed(1), share=0.5)
    after = ragged_dft(y.values.to(torch.complex64), y.lengths)[:, :, :17].abs()
    gone = after < 1e-3
    assert torch.equal(gone, (after - before).abs() > 1e-3) and not gone[:, :, 0].any()
    assert torch.equal(gone[:, 0], gone[:, 1])
    for row in gone[:, 0]:
        where = row.nonzero()[:, 0].tolist()
        assert 1 <= len(where) <= 8 and where == list(range(where[0], where[0] + len(where)))


def test_where_the_band_lies_for_every_length() -> None:
    lies, wide = torch.tensor([0.0, 0.999, 0.5, 0.5]), torch.tensor([0.2, 0.2, 0.25, 0.9])
    keep = outside_band(torch.tensor([20, 20, 9, 1]), 11, lies, wide)
    gone = [(~row).nonzero()[:, 0].tolist() for row in keep]
    assert gone == [[1, 2], [9, 10], [3], []]
