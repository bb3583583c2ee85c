"""Which slices of the series exist, as indices; a slice is copied only when it is asked for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float32, Int64
from numpy.lib.stride_tricks import sliding_window_view

from selftime.data.batch import Batch
from selftime.data.series import Index, SeriesError, SeriesSet


@dataclass(frozen=True, eq=False)
class Windows:
    """Slices of series, none of which crosses from one series into the next.

    Window ``w`` is ``series.steps[starts[w] : starts[w] + lengths[w]]``.

    Attributes:
        series: the series that are sliced; they are not copied.
        starts: (W,) row of ``series.steps`` at which each window begins.
        lengths: (W,) steps of each window.
        owners: (W,) number of the series each window lies in.
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
        """The chosen windows, copied, as series of their own.

        A window is named ``id@first step``, takes over the label of its series and, as windows
        of one series overlap, forms a group with them: splits keep them together.

        Args:
            index: which windows, in which order (a slice, indices or a boolean mask).
        """
        selected = np.arange(len(self))[index]
        whole, owners, lengths = self.series, self.owners[selected], self.lengths[selected]
        rows, within = grid_of(self.starts[selected], lengths)
        flat = rows[within]
        groups = whole.ids if whole.groups is None else whole.groups
        return SeriesSet(
            steps=whole.steps[flat],
            offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            channels=whole.channels,
            ids=_window_ids(whole.ids[owners], self.firsts[selected]),
            observed=None if whole.observed is None else whole.observed[flat],
            times=None if whole.times is None else whole.times[flat],
            labels=None if whole.labels is None else whole.labels[owners],
            groups=groups[owners],
        )

    def batch(self, index: Index = slice(None)) -> Batch:
        """The chosen windows (B,C,T), padded at the end to the longest of them.

        Args:
            index: which windows, in which order (a slice, indices or a boolean mask).
        """
        selected = np.arange(len(self))[index]
        starts, lengths = self.starts[selected], self.lengths[selected]
        steps, observed = self.series.steps, self.series.observed
        if len(selected) and (lengths == lengths[0]).all():
            return equal_batch(steps, observed, starts, int(lengths[0]))
        return padded_batch(steps, observed, starts, lengths)


def windows(series: SeriesSet, length: int, *, stride: int = 1, pad: bool = False) -> Windows:
    """Windows at steps 0, stride, 2·stride, … of every series, as long as they fit.

    At the end of a series fewer than ``stride`` steps may stay uncovered; with ``pad`` they are
    covered by one more, shorter window. Windows in which nothing was observed are left out.

    Args:
        series: what to slice.
        length: steps of a window.
        stride: steps from the start of one window to the start of the next.
        pad: allow windows shorter than ``length``: at the end of each series, and for series
            that are shorter themselves.

    Raises:
        SeriesError: a length or stride below 1, or a window longer than the shortest series.
    """
    if length < 1 or stride < 1:
        raise SeriesError(f"got window {length}, stride {stride}: both must be at least 1 step")
    shortest = int(series.lengths.min())
    if length > shortest and not pad:
        raise SeriesError(
            f"window {length} is longer than the shortest series ({shortest}): "
            f"use window <= {shortest} or pad=True"
        )
    beyond = np.maximum(series.lengths - length, 0) + (stride - 1 if pad else 0)
    begun = (series.lengths - 1) // stride  # a stride above length must not lead past the end
    counts = 1 + np.minimum(beyond // stride, begun)
    owners = np.repeat(np.arange(len(series)), counts)
    nth = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    lengths = np.minimum(series.lengths[owners] - nth * stride, length)
    return _drop_unobserved(Windows(series, series.offsets[owners] + nth * stride, lengths, owners))


def every_series(series: SeriesSet) -> Windows:
    """Each series as one window, whole."""
    return Windows(series, series.offsets[:-1], series.lengths, np.arange(len(series)))


def batch_of(series: SeriesSet | Windows, index: Index = slice(None)) -> Batch:
    """Series or windows (B,C,T), padded at the end to the longest of them.

    Args:
        series: where they are taken from.
        index: which ones, in which order (a slice, indices or a boolean mask); all by default.
    """
    return (series if isinstance(series, Windows) else every_series(series)).batch(index)


def batches(
    series: SeriesSet | Windows, *, size: int = 256, order: Sequence[int] | np.ndarray | None = None
) -> Iterator[Batch]:
    """All series or windows, ``size`` at a time; the last batch holds what is left over.

    Batch ``k`` holds ``order[k * size : (k + 1) * size]``, so results laid end to end are
    brought back to the original order by ``results[np.argsort(order)]``.

    Args:
        series: what to batch.
        size: most series of a batch.
        order: in which order they come, e.g. a permutation, or :func:`by_length` to pad little.

    Raises:
        SeriesError: a size below 1.
    """
    if size < 1:
        raise SeriesError(f"got batch size {size}, wanted at least 1")
    source = series if isinstance(series, Windows) else every_series(series)
    selected = np.arange(len(source)) if order is None else np.asarray(order)
    return (source.batch(selected[i : i + size]) for i in range(0, len(selected), size))


def by_length(series: SeriesSet | Windows) -> Int64[np.ndarray, "N"]:
    """An order that brings equal lengths together, shortest first, so that little is padded."""
    return np.argsort(series.lengths, kind="stable")


def grid_of(
    starts: Int64[np.ndarray, "B"], lengths: Int64[np.ndarray, "B"]
) -> tuple[Int64[np.ndarray, "B T"], Bool[np.ndarray, "B T"]]:
    """Row of every step of every slice, and which of them lie within it.

    Steps after the end of a slice repeat its last row.
    """
    ticks = np.arange(lengths.max(initial=0))
    rows = starts[:, None] + np.minimum(ticks, lengths[:, None] - 1)
    return rows, ticks < lengths[:, None]


def padded_batch(
    steps: Float32[np.ndarray, "S C"],
    observed: Bool[np.ndarray, "S C"] | None,
    starts: Int64[np.ndarray, "B"],
    lengths: Int64[np.ndarray, "B"],
) -> Batch:
    """Slices of any lengths as one batch; padding is 0 and not observed."""
    rows, within = grid_of(starts, lengths)
    valid = np.repeat(within[:, None], steps.shape[1], axis=1)  # (B,C,T)
    if observed is not None:
        valid &= _gather(observed, rows)
    return _batch(np.where(within[:, None], _gather(steps, rows), np.float32(0)), valid)


def equal_batch(
    steps: Float32[np.ndarray, "S C"],
    observed: Bool[np.ndarray, "S C"] | None,
    starts: Int64[np.ndarray, "B"],
    length: int,
) -> Batch:
    """Slices of one length as one batch: a single strided copy."""
    values = sliding_window_view(steps, length, axis=0)[starts]  # (B,C,T)
    if observed is None:
        valid = np.ones(values.shape, dtype=bool)
    else:
        valid = sliding_window_view(observed, length, axis=0)[starts]
    return _batch(values, valid)


def _gather(steps: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows (B,T) of steps (S,C) as (B,C,T); by channel, which is fast in any memory order."""
    return np.stack([channel[rows] for channel in steps.T], axis=1)


def _batch(values: np.ndarray, observed: np.ndarray) -> Batch:
    """Contiguous tensors of (B,C,T) arrays."""
    return Batch(
        torch.from_numpy(np.ascontiguousarray(values)),
        torch.from_numpy(np.ascontiguousarray(observed)),
    )


def _window_ids(ids: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Window names ``id@first step``."""
    return np.strings.add(np.strings.add(ids.astype(str), "@"), firsts.astype(str))


def _drop_unobserved(w: Windows) -> Windows:
    """The windows in which at least one value was observed."""
    if w.series.observed is None:
        return w
    seen = np.concatenate([[0], np.cumsum(w.series.observed.any(axis=1))])
    keep = seen[w.starts + w.lengths] > seen[w.starts]
    return Windows(w.series, w.starts[keep], w.lengths[keep], w.owners[keep])
