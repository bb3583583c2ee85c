"""Small instances of the masked objectives."""

from cases_encoders import dilated
from kinds import GradientCase

from selftime.objectives.base import Objective
from selftime.objectives.registry import OBJECTIVES


def simmtm(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["simmtm"](encoder=dilated(channels, seed), seed=seed)


def timemae(channels: int, seed: int) -> Objective:
    """With few codes, of patches of which short series have some."""
    return OBJECTIVES["timemae"](encoder=dilated(channels, seed), codes=16, seed=seed)


def bert(channels: int, seed: int) -> Objective:
    """With few codes, of patches of which short series have some."""
    return OBJECTIVES["bert"](encoder=dilated(channels, seed), codes=16, seed=seed)


def masked_values(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["masked_values"](encoder=dilated(channels, seed), seed=seed)


def masked_patches(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["masked_patches"](encoder=dilated(channels, seed), seed=seed)


def mae(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["mae"](encoder=dilated(channels, seed), seed=seed)


def mae_normalised(channels: int, seed: int) -> Objective:
    """Of patches at mean 0 and deviation 1."""
    return OBJECTIVES["mae"](encoder=dilated(channels, seed), normalise=True, seed=seed)


CASES: dict[str, GradientCase] = {
    "masked_values": GradientCase(masked_values),
    "masked_patches": GradientCase(masked_patches),
    "mae": GradientCase(mae),
    "mae, normalised": GradientCase(mae_normalised),
    "simmtm": GradientCase(simmtm),
    "timemae": GradientCase(timemae),
    "bert": GradientCase(bert),
}
"""A second case of an objective has its name before a comma."""
