"""Clusters of series: by the vectors of a model, with medoids and names."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from selftime.data.arrays import are_known
from selftime.data.frames import Tabular, join_columns
from selftime.data.paths import read_labels
from selftime.data.readers import kind_for, read
from selftime.data.schema import Asked
from selftime.data.series import SeriesError, SeriesSet
from selftime.door import option
from selftime.engine.model import Model, model_at
from selftime.progress import Progress
from selftime.tasks.clusters.groups import Grouping, Tried, distances_to, group
from selftime.tasks.probing.reference_bank import unit_vectors

ClusterNames = Mapping[Any, str] | str | os.PathLike[str]
"""ClusterNames by number of a cluster or id of a series in it, or the file of a table of both."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Clusters(Tabular):
    """Clusters of N series.

    Attributes:
        series: the series.
        clusters: (N,) the cluster of each, the largest is 0; -1 of those in none (HDBSCAN).
        distances: (N,) from the mean vector of its cluster, of vectors of length 1; NaN in none.
        medoids: the series nearest to the mean vector of each cluster, as rows (K,).
        sure: (N,) how sure each is: 0 between two clusters, 1 in the midst of one.
        why: why there are so many clusters, in words.
        tried: numbers of clusters that were tried, with silhouette and stability.
        names: of the clusters, those that were named.
    """

    series: SeriesSet
    clusters: Int64[np.ndarray, "N"]
    distances: Float[np.ndarray, "N"]
    medoids: Int64[np.ndarray, "K"]
    sure: Float[np.ndarray, "N"]
    why: str
    tried: tuple[Tried, ...] = ()
    names: Mapping[int, str] | None = None

    def __len__(self) -> int:
        return len(self.medoids)

    @property
    def is_medoid(self) -> Bool[np.ndarray, "N"]:
        """True for the medoid of each cluster."""
        out = np.zeros(len(self.clusters), bool)
        out[self.medoids] = True
        return out

    def name_of(self, cluster: int) -> str:
        """Return the name of a cluster, or its number in words."""
        usual = "in no cluster" if cluster < 0 else f"cluster {cluster}"
        return (self.names or {}).get(cluster, usual)

    def with_names(self, names: Mapping[Any, str]) -> "Clusters":
        """Return the same clusters with names, by number or by the id of a series in each.

        Example:
            >>> import selftime as st
            >>> found = st.cluster([[1.0, 0.0], [0.0, 1.0]], [[1.0, 2.0], [2.0, 1.0]], k=2)
            >>> found.with_names({0: "up", 1: "down"}).name_of(0)
            'up'

        Raises:
            SeriesError: there is no such cluster or series.
        """
        ids = {str(id): int(c) for id, c in zip(self.series.ids, self.clusters, strict=True)}
        numbers = {str(c): c for c in range(len(self))}
        found = {}
        for key, name in names.items():
            cluster = numbers.get(str(key), ids.get(str(key)))
            if cluster is None or cluster < 0:
                raise SeriesError(
                    f"got a name for {key!r}, wanted a cluster (0 to {len(self) - 1}) or the id of "
                    "a series in one"
                )
            found[cluster] = str(name)
        return replace(self, names=dict(self.names or {}) | found)

    def to_columns(self) -> dict[str, Any]:
        """Return what names the series, cluster (and name), distance, medoid, sure, label."""
        labels = {} if self.series.labels is None else {"label": self.series.labels}
        each = [self.name_of(int(cluster)) for cluster in self.clusters]
        own: dict[str, Any] = {"cluster": self.clusters}
        own |= {} if self.names is None else {"name": np.array(each)}
        own |= {"distance": self.distances, "is_medoid": self.is_medoid, "sure": self.sure}
        return join_columns(self.series.keys(), own, labels)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: a record of each cluster, and why there are so many."""
        return {
            "clusters": [
                {
                    "cluster": c,
                    "name": self.name_of(c),
                    "series": int((self.clusters == c).sum()),
                    "medoid": str(self.series.ids[row]),
                    "sure": float(self.sure[self.clusters == c].mean()),
                }
                for c, row in enumerate(self.medoids.tolist())
            ],
            "in_none": int((self.clusters < 0).sum()),
            "why": self.why,
            "tried": [one._asdict() for one in self.tried],
        }


def cluster(  # noqa: PLR0913 - the front door
    model: Any,
    x: Any,
    k: int | None = None,
    *,
    method: Grouping = "kmeans",
    names: ClusterNames | None = None,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Clusters:
    """Put series that a model sees alike into clusters.

    Vectors are brought to length 1. Without ``k``, 2 to 12 clusters are tried on up to 1,000
    series, and the number of the greatest silhouette is taken among those on which two samples of
    the series agree best (nine tenths of the greatest adjusted Rand index); ``why`` says so.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:60]
        >>> found = st.cluster(st.pretrain(x, encoder="quantiles"), x)
        >>> len(found), found.to_polars().columns[:3]
        (2, ['unique_id', 'cluster', 'distance'])

    Args:
        model: pretrained, or its folder; or vectors (N,D) of the series.
        x: whatever :func:`selftime.read` takes.
        k: clusters; chosen when None.
        method: "kmeans"; or "hdbscan", which finds dense places, leaves series out that lie in
            none and takes no ``k``.
        names: of clusters, by number or by the id of a series in each; or a file of two columns,
            clusters or ids, and names.
        seed: fixes everything random.
        progress: a bar where a person looks when None.

    Raises:
        SeriesError: bad input, or more clusters than series.
    """
    series, units = units_of(model, x, progress)
    if k is not None and (method == "hdbscan" or not 1 <= k <= len(series)):
        wanted = "none with hdbscan" if method == "hdbscan" else f"1 to {len(series)}"
        raise SeriesError(f"got {option('k', k)}, wanted {wanted}")
    found = group(units, k, method, seed)
    own = np.full(len(units), np.nan)
    medoids = []
    for c, centre in enumerate(found.centres):
        rows = np.flatnonzero(found.clusters == c)
        own[rows] = distances_to(units[rows], centre[None])[:, 0]
        medoids.append(rows[own[rows].argmin()])
    made = Clusters(
        series=series,
        clusters=found.clusters,
        distances=own,
        medoids=np.array(medoids, np.int64),
        sure=found.sure,
        why=found.why,
        tried=found.tried,
    )
    return made if names is None else made.with_names(read_cluster_names(names, made.series))


def read_cluster_names(names: ClusterNames, series: SeriesSet) -> Mapping[Any, str]:
    """Return names of clusters of some series, which a file may hold.

    Raises:
        SeriesError: a file that is no table of clusters and names.
    """
    if isinstance(names, Mapping):
        return names
    ids = series.ids.astype(str)
    rows = read_labels(names, Asked()).whole(
        lambda keys: np.array([key.isdecimal() or key in ids for key in keys])
    )
    if rows.labels is None:
        raise SeriesError(f"{names}: holds no name, wanted one for some clusters at least")
    known = are_known(rows.labels)
    return {key: str(name) for key, name in zip(rows.keys[known], rows.labels[known], strict=True)}


def units_of(
    model: Any, x: Any, progress: bool | Progress | None
) -> tuple[SeriesSet, Float[np.ndarray, "N D"]]:
    """Return the series, and their vectors of length 1, by a model or as they are given."""
    if isinstance(model, Model | str) or hasattr(model, "__fspath__"):
        own = model_at(model)
        series = read(x, kind=kind_for(x, own.kind))
        return series, unit_vectors(own.embed(series, progress=progress))
    series, vectors = read(x), np.asarray(model, np.float32)
    if vectors.ndim != 2 or len(vectors) != len(series) or not np.isfinite(vectors).all():
        raise SeriesError(
            f"got vectors of shape {vectors.shape} for {len(series)} series, wanted a model or its "
            "folder, or a finite vector for each"
        )
    return series, unit_vectors(vectors)
