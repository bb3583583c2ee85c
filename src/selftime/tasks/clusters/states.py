"""States of recordings: windows in clusters that last, and the moments at which they change."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from selftime.data.frames import Tabular, free_name
from selftime.data.series import SeriesError, SeriesSet
from selftime.door import option
from selftime.progress import Progress
from selftime.tasks.clusters.cluster import ClusterNames, Clusters, cluster, units_of
from selftime.tasks.clusters.groups import centres_of, distances_to

PENALTY = 2.0
"""A change costs as much as so many windows that lie as far from their centre as most do."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class StateSpans(Tabular):
    """States of recordings that were cut into N windows, M spans in all.

    Attributes:
        clusters: the windows and their clusters, each by itself.
        states: (N,) the state of each window.
        begins: (N,) True where a span begins.
        penalty: of a change, in squared distances.
    """

    clusters: Clusters
    states: Int64[np.ndarray, "N"]
    begins: Bool[np.ndarray, "N"]
    penalty: float

    @property
    def series(self) -> SeriesSet:
        """The windows."""
        return self.clusters.series

    @property
    def spans(self) -> Int64[np.ndarray, "M 2"]:
        """First and last window of each span."""
        first = np.flatnonzero(self.begins)
        return np.stack([first, np.append(first[1:], len(self.begins)) - 1], axis=1)

    def to_columns(self) -> dict[str, Any]:
        """Return a row for each span: recording, start, end, state, its name, windows, sure.

        A span begins and ends midway between the middles of windows of two states, at the step or
        the time there; ``is_change`` is False at the beginning of a recording. ``sure`` is the
        share of its windows that are in the cluster of the state by themselves.
        """
        x, spans = self.series, self.spans
        assert x.recordings is not None
        states = self.states[spans[:, 0]]
        alone = self.clusters.clusters == self.states
        name = x.name_of("id", "unique_id")
        start, end = self.bounds()
        columns: dict[str, Any] = {name: x.recordings[spans[:, 0]], "start": start, "end": end}
        own = {
            "state": states,
            "name": np.array([self.clusters.name_of(int(s)) for s in states]),
            "windows": spans[:, 1] - spans[:, 0] + 1,
            "is_change": self.is_change,
            "sure": np.array([alone[a : b + 1].mean() for a, b in spans]),
        }
        return columns | {free_name(key, columns): column for key, column in own.items()}

    @property
    def is_change(self) -> Bool[np.ndarray, "M"]:
        """True for each span that follows another of its recording."""
        first = self.spans[:, 0]
        recordings = np.asarray(self.series.recordings)
        return np.array([i > 0 and recordings[i] == recordings[i - 1] for i in first], bool)

    def bounds(self) -> tuple[Any, Any]:
        """Return the first and last step (M,) of each span, or the times of them."""
        x, spans = self.series, self.spans
        assert x.starts is not None
        change, again = self.is_change, np.append(self.is_change[1:], False)
        first, last = x.starts[spans[:, 0]], x.starts[spans[:, 1]] + x.lengths[spans[:, 1]] - 1
        before = np.maximum(spans[:, 0] - 1, 0)
        middle = x.starts + (x.lengths - 1) / 2
        edges = np.ceil((middle[before] + middle[spans[:, 0]]) / 2).astype(np.int64)
        start = np.where(change, edges, first)
        end = np.where(again, np.append(edges[1:], 0) - 1, last)
        if x.times is None:
            return start, end
        return self._times_at(start, spans[:, 0]), self._times_at(end, spans[:, 1])

    def _times_at(self, steps: Int64[np.ndarray, "M"], windows: Int64[np.ndarray, "M"]) -> Any:
        """Return the times of steps, or of the nearest in a window that is near them."""
        x = self.series
        assert x.starts is not None and x.times is not None
        within = np.clip(steps - x.starts[windows], 0, x.lengths[windows] - 1)
        return x.stamps.column(x.times[x.offsets[:-1][windows] + within])

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the number of spans and changes, and the clusters."""
        facts = {"spans": len(self.spans), "changes": int(self.is_change.sum())}
        return facts | {"penalty": self.penalty} | self.clusters.to_dict()


def states(  # noqa: PLR0913 - the front door
    model: Any,
    x: Any,
    k: int | None = None,
    *,
    penalty: float | int = PENALTY,
    names: ClusterNames | None = None,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> StateSpans:
    """Cut recordings into states that last, such as idle, climbing and cruising.

    Windows are clustered (:func:`selftime.cluster`), and every recording gets the sequence of
    states of the least sum of squared distances from the centres plus a penalty a change: the most
    likely path of a hidden Markov model with equal spherical states, by dynamic programming
    (Viterbi 1967).

    Example:
        >>> import numpy as np
        >>> import selftime as st
        >>> t = np.arange(600)
        >>> wave = np.where(t < 300, np.sin(t / 2), np.sin(t / 9))
        >>> x = st.read(wave[None], windows=40, stride=10)
        >>> found = st.states(st.pretrain(x, encoder="quantiles"), x, k=2)
        >>> found.to_polars()["start"].to_list()[0]
        0

    Args:
        model: pretrained, or its folder; or vectors (N,D) of the windows.
        x: recordings cut into windows: ``st.read(path, windows="10min", stride="1min")``.
        k: states; chosen as by ``cluster`` when None.
        penalty: of a change, in squared distances of a usual window from its centre; 0 leaves each
            window by itself.
        names: of states, by number; or a file of both.
        seed: fixes everything random.
        progress: a bar where a person looks when None.

    Raises:
        SeriesError: series that are no windows, or a negative penalty.
    """
    series, units = units_of(model, x, progress)
    if series.recordings is None or series.starts is None:
        raise SeriesError(f"got whole series, wanted windows of recordings: {option('windows')}")
    if not penalty >= 0:
        raise SeriesError(f"got {option('penalty', penalty)}, wanted 0 or more")
    owners = np.unique(series.recordings, return_inverse=True)[1]
    order = np.lexsort((series.starts, owners))
    owners = owners[order]
    if (np.diff(order) != 1).any():
        series, units = series[order], units[order]
    found = cluster(units, series, k, names=names, seed=seed)
    centres = centres_of(units, found.clusters)
    costs = distances_to(units, centres).astype(np.float64) ** 2
    scale = float(np.median(costs.min(axis=1)))
    heads = np.append(True, np.diff(owners) != 0)
    ends = np.append(np.flatnonzero(heads), len(heads))
    path = np.concatenate(
        [smooth_path(costs[a:b], penalty * scale) for a, b in zip(ends, ends[1:], strict=False)]
    )
    begins = heads | np.append(True, path[1:] != path[:-1])
    return StateSpans(
        clusters=replace(found, series=series),
        states=path,
        begins=begins,
        penalty=float(penalty * scale),
    )


def smooth_path(costs: Float[np.ndarray, "T K"], penalty: float) -> Int64[np.ndarray, "T"]:
    """Return the states of the least sum of costs plus a penalty for each change.

    A step of the program costs K operations: the best predecessor of a state is itself or the one
    that is best of all.
    """
    count, sums = len(costs), costs[0].copy()
    back = np.zeros(costs.shape, np.int64)
    every = np.arange(costs.shape[1])
    for t in range(1, count):
        best = int(sums.argmin())
        stays = sums <= sums[best] + penalty
        back[t] = np.where(stays, every, best)
        sums = np.where(stays, sums, sums[best] + penalty) + costs[t]
    path = np.empty(count, np.int64)
    path[-1] = sums.argmin()
    for t in range(count - 1, 0, -1):
        path[t - 1] = back[t, path[t]]
    return path
