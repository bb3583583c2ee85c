"""Small instances of the contrastive objectives."""

from functools import partial

from cases_encoders import dilated
from kinds import GradientCase

from selftime.objectives.base import Objective
from selftime.objectives.parts.soft import Soft
from selftime.objectives.registry import OBJECTIVES
from selftime.views.amplitude import magnitude_warp
from selftime.views.pairs import Independent, WeakStrong

CURVES = Independent(view=magnitude_warp)
"""Views that draw a few numbers a series."""


def ts2vec(channels: int, seed: int) -> Objective:
    """As in its paper, on a small encoder."""
    return OBJECTIVES["ts2vec"](encoder=dilated(channels, seed))


def ts2vec_soft(channels: int, seed: int) -> Objective:
    """With soft assignments."""
    return OBJECTIVES["ts2vec"](encoder=dilated(channels, seed), soft=Soft(steps=16))


def simclr(channels: int, seed: int) -> Objective:
    """With the views that it has where nothing else is said."""
    return OBJECTIVES["simclr"](encoder=dilated(channels, seed), seed=seed)


def simclr_of_curves(channels: int, seed: int) -> Objective:
    """With a view that draws a few numbers a series."""
    return OBJECTIVES["simclr"](encoder=dilated(channels, seed), pair=CURVES, seed=seed)


def simclr_soft(channels: int, seed: int) -> Objective:
    """With soft assignments."""
    encoder, soft = dilated(channels, seed), Soft(steps=16)
    return OBJECTIVES["simclr"](encoder=encoder, pair=CURVES, seed=seed, soft=soft)


def cpc(channels: int, seed: int) -> Objective:
    """As it is where nothing else is said."""
    return OBJECTIVES["cpc"](encoder=dilated(channels, seed), seed=seed)


def cpc_both(channels: int, seed: int) -> Objective:
    """With negatives of the same series too."""
    return OBJECTIVES["cpc"](encoder=dilated(channels, seed), negatives="both", seed=seed)


def tnc(channels: int, seed: int) -> Objective:
    """With a small discriminator."""
    return OBJECTIVES["tnc"](encoder=dilated(channels, seed), width=16, seed=seed)


def ts_tcc(channels: int, seed: int) -> Objective:
    """With narrow contexts."""
    return OBJECTIVES["ts_tcc"](encoder=dilated(channels, seed), width=8, seed=seed)


def ts_tcc_of_curves(channels: int, seed: int) -> Objective:
    """With views that draw a few numbers a series."""
    pair = WeakStrong(weak=magnitude_warp, strong=partial(magnitude_warp, strength=0.5))
    return OBJECTIVES["ts_tcc"](encoder=dilated(channels, seed), pair=pair, width=8, seed=seed)


def tf_c(channels: int, seed: int) -> Objective:
    """With the views that it has where nothing else is said."""
    return OBJECTIVES["tf_c"](encoder=dilated(channels, seed), seed=seed)


def tf_c_of_curves(channels: int, seed: int) -> Objective:
    """With views that draw a few numbers a series, of time and of frequency."""
    view = magnitude_warp
    return OBJECTIVES["tf_c"](encoder=dilated(channels, seed), view=view, perturb=view, seed=seed)


CASES = {
    "ts2vec": GradientCase(ts2vec),
    "ts2vec, soft": GradientCase(ts2vec_soft),
    "simclr": GradientCase(simclr, steady=False),
    "simclr, steady": GradientCase(simclr_of_curves),
    "simclr, soft": GradientCase(simclr_soft),
    "cpc": GradientCase(cpc),
    "cpc, both": GradientCase(cpc_both),
    "tnc": GradientCase(tnc),
    "ts_tcc": GradientCase(ts_tcc, steady=False),
    "ts_tcc, steady": GradientCase(ts_tcc_of_curves),
    "tf_c": GradientCase(tf_c, steady=False),
    "tf_c, steady": GradientCase(tf_c_of_curves),
}
"""A second case of an objective has its name before a comma."""
