"""Holding labelled series out: to choose by, and to calibrate on."""

from typing import Any

import numpy as np

from selftime.data.series import SeriesSet
from selftime.data.splits import draw_stratified
from selftime.objectives.supervised.targets import OneClass, TargetType

MIN_FOR_HOLDOUT = 200
"""With fewer labelled series none are held out to calibrate on: each is worth more in training."""
CALIBRATION_SHARE = 0.1
"""Of the labelled series, held out to calibrate on."""


def split_holdout(
    series: SeriesSet, y: Any, target_type: TargetType, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows to judge by, in order.

    Every class keeps at least one series to learn from, classes are shared out evenly, and
    groups stay whole.

    Args:
        series: labelled ones.
        y: what is known of each.
        target_type: what is asked.
        share: about how many are judged.
        seed: draws them.
    """
    rng = np.random.default_rng([seed, 2])
    strata = y if isinstance(target_type, OneClass) else np.zeros(len(series), np.int64)
    if series.groups is None:
        judged = stratified_mask(strata, share, rng)
    else:
        judged = group_mask(series.groups, strata, share, rng)
    return np.flatnonzero(~judged), np.flatnonzero(judged)


def stratified_mask(strata: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A mask (N,) of a share of each stratum, rounded down, so that one at least is left."""
    mask = np.zeros(len(strata), bool)
    mask[draw_stratified(strata, lambda counts: (share * counts).astype(np.int64), rng)] = True
    return mask


def group_mask(
    groups: np.ndarray, strata: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """A mask (N,) of random groups up to the share; none that holds the last of a stratum."""
    mask = np.zeros(len(groups), bool)
    for name in rng.permutation(np.unique(groups)):  # once a fit; groups are few
        more = mask | (groups == name)
        if more.mean() <= share and len(np.unique(strata[~more])) == len(np.unique(strata)):
            mask = more
    return mask


def take_rows(y: Any, rows: np.ndarray) -> Any:
    """What is known of some of the series; a list where each has an array of its own."""
    return [y[row] for row in rows] if isinstance(y, list) else y[rows]
