"""Blocked folds: spans of time held out in turn, and sums over all their windows."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy.lib.stride_tricks import sliding_window_view

from selftime.data.arrays import spans as rows_of
from selftime.data.series import SeriesError
from selftime.door import option

LOOK_BACKS = (4, 8, 16, 32, 48, 96, 192, 336, 512, 720, 1440)
"""Past steps that are tried: powers of two where there is little, weeks of hours where there is
much, 512 as PatchTST has it (Nie et al. 2023, section 4.1), months of hours."""
_MAX_LOOK_BACKS = 5
"""So many of them are tried, the longest: seasons differ more than folds can tell."""
MOST_FOLDS = 4
"""Folds of the training part, beside the validation part as one more."""
Spans = Sequence[tuple[int, int]]
"""First and last + 1 forecast origin of each series."""


class WindowGram(NamedTuple):
    """Sums of v vᵀ and of v over windows v (M,), of one channel or of several together.

    Sums add: those of two parts are those of the whole, and what is left out is subtracted.
    """

    products: Float[np.ndarray, "M M"]
    total: Float[np.ndarray, "M"]
    windows: int

    def plus(self, other: "WindowGram", sign: int = 1) -> "WindowGram":
        """Return the sums of both parts; with ``sign`` -1 those without the other."""
        return WindowGram(
            self.products + sign * other.products,
            self.total + sign * other.total,
            self.windows + sign * other.windows,
        )

    def last(self, length: int) -> "WindowGram":
        """Return the same of the last ``length`` steps of each window."""
        return WindowGram(self.products[-length:, -length:], self.total[-length:], self.windows)

    def from_level(self, look_back: int, memory: float = 1.0) -> Float[np.ndarray, "M M"]:
        """Return the mean of v vᵀ, the level of the ``look_back`` steps subtracted from v."""
        g, weights = self.products / max(self.windows, 1), level_weights(look_back, memory)
        level = g[:look_back].T @ weights
        return np.asarray(g - level - level[:, None] + level[:look_back] @ weights)


def level_weights(look_back: int, memory: float) -> Float[np.ndarray, "L"]:
    """Return the weights of past steps in their level: later ones count more, and all sum to 1.

    The last value alone where ``memory`` is 1; else weights of exponential smoothing (Brown 1959),
    of which that of the last step is ``memory`` where the past is long.
    """
    weights = (1 - memory) ** np.arange(look_back)[::-1].astype(np.float64)
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class BlockedFolds:
    """Scaled series, their times cut into folds, and where fitting ends.

    A window belongs to a fold when all of its future steps do; its past may reach into earlier
    folds. Nothing at or after ``fit_end`` is ever fitted on.

    Attributes:
        histories: (T,C) values of each series, without gaps.
        edges: of each series the steps at which its K folds begin, and the end of the last.
        fit_end: step of each series at which the part to fit on ends.
        look_back: past steps of every window.
        horizon: future steps of every window.
    """

    histories: tuple[Float[np.ndarray, "_ C"], ...]
    edges: tuple[Int64[np.ndarray, "K1"], ...]
    fit_end: tuple[int, ...]
    look_back: int
    horizon: int

    @property
    def count(self) -> int:
        """K, the number of folds."""
        return len(self.edges[0]) - 1

    @property
    def n_channels(self) -> int:
        """C, channels of every series."""
        return int(self.histories[0].shape[1])

    def shortened(self, look_back: int) -> "BlockedFolds":
        """Return the same windows with fewer past steps."""
        return replace(self, look_back=look_back)

    def training_spans(self) -> list[tuple[int, int]]:
        """Return the origins that may be fitted on."""
        return [(min(self.look_back, end), end - self.horizon + 1) for end in self.fit_end]

    def fold_spans(self, k: int) -> list[tuple[int, int]]:
        """Return the origins whose future lies within fold ``k``."""
        return [(int(e[k]), int(e[k + 1]) - self.horizon + 1) for e in self.edges]

    def overlapping_spans(self, k: int) -> list[tuple[int, int]]:
        """Return the training origins whose future has a step in common with fold ``k``."""
        return [
            (max(int(e[k]) - self.horizon + 1, low), min(int(e[k + 1]), high))
            for e, (low, high) in zip(self.edges, self.training_spans(), strict=True)
        ]

    def origins(self, spans: Spans) -> Int64[np.ndarray, "N"]:
        """Return the rows of :attr:`joined` at which these origins lie, series after series."""
        low, high = np.array(spans, np.int64).reshape(-1, 2).T
        lengths = [len(history) for history in self.histories]
        begins = np.cumsum([0, *lengths[:-1]])
        return rows_of(begins + low, np.maximum(high - low, 0))

    def windows(
        self, origins: Int64[np.ndarray, "N"]
    ) -> tuple[Float32[np.ndarray, "N C L"], Float32[np.ndarray, "N C H"]]:
        """Return past and future steps around origins, as :meth:`origins` gives them."""
        whole = sliding_window_view(self.joined, self.look_back + self.horizon, axis=0)  # a view
        selected = whole[origins - self.look_back].astype(np.float32)  # (N,C,L+H)
        return selected[..., : self.look_back], selected[..., self.look_back :]

    @cached_property
    def joined(self) -> Float[np.ndarray, "S C"]:
        """All series end to end; no window of valid origins crosses from one to the next."""
        return self.histories[0] if len(self.histories) == 1 else np.concatenate(self.histories)

    def gram(self, spans: Spans, channel: int | None = None) -> WindowGram:
        """Return the sums of all windows with these origins, of one channel or of all together."""
        channels = range(self.n_channels) if channel is None else [channel]
        pieces = [
            history[low - self.look_back : high + self.horizon - 1, c]
            for history, (low, high) in zip(self.histories, spans, strict=True)
            for c in channels
            if high > low
        ]
        return window_gram(pieces, self.look_back + self.horizon)

    def split(self, k: int, channel: int | None = None) -> tuple[WindowGram, WindowGram]:
        """Return the sums to fit on without fold ``k``, and those of the fold."""
        return self.splits(channel, [k])[0]

    def splits(
        self, channel: int | None = None, folds: Sequence[int] | None = None
    ) -> list[tuple[WindowGram, WindowGram]]:
        """Return the :meth:`split` of each fold."""
        whole = self.gram(self.training_spans(), channel)
        return [
            (
                whole.plus(self.gram(self.overlapping_spans(k), channel), -1),
                self.gram(self.fold_spans(k), channel),
            )
            for k in (range(self.count) if folds is None else folds)
        ]


def what_helps_short(longest: int) -> str:
    """Return what helps where the longest series is too short for a horizon."""
    most = (longest - min(LOOK_BACKS)) // 3  # horizons to fit, to hold out, and for intervals
    older = f"add older rows, {3 + min(LOOK_BACKS)} in all are enough for one step ahead"
    return older if most < 1 else f"shorten it to {option('horizon', most)}, or add older rows"


def cut_folds(
    histories: Sequence[Float[np.ndarray, "_ C"]],
    horizon: int,
    *,
    fit_end: Sequence[int] | None = None,
    look_back: int | None = None,
) -> BlockedFolds:
    """Cut folds of equal length up to ``fit_end``, and what follows it as one fold more.

    Args:
        histories: scaled series without gaps; what they hold must not reach into a test part.
        horizon: future steps, at least 1.
        fit_end: where the validation part of each series begins; None where there is none.
        look_back: the most past steps; None for the most of :data:`LOOK_BACKS` that leave half of
            the steps of a typical series.

    Raises:
        SeriesError: series too short for the horizon.
    """
    ends = [len(h) for h in histories] if fit_end is None else list(fit_end)
    look_back = look_back or _longest_look_back(ends, horizon)
    for K in range(MOST_FOLDS + (fit_end is None), 0, -1):
        edges = [_edges(look_back, end, len(h), K) for h, end in zip(histories, ends, strict=True)]
        folds = BlockedFolds(tuple(histories), tuple(edges), tuple(ends), look_back, horizon)
        if all(_can_judge(folds, k) for k in range(folds.count)) and folds.count > 1:
            return folds
    longest = max(map(len, histories))
    raise SeriesError(
        f"got horizon {horizon} and series of at most {longest} steps, wanted at least "
        f"{2 * horizon + min(LOOK_BACKS)} to fit and hold out some: {what_helps_short(longest)}"
    )


def look_backs_up_to(longest: int) -> list[int]:
    """Return the past steps to try: the longest few of :data:`LOOK_BACKS` that fit."""
    return [L for L in LOOK_BACKS if longest >= L][-_MAX_LOOK_BACKS:] or [longest]


def _longest_look_back(ends: Sequence[int], horizon: int) -> int:
    typical = int(np.median(ends))
    fitting = [L for L in LOOK_BACKS if 2 * (L + horizon) <= typical]
    return fitting[-1] if fitting else LOOK_BACKS[0]


def _edges(look_back: int, fit_end: int, end: int, K: int) -> np.ndarray:
    """Return the edges of K folds between the first origin and ``fit_end``, then of the rest."""
    first = min(look_back, fit_end)
    edges = first + (fit_end - first) * np.arange(K + 1) // K
    return np.append(edges, end) if end > fit_end else edges


def _can_judge(folds: BlockedFolds, k: int) -> bool:
    """Return whether a fold holds a window, and fitting without it still has some."""
    held, whole, left_out = (
        sum(max(high - low, 0) for low, high in spans)
        for spans in (folds.fold_spans(k), folds.training_spans(), folds.overlapping_spans(k))
    )
    return held > 0 and whole > left_out


def window_gram(pieces: Sequence[Float[np.ndarray, "_"]], length: int) -> WindowGram:
    """Sum over all windows of so many steps of all pieces; none crosses from one to the next.

    Neighbours share all steps but one: G[i+1,j+1] is G[i,j] with the window that begins one step
    earlier left out and the one that ends one step later taken in, so one row of lagged products
    gives the rest. Costs M² and M products a step, where windows themselves would cost M² a step.
    Pieces shorter than a window give nothing.
    """
    long = [piece for piece in pieces if len(piece) >= length]
    if not long:
        return WindowGram(np.zeros((length, length)), np.zeros(length), 0)
    starts = np.stack([piece[: length - 1] for piece in long])  # (P,M-1): what windows leave behind
    ends = np.stack([piece[len(piece) - length + 1 :] for piece in long])  # what they come upon
    turns = ends.T @ ends - starts.T @ starts
    products = np.empty((length, length))
    products[0] = sum(np.correlate(p, p[: len(p) - length + 1], "valid") for p in long)
    for i in range(length - 1):
        products[i + 1, i + 1 :] = products[i, i:-1] + turns[i, i:]
    below = np.tril_indices(length, -1)
    products[below] = products.T[below]
    total = np.zeros(length)
    for piece in long:
        summed = np.cumsum(np.concatenate([[0.0], piece]))
        n = len(piece) - length + 1
        total += summed[n:][:length] - summed[:length]
    return WindowGram(products, total, sum(len(p) - length + 1 for p in long))
