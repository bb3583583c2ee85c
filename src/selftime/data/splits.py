"""Splits that cannot leak: by time, by group, and a few labels of each class."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from selftime.data.series import SeriesError, SeriesSet


def split_by_time(
    series: SeriesSet, fractions: Sequence[float], *, gap: int = 0
) -> tuple[SeriesSet, ...]:
    """Cut every series at the same fractions of its steps; nothing is shuffled.

    Part ``k`` of a series of T steps ends before step ``floor(T · (f₀ + … + fₖ))``, so that it
    is fixed by the length alone and no value after it can change it.

    Args:
        series: what to cut; labels, groups and ids stay with each part.
        fractions: share of each part, earliest first, 1 in total, e.g. ``(0.7, 0.1, 0.2)``.
        gap: steps left out at the end of every part but the last, for values that know of those
            before them, such as running means.

    Raises:
        SeriesError: fractions that are not positive or do not add up to 1, a series too short
            to give every part a step, or a part without any observed value.
    """
    ends = _ends(series.lengths, fractions)  # (N,K)
    sizes = np.diff(ends, axis=1, prepend=0)
    short = np.flatnonzero((sizes < 1).any(axis=1))
    if len(short):
        name, steps = str(series.ids[short[0]]), series.lengths[short[0]]
        raise SeriesError(
            f"series {name!r} of {steps} steps is too short for the split {tuple(fractions)}: "
            "leave it out or make fewer parts"
        )
    n_parts = sizes.shape[1]
    pieces = _pieces(series, sizes)
    parts = [replace(pieces[k::n_parts], ids=series.ids) for k in range(n_parts)]
    return tuple([*(without_end(part, gap) for part in parts[:-1]), parts[-1]])


def without_end(series: SeriesSet, gap: int) -> SeriesSet:
    """Every series without its last ``gap`` steps.

    Raises:
        SeriesError: a negative gap, or a series with no step left.
    """
    kept = series.lengths - gap
    if gap < 0 or kept.min() < 1:
        raise SeriesError(
            f"got gap {gap} for parts of {series.lengths.min()} steps and more, wanted at least 0 "
            "and a step left in each: take a smaller gap or fewer parts"
        )
    within = np.arange(len(series.steps)) - np.repeat(series.offsets[:-1], series.lengths)
    rows = within < np.repeat(kept, series.lengths)
    return replace(
        series,
        steps=series.steps[rows],
        offsets=np.concatenate([[0], np.cumsum(kept)]).astype(np.int64),
        observed=None if series.observed is None else series.observed[rows],
        times=None if series.times is None else series.times[rows],
    )


def split_by_group(
    series: SeriesSet, fraction: float, rng: np.random.Generator
) -> tuple[SeriesSet, SeriesSet]:
    """Two parts, neither of which knows a group (subject, machine, session) of the other.

    Groups are drawn at random until the first part holds as nearly ``fraction`` of the series
    as whole groups allow; each part gets at least one group. Without groups every series is a
    group of its own. The order of the series is kept.

    Args:
        series: what to split.
        fraction: share of the series that goes to the first part, between 0 and 1.
        rng: source of the draw.

    Raises:
        SeriesError: a fraction outside (0, 1), or fewer than two groups.
    """
    if not 0 < fraction < 1:
        raise SeriesError(f"got fraction {fraction}, wanted a share between 0 and 1, such as 0.8")
    column = np.arange(len(series)) if series.groups is None else series.groups
    names, codes, sizes = np.unique(column, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise SeriesError(f"got {len(names)} group, wanted at least 2: use split_by_time")
    order = rng.permutation(len(names))
    held = np.cumsum(sizes[order])[:-1]  # series in the first part after 1, 2, … groups
    taken = 1 + int(np.argmin(np.abs(held - fraction * len(series))))
    first = np.isin(codes, order[:taken])
    return series[first], series[~first]


def draw_per_class(
    labels: np.ndarray, k: int, rng: np.random.Generator, *, groups: np.ndarray | None = None
) -> Int64[np.ndarray, "M"]:
    """Indices of ``k`` random labels of each class, ascending; smaller classes give all theirs.

    With groups whole groups are drawn until every class has at least ``k``, so that what was not
    drawn can be judged without leaks.

    Args:
        labels: (N,) class labels.
        k: how many of each class.
        rng: source of the draw.
        groups: (N,) subject, machine or session of each series, if these must stay whole.

    Raises:
        SeriesError: ``k`` below 1, or labels or groups that are not one value a series.
    """
    if k < 1 or np.ndim(labels) != 1:
        raise SeriesError(
            f"got k={k} and labels of shape {np.shape(labels)}, wanted k >= 1 and (N,) labels"
        )
    if groups is not None:
        return _draw_whole_groups(labels, k, rng, groups)
    return draw_stratified(labels, lambda counts: np.full(len(counts), k), rng)


def draw_share(
    labels: np.ndarray, share: float, rng: np.random.Generator
) -> Int64[np.ndarray, "M"]:
    """Indices of a random share of the labels of each class, ascending; one at least of each.

    Args:
        labels: (N,) class labels.
        share: above 0, at most 1, rounded to whole labels.
        rng: source of the draw.

    Raises:
        SeriesError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise SeriesError(f"got share {share}, wanted above 0 and at most 1, such as 0.05")
    return draw_stratified(labels, lambda counts: np.maximum(np.round(share * counts), 1), rng)


def draw_stratified(
    labels: np.ndarray, wanted: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator
) -> Int64[np.ndarray, "M"]:
    """Indices of random labels of each class, ascending.

    Args:
        labels: (N,) class labels.
        wanted: how many of each class, of how many there are (K,).
        rng: source of the draw.
    """
    shuffled = rng.permutation(len(labels))
    _, codes, counts = np.unique(labels[shuffled], return_inverse=True, return_counts=True)
    grouped = np.argsort(codes, kind="stable")  # class by class, random within each
    place = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(shuffled[grouped[place < np.repeat(wanted(counts), counts)]])


def _draw_whole_groups(
    labels: np.ndarray, k: int, rng: np.random.Generator, groups: np.ndarray
) -> Int64[np.ndarray, "M"]:
    """Rows of random whole groups, each of which brought a class that had fewer than ``k``."""
    if np.shape(groups) != np.shape(labels):
        raise SeriesError(
            f"got groups of shape {np.shape(groups)} for {len(labels)} labels: one each is wanted"
        )
    _, codes = np.unique(labels, return_inverse=True)
    names, owners = np.unique(groups, return_inverse=True)
    held, drawn = np.zeros(codes.max(initial=-1) + 1, np.int64), np.zeros(len(names), bool)
    for group in rng.permutation(len(names)):
        inside = codes[owners == group]
        if (held[inside] < k).any():
            drawn[group] = True
            held += np.bincount(inside, minlength=len(held))
    return np.flatnonzero(drawn[owners])


def _ends(lengths: np.ndarray, fractions: Sequence[float]) -> np.ndarray:
    """Step before which each part of each series ends (N,K)."""
    if len(fractions) < 1 or min(fractions) <= 0 or not math.isclose(math.fsum(fractions), 1.0):
        raise SeriesError(
            f"got fractions {tuple(fractions)}, wanted positive shares that add up to 1, "
            "such as (0.7, 0.1, 0.2)"
        )
    # 10 · (0.7 + 0.1) is 7.999…: rounding off the float error first keeps it 8
    ends: np.ndarray = np.floor((lengths[:, None] * np.cumsum(fractions)).round(6))
    return ends.astype(np.int64)


def _pieces(series: SeriesSet, sizes: np.ndarray) -> SeriesSet:
    """The same steps as N·K shorter series, the K parts of a series side by side."""
    N, K = sizes.shape
    parts = np.tile([f", part {k + 1}" for k in range(K)], N)
    return replace(
        series,
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        ids=np.strings.add(np.repeat(series.ids.astype(str), K), parts),
        labels=None if series.labels is None else np.repeat(series.labels, K),
        groups=None if series.groups is None else np.repeat(series.groups, K),
    )
