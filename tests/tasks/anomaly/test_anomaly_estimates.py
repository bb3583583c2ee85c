"""How long the scores of recordings take is said first."""

import numpy as np
import pytest

import selftime as st
from selftime.tasks.anomaly import detect as anomalies


class Ticks:
    """A clock on which a part takes some seconds."""

    def __init__(self, seconds: float) -> None:
        self.now, self.seconds = 0.0, seconds

    def __call__(self) -> float:
        self.now += self.seconds
        return self.now


def test_scores_are_expected_to_take_as_long_as_a_part_tells(monkeypatch):
    x = np.sin(np.arange(3000) / 7)[None, None].repeat(2, 1)
    series, recipe = st.read(x), anomalies.Scoring(members=("window kNN",))
    assert anomalies.expected_seconds(series, recipe, Ticks(1.0)) == 0  # few steps
    monkeypatch.setattr(anomalies, "_MANY_STEPS", 1)
    monkeypatch.setattr(anomalies, "_PILOT_STEPS", 1000)
    found = anomalies.expected_seconds(series, recipe, Ticks(2.0))
    pairs = anomalies._EQUAL_STEPS
    assert found == pytest.approx(2 * 2 * 3 * (1 + 3000 / pairs) / (1 + 1000 / pairs))


def test_detection_says_how_long_it_takes(monkeypatch, caplog):
    monkeypatch.setattr(anomalies, "expected_seconds", lambda series, recipe: 754.0)
    st.detect(np.sin(np.arange(300) / 7)[None, None], train_end=200)
    assert caplog.messages[:1] == ["scoring takes about 13 minutes"]
