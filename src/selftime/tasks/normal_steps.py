"""A stream that has seen normal steps, and what it said of them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32

from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.engine.stream import Manner, Stream

_MAX_NORMAL_STEPS = 20_000
"""Newest normal steps that are used."""
_STEPS_AT_ONCE = 256
"""Steps at a time."""


class RunIn(NamedTuple):
    """A stream ready to be judged by normal steps.

    Attributes:
        stream: it has seen them all and goes on behind the last.
        rows: (n,D) its embeddings of them.
    """

    stream: Stream
    rows: Float32[np.ndarray, "n D"]


def run_in(model: Model, manner: Manner, values: Float[np.ndarray, "C T"]) -> RunIn:
    """A stream that reads normal steps until its memory is full, and then all of them once more.

    A stream that begins has nothing before its first step, which marks its embeddings for as long
    as it reaches back. Normal steps and those to be judged are alike only when none of them does.

    Args:
        model: what embeds the steps.
        manner: how; of a single stream.
        values: normal steps in the order of time, NaN where missing; the newest 20,000 count.

    Raises:
        SeriesError: a model of whole series without a window: its vectors never settle.
        StreamError: the model cannot be streamed so.
    """
    stream, values = model.stream(*manner), values[:, -_MAX_NORMAL_STEPS:]
    if manner.window is None and not stream.of_steps:
        raise SeriesError(
            "got a model of whole series, wanted one with a token a step: give a --window, "
            "which is a series of its own at each step"
        )
    lead = np.arange(-stream.reach, 0) % values.shape[1]
    for start in range(0, len(lead), _STEPS_AT_ONCE):
        stream.update(values[:, lead[start : start + _STEPS_AT_ONCE]])
    starts = range(0, values.shape[1], _STEPS_AT_ONCE)
    rows = [stream.update(values[:, start : start + _STEPS_AT_ONCE]) for start in starts]
    return RunIn(stream, np.concatenate(rows))


def concatenate_normal(model: Model, series: SeriesSet) -> Float[np.ndarray, "C T"]:
    """All steps of normal series, one after the other, NaN where missing.

    Raises:
        SeriesError: another number of channels than the model was made for.
    """
    steps = model.check(series).steps.T.astype(np.float64)
    return steps if series.observed is None else np.where(series.observed.T, steps, np.nan)
