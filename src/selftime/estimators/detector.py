"""An anomaly detector: normal recordings in, a score for every timepoint of new ones out."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from selftime.data.channels import match_channels
from selftime.data.frames import frame_head, frame_like
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesSet
from selftime.data.signals import Signal
from selftime.door import tell
from selftime.engine.defaults import check_task
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.estimators.inputs import signal_of
from selftime.estimators.keeping import Kept
from selftime.progress import Progress, open_progress
from selftime.tasks.anomaly.alarms import AnomalyScores, Episode, Judged
from selftime.tasks.anomaly.detect import (
    Scoring,
    Work,
    normal_beginning,
    record_of,
    reorder_channels,
    score_recording,
    whole_recording,
)
from selftime.tasks.anomaly.detection import Detection, DetectionList, score_columns
from selftime.tasks.anomaly.thresholds import settle_rate


class AnomalyDetector(BaseEstimator, Kept):  # type: ignore[misc] # scikit-learn has no types
    """Finds anomalies in recordings, by comparing their windows with normal ones.

    ``fit`` keeps the normal recordings; a new one is scored behind them. What is not finite,
    infinities too, counts as missing, as do rows that a regular grid of times lacks: missing
    timepoints score 0 and are in no alarm. Several channels are scored one by one and by how far
    each departs from the others, and matched by their names. A timepoint is in alarm where
    ``predict`` is True, which is within ``alarms``.

    Example:
        >>> import numpy as np
        >>> import selftime as st
        >>> wave = np.sin(np.arange(600) * 2 * np.pi / 24)
        >>> wave[500:510] = 3.0
        >>> detector = st.AnomalyDetector().fit(wave[:400])
        >>> detector.score(wave[400:]).shape  # a score for each timepoint
        (200,)
        >>> [(alarm.start, alarm.stop) for alarm in detector.alarms(wave[400:])[0]]
        [(100, 110)]

    Args:
        model: what :func:`selftime.pretrain` returned, or its folder; its embeddings of windows
            are one more space in which windows are compared (see ``learned``). None needs no
            learning.
        rate: promised share of normal timepoints that are in alarm; ``fit`` refuses one that the
            normal recordings are too short to promise. None aims at 0.01, and notes where that is
            no promise.
        past_only: whether the score of a timepoint depends on it and earlier ones alone, as when
            values come one by one; else also on the rest of the recording.
        continues: whether a recording given to ``score`` goes on where the normal one ended.
        cool_down: timepoints without alarm that end one, fewer are part of it; the length of a
            window when None.
        learned: what a model adds: "embeddings", or "hidden step", by how much each
            timepoint changes its own representation in a causal dilated network (TS2Vec's score),
            or both.
        progress: a bar where a person looks when None; else as in
            :func:`selftime.progress.open_progress`.

    Attributes:
        model_: the model in use, read where its folder was given.
        normal_: (C,T) the normal recordings, end to end, on the grids of their times.
        given_: (T,) False at timepoints that the grids have and the recordings lack.
        boundaries_: timepoints of ``normal_`` at which another recording begins.
        channels_: names of the channels.
        rate_: the rate that alarms go by.
    """

    normal_: Float[np.ndarray, "C T"]
    given_: Bool[np.ndarray, "T"]
    boundaries_: tuple[int, ...]
    channels_: tuple[str, ...]
    _keeps = "The normal recordings are in this folder."

    def __init__(  # noqa: PLR0913 - each is one thing that people decide
        self,
        model: ModelOrFolder | None = None,
        *,
        rate: float | None = None,
        past_only: bool = False,
        continues: bool = False,
        cool_down: int | None = None,
        learned: tuple[str, ...] = ("embeddings",),
        progress: bool | Progress | None = None,
    ) -> None:
        self.model = model
        self.rate = rate
        self.past_only = past_only
        self.continues = continues
        self.cool_down = cool_down
        self.learned = learned
        self.progress = progress

    def fit(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002
        *,
        train_end: int | Sequence[int] | None = None,
    ) -> "AnomalyDetector":
        """Keep normal recordings: an array (T,), (N,T) or (N,C,T), or what ``read`` takes.

        Args:
            X: the recordings.
            y: not read.
            train_end: timepoints at the beginning of each, or of one after the other, that are
                normal; all of them when None.

        Raises:
            ValueError: bad input, or a rate that is not between 0 and 1 or cannot be promised.
        """
        self.model_ = None if self.model is None else model_at(self.model)
        series = recordings_in(X, signal_of(self))
        if self.model_ is not None:
            series = reorder_channels(series, self.model_.channels)
        ends = np.broadcast_to(series.lengths if train_end is None else train_end, len(series))
        each = zip(series_by_series(series), ends.tolist(), strict=True)
        parts, given = zip(*(normal_beginning(one, end) for one, end in each), strict=True)
        self.normal_, self.given_ = np.concatenate(parts, axis=1), np.concatenate(given)
        self.boundaries_ = tuple(np.cumsum([part.shape[1] for part in parts])[:-1].tolist())
        self.channels_ = series.channels
        self.rate_, notes = settle_rate(self.rate, *self._normal_size())
        tell(notes, series.source)
        return self

    @property
    def _used(self) -> Model | None:
        return self.model_

    def _complete(self, model: Model | None) -> None:
        inside = [0, *self.boundaries_, self.normal_.shape[1]]
        if not self.given_.any() or sorted(set(inside)) != inside:
            raise ValueError(f"got normal recordings that begin at {self.boundaries_}")
        self.model_ = model
        self.rate_, _ = settle_rate(self.rate, *self._normal_size())

    def score(self, X: Any, y: Any = None) -> Any:  # noqa: ARG002
        """Return the anomaly score of every timepoint, 0 or more and always finite.

        Missing timepoints score 0.

        Returns:
            Of a frame one of the same kind: ids, times, steps and scores, its rows in their order.
            Of arrays (T,) for one recording as (T,); (N,T) for N of one length; else a list of
            (T,).

        Raises:
            ValueError: bad input, or other channels than in ``fit``.
        """
        series, head = self._recordings(X), frame_head(X)
        scored = self._score_recordings(series)
        found = [part.scores[self._before :] for part in scored]
        return _match_input(X, found) if head is None else self._frame(head, series, scored)

    def predict(self, X: Any) -> Any:
        """Return whether every timepoint is in alarm, in the shape of :meth:`score`.

        A frame has a column ``alarm`` beside ``score``.

        Raises:
            ValueError: as :meth:`score`.
        """
        series, head = self._recordings(X), frame_head(X)
        scored, first = self._score_recordings(series), self._before
        above = [self._judge(part).inside[first:] for part in scored]
        return _match_input(X, above) if head is None else self._frame(head, series, scored, above)

    def alarms(self, X: Any) -> list[list[Episode]]:
        """Return the alarms in each recording, timepoints counted from its beginning, with times.

        Raises:
            ValueError: as :meth:`score`.
        """
        return [part.alarms for part in self.detection(X).parts]

    def detection(self, X: Any) -> Detection | DetectionList:
        """Return scores, thresholds and alarms of recordings, as :func:`selftime.detect` does.

        Example:
            >>> import numpy as np, selftime as st
            >>> wave = np.sin(np.arange(600) / 6)
            >>> found = st.AnomalyDetector().fit(wave[:400]).detection(wave[400:])
            >>> found.scores.shape, found.train_end
            ((200,), 0)

        Raises:
            ValueError: as :meth:`score`.
        """
        series = self._recordings(X)
        each = zip(series_by_series(series), self._score_recordings(series), strict=True)
        found = tuple(self._detection_of(one, part) for one, part in each)
        return found[0] if len(found) == 1 else DetectionList(parts=found)

    def _detection_of(self, one: SeriesSet, part: AnomalyScores) -> Detection:
        first, judged = self._before, self._judge(part)
        return Detection(
            series=one,
            scores=part.scores[first:],
            channels=part.channels[:, first:],
            thresholds=judged.thresholds[first:],
            alarms=[alarm.at(one.times, first) for alarm in judged.alarms],
            train_end=0,
            window=part.width,
            rate=self.rate_,
            observed=part.observed[first:],
            absent=int((~whole_recording(one)[1]).sum()),
        )

    def _frame(
        self,
        head: Any,
        series: SeriesSet,
        scored: Sequence[AnomalyScores],
        above: Sequence[np.ndarray] | None = None,
    ) -> Any:
        """Return scores and alarms of recordings as a frame of the kind that came in."""
        scores, known = (
            np.concatenate([getattr(part, name)[self._before :] for part in scored])
            for name in ("scores", "observed")
        )
        alarm = None if above is None else np.concatenate(above)
        return frame_like(head, score_columns(series, scores, known, alarm))

    def _judge(self, part: AnomalyScores) -> Judged:
        return part.judge(self._before, self.rate_, self.cool_down)

    def _normal_size(self) -> tuple[int, int]:
        """Return the number of normal timepoints with values, and the longest window."""
        normal, T = self.normal_, self.normal_.shape[1]
        records = [record_of(row, T, self.past_only, self.boundaries_) for row in normal]
        return int(np.isfinite(normal).any(axis=0).sum()), max(r.width for r in records)

    def _recordings(self, X: Any) -> SeriesSet:
        """Read new recordings, channels in the order of fit."""
        check_is_fitted(self)
        return match_channels(recordings_in(X, signal_of(self)), self.channels_)

    @property
    def _before(self) -> int:
        """Scores of normal timepoints, which come first."""
        return int(self.given_.sum())

    def _score_recordings(self, series: SeriesSet) -> list[AnomalyScores]:
        scoring = Scoring(past_only=self.past_only, model=self.model_, learned=tuple(self.learned))
        train, found = self.normal_.shape[1], []
        boundaries = self.boundaries_ if self.continues else (*self.boundaries_, train)
        with open_progress(self.progress) as progress:
            work = Work(progress, int((series.lengths + train).sum()))
            for one in series_by_series(series):
                values, given = whole_recording(one)
                whole = np.hstack([self.normal_, values])
                scores = score_recording(
                    whole, train, recipe=scoring, boundaries=boundaries, work=work
                )
                found.append(scores.select(np.append(self.given_, given)))
        return found


def recordings_in(X: Any, kind: Signal) -> SeriesSet:
    """Read recordings; an array (T,) is a single one, infinities in arrays are missing."""
    series = read(_finite(X), kind=kind_for(X, kind))
    check_task("detect", series.kind)
    return series


def series_by_series(series: SeriesSet) -> list[SeriesSet]:
    """Return each series as a set of its own."""
    return [series[i] for i in range(len(series))]


def _match_input(X: Any, found: list[np.ndarray]) -> Any:
    """Return one array for one recording (T,), a matrix for equal lengths, else a list."""
    if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype != object:
        return found[0]
    return np.stack(found) if len({len(row) for row in found}) == 1 else found


def _finite(X: Any) -> Any:
    """Replace infinities in arrays by NaN."""
    if isinstance(X, list | tuple):
        return [_finite(part) if isinstance(part, np.ndarray) else part for part in X]
    if not isinstance(X, np.ndarray) or X.dtype.kind != "f":
        return X[None] if isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype != object else X
    with np.errstate(over="ignore"):
        plain = np.where(np.isfinite(X.astype(np.float32)), X, X.dtype.type("nan"))
    return plain[None] if plain.ndim == 1 else plain
