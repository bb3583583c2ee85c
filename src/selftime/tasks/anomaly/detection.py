"""Scores and alarms of recordings, and the tables that are written of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float

from selftime.data.channels import concatenate
from selftime.data.frames import Tabular
from selftime.data.series import SeriesSet
from selftime.tasks.anomaly.alarms import Episode
from selftime.tasks.anomaly.thresholds import RATE


class Detected:
    """Scores of recordings as a table; what one recording and several have in common."""

    parts: "tuple[Detection, ...]"

    @property
    def notes(self) -> tuple[str, ...]:
        """Decisions, a sentence each."""
        return notes_of(self.parts)

    def to_columns(self) -> dict[str, Any]:
        """Return one row per timepoint: id and time as they came, step, score and alarm.

        Rows are in the order of the table that came in. A single recording without an id has no
        column of it. A timepoint whose values are all missing has no score.
        """
        scores = np.concatenate([part.scores for part in self.parts])
        known = np.concatenate([part.known for part in self.parts])
        alarm = np.concatenate([part.in_alarm for part in self.parts])
        series = concatenate([part.series for part in self.parts])
        return score_columns(series, scores, known, alarm)

    def alarm_columns(self) -> dict[str, Any]:
        """Return one row per alarm, see :func:`alarm_columns`."""
        return alarm_columns(self.parts)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Detection(Detected, Tabular):
    """Scores and alarms of a recording of T timepoints and C channels.

    Attributes:
        series: the recording.
        scores: (T,) finite, 0 or more; higher is more anomalous; 0 at missing timepoints.
        channels: (C,T) the same of each channel: what it shows alone, and how far it departs from
            what the others say of it. ``scores`` are the mean of the former and the furthest
            departure.
        thresholds: (T,) above which a score is in alarm.
        alarms: after the normal part, counted from the beginning of the recording.
        train_end: timepoints that were taken to be normal.
        window: timepoints of a window.
        rate: share of normal timepoints in alarm that the thresholds aim at.
        observed: (T,) False at timepoints whose values are all missing; None where there are none.
        absent: timepoints that the grid of the times has and the recording lacks.
        promise: a note where the normal part is too short to promise the rate.
    """

    series: SeriesSet
    scores: Float[np.ndarray, "T"]
    channels: Float[np.ndarray, "C T"]
    thresholds: Float[np.ndarray, "T"]
    alarms: list[Episode]
    train_end: int
    window: int
    rate: float = RATE
    observed: Bool[np.ndarray, "T"] | None = None
    absent: int = 0
    promise: tuple[str, ...] = ()

    @property
    def parts(self) -> "tuple[Detection, ...]":  # type: ignore[override]
        """The detection itself, as one of several recordings would be."""
        return (self,)

    @property
    def known(self) -> Bool[np.ndarray, "T"]:
        """False at timepoints whose values are all missing."""
        return np.ones(len(self.scores), bool) if self.observed is None else self.observed

    @property
    def in_alarm(self) -> Bool[np.ndarray, "T"]:
        """True for each timepoint of an alarm that is not missing."""
        out = np.zeros(len(self.scores), bool)
        for alarm in self.alarms:
            out[alarm.start : alarm.stop] = True
        return np.asarray(out & self.known)

    def to_dict(self) -> dict[str, Any]:
        """Return all but the scores as plain values; alarms with times where there are any."""
        return {
            "steps": len(self.scores),
            "channels": list(self.series.channels),
            "window": self.window,
            "rate": self.rate,
            "train_end": self.train_end,
            "absent": self.absent,
            "alarms": [self.facts_of(alarm) for alarm in self.alarms],
        }

    def facts_of(self, alarm: Episode) -> dict[str, Any]:
        """Return an alarm with the name of its channel, and the times of its peak and ends."""
        out = alarm._asdict() | {"channel": self.series.channels[alarm.channel]}
        times = self.series.times
        if times is None:
            return {name: value for name, value in out.items() if name != "time"}
        words = self.series.stamps.words(times[[alarm.peak, alarm.start, alarm.stop - 1]])
        return out | dict(zip(("time", "start_time", "end_time"), words, strict=True))


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class DetectionList(Detected, Tabular):
    """Scores and alarms of several recordings, one after another.

    Attributes:
        parts: one of each recording.
    """

    parts: tuple[Detection, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return what was found in each recording, by its id."""
        ids = [part.series.ids[0].item() for part in self.parts]
        return {
            "recordings": [
                {"id": id} | part.to_dict() for id, part in zip(ids, self.parts, strict=True)
            ]
        }


def score_columns(
    series: SeriesSet,
    scores: Float[np.ndarray, "T"],
    known: Bool[np.ndarray, "T"],
    alarm: Bool[np.ndarray, "T"] | None = None,
) -> dict[str, Any]:
    """Return scores, none at missing timepoints, beside ids, times, steps, and alarms if given."""
    values = {"score": np.where(known, scores, np.nan)}
    columns = series.step_columns(values if alarm is None else values | {"alarm": alarm})
    return columns | {"score": pa.array(columns["score"], from_pandas=True)}


def alarm_columns(parts: Sequence[Detection]) -> dict[str, Any]:
    """Return a row for each alarm: id, first, last and highest timepoint, score and channel.

    ``start``, ``end`` (in alarm too) and ``peak`` are times of the type that came in, if there are
    any; ``start_step``, ``end_step`` and ``peak_step`` count the timepoints of the recording.
    """
    ids = [np.repeat(part.series.ids, len(part.alarms)) for part in parts]
    out: dict[str, Any] = {"id": np.concatenate(ids)}
    ends = [np.array([(a.start, a.stop - 1, a.peak) for a in p.alarms], int) for p in parts]
    steps = [part.reshape(-1, 3) for part in ends]
    names = ("start", "end", "peak")
    times = [part.series.times for part in parts]
    for k, name in enumerate(names):
        if all(own is not None for own in times):
            at = [own[rows[:, k]] for own, rows in zip(times, steps, strict=True)]  # type: ignore[index]
            out[name] = parts[0].series.stamps.column(np.concatenate(at))
    for k, name in enumerate(names):
        out[f"{name}_step"] = np.concatenate([rows[:, k] for rows in steps])
    alarms = [(part, alarm) for part in parts for alarm in part.alarms]
    out["score"] = np.array([alarm.score for _, alarm in alarms], np.float64)
    channels = [part.series.channels[alarm.channel] for part, alarm in alarms]
    return out | {"channel": np.array(channels, np.str_)}


def notes_of(parts: Sequence[Detection]) -> tuple[str, ...]:
    """Say how many rows are absent from the times, if any are, and which rate is no promise."""
    absent = sum(part.absent for part in parts)
    lacking = f"{absent:,} rows that are absent from the times count as missing values"
    promise = next((part.promise for part in parts if part.promise), ())
    return ((lacking,) if absent else ()) + promise
