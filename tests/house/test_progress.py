"""Progress is told in one way, shown where a person looks, and costs nothing elsewhere."""

import subprocess
import sys

import numpy as np
import pytest

import selftime as st
from selftime.encoders.builders import BUILDERS
from selftime.progress import ONE_BAR, Pace, open_progress, plain_lines, silent
from selftime.tasks.forecasting import backtest as backtests

X = np.random.default_rng(0).normal(size=(12, 1, 24)).cumsum(axis=-1).astype(np.float32)
LABELS = ["a", "b"] * 6


@pytest.fixture
def terminal(monkeypatch, capsys):
    """Gives what was shown since it was last asked, on a stream that counts as a terminal."""
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    return lambda: capsys.readouterr().err


def work(progress, count=8):
    with open_progress(progress) as tell:
        for done in range(1, count + 1):
            tell("working", done, count, f"loss {done}")


@pytest.mark.parametrize("progress", [None, False])
def test_nothing_is_shown_where_nobody_looks(progress, capfd):
    work(progress)
    assert capfd.readouterr() == ("", "")


def test_true_prints_a_plain_line_at_every_quarter(capfd):
    work(True)
    shown = [f"working: {k} of 8 (loss {k})" for k in (1, 2, 4, 6, 8)]
    out, err = capfd.readouterr()
    assert err.splitlines() == shown and out == ""


def test_plain_lines_name_every_new_thing(capsys):
    with open_progress(True) as tell:
        for what in ("one", "two"):
            tell(what, 0, 0)
            tell(what, 0, 0)
    assert capsys.readouterr().err.splitlines() == ["one: 0 of 0", "two: 0 of 0"]


@pytest.mark.parametrize("progress", [None, True])
def test_a_terminal_gets_a_bar(terminal, progress):
    work(progress)
    shown = terminal()
    assert "━" in shown and "8/8" in shown and "working loss 8" in shown
    work(False)
    assert terminal() == ""


def test_brackets_are_no_markup(terminal):
    with open_progress(None) as tell:
        tell("simclr [b]", 1, 2, "[/red]")
    assert "simclr [b] [/red]" in terminal()


def test_work_within_work_shows_no_second_bar(terminal):
    with open_progress(None) as outer, open_progress(True) as inner:
        assert inner is silent and outer is not silent
    assert not ONE_BAR.locked()
    with pytest.raises(KeyboardInterrupt), open_progress(None):
        raise KeyboardInterrupt
    assert not ONE_BAR.locked()


def test_only_the_first_process_shows_anything(terminal, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    work(None)
    work(True)
    assert terminal() == ""


def test_what_can_be_called_is_called_with_all_four():
    told = []
    work(lambda *at: told.append(at), count=2)
    assert told == [("working", 1, 2, "loss 1"), ("working", 2, 2, "loss 2")]


@pytest.fixture(scope="module")
def model():
    return st.pretrain(X, encoder="quantiles")


def backtest(told):
    wave = np.random.default_rng(0).normal(size=(1, 1, 300)).cumsum(axis=-1)
    return backtests.backtest(st.SeriesSet.of(wave), [2], progress=told)


SERIES = st.SeriesSet.of(X, labels=LABELS)
WAVE = np.sin(np.arange(80, dtype=np.float32) / 3)
SLOW = pytest.mark.slow  # seconds; the tests of commands call them too
CALLS = [
    ("pretrain", lambda m, p: st.pretrain(X, encoder="quantiles", progress=p)),
    ("embed", lambda m, p: m.embed(X, progress=p)),
    ("evaluate", lambda m, p: st.evaluate(m, Guess(), SERIES, SERIES, progress=p)),
    ("race", lambda m, p: st.race(X, objectives=("spectral",), minutes=0.1, progress=p)),
    ("suggest", lambda m, p: st.suggest(m, X, n=2, progress=p)),
    ("Classifier", lambda m, p: st.Classifier(progress=p).fit(X, LABELS)),
    ("Regressor", lambda m, p: st.Regressor(progress=p).fit(X, np.arange(12.0))),
    ("SelfSupervised", lambda m, p: st.SelfSupervised(progress=p).fit_transform(X)),
    ("Forecaster", lambda m, p: st.Forecaster(horizon=2, progress=p).fit(WAVE[None, None])),
    ("Imputer", lambda m, p: st.Imputer(progress=p).fit(WAVE[None, None])),
    ("AnomalyDetector", lambda m, p: st.AnomalyDetector(progress=p).fit(WAVE).score(WAVE)),
    pytest.param("inspect_views", lambda m, p: st.inspect_views(SERIES, progress=p), marks=SLOW),
    pytest.param("backtest", lambda m, p: backtest(p), marks=SLOW),
]


class Guess:
    """A classifier that knows nothing."""

    classes_ = np.array(["a", "b"])

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


@pytest.mark.late
@pytest.mark.again
@pytest.mark.parametrize("name, call", CALLS)
def test_every_call_that_takes_time_tells(model, name, call, capfd, monkeypatch):
    monkeypatch.setitem(BUILDERS, "rocket", BUILDERS["quantiles"])
    told = []

    def tell(what, done, of, detail=""):
        told.append((what, done, of))

    call(model, tell)
    assert told and all(what and 0 <= done <= of for what, done, of in told)
    call(model, False)
    call(model, None)
    assert capfd.readouterr() == ("", "")


def test_rich_is_not_imported_before_a_bar_may_be_drawn():
    code = "import sys, selftime, selftime.progress; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr


class Clock:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_long_work_says_how_long_it_takes_once_its_first_part_is_done():
    clock = Clock()
    pace, said = Pace(clock), []
    for done in range(0, 1001):
        said.append(pace.estimate("embedding", done, 1000))
        clock.now += 0.3
    assert [line for line in said if line] == ["embedding: about 5 minutes in all"]
    assert said.index("embedding: about 5 minutes in all") == 2  # at the first part of a second
    clock.now += 100
    said = []
    for done in range(1, 101):  # short work is not worth a word, slower and slower work is
        said.append(pace.estimate("learning", done, 100))
        clock.now += 0.5 if done < 50 else 5.0
    assert [line for line in said if line] == [
        "learning: about 1 minute in all",
        "learning: about 2 minutes in all",
        "learning: about 5 minutes in all",
    ]


def test_short_work_says_nothing():
    clock = Clock()
    pace = Pace(clock)
    for done in range(60):
        assert pace.estimate("embedding", done, 60) is None
        clock.now += 0.9


def test_plain_lines_begin_with_the_estimate(capsys, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("selftime.progress.Pace", lambda: Pace(clock))
    show = plain_lines()
    for done in (0, 10, 20):
        show("embedding", done, 4000)
        clock.now += 20
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["embedding: 0 of 4,000", "embedding: about 2.2 hours in all"]
