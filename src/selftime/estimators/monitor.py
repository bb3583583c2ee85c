"""A stream judged timepoint by timepoint: scores, p-values and alarms as values come in."""

import os
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.readers import read
from selftime.engine.defaults import check_task
from selftime.engine.model import Model, model_at
from selftime.engine.streaming.stream import Stream, StreamConfig, cube_of
from selftime.tasks.anomaly.novelty import (
    AdaptiveNovelty,
    CoolDown,
    Distance,
    check_normal_steps,
    concatenate_normal,
    fit_novelty,
    run_in,
)


class Monitored(NamedTuple):
    """The judgement of one timepoint.

    Attributes:
        score: distance from normal timepoints in units of the threshold: above 1 is novel. None
            while the monitor still learns what is normal, and where no value was read.
        p: conformal p-value: at most this share of normal timepoints is as far or farther; None
            where there is no score.
        alarm: True where this timepoint raises an alarm.
    """

    score: float | None
    p: float | None
    alarm: bool


class StreamMonitor:
    """Judges the timepoints of one stream in turn, by how far their embeddings are from normal.

    The threshold is a conformal quantile of normal timepoints, and follows the stream so that the
    promised share of alarms holds where the series wanders off slowly. A timepoint at which nothing
    was read is passed over: it has no score and no alarm, and leaves no mark on those after it.

    Example:
        >>> import numpy as np
        >>> import selftime as st
        >>> rng = np.random.default_rng(0)
        >>> windows = st.SeriesSet.of(rng.normal(size=(20, 2, 50)))
        >>> model = st.pretrain(windows, encoder="quantiles")
        >>> normal = st.SeriesSet.of(rng.normal(size=(1, 2, 400)))
        >>> monitor = st.StreamMonitor(model, normal=normal, rate=0.05, window=20)
        >>> score, p, alarm = monitor.update([0.3, 1.2])
        >>> 0 < p <= 1
        True

    Args:
        model: what :func:`selftime.pretrain` returned, or its folder.
        normal: series without anomalies, whatever :func:`selftime.read` takes; None takes the
            first ``learn`` timepoints of the stream for normal.
        rate: promised share of normal timepoints with a score above 1.
        distance: "mahalanobis" from the middle of normal timepoints, or "nearest" of them.
        cool_down: timepoints without alarms after one.
        learn: timepoints that are taken for normal without ``normal``.
        window: timepoints that are encoded anew; None where each is read once.
        every: with a window, timepoints from one encoding to the next.

    Raises:
        SeriesError: normal series that cannot be read or are too few for the rate.
        StreamError: the model cannot be streamed so.
    """

    def __init__(  # noqa: PLR0913 - each is one thing that people decide
        self,
        model: Model | str | os.PathLike[str],
        *,
        normal: Any = None,
        rate: float = 0.01,
        distance: Distance = "mahalanobis",
        cool_down: int = 0,
        learn: int = 500,
        window: int | None = None,
        every: int = 1,
    ) -> None:
        model = model_at(model)
        check_task("detect", model.kind)
        self.model, self.rate, self.distance, self.learn = model, rate, distance, learn
        self._config = StreamConfig(None, "auto", window, every)
        self._cool_down, self._first = CoolDown(cool_down), list[np.ndarray]()
        self._novelty: AdaptiveNovelty | None = None
        self._stream: Stream = model.stream(*self._config)  # says at once what cannot be streamed
        self.embedding: Float[np.ndarray, " D"] | None = None
        if normal is None:
            check_normal_steps(learn, rate)
        else:
            self._fit(concatenate_normal(model, read(normal)))

    @property
    def is_ready(self) -> bool:
        """True once it has learned what is normal."""
        return self._novelty is not None

    def update(self, values: Any) -> Monitored:
        """Judge the next timepoint; :attr:`embedding` then holds its embedding, once ready.

        Args:
            values: (C,) of the timepoint; not finite is missing. Where all are, it is passed over.

        Raises:
            StreamError: another number of values, or not numbers.
        """
        cube, _ = cube_of(values, None, len(self.model.channels))  # (1,C,1)
        if not np.isfinite(cube).any():
            return Monitored(None, None, False)
        if self._novelty is None:
            self._first.append(cube[0, :, 0])
            if len(self._first) >= self.learn:
                self._fit(np.stack(self._first, axis=1))
                self._first.clear()
            return Monitored(None, None, False)
        self.embedding = self._stream.update(values)
        found = self._novelty(self.embedding)
        return Monitored(found.score, found.p, self._cool_down(found.novel))

    def _fit(self, values: Float[np.ndarray, "C T"]) -> None:
        """Learn what is normal, and leave the stream behind it."""
        read_steps = values[:, np.isfinite(values).any(axis=0)]
        self._stream, rows = run_in(self.model, self._config, read_steps)
        found = fit_novelty(rows, rate=self.rate, distance=self.distance)
        self._novelty = AdaptiveNovelty(found, self.rate)
