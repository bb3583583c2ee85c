"""A small sum of objectives on one encoder; it has no name of its own."""

from cases_encoders import dilated
from kinds import GradientCase

from selftime.objectives.base import Objective
from selftime.objectives.formula import Combined
from selftime.objectives.simclr import SimCLR
from selftime.objectives.ts2vec import TS2Vec
from selftime.views.amplitude import magnitude_warp
from selftime.views.pairs import Independent


def combined(channels: int, seed: int) -> Objective:
    """Two methods with views that draw a few numbers a series."""
    encoder = dilated(channels, seed)
    simclr = SimCLR(encoder=encoder, pair=Independent(view=magnitude_warp), seed=seed)
    return Combined(objectives=[simclr, TS2Vec(encoder=encoder)], weights=[1.0, 0.5])


CASES = {"combined": GradientCase(combined)}
