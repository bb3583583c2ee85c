"""Groups of vectors: k-means and HDBSCAN, and how many there are, by stability and silhouette."""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int64
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score, silhouette_score

Grouping = Literal["kmeans", "hdbscan"]
MOST = 12
"""Clusters that are tried where their number is not given."""
_SEEN = 1000
"""Series, drawn from all, on which the number of clusters is chosen."""
_PAIRS, _SHARE = 5, 0.8
"""Pairs of samples, and the share of the series in each, that stability is measured by."""
STABLE = 0.9
"""Share of the greatest stability from which numbers of clusters count as stable."""
_STARTS = 10
"""Starts of k-means, of which the best is kept; fewer while the number is chosen."""


class Tried(NamedTuple):
    """One number of clusters that was tried.

    Attributes:
        k: clusters.
        silhouette: mean over the series (Rousseeuw 1987), -1 to 1.
        stability: adjusted Rand index of clusters of two samples, on what both hold.
    """

    k: int
    silhouette: float
    stability: float


class Groups(NamedTuple):
    """The groups of N vectors.

    Attributes:
        clusters: (N,) the cluster of each, the largest is 0; -1 in none.
        centres: (K,D) their mean vectors.
        sure: (N,) how sure each is, 0 to 1.
        why: why there are so many, in words.
        tried: numbers of clusters that were tried.
    """

    clusters: Int64[np.ndarray, "N"]
    centres: Float[np.ndarray, "K D"]
    sure: Float[np.ndarray, "N"]
    why: str
    tried: tuple[Tried, ...]


def group(units: Float32[np.ndarray, "N D"], k: int | None, method: Grouping, seed: int) -> Groups:
    """Group vectors of length 1; see :func:`selftime.cluster`."""
    if method == "hdbscan":
        return _by_density(units)
    tried = () if k is not None else try_numbers(units, seed)
    best, why = (k, f"{k} clusters were asked for") if k is not None else choose_number(tried)
    found = _kmeans(units, best, seed, _STARTS)
    clusters = by_size(found.labels_.astype(np.int64))
    centres = centres_of(units, clusters)
    return Groups(clusters, centres, margins(units, centres), why, tried)


def _kmeans(units: np.ndarray, k: int, seed: int, starts: int) -> KMeans:
    return KMeans(k, n_init=starts, random_state=seed).fit(units)


def _by_density(units: Float32[np.ndarray, "N D"]) -> Groups:
    """Group by density (Campello, Moulavi & Sander 2013); series in no dense place are in none."""
    least = max(5, round(len(units) ** 0.5 / 2))
    found = HDBSCAN(min_cluster_size=min(least, len(units)), copy=True).fit(units)
    clusters = by_size(found.labels_.astype(np.int64))
    centres = centres_of(units, clusters)
    why = f"{len(centres)} dense places hold at least {least} series"
    return Groups(clusters, centres, found.probabilities_.astype(np.float64), why, ())


def centres_of(
    units: Float[np.ndarray, "N D"], clusters: Int64[np.ndarray, "N"]
) -> Float[np.ndarray, "K D"]:
    """Return the mean vector of each cluster; -1 is none."""
    centres = np.zeros((int(clusters.max(initial=-1)) + 1, units.shape[1]), units.dtype)
    for c, centre in enumerate(centres):
        centre[:] = units[clusters == c].mean(axis=0)
    return centres


def by_size(clusters: Int64[np.ndarray, "N"]) -> Int64[np.ndarray, "N"]:
    """Return clusters numbered anew, the largest 0; -1 stays."""
    names, counts = np.unique(clusters[clusters >= 0], return_counts=True)
    order = names[np.argsort(-counts, kind="stable")]
    new = np.full(int(clusters.max(initial=-1)) + 2, -1, np.int64)
    new[order] = np.arange(len(order))
    return np.asarray(np.where(clusters >= 0, new[clusters], -1))


def distances_to(units: Float[np.ndarray, "N D"], centres: Float[np.ndarray, "K D"]) -> np.ndarray:
    """Return the Euclidean distances (N,K) of vectors from centres."""
    squares = (units**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2 * units @ centres.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def margins(
    units: Float[np.ndarray, "N D"], centres: Float[np.ndarray, "K D"]
) -> Float[np.ndarray, "N"]:
    """Return 1 - a / b of each vector, a and b its distances from the nearest two centres.

    This is the simplified silhouette (Hruschka, de Castro & Campello 2004): 1 at a centre, 0
    halfway between two. With one centre all are sure.
    """
    if len(centres) < 2:
        return np.ones(len(units))
    nearest = np.sort(distances_to(units, centres), axis=1)[:, :2].astype(np.float64)
    return np.asarray(1 - nearest[:, 0] / np.maximum(nearest[:, 1], 1e-12))


def try_numbers(units: Float32[np.ndarray, "N D"], seed: int) -> tuple[Tried, ...]:
    """Try 2 clusters to a dozen on a sample of the vectors.

    Stability is that of Ben-Hur, Elisseeff & Guyon (2002): two samples, each of four fifths, are
    clustered, and the clusters are compared on what both hold.
    """
    rng = np.random.default_rng(seed)
    some = units[rng.permutation(len(units))[:_SEEN]]
    pairs = [
        [np.sort(rng.permutation(len(some))[: round(_SHARE * len(some))]) for _ in range(2)]
        for _ in range(_PAIRS)
    ]
    return tuple(_try(some, k, pairs, seed) for k in range(2, min(MOST, (len(some) - 1) // 2) + 1))


def _try(units: np.ndarray, k: int, pairs: list[list[np.ndarray]], seed: int) -> Tried:
    clusters = _kmeans(units, k, seed, 3).labels_
    agree = []
    for one, other in pairs:
        own, theirs = (_kmeans(units[rows], k, seed, 1).labels_ for rows in (one, other))
        _, a, b = np.intersect1d(one, other, return_indices=True)
        agree.append(adjusted_rand_score(own[a], theirs[b]))
    found = len(np.unique(clusters))
    shape = float(silhouette_score(units, clusters)) if 1 < found < len(units) else -1.0
    return Tried(k, shape, float(np.mean(agree)))


def choose_number(tried: tuple[Tried, ...]) -> tuple[int, str]:
    """Return the number of the greatest silhouette among the most stable ones, and why in words."""
    if not tried:
        return 1, "too few series for more than one cluster"
    most = max(one.stability for one in tried)
    stable = [one for one in tried if one.stability >= STABLE * most]
    best = max(stable, key=lambda one: one.silhouette)
    word = f"has the greatest silhouette ({best.silhouette:.2f}) of the {len(stable)} most stable"
    tail = f"two samples agree to {best.stability:.2f}; {tried[0].k} to {tried[-1].k} were tried"
    return best.k, f"{best.k} clusters: that {word} numbers; {tail}"
