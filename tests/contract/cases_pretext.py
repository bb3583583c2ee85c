"""Small instances of the pretext objectives."""

from cases_encoders import dilated
from kinds import GradientCase

from selftime.encoders.networks.dilated import Dilated
from selftime.objectives.base import Objective
from selftime.objectives.registry import OBJECTIVES
from selftime.views.amplitude import flip, magnitude_warp
from selftime.views.pairs import Fixed, same
from selftime.views.timing import reverse


def transformation(channels: int, seed: int) -> Objective:
    """With the views that it has where nothing else is said."""
    return OBJECTIVES["transformation"](encoder=dilated(channels, seed), seed=seed)


def transformation_by_series(channels: int, seed: int) -> Objective:
    """With views that draw a few numbers a series."""
    views = (
        Fixed(same),
        Fixed(reverse, chance=1.0),
        Fixed(flip, chance=1.0),
        Fixed(magnitude_warp, strength=0.5),
    )
    return OBJECTIVES["transformation"](encoder=dilated(channels, seed), views=views, seed=seed)


def segment_order(channels: int, seed: int) -> Objective:
    """As where nothing else is said."""
    return OBJECTIVES["segment_order"](encoder=dilated(channels, seed), seed=seed)


def right_order(channels: int, seed: int) -> Objective:
    """As where nothing else is said."""
    return OBJECTIVES["right_order"](encoder=dilated(channels, seed), seed=seed)


def arrow_of_time(channels: int, seed: int) -> Objective:
    """As where nothing else is said."""
    return OBJECTIVES["arrow_of_time"](encoder=dilated(channels, seed), seed=seed)


def next_step(channels: int, seed: int) -> Objective:
    """On an encoder that knows the past alone."""
    encoder = Dilated(channels=channels, hidden=8, depth=3, dim=16, causal=True, seed=seed)
    return OBJECTIVES["next_step"](encoder=encoder, seed=seed)


def forecast(channels: int, seed: int) -> Objective:
    """As where nothing else is said."""
    return OBJECTIVES["forecast"](encoder=dilated(channels, seed), seed=seed)


CASES = {
    "transformation": GradientCase(transformation, steady=False),
    "transformation, steady": GradientCase(transformation_by_series),
    "segment_order": GradientCase(segment_order),
    "right_order": GradientCase(right_order),
    "arrow_of_time": GradientCase(arrow_of_time),
    "next_step": GradientCase(next_step),
    "forecast": GradientCase(forecast),
}
"""A second case of an objective has its name before a comma."""
