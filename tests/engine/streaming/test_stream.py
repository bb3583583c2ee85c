"""Streams: at every step what offline says, in whatever portions the steps come."""

import numpy as np
import pytest
import torch
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from stream_material import GROWING, STEPWISE, model_of, offline, series_of

import selftime
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.streaming.base import StreamedDilated

WITHIN = 1e-5
"""The issue's promise; tokens are of size 1."""


def streamed(stream: selftime.Stream, x: np.ndarray, portions: list[int]) -> np.ndarray:
    """Vectors (S,T,D), the portions repeated until all steps are read."""
    parts, t, k = [], 0, 0
    while t < x.shape[2]:
        size = portions[k % len(portions)]
        parts.append(stream.update(x[:, :, t : t + size]))
        t, k = t + size, k + 1
    return np.concatenate(parts, axis=1)


@examples(25)
@given(
    kind=st.sampled_from(GROWING),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(1, 45)),
    missing=st.sampled_from([0.0, 0.2, 0.7]),
    portions=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_streamed_equals_offline_at_every_step(kind, shape, missing, portions, seed):
    model, x = model_of(kind, shape[1]), series_of(shape, missing, seed)
    if kind in STEPWISE:
        got = streamed(model.stream(streams=shape[0], of="step"), x, portions)
        np.testing.assert_allclose(got, offline(model, x), rtol=0, atol=WITHIN)
    got = streamed(model.stream(streams=shape[0], of="series"), x, portions)
    np.testing.assert_allclose(got, offline(model, x, "series"), rtol=0, atol=WITHIN)


@examples(12)
@given(
    kind=st.sampled_from(GROWING),
    of=st.sampled_from(["step", "series"]),
    pause=st.integers(0, 40),
    seed=st.integers(0, 99),
)
def test_a_pause_changes_nothing(kind, of, pause, seed, tmp_path_factory):
    of = of if kind in STEPWISE else "series"
    model, x = model_of(kind, 2), series_of((3, 2, 41), 0.3, seed)
    first, path = model.stream(streams=3, of=of), tmp_path_factory.mktemp("pause") / "state"
    before = streamed(first, x[:, :, :pause], [7]) if pause else np.zeros((3, 0, model.dim))
    first.save(path)
    first.update(np.full((3, 2), 100.0))  # what comes after saving is not in the file
    again = model.stream(streams=3, of=of).restore(path)
    assert again.steps == pause
    got = np.concatenate([before, streamed(again, x[:, :, pause:], [3, 1])], axis=1)
    np.testing.assert_allclose(got, offline(model, x, of), rtol=0, atol=WITHIN)


@pytest.mark.parametrize("kind", GROWING)
def test_portions_of_steps_equal_single_steps(kind):
    model, x = model_of(kind, 2), series_of((2, 2, 60), 0.3)
    alone = streamed(model.stream(streams=2), x, [1])
    for size in (2, 5, 17, 60):
        got = streamed(model.stream(streams=2), x, [size])
        np.testing.assert_allclose(got, alone, rtol=0, atol=WITHIN)


def test_steps_behind_the_last_observed_one_count_once_the_series_goes_on():
    model, x = model_of("dilated", 2), series_of((2, 2, 30))
    x[:, :, 12:25] = np.nan
    got = streamed(model.stream(streams=2), x, [1])
    np.testing.assert_allclose(got, offline(model, x), rtol=0, atol=WITHIN)
    vectors = streamed(model.stream(streams=2, of="series"), x, [4])
    assert (vectors[:, 12:25] == vectors[:, 11:12]).all()  # a series ends where it was last seen


@pytest.mark.parametrize("kind", STEPWISE)
def test_nothing_observed_yet(kind):
    model, x = model_of(kind), np.full((1, 1, 20), np.nan)
    steps = streamed(model.stream(streams=1, of="step"), x, [1, 6])
    assert np.isfinite(steps).all()
    x[:, :, -1] = 0.5
    np.testing.assert_allclose(steps[:, :-1], offline(model, x)[:, :-1], rtol=0, atol=WITHIN)
    series = streamed(model.stream(streams=1, of="series"), x, [1, 6])
    np.testing.assert_allclose(series, offline(model, x, "series"), rtol=0, atol=WITHIN)


def test_beyond_the_receptive_field_it_is_still_exact():
    model = model_of("dilated")  # 4 blocks of 2 convolutions: 2 · 2 · (1 + 2 + 4 + 8) steps
    x = series_of((1, 1, 5000), 0.1)
    got = streamed(model.stream(streams=1), x, [1000, 1, 777])
    np.testing.assert_allclose(got, offline(model, x), rtol=0, atol=WITHIN)
    late = model.stream(streams=1).update(x[:, :, -100:])
    np.testing.assert_allclose(got[:, -39:], late[:, -39:], rtol=0, atol=WITHIN)


def test_memory_is_bounded_by_the_receptive_field():
    encoder, stream = Dilated(channels=1, causal=True), model_of("dilated").stream()
    rings = StreamedDilated(encoder, 1).memory().values()
    assert sum(ring.numel() for ring in rings) == 2 * 1023 * 128 + 2048 * (64 + 320)
    before = stream.nbytes
    stream.update(np.zeros((1, 3000)))
    assert stream.nbytes == before == 4 * (2 * 7 * 12 + 16 * (6 + 7))
    assert stream.steps == 3000


def test_shapes_in_and_out():
    one, many = model_of("dilated"), model_of("dilated", 2)
    assert one.stream().update(0.5).shape == (7,)
    assert one.stream().update([0.5]).shape == (7,)
    assert one.stream().update([[0.5, 1.0]]).shape == (2, 7)
    assert many.stream().update(np.ones((2, 4), int)).shape == (4, 7)
    assert many.stream(streams=1).update(np.ones((1, 2))).shape == (1, 7)
    assert many.stream(streams=3).update(torch.ones(3, 2, 4)).shape == (3, 4, 7)
    got = many.stream(streams=3).update(np.ones((3, 2)))
    assert got.dtype == np.float32 and got.flags.writeable and got.flags.c_contiguous


def test_the_input_stays_untouched():
    x = series_of((2, 2, 9), 0.4)
    before = x.copy()
    model_of("dilated", 2).stream(streams=2).update(x)
    np.testing.assert_array_equal(x, before)
    x = np.ones((2, 2, 3))
    got = model_of("by channel", 2).stream(streams=2)
    first = got.update(x).copy()
    kept = first.copy()
    got.update(x)
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("kind", GROWING)
def test_wild_values_never_make_nan(kind):
    model, x = model_of(kind, 2), series_of((5, 2, 40), 0.2)
    calm = offline(model, x, "series" if kind not in STEPWISE else "step")
    x[:, 1, 10:13] = np.array([np.inf, -np.inf, 1e300, -1e300, 3e38])[:, None]
    got = streamed(model.stream(streams=5), x, [1, 4])
    assert np.isfinite(got).all()
    np.testing.assert_allclose(got[:, :10], calm[:, :10], rtol=0, atol=WITHIN)


def test_infinities_are_missing_and_wild_values_are_forgotten():
    model, x = model_of("dilated"), series_of((1, 1, 90))
    gone, wild = x.copy(), x.copy()
    gone[:, :, 10], wild[:, :, 10] = np.nan, np.inf
    want = streamed(model.stream(streams=1), gone, [1])
    np.testing.assert_array_equal(streamed(model.stream(streams=1), wild, [1]), want)
    wild[:, :, 10] = 1e300
    got = streamed(model.stream(streams=1), wild, [1])
    assert np.abs(got[:, 10]).max() > 1e6
    np.testing.assert_allclose(got[:, 71:], want[:, 71:], rtol=0, atol=WITHIN)  # 60 steps later


def test_repr_says_how_it_is_read():
    stream = model_of("dilated").stream(streams=2)
    stream.update(np.zeros((2, 1, 3)))
    assert repr(stream) == "Stream(streams=2, of='auto', window=None, every=1, steps=3)"
