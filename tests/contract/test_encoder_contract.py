"""Every encoder keeps every law, and each law does catch an encoder that breaks it."""

from itertools import product

import encoder_laws as laws
import pytest
import toys
from cases import ENCODER_CASES
from kinds import EncoderCase

from selftime.encoders.registry import ENCODERS

by_name = pytest.mark.parametrize("law", laws.LAWS, ids=lambda law: law.__name__)


QUICK = (
    laws.gives_finite_float32_vectors,
    laws.numbers_where_nothing_was_observed_change_nothing,
    laws.each_series_is_encoded_by_itself,
)


def kept(law, name):
    """A law and an encoder; most laws wait for the whole suite where another case has its class."""
    again = "," in name and law not in QUICK
    marks = [pytest.mark.slow] if again else []
    return pytest.param(law, name, marks=marks, id=f"{law.__name__}-{name}")


def toy(kind: type[toys.Spread]) -> EncoderCase:
    return EncoderCase(lambda channels, seed: kind(channels=channels, seed=seed), rounding=1e-5)


def test_every_encoder_has_a_case():
    named = {name.partition(",")[0] for name in ENCODER_CASES}  # a second case: "name, how"
    assert named == set(ENCODERS), "add it to its cases_*.py"


@pytest.mark.late
@pytest.mark.parametrize("law, name", [kept(*pair) for pair in product(laws.LAWS, ENCODER_CASES)])
def test_encoder_keeps(law, name):
    law(ENCODER_CASES[name])


@by_name
def test_the_smallest_encoder_keeps(law, monkeypatch):
    monkeypatch.setitem(ENCODERS, "Spread", toys.Spread)
    law(toy(toys.Spread))


@pytest.mark.parametrize(
    "law, broken",
    [
        (laws.gives_finite_float32_vectors, toys.GivesDoubles),
        (laws.same_seed_gives_the_same_bits, toys.RollsGlobalDice),
        (laws.the_seed_matters_where_something_is_random, toys.IgnoresItsSeed),
        (laws.settings_and_state_are_the_whole_encoder, toys.ForgetsItsState),
        (laws.numbers_where_nothing_was_observed_change_nothing, toys.ReadsPadding),
        (laws.padding_changes_nothing, toys.ReadsPadding),
        (laws.each_series_is_encoded_by_itself, toys.LooksAtNeighbours),
        (laws.the_input_stays_untouched, toys.WritesIntoItsInput),
        (laws.one_step_is_enough, toys.DividesBySpread),
        (laws.constant_series_work, toys.DividesBySpread),
        (laws.every_channel_counts_by_its_place, toys.MixesChannels),
        (laws.the_order_in_memory_changes_nothing, toys.ReadsMemoryOrder),
        (laws.global_randomness_stays_untouched, toys.RollsGlobalDice),
        (laws.repr_shows_the_settings, toys.HidesItsSettings),
        (laws.the_last_layer_is_what_comes_out, toys.StopsBeforeTheEnd),
        (laws.every_weight_is_in_exactly_one_block, toys.LosesAWeight),
        (laws.every_weight_is_in_exactly_one_block, toys.RepeatsAWeight),
        (laws.a_graph_gives_the_same, toys.IsOtherwiseInGraphs),
    ],
    ids=lambda value: value.__name__,
)
def test_law_catches(law, broken, monkeypatch):
    monkeypatch.setitem(ENCODERS, broken.__name__, broken)
    with pytest.raises(AssertionError):
        law(toy(broken))
