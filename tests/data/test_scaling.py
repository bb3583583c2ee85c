"""Scaling: what it promises, and the way back."""

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from selftime.data.batch import Batch
from selftime.data.scaling import (
    BLOCK_ROWS,
    SCALED_LEAST,
    SCALED_LIMIT,
    PerChannel,
    Scaling,
    Unscaled,
    fit_channels,
    fit_own_level,
    from_dict,
    none,
    per_series,
)
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.signals import Images
from selftime.data.windows import batch_of

KINDS: list[Callable[[SeriesSet], Scaling]] = [
    lambda x: none(),
    lambda x: per_series(),
    fit_channels,
    fit_own_level,
]
NAMES = ("none", "per_series", "channels", "own_level")
NUMBERS = st.floats(-(2.0**100), 2.0**100, width=32)
EPS = float(np.finfo(np.float32).eps)
SERIES = arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=NUMBERS)


def gappy(rng: np.random.Generator, shape: tuple[int, ...] = (6, 3, 40)) -> SeriesSet:
    """Series with gaps, of very different sizes and offsets."""
    x = rng.normal(size=shape) * 10.0 ** rng.integers(-3, 4, size=(*shape[:2], 1)) + 5.0
    x[rng.random(shape) < 0.3] = np.nan
    return SeriesSet.of(x)


WILD = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@given(x=arrays(np.float32, array_shapes(min_dims=3, max_dims=3, max_side=6), elements=WILD))
def test_no_scaled_value_is_too_large_or_too_small_for_networks(
    kind: Callable[[SeriesSet], Scaling], x: np.ndarray
) -> None:
    series = SeriesSet.of(x)
    sizes = kind(series).apply(batch_of(series)).values.abs()
    assert ((sizes == 0) | ((sizes >= SCALED_LEAST) & (sizes <= SCALED_LIMIT))).all()


@pytest.mark.parametrize("size", [1e-310, 1e-44, 1e-38])
def test_units_too_small_for_32_bits_count_as_constant(size: float) -> None:
    """Or each product in a network would be no normal number, which takes many times as long."""
    series = SeriesSet.of(size * np.random.default_rng(0).normal(size=(3, 1, 50)))
    for kind in KINDS:
        assert not kind(series).apply(batch_of(series)).values.any()


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
@given(x=SERIES)
def test_unscale_of_scale_is_the_same(kind: Callable[[SeriesSet], Scaling], x: np.ndarray) -> None:
    series = SeriesSet.of(x)
    batch = batch_of(series)
    scale = kind(series).scale_of(batch)
    scaled = scale.apply(batch)
    back = scale.invert(scaled)
    rounding = 4 * EPS * np.abs(x).max(axis=(0, 2), keepdims=True)
    assert torch.isfinite(scaled.values).all()
    assert (np.abs(back.values.numpy().astype(float) - x) <= rounding).all()


def test_per_series_is_the_loop(np_rng: np.random.Generator) -> None:
    series = gappy(np_rng)
    batch = batch_of(series)
    scaled = per_series().apply(batch)
    for i in range(len(series)):
        for c in range(series.n_channels):
            x = series.series(i)[c].astype(np.float64)
            valid = ~np.isnan(x)
            mean = sum(x[valid]) / valid.sum()
            sd = (sum((x[valid] - mean) ** 2) / valid.sum()) ** 0.5
            wanted = np.where(valid, (x - mean) / sd, 0.0)
            rounding = 4 * EPS * (1 + max(abs(x[valid])) / sd)  # of a mean kept in 32 bits
            np.testing.assert_allclose(scaled.values[i, c].numpy(), wanted, EPS, rounding)


def test_per_series_ignores_padding_and_other_series(np_rng: np.random.Generator) -> None:
    short, long = np_rng.normal(size=(1, 2, 5)), 100 * np_rng.normal(size=(1, 2, 9))
    together = per_series().apply(batch_of(SeriesSet.of([short[0], long[0]])))
    alone = per_series().apply(batch_of(SeriesSet.of(short)))
    torch.testing.assert_close(together.values[0, :, :5], alone.values[0])
    assert (together.values[0, :, 5:] == 0).all()


def test_fitted_numbers_are_those_of_the_loop(np_rng: np.random.Generator) -> None:
    series = gappy(np_rng)
    scaling = fit_channels(series)
    assert isinstance(scaling, PerChannel)
    for c in range(series.n_channels):
        x = np.concatenate([series.series(i)[c] for i in range(len(series))]).astype(np.float64)
        assert scaling.mean[c] == pytest.approx(np.nanmean(x), rel=1e-12)
        assert scaling.sd[c] == pytest.approx(np.nanstd(x), rel=1e-12)


def test_own_levels_are_taken_away_in_the_units_of_all(np_rng: np.random.Generator) -> None:
    series = gappy(np_rng)
    scaled = fit_own_level(series).apply(batch_of(series))
    for c in range(series.n_channels):
        each = [series.series(i)[c].astype(np.float64) for i in range(len(series))]
        rest = [x - np.nanmean(x) for x in each]
        sd = np.nanstd(np.concatenate(rest))
        for i, (x, y) in enumerate(zip(each, rest, strict=True)):
            rounding = 4 * EPS * (1 + np.nanmax(np.abs(x)) / sd)
            own = scaled.values[i, c].numpy()
            np.testing.assert_allclose(own, np.nan_to_num(y) / sd, 1e-5, rounding)


def test_a_level_of_its_own_changes_nothing(np_rng: np.random.Generator) -> None:
    """So a voice or a room, which adds to logarithms of energy, is not seen."""
    x = np_rng.normal(size=(5, 2, 30))
    moved = x + 4 * np_rng.normal(size=(5, 2, 1))
    plain, other = (SeriesSet.of(each) for each in (x, moved))
    assert fit_own_level(other).sd == pytest.approx(fit_own_level(plain).sd, rel=1e-5)
    same = [fit_own_level(plain).apply(batch_of(each)).values for each in (plain, other)]
    torch.testing.assert_close(*same, rtol=1e-4, atol=1e-5)


def test_pixels_and_symbols_have_no_level_of_their_own() -> None:
    pictures = replace(SeriesSet.of(np.ones((2, 4, 1))), kind=Images(height=2, width=2, patch=2))
    with pytest.raises(SeriesError, match="got images to count from the mean of each channel"):
        fit_own_level(pictures)


def test_blocks_add_up(np_rng: np.random.Generator) -> None:
    T = 2 * BLOCK_ROWS + 17
    x = (
        1e4 + np_rng.normal(size=(1, 1, T)) + np.arange(T) / BLOCK_ROWS
    )  # drifts away from its start
    scaling = fit_channels(SeriesSet.of(x))
    assert isinstance(scaling, PerChannel)
    stored = x.astype(np.float32).astype(np.float64)
    assert scaling.mean[0] == pytest.approx(stored.mean(), rel=1e-12)
    assert scaling.sd[0] == pytest.approx(stored.std(), rel=1e-9)


@pytest.mark.parametrize("kind", KINDS[1:], ids=NAMES[1:])
@given(level=NUMBERS, T=st.integers(1, 300))
def test_constant_channels_come_out_as_zero(
    kind: Callable[[SeriesSet], Scaling], level: float, T: int
) -> None:
    series = SeriesSet.of(np.full((2, 1, T), level))
    scale = kind(series).scale_of(batch_of(series))
    assert (scale.sd == 1).all()
    assert (scale.apply(batch_of(series)).values == 0).all()


def test_rounding_noise_counts_as_constant() -> None:
    level = np.float32(1e6)
    noisy = np.array([[level, np.nextafter(level, np.float32(2e6))] * 20])
    noise = SeriesSet.of(noisy)
    for kind in (per_series(), fit_channels(noise), fit_own_level(noise)):
        assert (kind.scale_of(batch_of(SeriesSet.of(noisy))).sd == 1).all()


def test_small_units_are_not_constant(np_rng: np.random.Generator) -> None:
    volts = SeriesSet.of(1e-6 * np_rng.normal(size=(3, 1, 200)))
    for kind in (per_series(), fit_channels(volts)):
        scaled = kind.apply(batch_of(volts)).values
        assert float(scaled.std()) == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("kind", KINDS, ids=NAMES)
def test_what_was_not_observed_means_nothing(
    kind: Callable[[SeriesSet], Scaling], np_rng: np.random.Generator
) -> None:
    series = gappy(np_rng)
    batch = batch_of(series)
    garbage = Batch(batch.values.masked_fill(~batch.observed, 1e9), batch.observed)
    before = garbage.values.clone()
    scale, other = kind(series).scale_of(batch), kind(series).scale_of(garbage)
    assert scale.apply(batch).values.equal(other.apply(garbage).values)
    assert scale.invert(batch).values.equal(other.invert(garbage).values)
    assert garbage.values.equal(before)  # and the input is left alone


def test_channel_that_was_never_observed() -> None:
    series = SeriesSet.of(np.array([[[1.0, 2.0], [np.nan, np.nan]]]))
    for kind in (per_series(), fit_channels(series)):
        scale = kind.scale_of(batch_of(series))
        assert scale.mean[0, 1].item() == 0
        assert scale.sd[0, 1].item() == 1


def test_none_changes_no_bit(np_rng: np.random.Generator) -> None:
    batch = batch_of(gappy(np_rng))
    assert none().apply(batch).values.equal(batch.values)


def test_forecasts_come_back_by_the_scale() -> None:
    context = batch_of(SeriesSet.of(np.array([[[1.0, 3.0], [10.0, 30.0]]])))
    scale = per_series().scale_of(context)
    forecast = torch.full((1, 2, 5), 2.0)
    back = forecast * scale.sd + scale.mean
    torch.testing.assert_close(back, torch.tensor([[[4.0], [40.0]]]).expand(1, 2, 5))


@given(st.lists(st.tuples(st.floats(-1e38, 1e38), st.floats(1e-38, 1e38)), min_size=1))
def test_stored_numbers_are_exact(pairs: list[tuple[float, float]]) -> None:
    mean, sd = zip(*pairs, strict=True)
    scaling = PerChannel(mean=mean, sd=sd)
    assert from_dict(json.loads(json.dumps(scaling.to_dict())), len(mean)) == scaling


def test_every_kind_is_stored_by_name(np_rng: np.random.Generator) -> None:
    series = gappy(np_rng)
    for kind, name in zip(KINDS, NAMES, strict=True):
        stored = kind(series).to_dict()
        assert stored["kind"] == name
        assert from_dict(json.loads(json.dumps(stored)), series.n_channels) == kind(series)
    assert isinstance(from_dict({"kind": "none"}, 2), Unscaled)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({}, "got scaling None, wanted one of none, per_series, channels"),
        ({"kind": "os.system"}, "got scaling 'os.system', wanted one of none"),
        ({"kind": "none", "mean": [1.0]}, "got ['mean'] for scaling 'none', wanted []"),
        ({"kind": "channels"}, "got [] for scaling 'channels', wanted ['mean', 'sd']"),
        ({"kind": "channels", "mean": [0.0], "sd": [0.0]}, "no sd of 0: use fit_channels"),
        ({"kind": "channels", "mean": [0.0, 1.0], "sd": [1.0]}, "got 1 numbers for sd, wanted 2"),
        ({"kind": "channels", "mean": [float("nan")], "sd": [1.0]}, "wanted float"),
        ({"kind": "channels", "mean": [True], "sd": [1.0]}, "got True, wanted float"),
        ({"kind": "channels", "mean": "1", "sd": [1.0]}, "got '1', wanted tuple"),
        ({"kind": "channels", "mean": [1e308], "sd": [1.0]}, "wanted finite 32-bit numbers"),
        ({"kind": "channels", "mean": [1.0], "sd": [1e-300]}, "no sd of 0: use fit_channels"),
        (
            {"kind": "channels", "mean": [1.0], "sd": [1.0], "low": [2.0], "high": [1.0]},
            "wanted one of each a channel, low ones first",
        ),
        ({"kind": ["channels"]}, "got scaling ['channels']"),
        ("none", "got scaling None"),
    ],
)
def test_bad_stored_scalings(stored: object, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        from_dict(stored, 2 if "[0.0, 1.0]" in str(stored) else 1)


def test_levels_of_their_own_are_stored_too() -> None:
    scaling = PerChannel(mean=(0.0, 1.0), sd=(1.0, 2.0), origin=(math.nan, 3.0))
    text = json.dumps(scaling.to_dict(), allow_nan=False)
    assert repr(from_dict(json.loads(text), 2)) == repr(scaling)


def test_other_channels_are_refused() -> None:
    scaling = fit_channels(SeriesSet.of(np.ones((2, 3, 4))))
    wanted = "got 2 channels, the scaling was fitted on 3: give the same channels"
    with pytest.raises(SeriesError, match=wanted):
        scaling.apply(batch_of(SeriesSet.of(np.ones((1, 2, 4)))))
