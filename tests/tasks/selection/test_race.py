"""The race: ranked by the probe or the criterion, resumable, and no contender ends it for all."""

import numpy as np
import pytest

from selftime.data.series import SeriesSet
from selftime.engine.monitoring.criteria import CRITERIA
from selftime.engine.pretrain import pretrain
from selftime.engine.training.loop import Collapsed
from selftime.engine.training.run_folder import RunError
from selftime.tasks.selection import race as races
from selftime.tasks.selection.race import Finish, probe_accuracy, race

SECOND = 1 / 60


def waves(labelled: bool = True) -> SeriesSet:
    rng = np.random.default_rng(0)
    speeds = np.repeat([1, 4], 8)
    time = np.arange(32) / 32
    values = np.sin(2 * np.pi * (speeds[:, None] * time + rng.random((16, 1))))
    return SeriesSet.of(values[:, None].astype(np.float32), labels=speeds if labelled else None)


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    calls = []
    folder = tmp_path_factory.mktemp("race")
    made = race(
        waves(),
        minutes=SECOND,
        objectives=("spectral", "simclr"),
        run=folder,
        progress=lambda *news: calls.append(news),
    )
    return made, folder, calls


@pytest.mark.late
def test_with_labels_the_probe_ranks_and_the_best_model_is_kept(ran):
    made, _, calls = ran
    assert {finish.name for finish in made.finishes} == {"spectral", "simclr"}
    probes = [finish.probe for finish in made.finishes]
    assert probes == sorted(probes, reverse=True) and probes[0] > 0.9
    assert made.model.card["settings"]["objective"]["value"] == made.finishes[0].name
    assert made.finishes[0].name in made.verdict and "cross-validation" in made.verdict
    assert {news[0] for news in calls} == {"spectral", "simclr"}
    assert any("loss" in news[3] and "knn" in news[3] for news in calls)


def test_a_race_that_is_run_again_takes_what_is_there(ran):
    made, folder, _ = ran
    again = race(waves(), minutes=SECOND, objectives=("spectral", "simclr"), run=folder)
    assert [f[:3] for f in again.finishes] == [f[:3] for f in made.finishes]
    assert [f.seconds for f in again.finishes] == [f.seconds for f in made.finishes]
    other = SeriesSet.of(2 * np.asarray(waves().series(0))[None].repeat(4, axis=0))
    with pytest.raises(RunError, match="holds a run on other data"):
        race(other, objectives=("spectral",), run=folder)


@pytest.mark.late
def test_without_labels_the_criterion_ranks():
    made = race(waves(labelled=False), objectives=("spectral", "neighbours"))
    scores = [finish.criterion for finish in made.finishes]
    assert scores == sorted(scores, reverse=True)
    assert all(finish.probe is None for finish in made.finishes)
    assert "a hint, not a proof" in made.verdict
    assert races.CRITERION in CRITERIA and made.to_dict()["criterion"] == races.CRITERION


@pytest.mark.late
def test_a_contender_that_fails_comes_in_last(monkeypatch):
    real = races.pretrain

    def failing(series, *, objective, **settings):
        if objective == "neighbours":
            raise Collapsed("all alike")
        return real(series, objective=objective, **settings)

    monkeypatch.setattr(races, "pretrain", failing)
    made = race(waves(), objectives=("neighbours", "spectral"))
    assert [finish.name for finish in made.finishes] == ["spectral", "neighbours"]
    assert made.finishes[1].failure == "all alike" and made.to_dict()["finishes"][1]["failure"]
    assert made.to_dict()["finishes"][1]["criterion"] is None  # JSON knows no NaN
    with pytest.raises(ValueError, match="nobody came in: neighbours: all alike"):
        race(waves(), objectives=("neighbours",))


def test_ranking_is_by_probe_then_by_nothing_else():
    low, high = Finish("a", 0.9, 0.5, 1.0), Finish("b", 0.1, 0.6, 1.0)
    assert high.score > low.score > Finish("c", np.nan, None, 1.0, "failed").score


def test_the_probe_never_sees_whom_it_judges():
    """Labels that nothing in the series tells are guessed no better than by chance."""
    rng = np.random.default_rng(1)
    values = rng.normal(size=(60, 1, 24)).astype(np.float32)
    x = SeriesSet.of(values, labels=rng.integers(0, 2, 60))
    model = pretrain(x, encoder="quantiles")
    assert probe_accuracy(model, x, 0) < 0.75
    rare = SeriesSet.of(values[:4], labels=np.array([0, 1, 2, 3]))
    assert probe_accuracy(model, rare, 0) is None


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"objectives": ()}, "got no objectives"),
        ({"objectives": ("simclr", "simclr")}, "each may run once"),
        ({"objectives": ("simclr",), "minutes": 0.0}, "got 0.0 minutes"),
        ({"objectives": ("nobody",)}, "got objective 'nobody', wanted one of"),
    ],
)
def test_bad_orders_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        race(waves(), **settings)
