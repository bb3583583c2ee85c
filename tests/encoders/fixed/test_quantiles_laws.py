"""What the features of the quantile encoder may not depend on, and the pieces it is made of."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from selftime.data.batch import Batch
from selftime.encoders.fixed.quantiles import Quantiles, dyadic_intervals, ranks, resample_to_length
from selftime.encoders.fixed.quantiles_numba import LANES, sort_lanes

LENGTHS = (40, 64, 1, 100, 2, 40)


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(5)


def ragged(channels: int = 2) -> Batch:
    """Random walks with gaps, garbage wherever nothing was observed."""
    shape = (len(LENGTHS), channels, max(LENGTHS))
    values = torch.randn(shape, generator=dice()).cumsum(2)
    lengths = torch.tensor(LENGTHS)[:, None, None]
    steps = torch.arange(max(LENGTHS))
    gone = torch.rand(shape, generator=dice()) < 0.2
    observed = (steps < lengths) & (~gone | (steps == 0) | (steps == lengths - 1))
    return Batch(torch.where(observed, values, 1e6), observed)


def bits(vectors: torch.Tensor) -> bytes:
    return vectors.contiguous().numpy().tobytes()


def line(values: np.ndarray, length: int) -> np.ndarray:
    """The values at evenly spaced places from the first step to the last, one by one."""
    last = len(values) - 1
    places = [i * last / max(length - 1, 1) for i in range(length)]
    return np.array([np.interp(place, range(last + 1), values) for place in places])


@pytest.mark.parametrize("length", [1, 2, 5, 40, 333])
def test_other_lengths_are_resampled_along_straight_lines(length: int) -> None:
    x = ragged()
    got = resample_to_length(x.filled(), x.lengths, length)
    filled = x.filled().double().numpy()
    for series, values, T in zip(got, filled, LENGTHS, strict=True):
        wanted = [line(channel[:T], length) for channel in values]
        assert_allclose(series, np.stack(wanted), rtol=1e-5, atol=1e-5)


def test_series_of_the_reference_length_keep_every_bit() -> None:
    values = torch.randn(2, 1, 9, generator=dice()) * 1e30
    values[0, 0, 3] = -0.0
    longer = torch.cat([values, torch.full((2, 1, 4), 7.0)], dim=2)
    together = resample_to_length(longer, torch.tensor([9, 13]), 9)
    assert bits(together[0]) == bits(values[0])
    assert resample_to_length(values, torch.tensor([9, 9]), 9) is values


def test_resampling_stays_exact_far_from_the_start() -> None:
    steps = 200_001
    values = torch.arange(steps, dtype=torch.float32)[None, None] % 2
    got = resample_to_length(values, torch.tensor([steps]), 400_001)
    assert_array_equal(got[0, 0, 1::2], np.full(200_000, 0.5))


def test_an_embedding_is_that_of_the_resampled_series() -> None:
    x = ragged()
    encoder = Quantiles(channels=2, length=50)
    series = resample_to_length(x.filled(), x.lengths, 50)
    whole = Batch(series, torch.ones_like(series, dtype=torch.bool))
    assert bits(encoder.embed(x)) == bits(encoder.embed(whole))


@pytest.mark.parametrize("length", [1, 2, 3, 40, 64])
def test_the_rest_of_the_batch_changes_no_bit(length: int) -> None:
    x = ragged()
    encoder = Quantiles(channels=2, length=length)
    together = encoder.embed(x)
    assert together.isfinite().all()
    for i, T in enumerate(LENGTHS):
        alone = Batch(x.values[i : i + 1, :, :T], x.observed[i : i + 1, :, :T])
        assert bits(encoder.embed(alone)) == bits(together[i : i + 1])
    many = Batch(x.values.repeat(17, 1, 1), x.observed.repeat(17, 1, 1))
    assert bits(encoder.embed(many)) == bits(together.repeat(17, 1))


def test_missing_numbers_and_padding_change_no_bit() -> None:
    x = ragged()
    encoder = Quantiles(channels=2, length=40)
    other = Batch(torch.where(x.observed, x.values, -3.0), x.observed)
    padding = torch.zeros(len(LENGTHS), 2, 30, dtype=torch.bool)
    padded = Batch(torch.cat([x.values, padding + 9.0], 2), torch.cat([x.observed, padding], dim=2))
    assert bits(encoder.embed(other)) == bits(encoder.embed(x)) == bits(encoder.embed(padded))


def test_a_gap_in_a_straight_line_changes_nothing() -> None:
    values = torch.arange(64.0)[None, None]
    observed = torch.ones(1, 1, 64, dtype=torch.bool)
    gap = observed & ((torch.arange(64) < 20) | (torch.arange(64) > 31))
    encoder = Quantiles(channels=1, length=64)
    torch.testing.assert_close(
        encoder.embed(Batch(values, gap)), encoder.embed(Batch(values, observed))
    )


def test_a_series_never_observed_is_all_zero() -> None:
    nothing = Batch(torch.full((1, 1, 12), 5.0), torch.zeros(1, 1, 12, dtype=torch.bool))
    assert not Quantiles(channels=1, length=12).embed(nothing).any()


def test_the_input_stays_untouched_and_needs_no_order_in_memory() -> None:
    x = ragged()
    before = (x.values.clone(), x.observed.clone())
    encoder = Quantiles(channels=2, length=40)
    encoder.prepare(x, dice())
    vectors = encoder.embed(x)
    assert torch.equal(x.values, before[0]) and torch.equal(x.observed, before[1])
    turned = Batch(*(part.permute(2, 0, 1).contiguous().permute(1, 2, 0) for part in x))
    assert not turned.values.is_contiguous() and bits(encoder.embed(turned)) == bits(vectors)


def test_other_float_types_and_gradients_give_float32_without_gradient() -> None:
    x = ragged()
    encoder = Quantiles(channels=2, length=40)
    exact = Batch(x.values.double().requires_grad_(), x.observed)
    got = encoder.embed(exact)
    assert got.dtype == torch.float32 and not got.requires_grad
    torch.testing.assert_close(got, encoder.embed(x), rtol=1e-5, atol=1e-4)


def test_features_stand_channel_by_channel() -> None:
    x = ragged(channels=3)
    vectors = Quantiles(channels=3, length=40).embed(x).unflatten(1, (3, -1))
    swapped = Batch(x.values[:, [2, 0, 1]], x.observed[:, [2, 0, 1]])
    got = Quantiles(channels=3, length=40).embed(swapped).unflatten(1, (3, -1))
    assert torch.equal(got, vectors[:, [2, 0, 1]])


def test_shifting_a_series_moves_even_quantiles_only() -> None:
    x = Batch(torch.randn(1, 1, 32, generator=dice()), torch.ones(1, 1, 32, dtype=torch.bool))
    encoder = Quantiles(channels=1, length=32, depth=1)
    moved = encoder.embed(Batch(x.values + 10, x.observed)) - encoder.embed(x)
    assert_allclose(moved[0, :8], [10, 0] * 4, atol=1e-5)  # the series
    assert_allclose(moved[0, 8:24], 0, atol=1e-5)  # its two differences


def test_dyadic_intervals() -> None:
    assert dyadic_intervals(9, 2) == [(0, 9), (0, 4), (4, 9), (2, 6)]
    assert dyadic_intervals(8, 3)[4:] == [(0, 2), (2, 4), (4, 6), (6, 8), (1, 3), (3, 5), (5, 7)]
    assert dyadic_intervals(3, 6) == [(0, 3), (0, 1), (1, 3), (0, 1)]
    assert dyadic_intervals(0, 6) == dyadic_intervals(-1, 6) == []


@pytest.mark.parametrize(("values", "count"), [(1, 1), (4, 1), (5, 2), (9, 3), (12, 3), (77, 20)])
def test_ranks_are_those_of_numpy(values: int, count: int) -> None:
    left, right, share = ranks(values, count)
    ordered = np.sort(np.random.default_rng(0).normal(size=values))
    got = ordered[left] * (1 - share) + ordered[right] * share
    shares = np.linspace(0, 1, count) if count > 1 else [0.5]
    assert_allclose(got, np.quantile(ordered, shares), rtol=1e-6)


def test_the_sorting_network_sorts_any_number_of_values() -> None:
    rng = np.random.default_rng(0)
    for count in [*range(1, 140), 255, 256, 257, 1000]:
        values = rng.integers(0, 2 * count, size=(count, LANES)).astype(np.float32)
        got = values.flatten()
        sort_lanes(got, count)
        assert_array_equal(got.reshape(count, LANES), np.sort(values, axis=0))


@pytest.mark.parametrize("name", ["channels", "length", "depth", "divisor"])
def test_settings_below_one_are_refused(name: str) -> None:
    settings = {"channels": 1, "length": 8, name: 0}
    with pytest.raises(ValueError, match=f"got {name}=0, wanted at least 1: raise it"):
        Quantiles(**settings)


def test_another_number_of_channels_is_refused() -> None:
    wanted = "got series with 2 channels, wanted 3: build Quantiles with channels=2"
    with pytest.raises(ValueError, match=wanted):
        Quantiles(channels=3, length=8).embed(ragged())


def test_many_channels_are_mixed_into_few() -> None:
    x = ragged(channels=7)
    encoder = Quantiles(channels=7, length=40, most_channels=3, seed=2)
    mixed = torch.einsum("mc,bct->bmt", encoder.mixing, x.filled())
    within = torch.arange(mixed.shape[2]) < x.lengths[:, None, None]
    plain = Quantiles(channels=3, length=40).embed(Batch(mixed, within.expand_as(mixed)))
    assert encoder.dim == plain.shape[1]
    torch.testing.assert_close(encoder.embed(x), plain, rtol=1e-5, atol=1e-4)
    lengths = Quantiles(channels=4000, length=8, most_channels=50).mixing.square().sum(dim=1)
    assert abs(lengths.mean() - 1) < 0.02


def test_a_few_channels_stay_apart() -> None:
    x = ragged(channels=3)
    apart, roomy = (Quantiles(channels=3, length=40, most_channels=m) for m in (None, 3))
    assert apart.mixing is roomy.mixing is None
    assert torch.equal(apart.embed(x), roomy.embed(x))


def test_the_seed_draws_the_mixing() -> None:
    a, b, c = (Quantiles(channels=5, length=8, most_channels=2, seed=s).mixing for s in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_repr_shows_the_settings() -> None:
    wanted = "Quantiles(channels=2, length=8, depth=3, divisor=4, most_channels=None, seed=0)"
    assert wanted in repr(Quantiles(channels=2, length=8, depth=3))
