"""Analyses on demand: neighbours of a span, forecasts and anomalies of a recording."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from selftime.data.recordings import cut_spans, spans_of_windows
from selftime.data.series import SeriesError, SeriesSet
from selftime.door import through
from selftime.engine.solve import sample_of
from selftime.estimators.forecaster import Forecaster
from selftime.report.page.charts import outline, outline_steps
from selftime.studio.collection import CHANNELS_DRAWN, Collection, short_numbers
from selftime.tasks.anomaly.detect import detect
from selftime.tasks.search.index import SeriesIndex
from selftime.tasks.search.nearest import nearest

MOST_HITS = 60
MOST_WINDOWS = 20_000
"""Windows among which a span is looked for, where series are whole: they are cut further apart."""
_OVERLAP = 2
"""Windows that begin within the length of one."""
FEWEST_STEPS, MOST_STEPS = 64, 200_000
"""Steps of a recording in which anomalies are looked for here."""
_ALONE = 200
"""Steps from which a recording is forecast from itself alone; shorter ones learn from others."""
_HISTORIES, _LEVELS = 200, (0.025, 0.1, 0.5, 0.9, 0.975)
LONGEST_HORIZON = 500
_SCORE_POINTS = 1_600


@dataclass(frozen=True)
class SearchSpace:
    """Entries or windows in which something is looked for.

    Attributes:
        length: of windows that were cut for a span; 0 of entries.
        index: to be searched.
        owners: (W,) the recording of each.
        firsts: (W,) the step at which each begins.
        rows: (W,) the entry of each: itself, or the recording that it was cut from.
    """

    length: int
    index: SeriesIndex
    owners: Int64[np.ndarray, "W"]
    firsts: Int64[np.ndarray, "W"]
    rows: Int64[np.ndarray, "W"]

    @cached_property
    def series(self) -> SeriesSet:
        """Entries of the index."""
        assert self.index.series is not None
        return self.index.series

    @cached_property
    def numbers(self) -> dict[Any, int]:
        """The number of each by its id."""
        return {name: number for number, name in enumerate(self.series.ids.tolist())}

    def hits(
        self,
        places: Int64[np.ndarray, "M"],
        similarities: Float32[np.ndarray, "M"],
        span: tuple[int, int, int],
        k: int,
    ) -> list[dict[str, Any]]:
        """Return the first ``k`` places that do not lie on a span, as plain values."""
        i, start, stop = span
        firsts, lengths = self.firsts[places], self.series.lengths[places]
        apart = (self.owners[places] != i) | (firsts >= stop) | (firsts + lengths <= start)
        some = np.flatnonzero(apart)[:k]
        columns = {
            "row": self.rows[places[some]],
            "recording": self.owners[places[some]],
            "start": firsts[some],
            "stop": firsts[some] + lengths[some],
            "similarity": similarities[some].astype(np.float64).round(4),
        }
        each = zip(*(column.tolist() for column in columns.values()), strict=True)
        return [dict(zip(columns, values, strict=True)) for values in each]


class Analyses:
    """Answers to what is asked of one collection, one after the other.

    Args:
        collection: of which all is asked; its vectors must be there for neighbours.

    Attributes:
        stage: the work that is under way: its name, how much is done, and of how much.
        count: rises with every change of it.
        ending: set to True, it ends what is under way.
    """

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.cut: SearchSpace | None = None
        self.forecaster: tuple[tuple[int, int], Forecaster] | None = None
        self.stage: tuple[str, int, int] | None = None
        self.count, self.ending = 0, False

    def _tell(self, what: str, done: int, of: int, detail: str = "") -> None:  # noqa: ARG002
        if self.ending:
            raise InterruptedError("the studio ends")
        self.stage, self.count = (what, done, of) if done < of else None, self.count + 1

    def alike(self, row: int, k: int) -> list[dict[str, Any]]:
        """Return the ``k`` entries most like another one, none of which lies on it."""
        collection = self.collection
        place, vectors = self._whole, self._whole.index.vectors
        near = nearest(vectors, vectors[[row]].astype(np.float32), 4 * k + 8)
        i, first = int(collection.owners[row]), int(collection.firsts[row])
        stop = first + int(collection.entries.lengths[row])
        return place.hits(near.rows[0], near.similarities[0], (i, first, stop), k)

    def neighbours(self, i: int, start: int, stop: int, k: int) -> list[dict[str, Any]]:
        """Return what is most like a span of a recording, everywhere but on the span itself.

        Of a collection of windows these are entries; else all recordings are cut into windows as
        long as the span, half of which overlap.

        Raises:
            SeriesError: a span that is not there.
        """
        recordings = self.collection.recordings
        T = int(recordings.lengths[i])
        if not 0 <= start < stop <= T:
            raise SeriesError(f"got the span {start} to {stop}, wanted one within 0 to {T}")
        length, at = stop - start, recordings.offsets[i] + start
        span = cut_spans(recordings, np.array([at]), np.array([length]), np.array([i]))
        span = replace(span, labels=None, step_labels=None)
        is_whole = self.collection.windows is not None or length == T
        place = self._whole if is_whole else self._cut_like(length)
        found = place.index.search(span, k=min(2 * k + 2 * _OVERLAP, len(place.index)))
        rows = np.array([place.numbers[name] for name in found.series.ids.tolist()], np.int64)
        return place.hits(rows[found.rows], found.similarities, (i, start, stop), k)

    @cached_property
    def _whole(self) -> SearchSpace:
        collection, entries = self.collection, self.collection.entries
        rows = np.arange(len(entries))
        return SearchSpace(0, collection.index, collection.owners, collection.firsts, rows)

    def _cut_like(self, length: int) -> SearchSpace:
        """Return windows of all recordings of a length; those of the last one are kept."""
        if self.cut is not None and self.cut.length == length:
            return self.cut
        recordings, model = self.collection.recordings, self.collection.model
        long = np.flatnonzero(recordings.lengths >= length)
        steps = int(recordings.lengths[long].sum())
        stride = max(length // _OVERLAP, -(-steps // MOST_WINDOWS), 1)
        part = recordings if len(long) == len(recordings) else recordings[long]
        part = replace(part, labels=None, step_labels=None)
        starts, lengths, owners = spans_of_windows(part, length, stride)
        firsts = starts - part.offsets[owners]
        seen = np.ones(len(starts), bool)
        if part.observed is not None:  # windows without a value are no entries
            values = np.append(0, np.cumsum(part.observed.any(axis=1)))
            seen = values[starts + lengths] > values[starts]
        windows = cut_spans(part, starts[seen], lengths[seen], owners[seen])
        vectors = model.embed(windows, progress=False)
        index = SeriesIndex.of(model, windows, vectors)
        recording = long[owners[seen]]
        self.cut = SearchSpace(length, index, recording, firsts[seen], recording)
        return self.cut

    def forecast(self, i: int, horizon: int | None) -> dict[str, Any]:
        """Return what comes after a recording, with bands.

        A long recording is forecast from itself alone, a short one from others too.

        Raises:
            ValueError: a recording that is too short for the horizon, or no measurements.
        """
        recordings = self.collection.recordings
        T = int(recordings.lengths[i])
        steps = int(np.clip(T // 6, 1, 48)) if horizon is None else horizon
        if not 1 <= steps <= LONGEST_HORIZON:
            raise SeriesError(f"got a horizon of {steps}, wanted 1 to {LONGEST_HORIZON} steps")
        alone = len(recordings) == 1 or T >= _ALONE
        key = (steps, i if alone else -1)
        notes: list[str] = []
        with through("python", notes.append):
            if self.forecaster is None or self.forecaster[0] != key:
                rows = [i] if alone else sample_of(len(recordings), 0, _HISTORIES)
                fitted = Forecaster(horizon=steps, quantiles=_LEVELS, progress=self._tell)
                self.forecaster = (key, fitted.fit(recordings[rows]))
            found = self.forecaster[1].forecasts(recordings[[i]])
        words = None if found.times is None else found.stamps.words(found.times[0])
        return {
            "recording": i,
            "horizon": steps,
            "levels": list(_LEVELS),
            "mean": short_numbers(found.mean[0, :CHANNELS_DRAWN]),
            "quantiles": short_numbers(found.quantiles[0, :, :CHANNELS_DRAWN]),
            "last": None if words is None else words[-1],
            "about": "learned from this recording alone"
            if alone
            else f"learned from {min(len(recordings), _HISTORIES):,} series",
            "notes": [*found.notes, *notes],
        }

    def anomalies(self, i: int) -> dict[str, Any]:
        """Return a score for each part of a recording, and its alarms.

        Raises:
            ValueError: a recording that is too short or too long, or no measurements.
        """
        recordings = self.collection.recordings
        T = int(recordings.lengths[i])
        if not FEWEST_STEPS <= T <= MOST_STEPS:
            more = "selftime detect scores longer ones" if T > MOST_STEPS else "take a longer one"
            raise SeriesError(
                f"got a recording of {T:,} steps, wanted {FEWEST_STEPS} to {MOST_STEPS:,}, so that "
                f"its beginning says what is normal: {more}"
            )
        notes: list[str] = []
        with through("python", notes.append):
            found = detect(
                replace(recordings[[i]], labels=None, step_labels=None), progress=self._tell
            )
        part = found.parts[0]
        points = outline_steps(T, _SCORE_POINTS)
        return {
            "recording": i,
            "steps": points.tolist(),
            "scores": short_numbers(outline(part.scores[None], _SCORE_POINTS)[0]),
            "alarms": [part.facts_of(alarm) for alarm in part.alarms],
            "normal": part.train_end,
            "notes": notes,
        }
