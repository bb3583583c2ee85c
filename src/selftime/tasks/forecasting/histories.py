"""Histories as forecasters take them: without gaps and single wild values, and where each ends."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

from selftime.data.gaps import fill_gaps
from selftime.data.series import SeriesSet

FAR = 20
"""A wild value is so many robust spreads from its neighbours."""
LONE = 5
"""A wild value is so many times further from its neighbours than any value that is not."""
ALIKE = 0.1
"""Values whose distances differ by less than this share repeat, and are not wild."""
_BESIDE = 3
"""Neighbours on each side."""
_FEWEST = 8
"""Values that must be there for one of them to be wild."""
SHORTEST = 5
"""Steps of a history that something can be learned from."""
_END_SHARE = 0.2
"""Largest share at the end that is left out of learning where some channels have ended."""


class History(NamedTuple):
    """A series without gaps.

    Attributes:
        values: (T,C), gaps bridged, and held at both ends.
        gaps: (C,) missing steps at the end.
        wild: (W,2) steps and channels of single wild values, which are taken as missing.
    """

    values: Float[np.ndarray, "T C"]
    gaps: Int64[np.ndarray, "C"]
    wild: Int64[np.ndarray, "W 2"]

    @property
    def end(self) -> int:
        """Step up to which all is known, or some channels where others have long ended."""
        T, most = len(self.values), int(self.gaps.max())
        return T - most if most <= _END_SHARE * T else T - int(self.gaps.min())


def history_of(values: Float[np.ndarray, "T C"]) -> History:
    """Return a history of values of which some are NaN; single wild ones are taken as missing."""
    values = np.asarray(values, np.float64)
    wild = np.stack([find_wild(channel) for channel in values.T], axis=1)
    if wild.any():
        values = np.where(wild, np.nan, values)
    known = np.isfinite(values)
    gaps = np.where(known.any(axis=0), known[::-1].argmax(axis=0), 0)
    return History(fill_gaps(values), gaps.astype(np.int64), np.argwhere(wild))


def histories_in(series: SeriesSet) -> list[History]:
    """Return the history of each series."""
    return [history_of(np.asarray(series.series(i).T, np.float64)) for i in range(len(series))]


def find_wild(x: Float[np.ndarray, "T"]) -> Bool[np.ndarray, "T"]:
    """Return where single values are wild: no neighbour and no other value is like them.

    The distance of a value from the median of three neighbours on each side must be 20 times the
    usual one (1.48 medians of those above 0) and the usual change from step to step, and 5 times
    that of any value that is not wild, for a few values in a hundred at most. One that has a wild
    neighbour (a shift of the level) or another as far away as itself (it repeats) is not wild.

    Example:
        >>> find_wild(np.array([8.0, 9, 7, 8, 9, 500, 7, 8, 9, 8])).nonzero()[0].tolist()
        [5]
    """
    out, seen = np.zeros(len(x), bool), np.flatnonzero(np.isfinite(x))
    if len(seen) < _FEWEST:
        return out
    changes = np.abs(np.diff(x[seen]))
    change = float(np.median(changes[changes > 0])) if (changes > 0).any() else np.inf
    if _BESIDE * changes.max() <= FAR * change:  # no value can be so far from its neighbours
        return out
    far = _distances(x[seen])
    order = np.argsort(-far)
    usual = max(1.4826 * float(np.median(far[far > 0])) if (far > 0).any() else np.inf, change)
    for count in range(max(min(3, len(far) // 10), len(far) // 100, 1), 0, -1):
        least, following = far[order[count - 1]], far[order[count]]
        if least > FAR * usual and least > LONE * following:
            found = np.sort(order[:count])
            out[seen[found[_is_single(found, far[found])]]] = True
            break
    return out


def _distances(y: Float[np.ndarray, "T"]) -> Float[np.ndarray, "T"]:
    """Return how far each value is from the median of its neighbours."""
    T, k = len(y), _BESIDE
    beside = [y[i : T - 2 * k + i] for i in range(2 * k + 1) if i != k]
    middle = np.median(beside, axis=0)
    ends = [(i, np.r_[max(i - k, 0) : i, i + 1 : min(i + k + 1, T)]) for i in range(T)[:k]]
    ends += [(i, np.r_[i - k : i, i + 1 : min(i + k + 1, T)]) for i in range(T)[-k:]]
    out = np.empty(T)
    out[k : T - k] = np.abs(y[k : T - k] - middle)
    for i, near in ends:
        out[i] = np.abs(y[i] - np.median(y[near]))
    return out


def _is_single(at: Int64[np.ndarray, "W"], far: Float[np.ndarray, "W"]) -> Bool[np.ndarray, "W"]:
    """Return which of these steps have no neighbour among them, and none that is as far away."""
    others = ~np.eye(len(at), dtype=bool)
    near = np.abs(at[:, None] - at) == 1
    alike = np.abs(far[:, None] - far) <= ALIKE * far[:, None]
    return np.asarray(~((near | alike) & others).any(axis=1))


def count_floors(histories: Sequence[History]) -> Float[np.ndarray, "C"]:
    """Return 0 for each channel of whole numbers from 0 on in every series, else -infinity."""
    counts = [((h.values >= 0) & (h.values == np.rint(h.values))).all(axis=0) for h in histories]
    return np.where(np.all(counts, axis=0), 0.0, -np.inf)


def histories_in_words(
    series: SeriesSet, histories: Sequence[History], *, table: bool = False
) -> tuple[str, ...]:
    """Say which single values are wild, which ends are missing, and which series are too short.

    Short series of a table have the shape that all of them share.
    """
    wild = [(i, t, c) for i, h in enumerate(histories) for t, c in h.wild]
    ended = [i for i, h in enumerate(histories) if h.gaps.any() and not _ends_wild(h)]
    short = [i for i, h in enumerate(histories) if h.end < SHORTEST]
    notes = []
    if wild:
        i, t, c = wild[0]
        value = f"{series.series(i)[c, t]:g} at step {t} of channel {series.channels[c]!r}"
        notes.append(
            f"single wild values are taken as missing: {value}, series {str(series.ids[i])!r}"
            + (f", and {len(wild) - 1} more" if wild[1:] else "")
        )
    if ended:
        gap = int(histories[ended[0]].gaps.max())
        notes.append(
            f"the last {gap} steps of {_names_of(series, ended)} are forecast too, as their "
            "values are missing"
        )
    if short and len(short) < len(histories):
        what = "their mean has the shape of the others" if table else "the last value is repeated"
        notes.append(
            f"{_names_of(series, short)}: fewer than {SHORTEST} steps, so that {what}, with "
            f"intervals {'wider than' if table else 'as wide as'} those of the others"
        )
    return tuple(notes)


def _ends_wild(history: History) -> bool:
    """Return whether the end is missing for no more than a wild value at the last step."""
    last = history.wild[:, 0] == len(history.values) - 1
    return bool(last.any()) and int(history.gaps.max()) == 1


def _names_of(series: SeriesSet, rows: Sequence[int]) -> str:
    more = f" and {len(rows) - 1} more" if rows[1:] else ""
    return f"series {str(series.ids[rows[0]])!r}{more}"
