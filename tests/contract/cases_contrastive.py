"""Small instances of the contrastive objectives."""

from cases_encoders import dilated
from kinds import GradientCase

from selftime.objectives import OBJECTIVES
from selftime.objectives.base import Objective
from selftime.views.amplitude import magnitude_warp
from selftime.views.pairs import Independent


def ts2vec(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["ts2vec"](encoder=dilated(channels, seed))


def simclr(channels: int, seed: int) -> Objective:
    """With the views that it has where nothing else is said."""
    return OBJECTIVES["simclr"](encoder=dilated(channels, seed), seed=seed)


def simclr_of_curves(channels: int, seed: int) -> Objective:
    """With a view that draws a few numbers a series."""
    pair = Independent(view=magnitude_warp)
    return OBJECTIVES["simclr"](encoder=dilated(channels, seed), pair=pair, seed=seed)


CASES = {
    "ts2vec": GradientCase(ts2vec),
    "simclr": GradientCase(simclr, steady=False),
    "simclr, steady": GradientCase(simclr_of_curves),
}
"""A second case of an objective has its name before a comma."""
