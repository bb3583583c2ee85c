"""Views of values, masks and spectra against plain loops in float64."""

import cmath
import math

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.views import amplitude, masks
from selftime.views.draws import spline_weights
from selftime.views.registry import VIEWS
from selftime.views.spectrum import ragged_dft, recomposed, spectrum

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


def known(x: Batch, i: int, c: int) -> list[float]:
    return [v for v, valid in zip(x.values[i, c].tolist(), x.observed[i, c], strict=True) if valid]


def each(x: Batch) -> list[tuple[int, int]]:
    return [(i, c) for i in range(x.values.shape[0]) for c in range(x.values.shape[1])]


def test_jitter_is_noise_in_units_of_the_spread_of_observed_values(x: Batch) -> None:
    noise = draws(4, 3, 21)
    y = amplitude.jittered(x, noise)
    assert torch.equal(y.observed, x.observed)
    for i, c in each(x):
        seen = known(x, i, c)
        mean = math.fsum(seen) / max(len(seen), 1)
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in seen) / max(len(seen), 1))
        for t in x.observed[i, c].nonzero()[:, 0].tolist():
            want = x.values[i, c, t].item() + deviation * noise[i, c, t].item()
            assert y.values[i, c, t].item() == pytest.approx(want, rel=1e-5)


def test_jitter_has_the_strength_it_was_given() -> None:
    x = Batch(100 * torch.randn(20, 2, 500), torch.ones(20, 2, 500, dtype=torch.bool))
    y = amplitude.jitter(x, Generator().manual_seed(1), strength=0.03)
    assert (y.values - x.values).std().item() == pytest.approx(3.0, rel=0.05)


def test_scale_multiplies_each_channel_by_its_own_factor(x: Batch) -> None:
    factors = draws(4, 3)
    y = amplitude.scaled(x, factors)
    for i, c in each(x):
        want = [v * factors[i, c].item() for v in known(x, i, c)]
        np.testing.assert_allclose(known(y, i, c), want, rtol=1e-6)


def test_flip_changes_the_sign_of_whole_channels(x: Batch) -> None:
    y = amplitude.flip(x, Generator().manual_seed(0), chance=0.5)
    signs = (y.values / x.values).round()
    assert set(signs.unique().tolist()) == {-1.0, 1.0}
    assert torch.equal(signs, signs[:, :, :1].expand_as(signs))
    assert torch.equal(amplitude.flip(x, Generator(), chance=1.0).values, -x.values)


def test_magnitude_warp_multiplies_by_one_plus_a_spline(x: Batch) -> None:
    bends = draws(4, 3, 5)
    y = amplitude.magnitude_warped(x, bends)
    for i, c in each(x):
        for t in x.observed[i, c].nonzero()[:, 0].tolist():
            place = torch.tensor(t * 4 / max(LENGTHS[i] - 1, 1), dtype=torch.float64)
            gain = 1 + (spline_weights(place, 5) @ bends[i, c].double()).item()
            want = x.values[i, c, t].item() * gain
            assert y.values[i, c, t].item() == pytest.approx(want, rel=1e-5)


def test_channel_dropout_spares_a_channel_that_reaches_the_end(x: Batch) -> None:
    draw = draws(4, 3)
    for chance in (0.0, 0.5, 1.0):
        got = masks.kept_channels(x, draw, chance)
        for i, L in enumerate(LENGTHS):
            reach = [c for c in range(3) if x.observed[i, c, L - 1]]
            spared = max(reach, key=lambda c, i=i: draw[i, c].item())
            want = [draw[i, c].item() >= chance or c == spared for c in range(3)]
            assert got[i].tolist() == want


def test_span_mask_hides_spans_in_all_channels_and_keeps_the_last_step(x: Batch) -> None:
    begin = draws(4, 2)
    keep = masks.outside_spans(x.lengths, 21, begin, 0.3)
    for i, L in enumerate(LENGTHS):
        width = round(0.3 * L)
        want = [True] * L
        for b in begin[i].tolist():
            first = math.floor(b * (L - width + 1))
            for t in range(first, first + width):
                want[t] = t == L - 1
        assert keep[i, :L].tolist() == want
    assert not keep[0].all()
    y = masks.span_mask(x, Generator().manual_seed(0), spans=2, share=0.3)
    gone = x.observed & ~y.observed
    assert torch.equal(gone, x.observed & gone.any(dim=1, keepdim=True))


def spectrum_by_loops(v: list[float], L: int) -> list[complex]:
    return [sum(v[t] * cmath.exp(-2j * math.pi * k * t / L) for t in range(L)) for k in range(L)]


def test_each_series_has_the_spectrum_of_its_own_length(x: Batch) -> None:
    series = x.filled()
    got = ragged_dft(series.to(torch.complex64), x.lengths)
    for i, c in each(x):
        L = LENGTHS[i]
        np.testing.assert_allclose(
            got[i, c, :L].numpy(), spectrum_by_loops(series[i, c].double().tolist(), L), atol=1e-4
        )


def test_spectrum_removes_raises_and_turns_frequencies(x: Batch) -> None:
    keep, lift, turn = draws(4, 3, 11) > 0.3, draws(4, 3, 11).flip(2), 6 * draws(4, 3, 11).flip(1)
    y = recomposed(x, keep, lift, turn)
    assert torch.equal(y.observed, x.observed)
    for i, c in each(x):
        L, bridged = LENGTHS[i], x.filled()[i, c].double().tolist()
        Y = spectrum_by_loops(bridged, L)
        half = range(1, L // 2 + 1)
        peak = max((abs(Y[k]) for k in half), default=0.0)
        for t in range(L):
            value = Y[0].real / L
            for k in half:
                size = abs(Y[k]) * keep[i, c, k].item() + lift[i, c, k].item() * peak
                angle = cmath.phase(Y[k]) + turn[i, c, k].item()
                share = 1 if 2 * k == L else 2
                value += share * size * math.cos(2 * math.pi * k * t / L + angle) / L
            if x.observed[i, c, t]:
                assert y.values[i, c, t].item() == pytest.approx(value, abs=3e-5)


def test_spectrum_without_any_frequency_leaves_the_mean() -> None:
    x = Batch(3 + torch.randn(5, 2, 30), torch.ones(5, 2, 30, dtype=torch.bool))
    y = spectrum(x, Generator().manual_seed(0), removed=1.0, raised=0.0)
    torch.testing.assert_close(y.values, x.values.mean(dim=2, keepdim=True).expand_as(x.values))


def test_spectrum_is_exact_for_long_series() -> None:
    x = Batch(torch.randn(2, 1, 10_007), torch.ones(2, 1, 10_007, dtype=torch.bool))
    y = spectrum(x, Generator().manual_seed(0), removed=0.0, raised=0.0)
    torch.testing.assert_close(y.values, x.values, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("size", [1e20, 1e38])
def test_views_of_huge_values_are_finite(size):
    values = np.random.default_rng(0).normal(size=(4, 2, 64)).clip(-3, 3) * size
    batch = batch_of(SeriesSet.of(values))
    for name, view in VIEWS.items():
        seen = view(batch, torch.Generator().manual_seed(0)).values
        assert seen.isfinite().all() and seen.abs().max() > size / 10, name
