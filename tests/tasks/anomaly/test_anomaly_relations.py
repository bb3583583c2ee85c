"""Channels beside each other: what no channel shows by itself is found, named, and no more said."""

import numpy as np
import pytest

import selftime as st
from selftime.tasks.anomaly.detect import departure_scores, record_of, score_recording
from selftime.tasks.anomaly.scores.relations import LAGS, departures, reconstructions

TRAIN = 900


def noisy_channels(T: int = 1500, *, seed: int = 0) -> np.ndarray:
    """Five channels that follow two waves whose phase and height wander, the last by its square."""
    rng = np.random.default_rng(seed)
    walks = np.cumsum(0.12 * rng.normal(size=(4, T)), axis=1)
    turns = 2 * np.pi * np.arange(T) / np.array([[40], [33]]) + walks[:2]
    a, b = np.sin(turns) * (1.5 + np.sin(walks[2:]))
    x = np.stack([a, b, a + b, a - b, np.square(a)])
    return np.asarray(x + 0.05 * rng.normal(size=x.shape))


def records(x: np.ndarray, *, past: bool = False, boundaries: tuple[int, ...] = ()) -> list:
    return [record_of(row, TRAIN, past, boundaries) for row in x]


def of(x: np.ndarray, *, past: bool = False, boundaries: tuple[int, ...] = ()) -> np.ndarray:
    return departure_scores(records(x, past=past, boundaries=boundaries), np.isfinite(x))


@pytest.mark.late
@pytest.mark.parametrize("past_only", [False, True])
@pytest.mark.parametrize("channel", [2, 3])
def test_a_channel_as_it_was_at_another_time_is_found_and_named(channel, past_only):
    x = noisy_channels()
    x[channel, 1200:1260] = x[channel, 300:360]
    detector = st.AnomalyDetector(past_only=past_only).fit(x[None, :, :TRAIN])
    (alarms,) = detector.alarms(x[None, :, TRAIN:])
    highest = max(alarms, key=lambda alarm: alarm.score)
    assert 290 <= highest.peak <= 370 + 60 * past_only and highest.channel == channel


@pytest.mark.late
def test_relations_alone_tell_it():
    x, changed = noisy_channels(), noisy_channels()
    changed[3, 1200:1260] *= -1
    whole, found = (score_recording(values, TRAIN).found for values in (x, changed))
    at = slice(1215, 1245)
    assert found.alone[3, at].max() < whole.alone[:, TRAIN:].max()
    assert found.beside[3, at].min() > 2 * whole.beside[:, TRAIN:].max()
    np.testing.assert_array_equal(found.joined, found.alone.mean(axis=0) + found.beside.max(axis=0))
    np.testing.assert_array_equal(found.each, found.alone + found.beside)


def test_reconstructions_are_ridge_without_the_own_channel():
    x = noisy_channels()
    record = records(x)[0]
    x = np.stack([r.values for r in records(x)])
    made = reconstructions(x, record)
    around = [np.roll(x[c], -lag) for c in (1, 2, 3, 4) for lag in range(-4, 5)]
    inputs, few = np.stack(around, axis=1), slice(10, TRAIN)
    weights = np.linalg.lstsq(inputs[few], records(x)[0].values[few], rcond=None)[0]
    np.testing.assert_allclose(made[0, few], inputs[few] @ weights, atol=0.05)
    changed = x.copy()
    changed[0] += np.random.default_rng(5).normal(size=1500)
    changed[0, : TRAIN + LAGS] = x[0, : TRAIN + LAGS]
    np.testing.assert_allclose(reconstructions(changed, record)[0], made[0], atol=1e-9)


@pytest.mark.parametrize("past", [False, True])
def test_no_window_lies_across_a_boundary(past):
    x = noisy_channels()
    other = np.concatenate([x[:, :1000], 5 + noisy_channels(500, seed=3)], axis=1)
    first, second = (of(values, past=past, boundaries=(1000,)) for values in (x, other))
    if past:
        np.testing.assert_allclose(first[:, :1000], second[:, :1000])
    raw = [
        departures(records(v, past=past, boundaries=(1000,)), np.ones(v.shape, bool))
        for v in (x, other)
    ]
    assert raw[0] is not None and raw[1] is not None
    np.testing.assert_allclose(raw[0][:, :800], raw[1][:, :800])


def test_past_only_departures_know_nothing_of_later_steps():
    x = noisy_channels()
    changed = x.copy()
    changed[:, 1200:] = np.random.default_rng(1).normal(size=(5, 300))
    changed[2, 1300:1320] = np.nan
    whole, other = of(x, past=True), of(changed, past=True)
    np.testing.assert_allclose(other[:, :1200], whole[:, :1200])
    assert not np.allclose(other[:, 1200:], whole[:, 1200:])
    np.testing.assert_allclose(of(x[:, :1200], past=True), whole[:, :1200])


def test_nothing_is_said_of_relations_where_values_are_missing():
    x = noisy_channels()
    x[0, 1200:1260] = np.nan
    found = of(x)
    assert (found[:, 1180:1280] == 0).all() and (found[:, 900:1000] > 0).any()


def test_what_never_varied_or_stands_alone_has_no_relations():
    x = noisy_channels()
    assert departures(records(x[:1]), np.ones((1, 1500), bool)) is None
    assert not of(x[:1]).any()
    flat = np.concatenate([x[:1], np.ones((1, 1500))])
    assert not of(flat).any()
    both = of(np.concatenate([x, np.ones((1, 1500))]))
    assert not both[5].any()
    np.testing.assert_allclose(both[:5], of(x))
    few = [record_of(row, 30, False, ()) for row in x]
    assert not departure_scores(few, np.ones(x.shape, bool)).any()


def test_the_order_of_channels_changes_nothing():
    x = noisy_channels()
    order = [2, 0, 4, 3, 1]
    np.testing.assert_allclose(of(x[order]), of(x)[order], atol=1e-6)


def test_copies_of_channels_are_no_alarm():
    """Residuals of nothing but rounding have no spread, and are no departure."""
    x = noisy_channels()[:1]
    assert of(np.concatenate([x, x, 2 * x])).max() < 10
