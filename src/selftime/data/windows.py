"""Windows of series as indices, copied only when selected; and batches of series or windows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int64
from numpy.lib.stride_tricks import sliding_window_view

from selftime.data.batch import Batch
from selftime.data.memory import gather, release
from selftime.data.recordings import cut_spans, spans_of_windows
from selftime.data.series import Index, SeriesError, SeriesSet


@dataclass(frozen=True, eq=False)
class Windows:
    """Slices of series, none of which crosses from one series into the next.

    Window ``w`` is ``series.steps[starts[w] : starts[w] + lengths[w]]``, not copied, and lies in
    series number ``owners[w]``.
    """

    series: SeriesSet
    starts: Int64[np.ndarray, "W"]
    lengths: Int64[np.ndarray, "W"]
    owners: Int64[np.ndarray, "W"]

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def firsts(self) -> Int64[np.ndarray, "W"]:
        """Step within its own series at which each window begins."""
        firsts: np.ndarray = self.starts - self.series.offsets[self.owners]
        return firsts

    def select(self, index: Index = slice(None)) -> SeriesSet:
        """Copy the selected windows (slice, indices or boolean mask) as series of their own.

        A window is named ``id@first step`` and has the label of its series, or of most of its
        steps where these have labels. Windows of one series overlap, so they form a group: splits
        keep them together.
        """
        selected = np.arange(len(self))[index]
        return cut_spans(
            self.series, self.starts[selected], self.lengths[selected], self.owners[selected]
        )

    def batch(self, index: Index = slice(None)) -> Batch:
        """Return the selected windows (B,C,T), padded at the end to the longest of them."""
        selected = np.arange(len(self))[index]
        starts, lengths = self.starts[selected], self.lengths[selected]
        equal = len(selected) > 0 and bool((lengths == lengths[0]).all())
        return (self._equal_batch if equal else self._padded_batch)(starts, lengths)

    def _equal_batch(
        self, starts: Int64[np.ndarray, "B"], lengths: Int64[np.ndarray, "B"]
    ) -> Batch:
        """Return slices of one length as one batch: a single strided copy."""
        length, steps, observed = int(lengths[0]), self.series.steps, self.series.observed
        values = gather(sliding_window_view(steps, length, axis=0), starts)  # (B,C,T)
        if observed is None:
            return _batch(values, np.ones(values.shape, dtype=bool))
        return _batch(values, gather(sliding_window_view(observed, length, axis=0), starts))

    def _padded_batch(
        self, starts: Int64[np.ndarray, "B"], lengths: Int64[np.ndarray, "B"]
    ) -> Batch:
        """Return slices of any lengths as one batch; padding is 0 and not observed."""
        steps, observed = self.series.steps, self.series.observed
        ticks = np.arange(lengths.max(initial=0))
        rows = starts[:, None] + np.minimum(ticks, lengths[:, None] - 1)  # (B,T), the last one held
        within = ticks < lengths[:, None]
        valid = np.repeat(within[:, None], steps.shape[1], axis=1)  # (B,C,T)
        if observed is not None:
            valid &= _gather(observed, rows)
        return _batch(np.where(within[:, None], _gather(steps, rows), np.float32(0)), valid)


def windows(series: SeriesSet, length: int, *, stride: int = 1, pad: bool = False) -> Windows:
    """Cut windows at steps 0, stride, 2·stride, … of every series, as long as they fit.

    At the end of a series fewer than ``stride`` steps may stay uncovered; with ``pad`` they are
    covered by one more, shorter window. Windows in which nothing was observed are left out.

    Example:
        >>> import selftime as st
        >>> cut = st.windows(st.sample("ECG"), 360, stride=180)
        >>> len(cut), cut.select([0, 7]).ids.tolist()
        (599, ['ECG@0', 'ECG@1260'])

    Args:
        series: what to slice.
        length: steps of a window.
        stride: steps from the start of one window to the start of the next.
        pad: allow windows shorter than ``length``: at the end of each series, and for series
            that are shorter themselves.

    Raises:
        SeriesError: a length or stride below 1, or a window longer than the shortest series.
    """
    return _drop_unobserved(Windows(series, *spans_of_windows(series, length, stride, pad=pad)))


def every_series(series: SeriesSet) -> Windows:
    """Return each series as one window."""
    return Windows(series, series.offsets[:-1], series.lengths, np.arange(len(series)))


def batch_of(series: SeriesSet | Windows, index: Index = slice(None)) -> Batch:
    """Return the selected series or windows (B,C,T), padded at the end to the longest of them."""
    return (series if isinstance(series, Windows) else every_series(series)).batch(index)


def batches(
    series: SeriesSet | Windows, *, size: int = 256, order: Sequence[int] | np.ndarray | None = None
) -> Iterator[Batch]:
    """Yield all series or windows, ``size`` at a time; the last batch holds the rest.

    Batch ``k`` holds ``order[k * size : (k + 1) * size]``, so results laid end to end are
    brought back to the original order by ``results[np.argsort(order)]``.
    An order is a permutation, or :func:`by_length` to pad little.
    """
    if size < 1:
        raise SeriesError(f"got batch size {size}, wanted at least 1")
    source = series if isinstance(series, Windows) else every_series(series)
    selected = np.arange(len(source)) if order is None else np.asarray(order)
    return (source.batch(selected[i : i + size]) for i in range(0, len(selected), size))


def by_length(series: SeriesSet | Windows) -> Int64[np.ndarray, "N"]:
    """Return an order that brings equal lengths together, shortest first, to pad little."""
    return np.argsort(series.lengths, kind="stable")


def _gather(steps: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Gather rows (B,T) of steps (S,C) as (B,C,T); by channel, fast in any memory order."""
    return np.stack([gather(channel, rows) for channel in steps.T], axis=1)


def _batch(values: np.ndarray, observed: np.ndarray) -> Batch:
    """Turn (B,C,T) arrays into contiguous tensors."""
    return Batch(
        torch.from_numpy(np.ascontiguousarray(values)),
        torch.from_numpy(np.ascontiguousarray(observed)),
    )


_ROWS = 1 << 22
"""Rows of windows that are looked through at a time."""


def _drop_unobserved(w: Windows) -> Windows:
    """Keep the windows in which at least one value was observed."""
    if w.series.observed is None:
        return w
    ends, keep = w.starts + w.lengths, np.zeros(len(w), bool)
    some = max(_ROWS // int(w.lengths.max(initial=1)), 1)
    for i in range(0, len(w), some):
        first, last = int(w.starts[i : i + some].min()), int(ends[i : i + some].max())
        seen = np.append(0, np.cumsum(w.series.observed[first:last].any(axis=1)))
        keep[i : i + some] = seen[ends[i : i + some] - first] > seen[w.starts[i : i + some] - first]
        release(w.series.observed)
    return Windows(w.series, w.starts[keep], w.lengths[keep], w.owners[keep])
