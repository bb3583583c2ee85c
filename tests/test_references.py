"""The reference rows are what they say, and no row lets the test part touch the training part."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifierCV

from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Joined
from selftime.encoders.projected import Projected, UnitLength
from selftime.encoders.quantiles import Quantiles
from selftime.encoders.rocket import MiniRocket
from selftime.engine.pretrain import pretrain
from selftime.engine.solve import generator
from selftime.tasks.compare import ROWS
from selftime.tasks.probe import Probe
from selftime.tasks.references import minirocket_ridge, raw_values, untrained, without_learning


def walks(n, seed):
    rng = np.random.default_rng(seed)
    series = [rng.normal(size=(2, t)).cumsum(axis=1) + 3 for t in rng.integers(15, 30, size=n)]
    return SeriesSet.of(series, np.arange(n) % 2)


TRAIN, TEST = walks(14, 0), walks(6, 1)


@pytest.fixture(scope="module")
def model():
    return pretrain(TRAIN, encoder="minirocket")


def other_test(keep):
    """The test part with every series but one replaced by something wild."""
    wild = [1e3 * s for s in (walks(6, 9).series(i) for i in range(6))]
    wild[keep] = TEST.series(keep)
    return SeriesSet.of(wild, TEST.labels)


@pytest.mark.parametrize("name", ROWS)
def test_the_test_part_never_reaches_the_training_part(model, name):
    plain, perturbed = (ROWS[name](model, TRAIN, test) for test in (TEST, other_test(2)))
    np.testing.assert_array_equal(perturbed.train, plain.train)
    np.testing.assert_allclose(perturbed.test[2], plain.test[2], atol=1e-5)
    assert not np.allclose(perturbed.test[3], plain.test[3])
    one, two = (clone(r.head).fit(r.train, TRAIN.labels) for r in (plain, perturbed))
    assert one.predict(plain.test)[2] == two.predict(perturbed.test)[2]


@pytest.mark.parametrize("name", ROWS)
def test_rows_hold_a_vector_for_every_series(model, name):
    row = ROWS[name](model, TRAIN, TEST)
    assert row.name == name and len(row.train) == 14 and len(row.test) == 6
    assert row.train.shape[1] == row.test.shape[1]
    assert row.train.dtype == np.float32 and np.isfinite(row.train).all()


def test_minirocket_is_minirocket_with_the_classifier_of_its_paper(model):
    row = minirocket_ridge(model, TRAIN, TEST, seed=4)
    length = int(np.median(TRAIN.lengths))
    rocket = MiniRocket(channels=2, length=length, seed=4)
    rocket.prepare(batch_of(TRAIN), generator(4, 0))
    train, test = (rocket.embed(batch_of(part)).double().numpy() for part in (TRAIN, TEST))
    deviation = train.std(axis=0)
    scale = np.maximum(deviation, 0.1 * lower_median(deviation[deviation > 0]))
    assert row.train.shape[1] == 9996
    for got, features in ((row.train, train), (row.test, test)):
        wanted = (features - train.mean(axis=0)) / scale / 9996**0.5
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert isinstance(row.head, RidgeClassifierCV)
    np.testing.assert_allclose(row.head.alphas * 9996, np.logspace(-3, 3, 10))


def lower_median(numbers):
    return np.sort(numbers)[(len(numbers) - 1) // 2]


def test_raw_values_are_the_values_scaled_by_the_training_part(model):
    same = SeriesSet.of(np.random.default_rng(0).normal(5, 3, size=(8, 2, 10)), np.arange(8) % 2)
    row = raw_values(model, same, same[:3])
    x = same.values.astype(np.float64)
    for c in range(2):
        mean, sd = x[:, c].mean(), x[:, c].std()
        np.testing.assert_allclose(
            row.train[:, 10 * c : 10 * (c + 1)], (x[:, c] - mean) / sd, atol=1e-5
        )
    np.testing.assert_array_equal(row.test, row.train[:3])
    assert isinstance(row.head, Probe)


def test_untrained_is_the_same_encoder_without_its_map(model):
    bare = without_learning(model.encoder)
    assert any(isinstance(part, Projected) for part in model.encoder.modules())
    assert not any(isinstance(part, Projected) for part in bare.modules())
    row = untrained(model, TRAIN, TEST)
    wanted = bare.embed(model.scaling.apply(batch_of(TEST))).numpy()
    np.testing.assert_allclose(row.test, wanted, atol=1e-5)
    head = ROWS["selftime"](model, TRAIN, TEST).head
    assert type(row.head) is type(head) and row.head.penalty == head.penalty
    np.testing.assert_array_equal(row.head.cohort, row.train)


def test_every_learned_map_is_taken_off():
    plain = Quantiles(channels=2, length=8, depth=1)
    learned = UnitLength(encoder=Projected(encoder=plain, dim=3))
    bare = without_learning(Joined(encoders=[learned, plain], weights=[1.0, 0.5]))
    x = batch_of(TRAIN)
    unit = torch.nn.functional.normalize(plain.embed(x), dim=1)
    torch.testing.assert_close(bare.embed(x), torch.cat([unit, 0.5 * plain.embed(x)], dim=1))
    assert without_learning(plain) is plain
