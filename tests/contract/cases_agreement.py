"""Small instances of the objectives that compare two views: without negatives, and MoCo."""

from cases_encoders import dilated
from kinds import GradientCase

from selftime.objectives.base import Objective
from selftime.objectives.registry import OBJECTIVES
from selftime.views.amplitude import magnitude_warp
from selftime.views.pairs import Independent

SMALL = {
    "byol": {"width": 16},
    "simsiam": {"width": 16},
    "barlow_twins": {"width": 16},
    "vicreg": {"width": 16},
    "dino": {"outputs": 16},
    "moco": {"length": 10},
}
"""Their settings here."""


def case(name: str) -> GradientCase:
    """With the views that it has where nothing else is said."""

    def make(channels: int, seed: int) -> Objective:
        return OBJECTIVES[name](encoder=dilated(channels, seed), seed=seed, **SMALL[name])

    return GradientCase(make, steady=False)


def of_curves(name: str) -> GradientCase:
    """With a view that draws a few numbers a series."""
    pair = Independent(view=magnitude_warp)

    def make(channels: int, seed: int) -> Objective:
        kind = OBJECTIVES[name]
        return kind(encoder=dilated(channels, seed), pair=pair, seed=seed, **SMALL[name])

    return GradientCase(make)


CASES = {name: case(name) for name in SMALL} | {
    f"{name}, steady": of_curves(name) for name in SMALL
}
"""A second case of an objective has its name before a comma."""
