"""Heads as graphs say what the heads say, of vectors near and far and of those in the bank."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from selftime.tasks.probing.head_graphs import GRAPHS, head_graph
from selftime.tasks.probing.heads import HEAD_NAMES, LabelsProbe, ValueProbe, make_head
from selftime.tasks.probing.probe import Probe

RNG = np.random.default_rng(0)
Y = np.arange(24) % 3
X = RNG.normal(size=(24, 6)) + 2 * np.eye(3, 6)[Y]
BANK = RNG.normal(size=(40, 6)).astype(np.float32)
NEW = np.concatenate([RNG.normal(size=(9, 6)), BANK[:2], 100 * X[:2]])
TARGETS = np.stack([X[:, 0], X[:, 1] - X[:, 2]], axis=1)


def fitted():
    """A head of every kind that has a graph."""
    heads = {name: make_head(name, BANK).fit(X[:6], Y[:6]) for name in HEAD_NAMES}
    heads["probe without a bank"] = Probe().fit(X, Y)
    heads["values"] = ValueProbe().fit(X, TARGETS)
    heads["labels"] = LabelsProbe().fit(X, TARGETS > 0)
    heads["standardised"] = make_pipeline(StandardScaler(), Probe()).fit(X, Y)
    return heads


HEADS = fitted()


@pytest.mark.parametrize("name", HEADS)
def test_a_graph_says_what_its_head_says(name):
    head = HEADS[name]
    wanted = head.predict(NEW) if name == "values" else head.predict_proba(NEW)
    got = head_graph(head)(torch.from_numpy(NEW)).numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-9)


def test_every_kind_is_tried():
    assert {type(head) for head in HEADS.values()} == set(GRAPHS)


def test_another_head_is_refused():
    with pytest.raises(ValueError, match="got a head of LogisticRegression, wanted one of Probe"):
        head_graph(LogisticRegression())
