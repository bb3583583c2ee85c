"""Public doors beside inputs that few expect; all of both: ``python -m benchmarks.doors``."""

import numpy as np
import pytest
from benchmarks.doors import INTERNAL, NOT_A_NUMBER, REFUSAL, RESULT, WARNING, judge
from benchmarks.public_doors import DOORS, Door
from benchmarks.wild_inputs import INPUTS, Input

from selftime.data.series import SeriesError

NASTIEST = (
    "size 3.4e38",
    "size 1e-38",
    "one 1e25",
    "one -3e38",
    "turns 3e38",
    "constant 1e-310",
    "gaps at 1e38",
    "uint64 extremes",
    "int of 400 digits",
    "tensor with grad",
    "one series of one step",
    "ragged, some of one step",
)
EACH = 1
"""Inputs that are drawn for a door: two take more than 20 seconds of work."""


@pytest.mark.slow
@pytest.mark.long
def test_doors_give_results_without_nan_or_refuse_in_words():
    rng, wrong = np.random.default_rng(0), []
    for name, door in DOORS.items():
        for title in rng.choice(NASTIEST, EACH, replace=False):
            cell = judge(door, INPUTS[title])
            if cell.letter not in (RESULT, REFUSAL):
                wrong.append(f"{cell.letter} {name} × {title}: {cell.detail}")
    assert not wrong


def test_there_are_doors_and_inputs_enough():
    assert len(DOORS) >= 25 and len(INPUTS) >= 60 and set(NASTIEST) <= set(INPUTS)


def refuse(x):
    raise SeriesError(f"got {x}, wanted another: choose one")


@pytest.mark.parametrize(
    "call, letter",
    [
        (np.sqrt, RESULT),
        (refuse, INTERNAL),  # raised outside the package
        (lambda x: [][x], INTERNAL),
        (lambda x: {"a": [np.array([1.0, np.nan])]}, NOT_A_NUMBER),
        (lambda x: np.minimum(np.float64(1e308) * 10, x), WARNING),
    ],
)
def test_what_must_not_be_is_told_from_results(call, letter):
    assert judge(Door(call), Input(lambda: 1)).letter == letter


def test_gaps_may_be_given_back_where_there_are_some():
    given = Input(lambda: np.array([1.0, np.nan]), is_finite=False)
    assert judge(Door(np.copy, gives_back=True), given).letter == RESULT
    assert judge(Door(np.copy), given).letter == NOT_A_NUMBER
    assert judge(Door(np.copy, gives_back=True), given._replace(is_finite=True)).letter != RESULT
