"""Scores for every step of a recording whose beginning is taken to be normal."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from selftime.data.channels import match_channels
from selftime.data.gaps import fill_gaps
from selftime.data.grid import on_grid
from selftime.data.matching import match_kind
from selftime.data.memory import memory_note
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesSet
from selftime.door import tell
from selftime.engine.defaults import check_task
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.progress import LONG, Progress, duration_in_words, open_progress, silent
from selftime.tasks.anomaly.alarms import AnomalyScores, ChannelScores
from selftime.tasks.anomaly.detection import Detection, DetectionList, notes_of
from selftime.tasks.anomaly.oddness import odd_steps
from selftime.tasks.anomaly.record import PAIRED, ChannelRecord, standardise, window_of
from selftime.tasks.anomaly.scores import MODEL_SCORES, SCORES, Score
from selftime.tasks.anomaly.scores.relations import departures
from selftime.tasks.anomaly.thresholds import check_rate, settle_rate

NORMAL = 0.15
"""Share of a recording that is taken to be normal (Lavin & Ahmad 2015, NAB's probation)."""

DEFAULT_MEMBERS = (
    "statistics",
    "statistics, twice as long",
    "convolutions",
    "convolutions, twice as long",
    "window kNN",
    "matrix profile",
)
"""The members of the fused score: one default for everything, chosen on the open benchmark."""
POWER = 3
"""Of the mean over scores: 1 drowns one sure score, 2 does so where several others stir, and the
greatest score alone is the least steady."""


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """Options of the fused score.

    Attributes:
        members: names in ``SCORES``.
        past_only: True where the score of a step depends on that step and earlier ones alone.
        model: its scores are more members; None for none.
        learned: which scores those are, names in ``MODEL_SCORES``.
    """

    members: tuple[str, ...] = DEFAULT_MEMBERS
    past_only: bool = False
    model: Model | None = None
    learned: tuple[str, ...] = ("embeddings",)


PARTS = {"matrix profile": 5}
"""Of the time that a long recording takes, in units of that of the other scores (measured)."""


class Work:
    """The progress of scoring so many timepoints, each of several parts."""

    def __init__(self, progress: Progress, steps: int) -> None:
        self.progress, self.steps = progress, steps
        self._done, self._part = 0.0, 0.0

    def begin(self, steps: int, parts: int) -> None:
        """Begin with a recording of some timepoints, whose parts count the same."""
        self._part = steps / parts

    def do(self, parts: int, score: Score, record: ChannelRecord) -> Float[np.ndarray, "T"]:
        """Score a record, which is so many parts, and tell how far that is."""
        whole, begun = parts * self._part, self._done
        self._done = begun + whole
        told = replace(record, advance=lambda share: self._tell(begun + min(share, 1) * whole))
        found = score(told)
        self._tell(self._done)
        return found

    def _tell(self, done: float) -> None:
        self.progress("scoring timepoints", round(done), self.steps)


def detect(  # noqa: PLR0913 - a front door: each is one thing that people decide
    x: Any,
    *,
    train_end: int | None = None,
    rate: float | None = None,
    past_only: bool = False,
    cool_down: int | None = None,
    model: ModelOrFolder | None = None,
    progress: bool | Progress | None = None,
) -> Detection | DetectionList:
    """Score every timepoint of recordings whose beginning is normal, and list the alarms.

    Windows are compared with windows, fused over six scores, and each channel with what the others
    say of it; in recordings of more than 128,000
    timepoints with a bounded number of them, so that time is linear. Thresholds follow the scores
    by adaptive conformal inference (Gibbs & Candès 2021). An alarm is as long as what is odd.
    Missing timepoints have no score and are in no alarm; rows that a regular grid of times lacks
    count as missing.

    Example:
        >>> import numpy as np, selftime as st
        >>> x = np.sin(np.arange(900) / 6)
        >>> x[600:630] = 0  # the wave stops
        >>> found = st.detect(x[None, None], train_end=300)  # (N,C,T) of one series and channel
        >>> found.scores.shape, 580 < int(found.scores.argmax()) < 650
        ((900,), True)
        >>> any(580 < alarm.peak < 650 for alarm in found.alarms)
        True

    Args:
        x: one recording or several, whatever :func:`selftime.read` takes.
        train_end: timepoints of each taken to be normal; the first 15 % when None.
        rate: promised share of normal timepoints that are in alarm; refused where the normal part
            is too short to promise it. None aims at 0.01, and notes where that is no promise.
        past_only: score a timepoint by itself and earlier ones alone.
        cool_down: quiet timepoints that end an alarm; a window when None.
        model: or its folder; its embeddings of windows are compared too. None needs no learning.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Returns:
        What was found; of several recordings one after another.

    Raises:
        SeriesError: recordings that cannot be read, or lack the channels of the model.
        ValueError: a normal part out of range, or a rate that is, or cannot be promised.
    """
    if rate is not None:
        check_rate(rate)
    model = None if model is None else model_at(model)
    series = read(x, kind=None if model is None else kind_for(x, model.kind))
    check_task("detect", series.kind)
    if model is not None:
        series = reorder_channels(match_kind(series, model.kind), model.channels)
    recipe = Scoring(past_only=past_only, model=model)
    needed = 3 * series.steps.nbytes + _BYTES_A_STEP * float(series.lengths.max())
    tell(memory_note("scoring", needed), series.source)
    if (seconds := expected_seconds(series, recipe)) > LONG:
        tell([f"scoring takes about {duration_in_words(seconds)}"], series.source)
    with open_progress(progress) as show:
        work = Work(show, int(series.lengths.sum()))
        parts = [
            detect_in(series[i], train_end, rate, cool_down, recipe=recipe, work=work)
            for i in range(len(series))
        ]
    tell(notes_of(parts), series.source)
    return parts[0] if len(parts) == 1 else DetectionList(parts=tuple(parts))


def detect_in(
    series: SeriesSet,
    train_end: int | None,
    rate: float | None,
    cool_down: int | None,
    *,
    recipe: Scoring,
    work: Work | None = None,
) -> Detection:
    """Score the timepoints of one recording, and find its alarms."""
    train = train_end or max(int(NORMAL * series.lengths[0]), 1)
    check_train(train, int(series.lengths[0]))
    whole, given = whole_recording(series)
    known = int(np.flatnonzero(given)[train - 1]) + 1
    found = score_recording(whole, known, recipe=recipe, work=work).select(given)
    settled, promise = settle_rate(rate, int(found.observed[:train].sum()), found.width)
    judged = found.judge(train, settled, cool_down)
    return Detection(
        series=series,
        scores=found.scores,
        channels=found.channels,
        thresholds=judged.thresholds,
        alarms=[alarm.at(series.times) for alarm in judged.alarms],
        train_end=train,
        window=found.width,
        rate=settled,
        observed=found.observed,
        absent=int((~given).sum()),
        promise=promise,
    )


_PILOT_STEPS, _MANY_STEPS = 16_000, 400_000
"""Steps that are scored to tell how long it takes, where there are many in all."""
_BYTES_A_STEP = 500
"""Memory that a step of the longest recording takes (measured)."""
_EQUAL_STEPS, _LONG = 60_000, 0.6
"""Steps at which comparing all pairs of windows costs as much as everything else (measured), and
what some pairs of a long recording cost, in units of all pairs of the longest that is not."""


def expected_seconds(
    series: SeriesSet, recipe: Scoring, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return how long scoring will take, from a small part of it; 0 where that is no matter."""
    lengths = series.lengths.astype(np.float64)
    compared = np.where(lengths > PAIRED, _LONG * PAIRED, lengths)
    cost = series.n_channels * float((lengths * (1 + compared / _EQUAL_STEPS)).sum())
    if cost < _MANY_STEPS:
        return 0.0
    longest = series.series(int(lengths.argmax()))
    part = longest[:, :_PILOT_STEPS] if recipe.model else longest[:1, :_PILOT_STEPS]
    score_recording(part[:, : _PILOT_STEPS // 8], 1, recipe=recipe)  # compiles what is not yet
    begin = clock()
    score_recording(part, max(part.shape[1] // 8, 1), recipe=recipe)
    own = part.size * (1 + part.shape[1] / _EQUAL_STEPS)
    return float((clock() - begin) * cost / own)


def whole_recording(series: SeriesSet) -> tuple[Float[np.ndarray, "C T"], Bool[np.ndarray, "T"]]:
    """Return the values of one recording on the grid of its times, and which of them are rows."""
    grid = on_grid(series)
    if series.times is None or grid.times is None or len(grid.times) == len(series.times):
        return series.series(0), np.ones(series.lengths[0], bool)
    return grid.series(0), np.isin(grid.times, series.times)


def normal_beginning(
    series: SeriesSet, train: int
) -> tuple[Float[np.ndarray, "C K"], Bool[np.ndarray, "K"]]:
    """Return the first ``train`` timepoints of a recording on its grid, and which are rows."""
    check_train(train, int(series.lengths[0]))
    values, given = whole_recording(series)
    known = int(np.flatnonzero(given)[train - 1]) + 1
    return values[:, :known], given[:known]


def reorder_channels(series: SeriesSet, names: Sequence[str]) -> SeriesSet:
    """Return the series with channels in the order of others of the same names."""
    found = match_channels(series, names)
    is_by_name = sorted(series.channels) == sorted(found.channels)
    return found if is_by_name else replace(found, channels=series.channels)


def score_recording(
    values: Float[np.ndarray, "C T"],
    train: int,
    *,
    recipe: Scoring | None = None,
    boundaries: Sequence[int] = (),
    work: Work | None = None,
) -> AnomalyScores:
    """Score every step of a recording whose first ``train`` steps are taken to be normal.

    Values that are not finite count as missing; a step without any scores 0. Other recordings begin
    at the boundaries.
    """
    check_train(train, values.shape[1])
    recipe = recipe or Scoring()
    check_members(recipe.members, SCORES)
    records = [record_of(row, train, recipe.past_only, tuple(boundaries)) for row in values]
    work = work or Work(silent, values.shape[1])
    work.begin(values.shape[1], len(records) * sum(PARTS.get(name, 1) for name in recipe.members))
    shared = _model_scores(records, recipe)
    known = np.isfinite(values)
    alone = np.stack([channel_scores(r, recipe.members, shared, work) for r in records])
    observed = known.any(axis=0)
    found = ChannelScores(alone, departure_scores(records, known)).where(observed, observed)
    odd = [odd_steps(r) for r in records]
    alarming = found.where(*(np.stack(part) for part in zip(*odd, strict=True)))
    return AnomalyScores(found, alarming, max(r.width for r in records), observed)


def departure_scores(
    records: Sequence[ChannelRecord], observed: Bool[np.ndarray, "C T"]
) -> Float[np.ndarray, "C T"]:
    """Score how far each channel departs from the others, in the unit of other scores.

    0 where nothing is known of that, as of a single channel.
    """
    out, found = np.zeros(observed.shape), departures(records, observed)
    if found is None:
        return out
    for c, row in enumerate(found):
        judged = np.isfinite(row)
        known = judged & _usable_steps(records[c])
        if known.any():
            out[c, judged] = np.maximum(robust_z(row[None, judged], known[judged])[0], 0)
    return out


def record_of(
    x: Float[np.ndarray, "T"], train: int, past_only: bool, boundaries: tuple[int, ...]
) -> ChannelRecord:
    """Bridge gaps of a channel, scale it, and choose its window from the normal part."""
    whole = fill_gaps(x, past_only=past_only)
    values, mean, std = standardise(whole, train, past_only=past_only)
    ready = ChannelRecord(values, train, 1, past_only, boundaries, mean, std)
    longest = min(np.diff([0, *boundaries, len(x)]))  # a window fits into every recording
    return replace(ready, width=int(min(window_of(ready.values[:train]), longest)))


def _model_scores(
    records: Sequence[ChannelRecord], recipe: Scoring
) -> list[Float[np.ndarray, "T"]]:
    """Score all channels at once by the model; nothing without one."""
    if recipe.model is None:
        return []
    check_members(recipe.learned, MODEL_SCORES)
    return [MODEL_SCORES[name](records, recipe.model) for name in recipe.learned]


def channel_scores(
    record: ChannelRecord,
    members: Sequence[str],
    shared: Sequence[Float[np.ndarray, "T"]],
    work: Work,
) -> Float[np.ndarray, "T"]:
    """Return the fused score of one channel; 0 where it never changes."""
    if np.ptp(record.known) == 0 and np.ptp(record.values) == 0 and not shared:
        return np.zeros(record.steps)
    found = [work.do(PARTS.get(name, 1), SCORES[name], record) for name in members]
    return combine_scores(record, [*found, *shared])


def combine_scores(
    record: ChannelRecord, scores: Sequence[Float[np.ndarray, "T"]]
) -> Float[np.ndarray, "T"]:
    """Fuse several scores of one record, smoothed where that does not make them later."""
    joined = fuse_scores(np.stack(scores), _usable_steps(record))
    return joined if record.past_only else record.smooth(joined)


def _usable_steps(record: ChannelRecord) -> Bool[np.ndarray, "T"]:
    """Return the steps whose scores may be used before any is judged."""
    return np.arange(record.steps) < len(record.known)


def fuse_scores(
    scores: Float[np.ndarray, "M T"], known: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "T"]:
    """Return the power mean of positive parts of :func:`robust_z` over M scores: (Σ z³ / M)^(1/3).

    Quartiles come from the known steps.
    """
    above = np.maximum(robust_z(scores, known), 0)
    return np.asarray(np.power(np.power(above, POWER).mean(axis=0), 1 / POWER))


def robust_z(
    scores: Float[np.ndarray, "M T"], known: Bool[np.ndarray, "T"]
) -> Float[np.ndarray, "M T"]:
    """Subtract the median of known steps and divide by the distance of their quartiles.

    Ranks would bring every score to the same height at its top and so hide which is sure.
    """
    low, middle, high = np.quantile(scores[:, known], [0.25, 0.5, 0.75], axis=1)[..., None]
    floor = 1e-3 * scores[:, known].std(axis=1, keepdims=True) + 1e-9
    return np.asarray((scores - middle) / np.maximum(high - low, floor))


def check_train(train: int, steps: int) -> None:
    """Check that the normal part lies within the recording."""
    if not 1 <= train <= steps:
        raise ValueError(
            f"got a normal part of {train} steps in a recording of {steps}, wanted 1 to {steps}: "
            "choose another end of the normal part (--train-end)"
        )


def check_members(members: Sequence[str], among: Collection[str]) -> None:
    """Check that some members are named, and that all are known."""
    unknown = [name for name in members if name not in among]
    if unknown or not members:
        raise ValueError(f"got members {list(members)}, wanted some of {', '.join(among)}")
