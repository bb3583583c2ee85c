"""The rule of thumb, races on held-out series, and temperatures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from training_material import waves

from selftime.data.series import SeriesSet
from selftime.encoders.builders import BUILDERS
from selftime.encoders.networks.attention import TransformerLayer
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import TrainingConfig
from selftime.objectives.base import Recipe
from selftime.objectives.simclr import SimCLR
from selftime.objectives.supervised.targets import Amount, AnyClasses, OneClass, StepClasses
from selftime.tasks.transfer import choose as choosing
from selftime.tasks.transfer import strategies
from selftime.tasks.transfer.choose import (
    advise,
    best_of,
    choose,
    contenders_for,
    credit_of,
    rule_of_thumb,
)
from selftime.tasks.transfer.solution import Solution, calibrate
from selftime.tasks.transfer.strategies import (
    TransferConfig,
    group_mask,
    split_holdout,
    stratified_mask,
    transfer,
)

SERIES = waves(40)
LABELS = np.array(["slow", "fast"])[np.arange(40) % 2]
CLASSES = OneClass(np.unique(LABELS))
QUICK = TransferConfig(
    budget="12 steps", config=TrainingConfig(recipe=Recipe(batch_size=8, rate=5e-3))
)


@pytest.fixture(scope="module")
def model():
    encoder = Dilated(channels=2, hidden=8, depth=2, dim=8, seed=0)
    return pretrain(SERIES, objective=SimCLR(encoder=encoder), budget="2 steps")


@pytest.mark.parametrize(
    "labels, strategy",
    [(1, "probe"), (999, "probe"), (1000, "partial"), (10_000, "partial"), (10_001, "full")],
)
def test_the_rule_of_thumb(labels, strategy):
    assert rule_of_thumb(labels) == strategy
    advice = advise(labels)
    assert advice.strategy == strategy and f"{labels:,} labels" in advice.why
    assert (len(advice.contenders) == 1) == (labels < 1000)


def test_networks_are_raced_from_fewer_labels_on(model):
    assert advise(199, model).contenders == ("probe",)
    assert advise(200, model).contenders == ("probe", "partial", "full", "staged")
    assert advise(200, model).strategy == "probe"


def test_contenders_are_what_an_encoder_can_do():
    sizes = {"channels": 1, "length": 24}
    assert contenders_for(BUILDERS["rocket"](**sizes)) == ("probe", "staged")
    assert contenders_for(BUILDERS["dilated"](**sizes)) == ("probe", "partial", "full", "staged")
    transformer = BUILDERS["transformer"](**sizes)
    assert any(isinstance(part, TransformerLayer) for part in transformer.modules())
    assert contenders_for(transformer)[1] == "adapter"


def test_few_labels_are_not_raced(model, monkeypatch):
    monkeypatch.setattr(strategies, "fit_network", lambda *_: pytest.fail("trained a network"))
    choice = choose(model, SERIES, LABELS, CLASSES)
    assert choice.strategy == "probe" and choice.credit == {}
    assert "40 labels are below 200" in choice.why


def test_a_head_for_frozen_vectors_is_not_raced(model, monkeypatch):
    monkeypatch.setattr(choosing, "RACED", 10)
    assert choose(model, SERIES, LABELS, CLASSES, TransferConfig(head="knn")).strategy == "probe"


@pytest.mark.late
def test_many_labels_are_raced_on_series_that_nobody_saw(model, monkeypatch):
    monkeypatch.setattr(choosing, "RACED", 10)
    seen = []

    def spy(model, series, y, target_type, config, watch):
        seen.append((config.strategy, set(series.ids)))
        return transfer(model, series, y, target_type, config, watch)

    judged = []

    def watched(solution, series, y):
        judged.append(set(series.ids))
        return credit_of(solution, series, y)

    monkeypatch.setattr(choosing, "transfer", spy)
    monkeypatch.setattr(choosing, "credit_of", watched)
    choice = choose(model, SERIES, LABELS, CLASSES, QUICK)
    assert [name for name, _ in seen] == list(choice.credit)
    assert all(not ids & held for (_, ids), held in zip(seen, judged, strict=True))
    assert len(judged[0]) == 10 and choice.strategy in choice.credit


def test_the_cheapest_stays_unless_another_is_clearly_ahead():
    right = np.array([1.0] * 60 + [0.0] * 40)
    slightly = right.copy()
    slightly[58:61] = [0.0, 1.0, 1.0]
    assert best_of({"probe": right, "full": slightly}).strategy == "probe"
    clearly = right.copy()
    clearly[60:75] = 1.0
    choice = best_of({"probe": right, "full": clearly, "staged": slightly})
    assert choice.strategy == "full" and choice.credit["full"] == 0.75
    assert choice.why == (
        "'full' is ahead of 'probe' on 100 held-out series (probe 0.600, full 0.750, staged 0.600)"
    )


def test_credit_is_the_share_right_or_minus_the_error():
    class Says(Solution):
        def __init__(self, target_type, said):
            self.target_type, self.said = target_type, said

        def predict(self, series):
            return self.said

        def probabilities(self, series):
            return self.said

    y = np.array([[1.0], [3.0]])
    off = Says(Amount.of(y), y + 2.0)
    np.testing.assert_allclose(credit_of(off, SERIES, y), [-4, -4])
    some = Says(AnyClasses(2), np.array([[1, 0], [1, 1]]))
    np.testing.assert_allclose(credit_of(some, SERIES, np.array([[1, 1], [1, 1]])), [0.5, 1])
    steps = Says(StepClasses(np.arange(2)), [np.array([0, 1, 1]), np.array([0])])
    wanted = [np.array([0, 0, 0]), np.array([0])]
    np.testing.assert_allclose(credit_of(steps, SERIES, wanted), [1 / 3, 1])


def test_classes_are_held_out_evenly_and_none_is_lost():
    strata = np.array(["a"] * 20 + ["b"] * 8 + ["c"])
    mask = stratified_mask(strata, 0.25, np.random.default_rng(0))
    assert [int(mask[strata == name].sum()) for name in "abc"] == [5, 2, 0]


def test_groups_stay_whole_and_no_class_is_lost():
    groups, strata = np.repeat(np.arange(8), 5), np.repeat([0, 1, 1, 1, 1, 1, 1, 1], 5)
    for seed in range(5):
        mask = group_mask(groups, strata, 0.4, np.random.default_rng(seed))
        assert {tuple(mask[groups == g]) for g in range(8)} <= {(True,) * 5, (False,) * 5}
        assert 0 < mask.mean() <= 0.4 and not mask[strata == 0].any()


def test_held_out_rows_follow_groups_where_there_are_any():
    grouped = replace(SERIES, groups=np.arange(40) // 4)
    fitted, judged = split_holdout(grouped, LABELS, CLASSES, 0.25, 0)
    assert not set(grouped.groups[fitted]) & set(grouped.groups[judged])
    assert sorted([*fitted, *judged]) == list(range(40))


@pytest.mark.parametrize("factor", [0.25, 4.0])
def test_the_temperature_undoes_what_made_probabilities_too_sure(model, factor):
    found = transfer(model, SERIES, LABELS, CLASSES, QUICK._replace(strategy="full"))
    with torch.no_grad():
        found.network.head.weight *= 50  # a few steps leave it too unsure to be measured
    noisy = np.where(np.arange(40) % 4 < 3, found.predict(SERIES), LABELS[::-1])
    once = calibrate(found, SERIES, noisy)
    with torch.no_grad():
        found.network.head.weight *= factor
        found.network.head.bias *= factor
    again = calibrate(found, SERIES, noisy)
    assert again.temperature == pytest.approx(factor * once.temperature, rel=0.02)


def test_nothing_is_calibrated_for_values(model):
    y = np.arange(40.0)[:, None]
    found = transfer(model, SERIES, y, Amount.of(y), QUICK._replace(strategy="full"))
    assert calibrate(found, SERIES, y) is found


def test_many_series_are_calibrated_on_some_that_were_held_out(model, monkeypatch):
    monkeypatch.setattr(strategies, "MIN_FOR_HOLDOUT", 20)
    found = transfer(model, SERIES, LABELS, CLASSES, QUICK._replace(strategy="full"))
    assert found.temperature != 1.0
    few = transfer(model, SERIES[:18], LABELS[:18], CLASSES, QUICK._replace(strategy="full"))
    assert few.temperature == 1.0


def test_steps_are_calibrated(model, monkeypatch):
    monkeypatch.setattr(strategies, "MIN_FOR_HOLDOUT", 20)
    y = [(SERIES.series(i)[0] > 0).astype(int) for i in range(40)]
    found = transfer(
        model, SERIES, y, StepClasses(np.arange(2)), QUICK._replace(strategy="partial")
    )
    assert found.temperature != 1.0


def test_one_series_a_class_is_enough_to_begin(model):
    two = SeriesSet.of([SERIES.series(0), SERIES.series(1)])
    found = transfer(model, two, LABELS[:2], CLASSES, QUICK._replace(strategy="staged"))
    assert set(found.predict(two)) <= {"slow", "fast"}
