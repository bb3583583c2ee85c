"""Recordings cut into windows: where each begins, in steps or durations, and with what label."""

import re
from dataclasses import replace

import numpy as np
from jaxtyping import Int64

from selftime.data.arrays import SeriesError, label_column
from selftime.data.labels import labels_of_spans
from selftime.data.memory import rows_of_spans
from selftime.data.series import SeriesSet
from selftime.door import option

Spans = tuple[Int64[np.ndarray, "W"], Int64[np.ndarray, "W"], Int64[np.ndarray, "W"]]
"""First row, length and series of each window."""


def spans_of_windows(series: SeriesSet, length: int, stride: int, *, pad: bool = False) -> Spans:
    """Return the windows at steps 0, stride, 2·stride, … of every series; see ``windows``."""
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
    return series.offsets[owners] + nth * stride, lengths, owners


def cut_spans(
    series: SeriesSet,
    starts: Int64[np.ndarray, "W"],
    lengths: Int64[np.ndarray, "W"],
    owners: Int64[np.ndarray, "W"],
) -> SeriesSet:
    """Copy spans of rows as series of their own, named ``id@first step``.

    They have the label of their series, or of most of their steps where these have labels, and
    the spans of one series form a group.
    """
    firsts = starts - series.offsets[:-1][owners]
    names = np.strings.add(series.ids[owners].astype(str), "@")
    ids = np.strings.add(names, firsts.astype(str))
    groups = series.ids if series.groups is None else series.groups
    rows = rows_of_spans(series.steps, starts, lengths)
    found = series.slice_rows(rows, lengths, owners, ids, groups)
    labels = labels_of_spans(series, starts, lengths)
    recordings = series.ids if series.recordings is None else series.recordings
    before = 0 if series.starts is None else series.starts[owners]
    return replace(
        found,
        labels=found.labels if labels is None else label_column(labels),
        recordings=recordings[owners],
        starts=firsts + before,
    )


_WORDS = {"hour": "h", "day": "d", "week": "w", "minute": "min", "second": "s"}
_UNITS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}


def cut_recordings(
    series: SeriesSet, length: int | str, stride: int | str | None = None
) -> SeriesSet:
    """Cut recordings into windows of so many steps, or of a duration such as "10min".

    Recordings that are shorter are left out, which is said.

    Raises:
        SeriesError: not a length, no stamps for a duration, or no recording that is long enough.
    """
    steps = steps_in(series, length, "windows")
    every = steps if stride is None else steps_in(series, stride, "stride")
    long = series.lengths >= steps
    if not long.any():
        raise SeriesError(
            f"got windows of {steps:,} steps and series of at most {series.lengths.max():,}: take "
            f"shorter ones, {option('windows', int(series.lengths.max()))}"
        )
    notes = series.notes
    if not long.all():
        notes = (*notes, f"{(~long).sum():,} series shorter than a window are left out")
        series = series[np.flatnonzero(long)]
    starts, lengths, owners = spans_of_windows(series, steps, every)
    return replace(cut_spans(series, starts, lengths, owners), notes=notes)


def steps_in(series: SeriesSet, length: int | str, name: str) -> int:
    """Return a number of steps, from a number or a duration such as "10min"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?([a-z]*)", str(length).strip().lower())
    word = found[2] if found else ""
    unit = _WORDS.get(word.rstrip("s"), word)
    if not found or (unit and unit not in _UNITS) or (not unit and not found[1].isdecimal()):
        raise SeriesError(
            f"got {option(name, length)}, wanted a number of steps, or a duration such as 10min "
            f"(in {', '.join(_UNITS)})"
        )
    if not unit:
        return int(found[1])
    if series.times is None:
        raise SeriesError(
            f"got {option(name, length)}, but the series have no stamps: wanted a number of steps"
        )
    gaps = np.diff(series.times)
    gaps = np.delete(gaps, series.offsets[1:-1] - 1)
    seconds = (
        gaps / np.timedelta64(1, "s") if gaps.dtype.kind == "m" else gaps * _epoch_unit(series)
    )
    step = float(np.median(seconds)) if len(gaps) else 0.0
    if not step > 0:
        raise SeriesError("the stamps do not rise, so a duration has no steps: give steps")
    return max(round(float(found[1]) * _UNITS[unit] / step), 1)


def _epoch_unit(series: SeriesSet) -> float:
    """Return the seconds of a unit of numbered stamps: epochs of 13 digits count milliseconds."""
    largest = 0.0 if series.times is None else float(np.abs(series.times).max())
    powers = {1e11: 1e-3, 1e14: 1e-6, 1e17: 1e-9}
    return min((unit for least, unit in powers.items() if largest > least), default=1.0)
