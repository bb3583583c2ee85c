"""Every objective on every kind of signal that it may learn from: its laws, its golden number."""

import ast
import json
from pathlib import Path

import gradient_toys as toys
import numpy as np
import pytest
import signal_laws as laws
import torch
from cases_signals import CLOSED, PAIRS, SIGNAL_CASES, STEPWISE

from selftime.data.signals import SIGNALS as KINDS
from selftime.objectives import base, formula
from selftime.objectives.base import SIGNALS
from selftime.objectives.registry import OBJECTIVES
from selftime.objectives.supervised.heads import NETWORK_HEADS, AttentionPool
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import OneClass

GOLDEN = json.loads(Path(__file__).with_name("signals_golden.json").read_text("utf8"))
"""Losses of first steps by objective and kind: ``python tests/support/signals_golden.py``."""


def named(pairs):
    return [pytest.param(*pair, id="-".join(pair)) for pair in pairs]


def test_there_is_a_batch_of_every_kind_and_every_objective_has_kinds():
    assert set(SIGNAL_CASES) == set(KINDS) == set(SIGNALS)
    for part in OBJECTIVES.values():
        assert part.signals and set(part.signals) <= set(SIGNALS)
        assert len(set(part.signals)) == len(part.signals)


def test_no_objective_asks_what_it_learns_from():
    """What differs is a part; the formula alone refuses pairs."""
    root = Path(base.__file__).parent
    for path in set(root.rglob("*.py")) - {Path(formula.__file__)}:
        tree = ast.parse(path.read_text("utf8"))
        names = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        assert "selftime.data.signals" not in names, path.name


ILLEGAL = [
    (name, signal) for name in OBJECTIVES for signal in SIGNALS if (name, signal) not in PAIRS
]


@pytest.mark.parametrize("name, signal", named(ILLEGAL))
def test_a_pair_without_sense_is_refused_with_those_that_have_some(name, signal):
    case = SIGNAL_CASES[signal]
    legal = [other for other, kind in PAIRS if kind == signal]
    with pytest.raises(ValueError, match=f"for {signal}, .* wanted one of {', '.join(legal)}$"):
        formula.build_objective(name, case.encoder(), kind=case.kind)


@pytest.mark.late
@pytest.mark.parametrize("name, signal", named(STEPWISE))
@pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
def test_a_pair_keeps(law, name, signal):
    law(name, signal)


FALLS = [
    (name, signal)
    for name, signal in STEPWISE
    if signal not in ("series", "sound")  # networks of plain series: the gradient contract has them
    if name != "moco"  # its queue grows over more steps than these, and its loss with it
]


@pytest.mark.slow
@pytest.mark.again
@pytest.mark.parametrize("name, signal", named(FALLS))
def test_the_loss_of_a_pair_falls(name, signal):
    laws.the_loss_falls(name, signal)


@pytest.mark.late
@pytest.mark.parametrize("name, signal", named(CLOSED))
def test_a_pair_in_closed_form_keeps(name, signal):
    laws.sums_are_finite_and_masked(name, signal)


class ToyCase:
    """Plain series, and a small objective that breaks a law."""

    kind = SIGNAL_CASES["series"].kind
    batch = staticmethod(SIGNAL_CASES["series"].batch)

    def __init__(self, broken: type[toys.Louder]) -> None:
        self.broken = broken

    def objective(self, name: str, seed: int = 0) -> toys.Louder:
        return self.broken(encoder=toys.Trained(channels=2, seed=seed))


@pytest.mark.parametrize(
    "law, broken",
    [
        (laws.a_finite_loss_reaches_every_weight, toys.HasAnIdleWeight),
        (laws.a_finite_loss_reaches_every_weight, toys.MultipliesByZero),
        (laws.a_finite_loss_reaches_every_weight, toys.GivesALossEach),
        (laws.seed_state_and_what_was_observed_say_all, toys.RollsItsOwnDice),
        (laws.seed_state_and_what_was_observed_say_all, toys.RollsDiceAtBirth),
        (laws.seed_state_and_what_was_observed_say_all, toys.ReadsPadding),
        (laws.the_loss_falls, toys.Climbs),
    ],
    ids=lambda value: value.__name__,
)
def test_a_law_of_pairs_catches(law, broken, monkeypatch):
    monkeypatch.setitem(SIGNAL_CASES, "series", ToyCase(toys.Louder))
    law("toy", "series")
    monkeypatch.setitem(SIGNAL_CASES, "series", ToyCase(broken))
    with pytest.raises(AssertionError):
        law("toy", "series")


def test_golden_numbers_are_those_of_the_pairs():
    assert [(name, signal) for name in GOLDEN for signal in GOLDEN[name]] == PAIRS


@pytest.mark.parametrize("name, signal", named(PAIRS))
def test_golden_number(name, signal):
    assert laws.number_of(name, signal) == pytest.approx(GOLDEN[name][signal], rel=1e-4)


@pytest.mark.parametrize("signal", SIGNAL_CASES)
def test_labels_are_learned_from_every_kind(signal):
    case = SIGNAL_CASES[signal]
    x, classes = laws.patchy(signal), OneClass(np.array(["a", "b", "c"]))
    targets = torch.arange(len(x.values)) % 3
    for name, head in NETWORK_HEADS.items():
        encoder = case.encoder()
        pool = AttentionPool(encoder.dim, seed=0) if name == "attention" else None
        network = Supervised(
            encoder=encoder, head=head(encoder.dim, 3, seed=0), target_type=classes, pool=pool
        )
        loss = network(x, laws.dice(), targets).loss
        assert loss.isfinite()
        loss.backward()
        assert any(weight.grad.abs().max() > 0 for weight in network.head.parameters())
