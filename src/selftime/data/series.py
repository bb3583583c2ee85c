"""SeriesSet: any number of series, equal or unequal in length, as one flat array."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

Index = slice | Sequence[int] | np.ndarray


class SeriesError(ValueError):
    """Bad input series: the message says what came, what was wanted and what to do."""


@dataclass(frozen=True, eq=False)
class SeriesSet:
    """Series laid end to end, so that unequal lengths and windows cost no copies.

    Series ``i`` is ``steps[offsets[i]:offsets[i + 1]]``. Build one with :meth:`of` from arrays
    or with :func:`selftime.read` from files and frames.

    Attributes:
        steps: (S,C) values of all series, one row a step; 0 where not observed.
        offsets: (N+1,) where each series begins; the last entry is S.
        observed: (S,C), True where a value was measured; None when nothing is missing.
        channels: C channel names.
        ids: (N,) unique names of the series.
        times: (S,) timestamps (datetime64 or float seconds), or None.
        labels: (N,) class labels, or None.
        groups: (N,) subject, machine or session of each series, or None; splits keep them whole.
    """

    steps: Float32[np.ndarray, "S C"]
    offsets: Int64[np.ndarray, "N1"]
    channels: tuple[str, ...]
    ids: np.ndarray
    observed: Bool[np.ndarray, "S C"] | None = None
    times: np.ndarray | None = None
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_series(self)

    @classmethod
    def of(
        cls,
        x: "np.ndarray | Sequence[np.ndarray] | SeriesSet",
        labels: Any = None,
        *,
        groups: Any = None,
        ids: Sequence[str] | None = None,
        channels: Sequence[str] | None = None,
    ) -> "SeriesSet":
        """Series from arrays; NaN means missing.

        Args:
            x: (N,C,T), (N,T) for one channel, or a list of (C,T) or (T,) arrays of any lengths.
            labels: (N,) class labels.
            groups: (N,) subject, machine or session of each series.
            ids: N unique names; "0", "1", … when not given.
            channels: C names; "0", "1", … when not given.

        Raises:
            SeriesError: not numbers, infinite values, unequal channel counts, an empty or
                all-missing series, or labels that do not match the series.
        """
        if isinstance(x, SeriesSet):
            return x if labels is None else replace(x, labels=_column(labels, "labels"))
        parts = [_steps_of(part, i) for i, part in enumerate(_as_list(x))]
        _check_same_channels(parts)
        steps = np.concatenate(parts) if parts else np.empty((0, 1), np.float32)
        missing = np.isnan(steps)
        return cls(
            steps=np.where(missing, np.float32(0), steps),
            offsets=np.cumsum([0, *map(len, parts)], dtype=np.int64),
            observed=~missing if missing.any() else None,
            channels=tuple(channels) if channels else names_of_channels(steps.shape[1]),
            ids=np.asarray(ids if ids is not None else np.arange(len(parts)), dtype=str),
            labels=None if labels is None else _column(labels, "labels"),
            groups=None if groups is None else _column(groups, "groups"),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: Index) -> "SeriesSet":
        """The chosen series, in the given order (a slice, indices or a boolean mask)."""
        chosen = np.arange(len(self))[index]
        where = _rows(self.offsets[:-1][chosen], self.lengths[chosen])
        return SeriesSet(
            steps=self.steps[where],
            offsets=np.concatenate([[0], np.cumsum(self.lengths[chosen])]).astype(np.int64),
            observed=None if self.observed is None else self.observed[where],
            channels=self.channels,
            ids=self.ids[chosen],
            times=None if self.times is None else self.times[where],
            labels=None if self.labels is None else self.labels[chosen],
            groups=None if self.groups is None else self.groups[chosen],
        )

    @property
    def lengths(self) -> Int64[np.ndarray, "N"]:
        """Steps of each series."""
        return np.diff(self.offsets)

    @property
    def n_channels(self) -> int:
        """Channels of every series."""
        return self.steps.shape[1]

    @property
    def is_ragged(self) -> bool:
        """Whether lengths differ."""
        return len(np.unique(self.lengths)) > 1

    def series(self, i: int) -> Float32[np.ndarray, "C T"]:
        """Series ``i``, NaN where missing."""
        rows = slice(self.offsets[i], self.offsets[i + 1])
        values = self.steps[rows]
        if self.observed is not None:
            values = np.where(self.observed[rows], values, np.float32("nan"))
        return values.T

    @property
    def values(self) -> Float32[np.ndarray, "N C T"]:
        """All series as one array, NaN where missing and after the end of shorter ones."""
        out = np.full((len(self), self.n_channels, self.lengths.max()), np.nan, np.float32)
        for i in range(len(self)):  # a view for people and tests; the hot path is batch_of
            out[i, :, : self.lengths[i]] = self.series(i)
        return out

    def fingerprint(self) -> str:
        """SHA-256 of values, mask and lengths: the same data gives the same text."""
        digest = hashlib.sha256(repr((self.steps.shape, self.channels)).encode())
        for part in (self.steps, self.offsets, self.observed):
            if part is not None:
                digest.update(np.ascontiguousarray(part).data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        low, high = int(self.lengths.min()), int(self.lengths.max())
        steps = f"{low}" if low == high else f"{low} to {high}"
        return f"SeriesSet({len(self)} series, {self.n_channels} channels, {steps} steps)"


def names_of_channels(n: int) -> tuple[str, ...]:
    """Names for channels that came without any."""
    return tuple(str(i) for i in range(n))


def check_series(x: SeriesSet) -> None:
    """Everything that must hold of a SeriesSet.

    Raises:
        SeriesError: the first thing that does not hold, with the series it was found in.
    """
    if len(x) == 0:
        raise SeriesError("got no series, wanted at least one: check the path or the filter")
    short = np.flatnonzero(x.lengths < 1)
    if len(short):
        raise SeriesError(f"series {x.ids[short[0]]!r} is empty, wanted at least 1 step: drop it")
    if len(x.channels) != x.n_channels:
        raise SeriesError(f"got {len(x.channels)} channel names for {x.n_channels} channels")
    if len(np.unique(x.ids)) != len(x.ids):
        raise SeriesError("series ids repeat, wanted unique ones: rename or leave them out")
    for name in ("ids", "labels", "groups"):
        column = getattr(x, name)
        if column is not None and len(column) != len(x):
            raise SeriesError(f"got {len(column)} {name} for {len(x)} series: one each is wanted")
    _check_finite(x)
    _check_not_all_missing(x)


def _check_finite(x: SeriesSet) -> None:
    if np.isfinite(x.steps.sum(dtype=np.float64)):
        return
    row, channel = np.argwhere(~np.isfinite(x.steps))[0]
    i = int(np.searchsorted(x.offsets, row, side="right")) - 1
    raise SeriesError(
        f"series {x.ids[i]!r}, channel {x.channels[channel]!r}, step {row - x.offsets[i]} is "
        f"{x.steps[row, channel]}, wanted finite numbers: mark missing values as NaN"
    )


def _check_not_all_missing(x: SeriesSet) -> None:
    if x.observed is None:
        return
    there = np.add.reduceat(x.observed.any(axis=1).astype(np.int64), x.offsets[:-1])
    if (there == 0).any():
        name = x.ids[int(np.argmin(there))]
        raise SeriesError(f"series {name!r} has no observed value at all: drop it")


def _as_list(x: Any) -> list[Any]:
    if isinstance(x, np.ndarray) and x.dtype != object:
        if x.ndim not in (2, 3):
            raise SeriesError(
                f"got an array of shape {x.shape}, wanted (series, channels, steps) or "
                "(series, steps): a single series is x[None]"
            )
        return list(x)
    if isinstance(x, list | tuple | np.ndarray):
        return list(x)
    raise SeriesError(
        f"got {type(x).__name__}, wanted an array, a list of arrays or a SeriesSet: "
        "files and frames go through selftime.read"
    )


def _steps_of(part: Any, i: int) -> np.ndarray:
    """One series as (T,C) float32."""
    try:
        values = np.asarray(part, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise SeriesError(f"series {i} is not numbers ({error}): wanted (channels, steps)") from None
    if values.ndim == 1:
        values = values[None]
    if values.ndim != 2:
        raise SeriesError(f"series {i} has shape {values.shape}, wanted (channels, steps)")
    with np.errstate(over="ignore"):
        steps = values.T.astype(np.float32)
    if np.isinf(steps).any():
        channel, step = np.argwhere(np.isinf(steps.T))[0]
        raise SeriesError(
            f"series {i}, channel {channel}, step {step} is {values[channel, step]}, wanted "
            "finite 32-bit numbers: mark missing values as NaN or rescale"
        )
    return steps


def _check_same_channels(parts: list[np.ndarray]) -> None:
    for i, part in enumerate(parts):
        if part.shape[1] != parts[0].shape[1]:
            raise SeriesError(
                f"series {i} has {part.shape[1]} channels, series 0 has {parts[0].shape[1]}: "
                "wanted the same channels in every series, as (channels, steps)"
            )


def _column(values: Any, name: str) -> np.ndarray:
    column = np.asarray(values)
    if column.ndim != 1:
        raise SeriesError(f"{name} have shape {column.shape}, wanted one value a series")
    return column


def _rows(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Row numbers of several spans laid end to end, without a loop."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)
