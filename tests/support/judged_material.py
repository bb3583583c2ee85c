"""Judged classifiers for the tests of the report."""

import numpy as np

import selftime as st
from selftime.tasks.evaluation.evaluation import Evaluation, evaluation_of

TABLE = {
    "probe": {9: (0.7, 0.6, 0.8), 45: (0.8, 0.75, 0.85), "all": (0.9, 0.88, 0.92)},
    "full": {9: (0.5, 0.45, 0.55), "all": (0.95, 0.93, 0.97)},
}
"""Accuracies with their intervals, by strategy and number of labels."""


def series_of(names: list[str], each: int, *, seed: int, channels: int = 1, T: int = 30):
    """``each`` series of every class, shuffled."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.repeat(names, each))
    x = rng.normal(size=(len(labels), channels, T)).cumsum(axis=2)
    return st.SeriesSet.of(x, labels, ids=[f"{seed}.{i}" for i in range(len(labels))])


def judged_pair(K: int = 3, each: int = 12, *, channels: int = 1, names: list[str] | None = None):
    """Training series, test series and an evaluation; class k is often taken for k + K/2."""
    names = names or [f"class {k}" for k in range(K)]
    train = series_of(names, 3, seed=1, channels=channels)
    test = series_of(names, each, seed=2, channels=channels)
    return train, test, judgement(train, test, names)


def judgement(train, test, names: list[str]) -> Evaluation:
    rng, K = np.random.default_rng(0), len(names)
    y = np.array([names.index(name) for name in test.labels])
    score = rng.normal(size=(len(y), K))
    score[np.arange(len(y)), y] += 2.0
    score[np.arange(len(y)), (y + (K + 1) // 2) % K] += 1.0
    chances = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    spaces = rng.normal(size=(len(train), 5)), rng.normal(size=(len(test), 5))
    return evaluation_of(chances, np.array(names), spaces, train, test)
