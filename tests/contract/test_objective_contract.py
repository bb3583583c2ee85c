"""Every closed-form objective keeps every law, and each law does catch one that breaks it."""

import objective_laws as laws
import pytest
import toys
from cases import CLOSED_FORM_CASES, GRADIENT_CASES
from kinds import ClosedFormCase

from selftime.encoders.base import Encoder
from selftime.objectives.base import ClosedForm
from selftime.objectives.registry import OBJECTIVES

by_name = pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)


def toy(kind: type[toys.Whitening], encoder: type[Encoder] = toys.Spread) -> ClosedFormCase:
    return ClosedFormCase(
        lambda channels, strength: kind(encoder=encoder(channels=channels), strength=strength)
    )


def test_every_objective_has_a_case():
    learned_by_gradient = {name.partition(",")[0] for name in GRADIENT_CASES}
    cases = set(CLOSED_FORM_CASES) | learned_by_gradient - {"combined"}
    assert cases == set(OBJECTIVES), "add the new one to its tests/contract/cases_*.py"


def test_every_objective_is_of_the_kind_that_its_case_says():
    kinds = {name: issubclass(kind, ClosedForm) for name, kind in OBJECTIVES.items()}
    assert {name for name, closed in kinds.items() if closed} == set(CLOSED_FORM_CASES)


@pytest.mark.parametrize("name", CLOSED_FORM_CASES)
@by_name
def test_objective_keeps(law, name):
    law(CLOSED_FORM_CASES[name])


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
