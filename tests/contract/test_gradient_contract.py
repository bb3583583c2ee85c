"""Every objective learned by gradient keeps every law; each law does catch one that breaks it."""

import gradient_laws as laws
import gradient_toys as toys
import pytest
from cases import GRADIENT_CASES
from kinds import GradientCase

from selftime.settings import settings_of

by_name = pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)
KEPT = [
    (law, name)
    for name, case in GRADIENT_CASES.items()
    for law in laws.LAWS
    if case.steady or law is not laws.padding_changes_nothing
    if not (law is laws.the_loss_falls and name.endswith(", steady"))  # it falls without
]
FIRST = ("simclr", "ts2vec", "byol", "masked_patches", "transformation")
"""One or two of each family keep all laws before each commit, the others in the whole suite."""
QUICK = (
    laws.gives_a_finite_scalar_loss,
    laws.every_trainable_weight_gets_a_gradient_and_no_frozen_one,
    laws.numbers_where_nothing_was_observed_change_nothing,
)


LONG = (laws.the_loss_falls, laws.several_ranks_learn_what_one_does)
"""They do again and again what the other laws do once, with types checked."""


FALLS_ELSEWHERE = ("simclr", "ts2vec", "transformation", "combined")
"""Their own quick tests show that their losses fall."""


def kept(law, name):
    """A law and an objective; marked slow where the quick laws and the first objectives do."""
    marks = [pytest.mark.again] if law in LONG else []
    shown = law is laws.the_loss_falls and name in FALLS_ELSEWHERE
    if (law not in QUICK or "," in name) and name not in FIRST or shown:
        marks.append(pytest.mark.slow)
    return pytest.param(law, name, marks=marks, id=f"{law.__name__}-{name}")


def toy(kind: type[toys.Louder]) -> GradientCase:
    return GradientCase(
        lambda channels, seed: kind(encoder=toys.Trained(channels=channels, seed=seed))
    )


def test_every_objective_keeps_every_law_in_some_case():
    kept = {(law, name.partition(",")[0]) for law, name in KEPT}
    assert len(kept) == len(laws.LAWS) * len({name for _, name in kept})


@pytest.mark.late
@pytest.mark.parametrize("law, name", [kept(*pair) for pair in KEPT])
def test_objective_keeps(law, name):
    law(GRADIENT_CASES[name])


@pytest.mark.parametrize("name", GRADIENT_CASES)
def test_the_case_builds_what_it_says(name):
    first, second = (GRADIENT_CASES[name].build(channels=2, seed=seed) for seed in (0, 1))
    assert settings_of(first.encoder)["channels"] == 2
    assert settings_of(first.encoder) != settings_of(second.encoder)


@by_name
def test_the_smallest_objective_keeps(law):
    law(toy(toys.Louder))


@pytest.mark.parametrize(
    "law, broken",
    [
        (laws.gives_a_finite_scalar_loss, toys.GivesALossEach),
        (laws.gives_a_finite_scalar_loss, toys.NeedsFullBatches),
        (laws.what_it_reports_is_detached, toys.KeepsTheGraph),
        (laws.every_trainable_weight_gets_a_gradient_and_no_frozen_one, toys.HasAnIdleWeight),
        (laws.every_trainable_weight_gets_a_gradient_and_no_frozen_one, toys.MultipliesByZero),
        (laws.every_trainable_weight_gets_a_gradient_and_no_frozen_one, toys.ThawsWeights),
        (laws.the_loss_falls, toys.Climbs),
        (laws.same_seed_gives_the_same_bits, toys.RollsItsOwnDice),
        (laws.other_draws_give_another_loss, toys.IgnoresRng),
        (laws.settings_and_state_are_the_whole_objective, toys.CountsSteps),
        (laws.numbers_where_nothing_was_observed_change_nothing, toys.ReadsPadding),
        (laws.padding_changes_nothing, toys.ReadsPadding),
        (laws.padding_changes_nothing, toys.CountsPadding),
        (laws.the_input_stays_untouched, toys.WritesIntoItsInput),
        (laws.the_shortest_series_work, toys.LeavesOutTheFirstStep),
        (laws.unequal_lengths_work, toys.NeedsFullBatches),
        (laws.constant_series_work, toys.DividesBySpread),
        (laws.every_channel_counts_by_its_place, toys.MixesChannels),
        (laws.global_randomness_stays_untouched, toys.RollsItsOwnDice),
        (laws.global_randomness_stays_untouched, toys.RollsDiceAtBirth),
        (laws.a_batch_of_one_works_or_says_why_not, toys.IsCurtWithOne),
        (laws.several_ranks_learn_what_one_does, toys.LearnsFromItsShare),
        (laws.several_ranks_learn_what_one_does, toys.LearnsFromOthersToo),
        (laws.repr_shows_the_settings, toys.HidesItsSettings),
    ],
    ids=lambda value: value.__name__,
)
def test_law_catches(law, broken):
    with pytest.raises(AssertionError):
        law(toy(broken))
