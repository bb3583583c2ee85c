"""SeriesSet: any number of series, equal or unequal in length, as one flat array."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Float32, Float64, Int64

from selftime.data.arrays import SeriesError as SeriesError
from selftime.data.arrays import (
    Steps,
    are_known,
    column_of,
    concatenate_steps,
    label_column,
    split_origins,
)
from selftime.data.arrays import names_of_channels as names_of_channels
from selftime.data.clock import Stamps
from selftime.data.frames import Tabular, html_table, join_columns
from selftime.data.memory import gather, is_mapped, row_blocks, rows_of_spans
from selftime.data.schema import ID_NAMES, TIME_NAMES, Column, Role, plain_name
from selftime.data.signals import Measurements, Signal

Index = int | slice | Sequence[int] | np.ndarray


@dataclass(frozen=True, eq=False)
class SeriesSet(Tabular):
    """Series laid end to end, so that unequal lengths and windows cost no copies.

    Series ``i`` is ``steps[offsets[i]:offsets[i + 1]]``. Build one with :meth:`of` from arrays
    or with :func:`selftime.read` from files and frames.

    Example:
        >>> import selftime as st
        >>> series = st.SeriesSet.of([[1.0, 2.0, 3.0], [4.0, float("nan")]], labels=["a", "b"])
        >>> series, series[1:].labels.tolist(), series.lengths.tolist()
        (SeriesSet(2 series, 1 channels, 2 to 3 steps), ['b'], [3, 2])

    Attributes:
        steps: (S,C) values of all series less their origin, one row per step; 0 where not observed.
            Of a store they lie in a file, and were looked through when it was made.
        offsets: (N+1,) the row at which each series begins; the last entry is S.
        observed: (S,C), True where a value was measured; None when nothing is missing.
        channels: C channel names.
        ids: (N,) unique names of the series, in the type in which they came.
        times: (S,) stamps (datetime64 or numbers), or None.
        stamps: what the times were when they came in: their zone and kind.
        labels: (N,) class labels in their own type, None where a series is unlabelled; or None.
        step_labels: (S,) the class of each step, None where unlabelled; or None.
        groups: (N,) subject, machine or session of each series, or None; splits keep them whole.
        origin: (N,C) level that was taken out of each series and channel before 32 bits; None
            where nothing was, as almost always.
        recordings: (N,) the series that windows were cut from, or None.
        starts: (N,) the step of its recording at which each window begins, or None.
        rows: (S,) the row of the table that each step came from; None where they follow in order.
        source: the path or sample they were read from; parts of them have none.
        columns: of the table that they were read from, each with its role.
        notes: what was decided in reading them, a sentence each.
        kind: what steps are: measurements over time, or parts of pictures, texts, sounds or films.

    Raises:
        SeriesError: parts that do not match, infinite values, or a series without any value.
    """

    steps: Float32[np.ndarray, "S C"]
    offsets: Int64[np.ndarray, "N1"]
    channels: tuple[str, ...]
    ids: np.ndarray
    observed: Bool[np.ndarray, "S C"] | None = None
    times: np.ndarray | None = None
    stamps: Stamps = Stamps()
    labels: np.ndarray | None = None
    step_labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    origin: Float64[np.ndarray, "N C"] | None = None
    recordings: np.ndarray | None = None
    starts: Int64[np.ndarray, "N"] | None = None
    rows: Int64[np.ndarray, "S"] | None = None
    source: str | None = None
    columns: tuple[Column, ...] = ()
    notes: tuple[str, ...] = ()
    kind: Signal = Measurements()

    def __post_init__(self) -> None:
        for name in ("labels", "step_labels"):
            given = getattr(self, name)
            if given is not None and given.dtype.kind in "OUTfM":
                object.__setattr__(self, name, label_column(given, name))
        check_series(self)

    @classmethod
    def of(
        cls,
        x: Any,
        labels: Any = None,
        *,
        groups: Any = None,
        ids: Any = None,
        channels: Sequence[str] | None = None,
    ) -> "SeriesSet":
        """Build series from arrays; NaN means missing.

        Args:
            x: (N,C,T), (N,T) for one channel, or a list of (C,T) or (T,) arrays, or lists of
                numbers, of any lengths.
            labels: (N,) class labels.
            groups: (N,) subject, machine or session of each series.
            ids: N unique names; "0", "1", … when not given.
            channels: C names; "0", "1", … when not given.

        Raises:
            SeriesError: not numbers, infinite values, unequal channel counts, an empty or
                all-missing series, or labels that do not match the series.
        """
        if isinstance(x, SeriesSet):
            given = {"groups": groups, "ids": ids}
            columns: dict[str, Any] = {
                name: column_of(c, name) for name, c in given.items() if c is not None
            }
            if labels is not None:
                columns["labels"] = label_column(labels)
            return replace(x, channels=tuple(channels or x.channels), **columns)
        steps, lengths = concatenate_steps(x)
        series = cls.from_steps(steps, lengths, ids=ids, channels=channels, labels=labels)
        return series if groups is None else replace(series, groups=column_of(groups, "groups"))

    @classmethod
    def from_steps(
        cls,
        steps: Steps,
        lengths: Int64[np.ndarray, "N"],
        *,
        ids: Any = None,
        channels: Sequence[str] | None = None,
        labels: Any = None,
    ) -> "SeriesSet":
        """Build series from steps (S,C) that lie end to end already; NaN means missing."""
        names = names_of_channels(steps.shape[1])
        series = cls.from_columns(steps.T, lengths, ids=ids, channels=names, labels=labels)
        return replace(series, channels=tuple(channels)) if channels else series

    @classmethod
    def from_columns(
        cls,
        columns: Iterable[Float[np.ndarray, "S"]],
        lengths: Int64[np.ndarray, "N"],
        *,
        channels: Sequence[str],
        ids: Any = None,
        labels: Any = None,
    ) -> "SeriesSet":
        """Build series from the values (S,) of each channel in turn; NaN means missing."""
        offsets = np.cumsum([0, *lengths], dtype=np.int64)
        steps, observed, origin = split_origins(columns, len(channels), offsets)
        return cls(
            steps=steps,
            offsets=offsets,
            observed=observed,
            channels=tuple(channels),
            ids=np.arange(len(lengths)).astype(str) if ids is None else column_of(ids, "ids"),
            labels=None if labels is None else label_column(labels),
            origin=origin,
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: Any) -> "SeriesSet":
        """The selected series, in the given order (a number, slice, indices or a boolean mask)."""
        if isinstance(index, tuple) and len(index) == 2 and index[1] is Ellipsis:
            index = index[0]  # as scikit-learn's splits ask
        selected = np.atleast_1d(np.arange(len(self))[index])
        lengths = self.lengths[selected]
        rows = rows_of_spans(self.steps, self.offsets[:-1][selected], lengths)
        return self.slice_rows(rows, lengths, selected, self.ids[selected])

    def slice_rows(
        self,
        rows: Int64[np.ndarray, "R"] | slice,
        lengths: Int64[np.ndarray, "M"],
        owners: Int64[np.ndarray, "M"],
        ids: np.ndarray,
        groups: np.ndarray | None = None,
    ) -> "SeriesSet":
        """Return rows as series of their own, each with the label and group of its owner."""
        of_owners = self.groups if groups is None else groups
        return SeriesSet(
            steps=gather(self.steps, rows),
            offsets=np.cumsum([0, *lengths], dtype=np.int64),
            observed=None if self.observed is None else gather(self.observed, rows),
            channels=self.channels,
            ids=ids,
            times=None if self.times is None else gather(self.times, rows),
            stamps=self.stamps,
            labels=None if self.labels is None else self.labels[owners],
            step_labels=None if self.step_labels is None else self.step_labels[rows],
            groups=None if of_owners is None else of_owners[owners],
            origin=None if self.origin is None else self.origin[owners],
            recordings=None if self.recordings is None else self.recordings[owners],
            starts=None if self.starts is None else self.starts[owners],
            rows=None if self.rows is None else self.rows[rows],
            columns=self.columns,
            kind=self.kind,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Series, channels, and steps of the longest."""
        return len(self), self.n_channels, int(self.lengths.max())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:  # noqa: ARG002
        return self.values if dtype is None else self.values.astype(dtype)

    @property
    def labelled(self) -> Bool[np.ndarray, "N"]:
        """True for each series that has a label."""
        return np.zeros(len(self), bool) if self.labels is None else are_known(self.labels)

    @property
    def lengths(self) -> Int64[np.ndarray, "N"]:
        """Steps of each series."""
        return np.diff(self.offsets)

    @property
    def n_channels(self) -> int:
        """Channels of every series."""
        return int(self.steps.shape[1])

    @property
    def is_ragged(self) -> bool:
        """True where lengths differ."""
        return len(np.unique(self.lengths)) > 1

    def series(self, i: int) -> Float[np.ndarray, "C T"]:
        """Return series ``i``, NaN where missing; 64 bits where an origin was taken out."""
        rows = slice(self.offsets[i], self.offsets[i + 1])
        values = self.steps[rows] if self.origin is None else self.steps[rows] + self.origin[i]
        if self.observed is not None:
            values = np.where(self.observed[rows], values, values.dtype.type("nan"))
        return values.T

    @property
    def values(self) -> Float[np.ndarray, "N C T"]:
        """All series in one array, NaN where missing and after the end of shorter ones."""
        kind = np.float32 if self.origin is None else np.float64
        out = np.full(self.shape, np.nan, kind)
        for i in range(len(self)):  # a view for people and tests; the hot path is batch_of
            out[i, :, : self.lengths[i]] = self.series(i)
        return out

    def name_of(self, role: Role, usual: str) -> str:
        """Return the name of the column of a role in the table they came from, else the usual."""
        return next((column.name for column in self.columns if column.role == role), usual)

    def keys(self) -> dict[str, Any]:
        """Columns that name the series in results: their id, and of windows their start and end.

        The id is called as it was in the table that came in, else ``unique_id``. Dates are arrow
        columns in the type and zone in which they came.
        """
        name = self.name_of("id", "unique_id")
        if self.recordings is None or self.starts is None:
            return {name: self.ids}
        first, last = self.offsets[:-1], self.offsets[1:] - 1
        ends: dict[str, Any]
        if self.times is None:
            ends = {"start": self.starts, "end": self.starts + self.lengths}
        else:
            ends = {"start": self.times[first], "end": self.times[last]}
            if self.times.dtype.kind == "M":
                ends = {name: self.stamps.column(times) for name, times in ends.items()}
        return join_columns({name: self.recordings}, ends)

    def step_columns(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values (S,…) of all steps beside ids, times and step numbers, as columns.

        Rows are in the order of the table that came in. Names are those of its columns, else
        ``unique_id`` and ``ds``; a single series without an id has no column of it.
        """
        owners = np.repeat(np.arange(len(self)), self.lengths)
        order = np.arange(len(owners)) if self.rows is None else np.argsort(self.rows)
        keys: dict[str, Any] = {}
        if len(self) > 1 or any(column.role == "id" for column in self.columns):
            keys[self.name_of("id", "unique_id")] = self.ids[owners][order]
        if self.times is not None:
            keys[self.name_of("time", "ds")] = self.stamps.column(self.times[order])
        steps = np.arange(len(owners)) - self.offsets[owners]
        each = {name: np.asarray(column)[order] for name, column in values.items()}
        return join_columns(keys, {"step": steps[order]}, each)

    def to_columns(self) -> dict[str, Any]:
        """Return a row for each step, which :func:`selftime.read` reads again: names, channels.

        Names of ids and times are those that they came with where these are well known, else
        ``unique_id`` and ``ds``; then come ``label`` and ``group`` if there are any. Pictures,
        texts and films have a row each, with how long they are in place of values.
        """
        if not self.kind.in_rows:
            return self._facts()
        rows = np.repeat(np.arange(len(self)), self.lengths)
        id, time = self.name_of("id", "unique_id"), self.name_of("time", "ds")
        known = plain_name(id) in ID_NAMES and self.recordings is None
        columns = {
            id if known else "unique_id": self.ids[rows],
            time if plain_name(time) in TIME_NAMES else "ds": None
            if self.times is None
            else self.stamps.column(self.times),
            "label": self.step_labels if self.labels is None else self.labels[rows],
            "group": None if self.groups is None else self.groups[rows],
        }
        values = self.steps if self.origin is None else self.steps + self.origin[rows]
        gaps = np.zeros(values.shape, bool) if self.observed is None else ~self.observed
        channels = [pa.array(values[:, c], mask=gaps[:, c]) for c in range(self.n_channels)]
        present = {name: column for name, column in columns.items() if column is not None}
        return join_columns(present, dict(zip(self.channels, channels, strict=True)))

    def _facts(self) -> dict[str, Any]:
        labels = {} if self.labels is None else {"label": self.labels}
        return join_columns(self.keys(), labels, {"steps": self.lengths})

    def _repr_html_(self) -> str:
        seen = self.observed
        gaps = np.zeros(len(self.steps), bool) if seen is None else ~seen.all(axis=1)
        missing = np.add.reduceat(gaps.astype(np.int64), self.offsets[:-1])  # steps of each
        facts = join_columns(self._facts(), {"missing": missing})
        return html_table(facts, repr(self))

    def fingerprint(self) -> str:
        """Return the SHA-256 of values, mask and lengths: equal data give equal text."""
        kind = () if self.kind == Measurements() else (self.kind.to_dict(),)
        digest = hashlib.sha256(repr((self.steps.shape, self.channels, *kind)).encode())
        for part in (self.steps, self.offsets, self.observed, self.origin):
            if part is not None:
                for rows in row_blocks(part):
                    digest.update(np.ascontiguousarray(part[rows]).data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        low, high = int(self.lengths.min()), int(self.lengths.max())
        steps = f"{low}" if low == high else f"{low} to {high}"
        kind = "" if self.kind == Measurements() else f", {self.kind.words}"
        return f"SeriesSet({len(self)} series, {self.n_channels} channels, {steps} steps{kind})"


def check_series(x: SeriesSet) -> None:
    """Check all that must hold of a SeriesSet; the error names the series it was found in."""
    if len(x.offsets) < 2:
        raise SeriesError("got no series, wanted at least one: check the path or the filter")
    _check_columns(x)
    short = np.flatnonzero(x.lengths < 1)
    if len(short):
        raise SeriesError(f"series '{x.ids[short[0]]}' is empty, wanted at least 1 step: drop it")
    if x.offsets[0] != 0 or x.offsets[-1] != len(x.steps):
        raise SeriesError(
            f"offsets run from {x.offsets[0]} to {x.offsets[-1]}, wanted 0 to {len(x.steps)}, "
            "the number of steps: they say where each series begins, then where the last ends"
        )
    if is_mapped(x.steps):
        return  # as it was when it was packed
    _check_finite(x)
    x.kind.check(x.steps)
    if x.observed is not None:
        valid = np.logical_or.reduceat(x.observed.any(axis=1), x.offsets[:-1])
        if not valid.all():
            name = x.ids[int(np.argmin(valid))]
            raise SeriesError(f"series '{name}' has no observed value at all: drop it")


def _check_columns(x: SeriesSet) -> None:
    if x.n_channels < 1 or len(x.channels) != x.n_channels:
        raise SeriesError(
            f"got {len(x.channels)} channel names for {x.n_channels} channels: "
            "at least one channel and a name for each is wanted"
        )
    if not is_mapped(x.steps) and len(np.unique(x.ids)) != len(x.ids):
        raise SeriesError("series ids repeat, wanted unique ones: rename or leave them out")
    of_steps, of_series = ("times", "step_labels", "rows"), ("ids", "labels", "groups")
    for name in (*of_steps, *of_series):
        column, count = getattr(x, name), len(x.steps) if name in of_steps else len(x)
        if column is not None and len(column) != count:
            what = f"{count} {'steps' if name in of_steps else 'series'}"
            raise SeriesError(f"got {len(column)} {name} for {what}: one each is wanted")


def _check_finite(x: SeriesSet) -> None:
    with np.errstate(invalid="ignore"):  # inf - inf
        if np.isfinite(x.steps.sum(dtype=np.float64)):
            return
    row, channel = np.argwhere(~np.isfinite(x.steps))[0]
    i = int(np.searchsorted(x.offsets, row, side="right")) - 1
    raise SeriesError(
        f"series '{x.ids[i]}', channel {x.channels[channel]!r}, step {row - x.offsets[i]} is "
        f"{x.steps[row, channel]}, wanted finite numbers: mark missing values as NaN"
    )
