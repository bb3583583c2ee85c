"""Recipes: what may be said of training, and what the papers say."""

import dataclasses
import re

import pytest

from selftime.objectives.base import AVERAGING, Recipe
from selftime.objectives.simclr import SimCLR
from selftime.objectives.ts2vec import TS2Vec

NAN = float("nan")


@pytest.mark.parametrize(
    "setting, value, text",
    [
        ("batch_size", 0, "got batch_size 0, wanted at least 1"),
        ("batch_size", -3, "got batch_size -3, wanted at least 1"),
        ("rate", 0.0, "got rate 0.0, wanted more than 0, such as 0.001"),
        ("rate", -1.0, "got rate -1.0, wanted more than 0"),
        ("rate", NAN, "got rate nan, wanted more than 0"),
        ("weight_decay", -0.1, "got weight_decay -0.1, wanted 0 or more"),
        ("weight_decay", NAN, "got weight_decay nan, wanted 0 or more"),
        ("warmup", 1.0, "got warmup 1.0, wanted a share from 0 to below 1"),
        ("warmup", -0.1, "got warmup -0.1, wanted a share from 0 to below 1"),
        ("warmup", NAN, "got warmup nan, wanted a share from 0 to below 1"),
    ],
)
def test_settings_out_of_range_say_what_was_wanted(setting: str, value: float, text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        dataclasses.replace(Recipe(), **{setting: value})


def test_averaging_is_one_of_the_known() -> None:
    text = "got averaging 'swa', wanted one of none, ema, mean"
    recipe = Recipe()
    object.__setattr__(recipe, "averaging", "swa")  # past the type checks of the tests
    with pytest.raises(ValueError, match=re.escape(text)):
        recipe.__post_init__()


@pytest.mark.parametrize("averaging", AVERAGING)
def test_bounds_may_be_reached(averaging: str) -> None:
    recipe = Recipe(
        batch_size=1, rate=1e-9, weight_decay=0.0, warmup=0.0, cosine=False, averaging=averaging
    )
    assert dataclasses.asdict(recipe)["averaging"] == averaging


def test_a_recipe_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().rate = 1.0
    assert Recipe() == Recipe() != Recipe(rate=0.1)


def test_ts2vec_is_trained_as_its_authors_say() -> None:
    """Appendix B of Yue et al. 2022: batches of 8, a rate of 0.001 that stays."""
    recipe = TS2Vec.recipe
    assert (recipe.batch_size, recipe.rate) == (8, 1e-3)
    assert not recipe.cosine and recipe.warmup == 0
    assert SimCLR.recipe.warmup > 0 and SimCLR.recipe.cosine  # Chen et al. 2020, section 2.2
