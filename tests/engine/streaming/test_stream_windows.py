"""Windowed streams: at each due step what the model says of the last window alone."""

import numpy as np
import pytest
from examples import examples
from hypothesis import given
from hypothesis import strategies as st
from stream_material import embedded, model_of, per_series, series_of


def windows_offline(model, x: np.ndarray, window: int, every: int) -> np.ndarray:
    """(S,T,D), every window by itself, padded with missing steps to one batch."""
    S, C, T = x.shape
    rows = np.full((S, T, C, window), np.nan)
    for t in range(T):
        due = t - t % every
        own = x[:, :, max(0, due + 1 - window) : due + 1]
        rows[:, t, :, : own.shape[2]] = own
    return embedded(model, rows.reshape(S * T, C, window)).reshape(S, T, -1)


@examples(12)
@given(
    kind=st.sampled_from(["rocket", "dilated", "per series"]),
    window=st.integers(1, 12),
    every=st.integers(1, 5),
    portions=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    missing=st.sampled_from([0.0, 0.4]),
)
def test_windows_are_encoded_as_offline(kind, window, every, portions, missing):
    model = per_series("dilated", 2) if kind == "per series" else model_of(kind, 2)
    x = series_of((2, 2, 24), missing)
    stream, parts, k = model.stream(streams=2, window=window, every=every), [], 0
    while stream.steps < 24:
        parts.append(stream.update(x[:, :, stream.steps :][:, :, : portions[k % len(portions)]]))
        k += 1
    wanted = windows_offline(model, x, window, every)
    np.testing.assert_allclose(np.concatenate(parts, axis=1), wanted, rtol=1e-5, atol=1e-5)


def test_many_windows_at_once_and_a_single_stream():
    model, x = model_of("rocket"), series_of((1, 1, 150))
    got = model.stream(window=8).update(x[0])
    np.testing.assert_allclose(got, windows_offline(model, x, 8, 1)[0], atol=1e-5)


def test_a_pause_changes_nothing(tmp_path):
    model, x = model_of("rocket", 2), series_of((3, 2, 30), 0.3)
    whole = model.stream(streams=3, window=9, every=4).update(x)
    first = model.stream(streams=3, window=9, every=4)
    first.update(x[:, :, :13])
    again = model.stream(streams=3, window=9, every=4).restore(first.save(tmp_path / "s"))
    np.testing.assert_allclose(again.update(x[:, :, 13:]), whole[:, 13:], atol=1e-5)


@pytest.mark.parametrize("kind", ["rocket", "dilated", "lstm", "per series"])
def test_wild_values_never_make_nan(kind):
    model = per_series("dilated") if kind == "per series" else model_of(kind)
    x = series_of((5, 1, 25))
    x[:, 0, 8:10] = np.array([np.inf, -np.inf, 1e300, -1e300, 3e38])[:, None]
    x[0, 0, 12:] = np.nan
    assert np.isfinite(model.stream(streams=5, window=6).update(x)).all()


def test_memory_is_that_of_the_window():
    stream = model_of("rocket").stream(window=512)
    assert stream.nbytes == 512 * 4 + 512 + 84 * 4
