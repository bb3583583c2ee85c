"""Deformations of time against plain loops in float64, written from their definitions."""

import math

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.views import timing
from selftime.views.draws import either_way, normal, smooth_curves
from selftime.views.mild import Mild
from selftime.views.timing import identity_positions, resample

LENGTHS = [23, 1, 2, 9, 16]


@pytest.fixture
def x() -> Batch:
    """Five series of two channels, of unequal length, some steps missing."""
    rng = Generator().manual_seed(3)
    within = torch.arange(23) < torch.tensor(LENGTHS)[:, None]
    observed = within[:, None] & (torch.rand(5, 2, 23, generator=rng) > 0.25)
    observed[torch.arange(5), 1, torch.tensor(LENGTHS) - 1] = True  # a length is a last value
    return Batch(torch.randn(5, 2, 23, generator=rng), observed)


def bridged(values: list[float], valid: list[bool], t: int) -> float:
    """The straight line between the observed neighbours of whole step t; ends are held."""
    known = [i for i, seen in enumerate(valid) if seen]
    if not known:
        return 0.0
    before = max((i for i in known if i <= t), default=known[0])
    after = min((i for i in known if i >= t), default=known[-1])
    if before == after:
        return values[before]
    return values[before] + (values[after] - values[before]) * (t - before) / (after - before)


def resampled_by_loops(x: Batch, places: list[list[float]]) -> tuple[np.ndarray, np.ndarray]:
    values, observed = np.zeros(x.values.shape), np.zeros(x.values.shape, bool)
    for i in range(values.shape[0]):
        L = LENGTHS[i]
        for c in range(values.shape[1]):
            v = x.values[i, c, :L].double().tolist()
            valid = x.observed[i, c, :L].tolist()
            for t in range(L):
                p = min(max(places[i][t], 0.0), L - 1.0)
                a, b = math.floor(p), min(math.floor(p) + 1, L - 1)
                low, high = bridged(v, valid, a), bridged(v, valid, b)
                values[i, c, t] = low + (high - low) * (p - a)
                observed[i, c, t] = valid[math.floor(p + 0.5)] or (t == L - 1 and valid[t])
    return values, observed


def spline_by_loops(heights: list[float], at: float) -> float:
    """Natural cubic spline through knots at 0, 1, 2, …: tridiagonal sweep, then one cubic."""
    n = len(heights)
    m, upper, right = [0.0] * n, [0.0] * n, [0.0] * n
    for j in range(1, n - 1):  # forward elimination of m[j-1] + 4 m[j] + m[j+1] = rhs
        pivot = 4 - upper[j - 1]
        upper[j] = 1 / pivot
        rhs = 6 * (heights[j - 1] - 2 * heights[j] + heights[j + 1])
        right[j] = (rhs - right[j - 1]) / pivot
    for j in range(n - 2, 0, -1):
        m[j] = right[j] - upper[j] * m[j + 1]
    j = min(int(at), n - 2)
    b = at - j
    slope = heights[j + 1] - heights[j] - (2 * m[j] + m[j + 1]) / 6
    return heights[j] + b * slope + b**2 * m[j] / 2 + b**3 * (m[j + 1] - m[j]) / 6


def curve(heights: list[float], L: int, t: int) -> float:
    return spline_by_loops(heights, t * (len(heights) - 1) / max(L - 1, 1))


def assert_reads(x: Batch, y: Batch, places: list[list[float]]) -> None:
    values, observed = resampled_by_loops(x, places)
    assert np.array_equal(y.observed.numpy(), observed)
    got = np.where(observed, y.values.double().numpy(), 0)
    np.testing.assert_allclose(got, np.where(observed, values, 0), atol=3e-5)


def draws(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=Generator().manual_seed(8))


@pytest.mark.parametrize("knots", [2, 3, 6])
def test_smooth_curves_are_natural_splines(knots: int) -> None:
    heights = draws(5, 2, knots)
    got = smooth_curves(heights, torch.tensor(LENGTHS), 23)
    for i, L in enumerate(LENGTHS):
        for c in range(2):
            want = [curve(heights[i, c].double().tolist(), L, t) for t in range(L)]
            np.testing.assert_allclose(got[i, c, :L], want, atol=2e-6)


def test_a_spline_known_by_hand() -> None:
    """Through 0, 1, 0: second derivative -3 at the middle, so x·3/2 - x³/2 before it."""
    got = smooth_curves(torch.tensor([[[0.0, 1.0, 0.0]]]), torch.tensor([9]), 9)[0, 0]
    want = [0, 0.3671875, 0.6875, 0.9140625, 1, 0.9140625, 0.6875, 0.3671875, 0]
    torch.testing.assert_close(got, torch.tensor(want))


def test_equal_lengths_get_the_same_curves_from_one_matrix() -> None:
    heights = draws(3, 2, 5)
    equal = smooth_curves(heights, torch.tensor([9, 9, 9]), 12)
    mixed = smooth_curves(heights, torch.tensor([9, 9, 12]), 12)
    torch.testing.assert_close(equal[:2, :, :9], mixed[:2, :, :9])


def test_resample_reads_between_observed_values(x: Batch) -> None:
    places = draws(5, 23) * 30 - 4
    assert_reads(x, resample(x, places), places.double().tolist())


def test_stretch_moves_places_away_from_the_centre(x: Batch) -> None:
    factor = 0.5 + draws(5)
    y = resample(x, timing.stretched(identity_positions(x), x.lengths, factor))
    want = [
        [(L - 1) / 2 + (t - (L - 1) / 2) * f for t in range(L)]
        for L, f in zip(LENGTHS, factor.double().tolist(), strict=True)
    ]
    assert_reads(x, y, want)


def test_shift_moves_places_by_a_share_of_the_length(x: Batch) -> None:
    by = draws(5) - 0.5
    y = resample(x, timing.shifted(identity_positions(x), x.lengths, by))
    want = [[t + b * L for t in range(L)] for L, b in zip(LENGTHS, by.tolist(), strict=True)]
    assert_reads(x, y, want)


def test_time_warp_moves_places_by_a_smooth_curve(x: Batch) -> None:
    moves = 0.2 * (draws(5, 6) - 0.5)
    y = resample(x, timing.warped(identity_positions(x), x.lengths, moves))
    want = [
        [t + L * curve(m, L, t) for t in range(L)]
        for L, m in zip(LENGTHS, moves.double().tolist(), strict=True)
    ]
    assert_reads(x, y, want)


def test_a_part_that_takes_longer_takes_room_from_the_rest(x: Batch) -> None:
    lies, duration = draws(5), torch.tensor([2.0, 0.5, 2.0, 0.25, 1.5])
    places = timing.part_warped(identity_positions(x), x.lengths, 0.3, lies, duration).double()
    for i, L in enumerate(LENGTHS):
        begin, d = lies[i].item() * 0.7 * (L - 1), duration[i].item()
        part, rate = 0.3 * (L - 1), 0.7 + 0.3 * duration[i].item()
        for t in range(L):
            p = t * rate
            if p > begin:
                inside = min((p - begin) / d, part)
                p = begin + inside + max(p - begin - part * d, 0)
            assert places[i, t].item() == pytest.approx(p, abs=1e-4)
        assert places[i, L - 1].item() == pytest.approx(L - 1, abs=1e-4)
    assert_reads(x, resample(x, places.float()), places.tolist())


def test_window_warp_by_hand() -> None:
    """The whole series is the part: however fast it runs, it is the series again."""
    x = Batch(torch.arange(9.0).reshape(1, 1, 9), torch.ones(1, 1, 9, dtype=torch.bool))
    y = timing.window_warp(x, Generator().manual_seed(0), share=1.0, speed=4.0)
    torch.testing.assert_close(y.values, x.values)
    half = timing.part_warped(
        identity_positions(x), x.lengths, 0.5, torch.zeros(1), torch.full((1,), 3.0)
    )
    want = [0, 2 / 3, 4 / 3, 2, 8 / 3, 10 / 3, 4, 6, 8]  # 4 steps take 12 of 16, 4 the other 4
    torch.testing.assert_close(half[0], torch.tensor(want))


def test_crop_spreads_a_part_over_the_whole(x: Batch) -> None:
    share, lies = draws(2, 5)
    y = resample(x, timing.cropped(identity_positions(x), x.lengths, share, lies))
    want = [
        [lie * (1 - s) * (L - 1) + s * t for t in range(L)]
        for L, s, lie in zip(LENGTHS, share.tolist(), lies.tolist(), strict=True)
    ]
    assert_reads(x, y, want)


def test_reverse_counts_from_the_end(x: Batch) -> None:
    turn = torch.tensor([True, True, True, False, True])
    y = resample(x, timing.reversed_where(identity_positions(x), x.lengths, turn))
    want = [
        [float(L - 1 - t if turned else t) for t in range(L)]
        for L, turned in zip(LENGTHS, turn.tolist(), strict=True)
    ]
    assert_reads(x, y, want)


def test_permute_orders_segments_by_rank(x: Batch) -> None:
    cuts, ranks = draws(5, 3), draws(5, 4).flip(0)
    y = resample(x, timing.permuted(identity_positions(x), x.lengths, cuts, ranks))
    want = []
    for L, c, r in zip(LENGTHS, cuts.tolist(), ranks.tolist(), strict=True):
        ends = sorted(math.ceil(cut * L) for cut in c)
        pieces = [list(range(a, b)) for a, b in zip([0, *ends], [*ends, L], strict=True)]
        want.append([float(t) for _, piece in sorted(zip(r, pieces, strict=True)) for t in piece])
    assert want[0] != sorted(want[0])
    assert_reads(x, y, want)


def test_mild_reads_once_then_bends_then_adds_noise() -> None:
    """The whole composition on full series, from the same random numbers in the same order."""
    B, T, rng = 4, 40, Generator().manual_seed(11)
    x = Batch(torch.randn(B, 1, T, generator=rng), torch.ones(B, 1, T, dtype=torch.bool))
    y = Mild(strength=0.5)(x, Generator().manual_seed(2))

    again = Generator().manual_seed(2)
    factor = (1 + 0.04 * either_way(B, rng=again, like=x.values)).tolist()
    by = (0.02 * either_way(B, rng=again, like=x.values)).tolist()
    moves = (0.01 * normal(B, 6, rng=again, like=x.values)).tolist()
    bends = (0.05 * normal(B, 1, 5, rng=again, like=x.values)).tolist()
    noise = (0.015 * normal(B, 1, T, rng=again, like=x.values)).tolist()
    for i in range(B):
        v = x.values[i, 0].tolist()
        bent = []
        for t in range(T):
            middle = (T - 1) / 2
            p = middle + (t - middle) * factor[i] + by[i] * T + T * curve(moves[i], T, t)
            p = min(max(p, 0), T - 1)
            a, b = v[math.floor(p)], v[min(math.floor(p) + 1, T - 1)]
            bent.append((a + (b - a) * (p - math.floor(p))) * (1 + curve(bends[i][0], T, t)))
        want = [value + np.std(bent) * e for value, e in zip(bent, noise[i][0], strict=True)]
        np.testing.assert_allclose(y.values[i, 0], want, atol=5e-5)
