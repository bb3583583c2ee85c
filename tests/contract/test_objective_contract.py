"""Every closed-form objective keeps every law, and each law does catch one that breaks it."""

import objective_laws as laws
import pytest
import toys
from cases import OBJECTIVE_CASES, ObjectiveCase

from selftime.encoders.base import Encoder
from selftime.objectives import OBJECTIVES

by_name = pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)


def toy(kind: type[toys.Whitening], encoder: type[Encoder] = toys.Spread) -> ObjectiveCase:
    return ObjectiveCase(
        lambda channels, strength: kind(encoder=encoder(channels=channels), strength=strength)
    )


def test_every_objective_has_a_case():
    assert set(OBJECTIVE_CASES) == set(OBJECTIVES), "add the new one to tests/contract/cases.py"


@pytest.mark.parametrize("name", OBJECTIVE_CASES)
@by_name
def test_objective_keeps(law, name):
    law(OBJECTIVE_CASES[name])


@by_name
def test_the_smallest_objective_keeps(law):
    law(toy(toys.Whitening))


@pytest.mark.parametrize(
    "law, broken",
    [
        (laws.sums_are_finite_and_nested, toy(toys.Whitening, toys.DividesBySpread)),
        (laws.same_seed_gives_the_same_bits, toy(toys.RollsItsOwnDice)),
        (laws.the_seed_of_a_batch_matters, toy(toys.IgnoresRng)),
        (laws.the_order_of_batches_changes_nothing, toy(toys.CountsCalls)),
        (laws.two_parts_add_up_to_the_whole, toy(toys.CentresBatches)),
        (laws.seeing_everything_twice_teaches_nothing_new, toy(toys.ForgetsToDivide)),
        (laws.what_is_learned_is_finite, toy(toys.Whitening, toys.DividesBySpread)),
        (
            laws.numbers_where_nothing_was_observed_change_nothing,
            toy(toys.Whitening, toys.ReadsPadding),
        ),
        (laws.the_input_stays_untouched, toy(toys.Whitening, toys.WritesIntoItsInput)),
        (laws.global_randomness_stays_untouched, toy(toys.RollsItsOwnDice)),
    ],
    ids=lambda value: getattr(value, "__name__", "broken"),
)
def test_law_catches(law, broken):
    with pytest.raises(AssertionError):
        law(broken)
