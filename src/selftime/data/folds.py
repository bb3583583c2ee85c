"""Folds for cross-validation that cannot leak: whole groups, or always forward in time."""

import numpy as np
from jaxtyping import Float, Int64

from selftime.data.series import SeriesError, SeriesSet
from selftime.data.splits import split_by_time, without_end


def folds_by_group(series: SeriesSet, n: int, rng: np.random.Generator) -> Int64[np.ndarray, "N"]:
    """The fold 0 … n-1 of each series; no group (subject, machine, session) lies in two.

    Classes are spread over the folds as evenly as whole groups allow: groups of the most uneven
    classes come first, in random order where they tie, and each goes to the fold in which it
    leaves class counts most alike. Without groups every series is a group of its own; without
    labels all series count as one class.

    Args:
        series: what to divide.
        n: how many folds.
        rng: source of the order.

    Raises:
        SeriesError: fewer than 2 folds, or fewer groups than folds.
    """
    groups, counts = counts_by_group(series)
    if not 2 <= n <= len(counts):
        raise SeriesError(
            f"got {n} folds for {len(counts)} groups, wanted at least 2 and no more than groups"
        )
    shuffled = rng.permutation(len(counts))
    order = shuffled[np.argsort(-counts[shuffled].std(axis=1), kind="stable")]
    fold_of = np.empty(len(counts), np.int64)
    held = np.zeros((n, counts.shape[1]))  # how much of each class every fold holds
    for group in order:
        fold_of[group] = fold = emptiest_fold(held, counts[group])
        held[fold] += counts[group]
    folds: np.ndarray = fold_of[groups]
    return folds


def counts_by_group(
    series: SeriesSet,
) -> tuple[Int64[np.ndarray, "N"], Float[np.ndarray, "G K"]]:
    """The group of each series as a number, and the share of every class that each group holds."""
    column = np.arange(len(series)) if series.groups is None else series.groups
    names, groups = np.unique(column, return_inverse=True)
    labels = np.zeros(len(series)) if series.labels is None else series.labels
    classes, codes = np.unique(labels, return_inverse=True)
    counts = np.zeros((len(names), len(classes)))
    np.add.at(counts, (groups, codes), 1)
    shares: np.ndarray = counts / counts.sum(axis=0)
    return groups, shares


def emptiest_fold(held: Float[np.ndarray, "n K"], added: Float[np.ndarray, "K"]) -> int:
    """The fold in which a group leaves classes most evenly spread; of equals the smallest.

    Adding a group of shares a to a fold that holds h raises the sum of squares over all folds by
    2·h·a + a·a, whose second part is the same for every fold.
    """
    uneven = held @ added
    return int(np.lexsort((held.sum(axis=1), uneven.round(9)))[0])


def folds_by_class(
    labels: np.ndarray, groups: np.ndarray | None, n: int, rng: np.random.Generator
) -> Int64[np.ndarray, "N"]:
    """A fold for each series: classes spread evenly, or groups kept whole where there are any."""
    order = rng.permutation(len(labels))
    if groups is not None and len(np.unique(groups)) > 1:
        codes = np.unique(groups, return_inverse=True)[1]
        return np.asarray(rng.permutation(codes.max() + 1)[codes] % n)
    by_class = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), np.int64)
    folds[by_class] = np.arange(len(labels)) % n
    return folds


def folds_by_time(series: SeriesSet, n: int, *, gap: int = 0) -> list[tuple[SeriesSet, SeriesSet]]:
    """Forward chaining: ``n`` pairs of a past and the part that follows it.

    Every series is cut into ``n`` + 1 parts of equal length; pair k holds parts 0 … k, less
    their last ``gap`` steps, and part k + 1. With a gap as long as a window, less one step, and
    the horizon together, no window of the past reaches into what is judged.

    Args:
        series: what to divide; labels, groups and ids stay with each part.
        n: how many pairs.
        gap: steps left out between past and what follows.

    Raises:
        SeriesError: fewer than 1 pair, a negative gap, or series too short for parts and gap.
    """
    if n < 1 or gap < 0:
        raise SeriesError(f"got {n} folds, gap {gap}: wanted at least 1 fold and no negative gap")
    pairs = []
    for k in range(n):
        shares = [(k + 1) / (n + 1), 1 / (n + 1), (n - k - 1) / (n + 1)]
        past, following, *_ = split_by_time(series, [share for share in shares if share > 0])
        pairs.append((without_end(past, gap), following))
    return pairs
