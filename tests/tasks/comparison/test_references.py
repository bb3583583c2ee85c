"""The reference rows are what they say, and no row lets the test part touch the training part."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifierCV

from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Joined
from selftime.encoders.fixed.quantiles import Quantiles
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.registry import build, recipe_of
from selftime.encoders.wrappers.projected import Projected, UnitLength
from selftime.engine.pretrain import pretrain
from selftime.engine.solve import generator
from selftime.objectives.simclr import SimCLR
from selftime.tasks.comparison.compare import COMPARISON_ROWS
from selftime.tasks.comparison.rows import (
    from_scratch,
    minirocket_ridge,
    raw_values_row,
    untrained_row,
    untrained_twin,
    without_learning,
)
from selftime.tasks.probing.probe import Probe
from selftime.tasks.transfer import scratch


def walks(n, seed):
    rng = np.random.default_rng(seed)
    series = [rng.normal(size=(2, t)).cumsum(axis=1) + 3 for t in rng.integers(15, 30, size=n)]
    return SeriesSet.of(series, np.arange(n) % 2)


TRAIN, TEST = walks(14, 0), walks(6, 1)


@pytest.fixture(autouse=True, scope="module")
def few_steps():
    """Learning from scratch in a few steps: what it learns is tested in test_scratch.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratch, "MAX_TRAINING_STEPS", 3)
        yield


@pytest.fixture(scope="module")
def model():
    return pretrain(TRAIN, encoder="minirocket")


def other_test(keep):
    """The test part with every series but one replaced by something wild."""
    wild = [1e3 * s for s in (walks(6, 9).series(i) for i in range(6))]
    wild[keep] = TEST.series(keep)
    return SeriesSet.of(wild, TEST.labels)


def values_of(row, i):
    """One test series of a row of values: what was observed, channels one after another."""
    return row.test[i][np.isfinite(row.test[i])]


@pytest.mark.late
@pytest.mark.parametrize("name", COMPARISON_ROWS)
def test_the_test_part_never_reaches_the_training_part(model, name):
    plain, perturbed = (COMPARISON_ROWS[name](model, TRAIN, test) for test in (TEST, other_test(2)))
    np.testing.assert_array_equal(perturbed.train, plain.train)
    np.testing.assert_allclose(values_of(perturbed, 2), values_of(plain, 2), atol=1e-5)
    changed, before = values_of(perturbed, 3), values_of(plain, 3)
    assert changed.shape != before.shape or not np.allclose(changed, before)
    one, two = (clone(r.head).fit(r.train, TRAIN.labels) for r in (plain, perturbed))
    assert one.predict(plain.test)[2] == two.predict(plain.test)[2]


@pytest.mark.parametrize("name", COMPARISON_ROWS)
def test_rows_hold_a_vector_for_every_series(model, name):
    row = COMPARISON_ROWS[name](model, TRAIN, TEST)
    assert row.name == name and len(row.train) == 14 and len(row.test) == 6
    assert row.train.dtype == row.test.dtype == np.float32
    if name != "supervised from scratch":  # which learns from the values, missing ones among them
        assert row.train.shape[1] == row.test.shape[1] and np.isfinite(row.train).all()


def test_from_scratch_is_given_the_scaled_values_and_a_network(model):
    row = from_scratch(model, TRAIN, TEST)
    assert row.train.shape == (14, 2 * TRAIN.lengths.max())
    everything = np.concatenate([TRAIN.series(i) for i in range(14)], axis=1).astype(np.float64)
    mean, deviation = everything.mean(axis=1), everything.std(axis=1)
    for i in (0, 5):
        raw, got = TRAIN.series(i), row.train[i].reshape(2, -1)
        wanted = (raw - mean[:, None]) / deviation[:, None]
        np.testing.assert_allclose(got[:, : raw.shape[1]], wanted, atol=1e-5)
        assert np.isnan(got[:, raw.shape[1] :]).all()
    assert row.head.channels == 2 and row.head.recipe["class"] == "Dilated"


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
    row = raw_values_row(model, same, same[:3])
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
    row = untrained_row(model, TRAIN, TEST)
    wanted = bare.embed(model.scaling.apply(batch_of(TEST))).numpy()
    np.testing.assert_allclose(row.test, wanted, atol=1e-5)
    head = COMPARISON_ROWS["selftime"](model, TRAIN, TEST).head
    assert type(row.head) is type(head) and row.head.penalty == head.penalty
    np.testing.assert_array_equal(row.head.reference_bank, row.train)


def test_every_learned_map_is_taken_off():
    plain = Quantiles(channels=2, length=8, depth=1)
    learned = UnitLength(encoder=Projected(encoder=plain, dim=3))
    bare = without_learning(Joined(encoders=[learned, plain], weights=[1.0, 0.5]))
    x = batch_of(TRAIN)
    unit = torch.nn.functional.normalize(plain.embed(x), dim=1)
    torch.testing.assert_close(bare.embed(x), torch.cat([unit, 0.5 * plain.embed(x)], dim=1))
    assert without_learning(plain) is plain


def test_the_untrained_twin_has_the_first_weights():
    encoder = Dilated(channels=2, hidden=4, depth=2, dim=6, seed=8)
    trained = pretrain(TRAIN, objective=SimCLR(encoder=encoder), budget="3 steps")
    before = {name: weight.clone() for name, weight in trained.encoder.state_dict().items()}
    twin = untrained_twin(trained, TRAIN)
    assert recipe_of(twin) == recipe_of(trained.encoder)
    first = build(recipe_of(encoder)).state_dict()
    (body,) = (part for part in twin.modules() if isinstance(part, Dilated))
    (learnt,) = (part for part in trained.encoder.modules() if isinstance(part, Dilated))
    for name, weight in body.state_dict().items():
        assert torch.equal(weight, first[name])
    assert not torch.equal(learnt.entry.weight, first["entry.weight"])
    assert not torch.equal(twin.encoder.mean, trained.encoder.encoder.mean)  # of its own features
    after = trained.encoder.state_dict()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())


def test_nothing_is_built_anew_where_nothing_was_trained(model):
    twin = untrained_twin(model, TRAIN)
    x = batch_of(TEST)
    assert torch.equal(twin.embed(x), without_learning(model.encoder).embed(x))
