"""Splits and folds without leaks: by time, by group, and a few labels per class."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int64

from selftime.data.arrays import number_classes
from selftime.data.labels import where_labels_are
from selftime.data.series import SeriesError, SeriesSet


def split_by_time(
    series: SeriesSet, fractions: Sequence[float], *, gap: int = 0
) -> tuple[SeriesSet, ...]:
    """Cut every series at the same fractions of its steps; nothing is shuffled.

    Part ``k`` of a series of T steps ends before step ``floor(T · (f₀ + … + fₖ))``, so that it
    depends on the length alone. Labels, groups and ids stay with each part. All parts but the last
    lose their last ``gap`` steps, for values that depend on earlier ones, such as running means.
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
    """Return every series without its last ``gap`` steps."""
    kept = series.lengths - gap
    if gap < 0 or kept.min() < 1:
        raise SeriesError(
            f"got gap {gap} for parts of {series.lengths.min()} steps and more, wanted at least 0 "
            "and a step left in each: take a smaller gap or fewer parts"
        )
    within = np.arange(len(series.steps)) - np.repeat(series.offsets[:-1], series.lengths)
    rows = within < np.repeat(kept, series.lengths)
    parts = series.slice_rows(np.flatnonzero(rows), kept, np.arange(len(series)), series.ids)
    return replace(parts, source=series.source)


def split_by_group(
    series: SeriesSet, fraction: float, rng: np.random.Generator
) -> tuple[SeriesSet, SeriesSet]:
    """Draw two parts that share no group (subject, machine, session).

    Groups are drawn at random until the first part holds as nearly ``fraction`` of the series
    as whole groups allow; each part gets at least one group. Without groups every series is a
    group of its own. The order of the series is kept.
    """
    if not 0 < fraction < 1:
        raise SeriesError(f"got fraction {fraction}, wanted a share between 0 and 1, such as 0.8")
    column = np.arange(len(series)) if series.groups is None else series.groups
    names, codes, sizes = np.unique(column, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise SeriesError(f"got {len(names)} group, wanted at least 2: use split_by_time")
    order = rng.permutation(len(names))
    totals = np.cumsum(sizes[order])[:-1]  # series in the first part after 1, 2, … groups
    taken = 1 + int(np.argmin(np.abs(totals - fraction * len(series))))
    first = np.isin(codes, order[:taken])
    return series[first], series[~first]


def hold_out(
    series: SeriesSet, share: float = 1 / 3, *, seed: int = 0
) -> tuple[SeriesSet, SeriesSet]:
    """Hold out a share of the labelled series, to be judged on.

    Of every class the same share is drawn, and one series at least stays; where series have groups
    (subjects, machines), whole groups are drawn. Series without a label stay. Both parts keep the
    name of their source.

    Example:
        >>> import selftime as st
        >>> rest, judged = st.hold_out(st.sample("JapaneseVowels", "train"))  # 30 of each speaker
        >>> len(rest), len(judged)
        (180, 90)

    Args:
        series: N series, some of them or all with labels.
        share: that is held out, between 0 and 1.
        seed: fixes the draw.

    Raises:
        SeriesError: fewer than two labelled series, a single group, or a share out of range.
    """
    rng, known = np.random.default_rng(seed), np.flatnonzero(series.labelled)
    if not 0 < share < 1:
        raise SeriesError(f"got share {share}, wanted a share between 0 and 1, such as 0.3")
    if len(known) < 2:
        raise SeriesError(
            f"got {len(known)} labelled series, wanted at least 2, so that some can be held out: "
            f"{where_labels_are(series)}"
        )
    if series.groups is None:
        kept = draw_share(np.asarray(series[known].labels), 1 - share, rng)
    else:
        numbered = replace(series[known], ids=np.arange(len(known)))
        kept = split_by_group(numbered, 1 - share, rng)[0].ids
    judged = np.ones(len(known), bool)
    judged[kept] = False
    rest = np.ones(len(series), bool)
    rest[known[judged]] = False
    source = series.source
    return replace(series[rest], source=source), replace(series[~rest], source=source)


def hold_out_unlabelled(
    series: SeriesSet, share: float, rng: np.random.Generator
) -> tuple[SeriesSet, SeriesSet]:
    """Hold out about a share of the series, at least one, to see whether what is learned holds.

    Where series have groups, such as windows of one text, whole groups are drawn; of fewer groups
    than the share would take one of, the last series of each are held out, which for windows come
    after the others.
    """
    if series.groups is None or len(np.unique(series.groups)) * share >= 1:
        return split_by_group(series, 1 - share, rng)
    codes, counts = np.unique(series.groups, return_inverse=True, return_counts=True)[1:]
    order = np.argsort(codes, kind="stable")  # group by group, in the order of the series
    place = np.empty(len(series), np.int64)
    place[order] = np.arange(len(series)) - np.repeat(np.cumsum(counts) - counts, counts)
    last = place >= counts[codes] - np.maximum(np.round(share * counts), 1)[codes]
    return series[~last], series[last]


def draw_per_class(
    labels: np.ndarray, k: int, rng: np.random.Generator, *, groups: np.ndarray | None = None
) -> Int64[np.ndarray, "M"]:
    """Draw indices of ``k`` labels per class, ascending; smaller classes give all theirs.

    With groups, whole groups are drawn until every class has at least ``k``, so that the other
    series can be judged without leaks.
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
    """Draw indices of a share of the labels of each class, ascending; at least one of each."""
    if not 0 < share <= 1:
        raise SeriesError(f"got share {share}, wanted above 0 and at most 1, such as 0.05")
    return draw_stratified(labels, lambda counts: np.maximum(np.round(share * counts), 1), rng)


def draw_stratified(
    labels: np.ndarray, wanted: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator
) -> Int64[np.ndarray, "M"]:
    """Draw indices of labels, ascending; ``wanted`` maps class sizes (K,) to labels per class."""
    shuffled = rng.permutation(len(labels))
    _, codes, counts = np.unique(labels[shuffled], return_inverse=True, return_counts=True)
    grouped = np.argsort(codes, kind="stable")  # class by class, random within each
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(shuffled[grouped[rank < np.repeat(wanted(counts), counts)]])


def _draw_whole_groups(
    labels: np.ndarray, k: int, rng: np.random.Generator, groups: np.ndarray
) -> Int64[np.ndarray, "M"]:
    """Draw the rows of whole groups, each of which adds to a class with fewer than ``k``."""
    if np.shape(groups) != np.shape(labels):
        raise SeriesError(
            f"got groups of shape {np.shape(groups)} for {len(labels)} labels: one each is wanted"
        )
    _, codes = np.unique(labels, return_inverse=True)
    names, owners = np.unique(groups, return_inverse=True)
    totals, drawn = np.zeros(codes.max(initial=-1) + 1, np.int64), np.zeros(len(names), bool)
    for group in rng.permutation(len(names)):
        inside = codes[owners == group]
        if (totals[inside] < k).any():
            drawn[group] = True
            totals += np.bincount(inside, minlength=len(totals))
    return np.flatnonzero(drawn[owners])


def _ends(lengths: np.ndarray, fractions: Sequence[float]) -> np.ndarray:
    """Return the step before which each part of each series ends (N,K)."""
    if len(fractions) < 1 or min(fractions) <= 0 or not math.isclose(math.fsum(fractions), 1.0):
        raise SeriesError(
            f"got fractions {tuple(fractions)}, wanted positive shares that add up to 1, "
            "such as (0.7, 0.1, 0.2)"
        )
    # 10 · (0.7 + 0.1) is 7.999…: rounding off the float error first keeps it 8
    ends: np.ndarray = np.floor((lengths[:, None] * np.cumsum(fractions)).round(6))
    return ends.astype(np.int64)


def _pieces(series: SeriesSet, sizes: np.ndarray) -> SeriesSet:
    """Return the same steps as N·K shorter series, the K parts of a series side by side."""
    N, K = sizes.shape
    parts = np.tile([f", part {k + 1}" for k in range(K)], N)
    return replace(
        series,
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        ids=np.strings.add(np.repeat(series.ids.astype(str), K), parts),
        labels=None if series.labels is None else np.repeat(series.labels, K),
        groups=None if series.groups is None else np.repeat(series.groups, K),
    )


def folds_by_group(series: SeriesSet, n: int, rng: np.random.Generator) -> Int64[np.ndarray, "N"]:
    """Assign each series a fold 0 … n-1; no group (subject, machine, session) lies in two.

    Classes are spread over the folds as evenly as whole groups allow: groups of the most uneven
    classes come first, in random order where they tie, and each goes to the fold in which it
    leaves class counts most even. Without groups every series is a group of its own; without
    labels all series count as one class.
    """
    groups, counts = counts_by_group(series)
    if not 2 <= n <= len(counts):
        raise SeriesError(
            f"got {n} folds for {len(counts)} groups, wanted at least 2 and no more than groups"
        )
    shuffled = rng.permutation(len(counts))
    order = shuffled[np.argsort(-counts[shuffled].std(axis=1), kind="stable")]
    fold_of = np.empty(len(counts), np.int64)
    shares = np.zeros((n, counts.shape[1]))  # of each class in every fold
    for group in order:
        fold_of[group] = fold = emptiest_fold(shares, counts[group])
        shares[fold] += counts[group]
    folds: np.ndarray = fold_of[groups]
    return folds


def counts_by_group(series: SeriesSet) -> tuple[Int64[np.ndarray, "N"], Float[np.ndarray, "G K"]]:
    """Return the group number of each series, and the share of every class in each group."""
    column = np.arange(len(series)) if series.groups is None else series.groups
    names, groups = np.unique(column, return_inverse=True)
    labels = np.zeros(len(series)) if series.labels is None else series.labels
    codes = np.unique(number_classes(labels)[1], return_inverse=True)[1]
    counts = np.zeros((len(names), codes.max() + 1))
    np.add.at(counts, (groups, codes), 1)
    shares: np.ndarray = counts / counts.sum(axis=0)
    return groups, shares


def emptiest_fold(shares: Float[np.ndarray, "n K"], added: Float[np.ndarray, "K"]) -> int:
    """Return the fold in which a group leaves classes most evenly spread; of equals the smallest.

    Adding a group of shares a to a fold of shares s raises the sum of squares over all folds by
    2·s·a + a·a, whose second part is the same for every fold.
    """
    uneven = shares @ added
    return int(np.lexsort((shares.sum(axis=1), uneven.round(9)))[0])


def folds_by_class(
    labels: np.ndarray, groups: np.ndarray | None, n: int, rng: np.random.Generator
) -> Int64[np.ndarray, "N"]:
    """Assign each series a fold: classes spread evenly, or groups kept whole if there are any."""
    order = rng.permutation(len(labels))
    if groups is not None and len(np.unique(groups)) > 1:
        codes = np.unique(groups, return_inverse=True)[1]
        return np.asarray(rng.permutation(codes.max() + 1)[codes] % n)
    by_class = order[np.argsort(labels[order], kind="stable")]
    folds = np.empty(len(labels), np.int64)
    folds[by_class] = np.arange(len(labels)) % n
    return folds


def folds_by_time(series: SeriesSet, n: int, *, gap: int = 0) -> list[tuple[SeriesSet, SeriesSet]]:
    """Return ``n`` pairs of a past and the part that follows it: forward chaining.

    Every series is cut into ``n`` + 1 parts of equal length; pair k holds parts 0 … k, less
    their last ``gap`` steps, and part k + 1. With a gap as long as a window, less one step, and
    the horizon together, no window of the past reaches into what is judged.
    """
    if n < 1 or gap < 0:
        raise SeriesError(f"got {n} folds, gap {gap}: wanted at least 1 fold and no negative gap")
    pairs = []
    for k in range(n):
        shares = [(k + 1) / (n + 1), 1 / (n + 1), (n - k - 1) / (n + 1)]
        past, following, *_ = split_by_time(series, [share for share in shares if share > 0])
        pairs.append((without_end(past, gap), following))
    return pairs
