"""How long a run lasts and how it is carried out, as people type it."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from selftime.data.signals import Measurements
from selftime.engine.defaults import default_budget
from selftime.engine.training.config import UNITS, Budget, TrainingConfig, parse_budget
from selftime.objectives.base import Recipe


def checked(kind, settings):
    """What a constructor does once types are past; the tests' own checks would come before it."""
    kind.__post_init__(SimpleNamespace(**vars(kind()) | settings))


@pytest.mark.parametrize(
    "text, amount, unit",
    [
        ("200 steps", 200, "steps"),
        ("1 step", 1, "steps"),
        ("10 epochs", 10, "epochs"),
        ("  3   epoch ", 3, "epochs"),
        ("2.5 minutes", 2.5, "minutes"),
        ("1 minute", 1, "minutes"),
        ("1e3 steps", 1000, "steps"),
        ("30 seconds", 0.5, "minutes"),
        ("1.5 hours", 90, "minutes"),
    ],
)
def test_a_budget_reads_as_people_type_it(text, amount, unit):
    assert parse_budget(text) == Budget(amount=float(amount), unit=unit)


@pytest.mark.parametrize(
    "text",
    [
        *("", "200", "steps", "ten steps", "200steps", "10 days", "5 s"),
        *("0 steps", "-3 epochs", "2.5 steps", "0.5 epochs", "0 minutes"),
        *("nan steps", "nan minutes", "inf steps", "inf minutes", "-inf epochs", "1e999 steps"),
    ],
)
def test_what_is_no_budget_is_named_beside_what_would_be_one(text):
    with pytest.raises(ValueError) as caught:
        parse_budget(text)
    wanted = "wanted such as '200 steps', '10 epochs' or '2.5 minutes'"
    assert str(caught.value) == f"got a budget of {text!r}, {wanted}"


@pytest.mark.parametrize(
    "amount, unit", [(0.0, "steps"), (1.5, "epochs"), (float("inf"), "minutes")]
)
def test_a_budget_that_is_built_is_checked_too(amount, unit):
    with pytest.raises(ValueError, match=f"got a budget of {amount:g} {unit}, wanted such as"):
        Budget(amount=amount, unit=unit)


@given(amount=st.integers(1, 10**9), unit=st.sampled_from(UNITS))
def test_a_budget_is_read_from_what_it_shows(amount, unit):
    budget = Budget(amount=float(amount), unit=unit)
    assert parse_budget(str(budget)) == budget


def test_small_numbers_show_as_people_type_them():
    assert str(Budget(amount=200.0)) == "200 steps"
    assert str(Budget(amount=2.5, unit="minutes")) == "2.5 minutes"


def test_steps_of_a_budget():
    assert Budget(amount=200.0).steps(7) == 200
    assert Budget(amount=10.0, unit="epochs").steps(7) == 70
    assert Budget(amount=10.0, unit="minutes").steps(7) is None


@pytest.mark.parametrize(
    "text, step, seconds, share",
    [
        ("200 steps", 0, 9.0, 0.0),
        ("200 steps", 50, 9.0, 0.25),
        ("200 steps", 200, 0.0, 1.0),
        ("10 epochs", 35, 9.0, 0.5),
        ("2 minutes", 9999, 30.0, 0.25),
        ("2 minutes", 0, 150.0, 1.25),  # the last step may take longer than what was left
    ],
)
def test_progress_is_the_share_that_is_used_up(text, step, seconds, share):
    assert parse_budget(text).progress(step, seconds, steps_an_epoch=7) == share


@pytest.mark.parametrize("values, steps", [(1, 200), (100_000, 200), (100_001, 600)])
def test_the_usual_budget_is_that_of_the_authors(values, steps):
    assert default_budget(values, Measurements())[0] == Budget(amount=float(steps))


def test_a_config_says_nothing_by_default():
    assert TrainingConfig() == TrainingConfig(
        recipe=None,
        precision="no",
        accumulate=1,
        clip=None,
        on_collapse="warn",
        stop_below=None,
        judge_every=25,
    )


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"precision": "fp8"}, "got precision 'fp8', wanted no, bf16, fp16"),
        ({"accumulate": 0}, "got accumulate 0, wanted at least 1"),
        ({"clip": 0.0}, "got clip 0.0, wanted more than 0, or none"),
        ({"clip": float("nan")}, "got clip nan, wanted more than 0, or none"),
        ({"on_collapse": "cry"}, "got on_collapse 'cry', wanted 'warn' or 'stop'"),
        ({"stop_below": -1.0}, "got stop_below -1.0, wanted 0 or more, or none"),
        ({"judge_every": 0}, "got judge_every 0, wanted at least 1"),
        ({"negatives": "all"}, "got negatives 'all', wanted 'gathered' or 'own'"),
    ],
)
def test_a_config_that_cannot_be_carried_out(settings, text):
    with pytest.raises(ValueError) as caught:
        checked(TrainingConfig, settings)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    "settings, text",
    [
        ({"batch_size": 0}, "got batch_size 0, wanted at least 1"),
        ({"rate": 0.0}, "got rate 0.0, wanted more than 0, such as 0.001"),
        ({"rate": float("nan")}, "got rate nan, wanted more than 0, such as 0.001"),
        ({"weight_decay": -1.0}, "got weight_decay -1.0, wanted 0 or more"),
        ({"warmup": 1.0}, "got warmup 1.0, wanted a share from 0 to below 1"),
        ({"warmup": -0.1}, "got warmup -0.1, wanted a share from 0 to below 1"),
        ({"averaging": "median"}, "got averaging 'median', wanted one of none, ema, mean"),
    ],
)
def test_a_recipe_that_cannot_be_followed(settings, text):
    with pytest.raises(ValueError) as caught:
        checked(Recipe, settings)
    assert str(caught.value) == text
