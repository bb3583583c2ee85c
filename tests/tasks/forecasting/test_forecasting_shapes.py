"""Tables of short series: levels, shared shapes, and how far series are drawn towards them."""

import numpy as np
import pytest

from selftime.tasks.forecasting.forecasters import spread_of_level
from selftime.tasks.forecasting.shapes import Joined, Seasons, TableShape, is_table

SHAPE = np.array([0.4, 0.1, -0.2, -0.3])
SHAPE = SHAPE - SHAPE.mean()


def table(np_rng, count=12, steps=40, noise=0.02, own=0.0):
    """Series (T,1) above 0 that share a shape of logarithms, but for what each has of its own."""
    shapes = SHAPE + own * np_rng.normal(size=(count, 4))
    level = np_rng.normal(3, 1, (count, 1))
    logs = level + shapes[:, np.arange(steps) % 4] + noise * np_rng.normal(size=(count, steps))
    return [np.exp(row)[:, None] for row in logs], shapes


def test_seasons_beside_a_plain_loop(np_rng):
    values = [np_rng.normal(size=(T, 2)) for T in (13, 11)]
    starts = np.array([2, 0])
    found = Seasons.of(Joined.of(values), starts, 4)
    for i, (x, start) in enumerate(zip(values, starts, strict=True)):
        left = {p: [] for p in range(4)}
        for t in range(2, len(x) - 2):
            trend = (x[t - 2] / 2 + x[t - 1] + x[t] + x[t + 1] + x[t + 2] / 2) / 4
            left[(start + t) % 4].append(x[t] - trend)
        means = np.stack([np.mean(left[p], axis=0) for p in range(4)])
        squares = sum(((np.array(left[p]) - means[p]) ** 2).sum(axis=0) for p in range(4))
        np.testing.assert_allclose(found.means[i], means - means.mean(axis=0), atol=1e-12)
        np.testing.assert_allclose(found.noise[i], squares / (len(x) - 4 - 4), atol=1e-12)
        assert found.counts[i].tolist() == [len(left[p]) for p in range(4)]


def test_what_was_taken_out_is_added_again(np_rng):
    histories, _ = table(np_rng)
    shape = TableShape.of(histories, None, 4)
    counted = shape.apply([h[:-4] for h in histories], np.zeros(12, int), 4)
    whole = shape.apply(
        histories, np.zeros(12, int), 0, ends=[len(h) - 4 for h in histories]
    )  # in the same units
    future = np.stack([h[-4:].T for h in whole.histories])  # (N,C,H)
    found = counted.invert((future + counted.ahead)[:, None])[:, 0]
    np.testing.assert_allclose(found, np.stack([h[-4:].T for h in histories]), rtol=1e-9)


def test_a_series_of_five_steps_has_the_shape_of_the_others(np_rng):
    histories, _ = table(np_rng)
    shape = TableShape.of(histories, np.zeros(12, int), 4)
    new = np.exp(2 + SHAPE[np.arange(3, 8) % 4])[:, None]  # begins at the last step of a season
    found = shape.apply([new], np.array([3]), 4)
    expected = np.exp(2 + SHAPE)
    forecast = found.invert(found.ahead[:, None])[0, 0, 0]
    np.testing.assert_allclose(forecast, expected, rtol=0.03)


@pytest.mark.parametrize(("own", "kept"), [(0.0, False), (0.5, True)])
def test_series_are_drawn_to_the_shared_shape_as_far_as_they_agree(np_rng, own, kept):
    histories, shapes = table(np_rng, count=40, noise=0.2, own=own)
    found = TableShape.of(histories, None, 4)
    counted = found.apply(histories, np.zeros(40, int), 4)
    ahead = counted.ahead[:, 0] * counted.sd
    truth = shapes - shapes.mean(axis=1, keepdims=True)
    off = np.sqrt(((ahead - truth) ** 2).mean())
    assert off < (0.12 if kept else 0.06), "noise of a mean of ten steps is 0.07"
    assert (found.own[0] > 0.1) == kept


def test_a_later_start_is_found_where_nothing_is_dated(np_rng):
    histories, _ = table(np_rng)
    shape = TableShape.of(histories, None, 4)
    at_once = shape.apply(histories, None, 8)
    later = shape.apply([h[3:] for h in histories], None, 8)
    np.testing.assert_allclose(
        later.ahead * later.sd[..., None], at_once.ahead * at_once.sd[..., None], atol=0.05
    )


def test_zeros_stay_zeros_and_nothing_is_below(np_rng):
    histories, _ = table(np_rng)
    histories[0][:] = 0
    shape = TableShape.of(histories, None, 4)
    counted = shape.apply(histories, None, 2)
    low = counted.invert(np.full((12, 1, 1, 2), -50.0))
    assert (low >= 0).all()
    assert abs(counted.invert(counted.ahead[:, None])[0]).max() < 0.5
    assert np.isfinite(counted.invert(np.full((12, 1, 1, 2), 1e9))).all()


def test_few_steps_have_wider_intervals():
    found = spread_of_level([1, 4, 8, 60], 8, np.zeros((4, 2)))
    np.testing.assert_allclose(found[:, 1], [2**0.5, 1.25**0.5, 1, 1])


def test_series_that_never_move_say_nothing_of_the_shape(np_rng):
    histories, _ = table(np_rng)
    still = [*histories, *[np.full((40, 1), 7.0)] * 12]
    one, other = TableShape.of(histories, None, 4), TableShape.of(still, None, 4)
    np.testing.assert_allclose(one.shared, other.shared, atol=0.01)
    np.testing.assert_allclose(other.amplitude[0], 1, atol=0.01)
    constant = TableShape.of([np.full((40, 1), 7.0)] * 12, None, 4)
    counted = constant.apply([np.full((40, 1), 7.0)] * 12, None, 3)
    np.testing.assert_allclose(counted.invert(counted.ahead[:, None]), 7.0)


def test_negative_values_are_no_logarithms(np_rng):
    histories = [np_rng.normal(size=(30, 2)) for _ in range(9)]
    for history in histories:
        history[:, 1] = np.abs(history[:, 1])
    assert TableShape.of(histories, None, 1).logs.tolist() == [False, True]


def test_nothing_after_the_ends_counts(np_rng):
    histories, _ = table(np_rng)
    shape, ends = TableShape.of(histories, None, 4), [30] * 12
    found = shape.apply(histories, np.zeros(12, int), 0, ends)
    changed = [np.concatenate([h[:30], 7 * h[30:]]) for h in histories]
    other = shape.apply(changed, np.zeros(12, int), 0, ends)
    np.testing.assert_array_equal(found.level, other.level)
    np.testing.assert_array_equal(found.sd, other.sd)
    np.testing.assert_array_equal(found.lift, other.lift)


def test_tables_are_many_short_series():
    assert is_table([np.zeros((50, 1))] * 8)
    assert not is_table([np.zeros((50, 1))] * 7)
    assert not is_table([np.zeros((500, 1))] * 8)
