"""Small instances of the objectives that predict latents."""

from cases_encoders import dilated
from kinds import GradientCase

from selftime.objectives.base import Objective
from selftime.objectives.registry import OBJECTIVES


def jepa(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["jepa"](encoder=dilated(channels, seed), seed=seed)


def data2vec(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["data2vec"](encoder=dilated(channels, seed), seed=seed)


CASES: dict[str, GradientCase] = {
    "jepa": GradientCase(jepa),
    "data2vec": GradientCase(data2vec),
}
"""A second case of an objective has its name before a comma."""
