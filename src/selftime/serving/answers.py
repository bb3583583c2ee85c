"""Answers: what a model or an estimator says of series, as the columns of its table.

Vectors, classes and values come from blocks of series of one form, whoever sent them. How many
there are in a block depends on the form alone: matrix products of one shape give each row the same
bits, whatever stands in the others.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from selftime.data.channels import match_channels
from selftime.data.frames import arrow_table
from selftime.data.series import SeriesSet
from selftime.engine.embeddings import Embeddings
from selftime.estimators.classifier import Classifier
from selftime.objectives.supervised.targets import AnyClasses
from selftime.serving.bodies import ARROW, Payload
from selftime.serving.options import search_options
from selftime.serving.shelf import Served
from selftime.tasks.evaluation.predictions import predictions_of
from selftime.web.replies import Refusal, json_list, json_of

_MOST_ROWS, _MOST_VALUES = 8, 1 << 15
"""Series that are encoded at a time, fewer where these hold more values: eight take twice the time
of one, sixteen more than three times (measured on windows of 3 channels and 128 steps)."""
TASK_CLASSES: dict[str, tuple[str, ...]] = {
    "classify": ("Classifier", "Segmenter"),
    "regress": ("Regressor",),
    "forecast": ("Forecaster",),
    "detect": ("AnomalyDetector",),
    "impute": ("Imputer",),
    "search": ("SeriesIndex",),
}
"""Classes of what answers each task; all with a model embed."""

_NOTHING: Mapping[str, str] = {}


class Reply(NamedTuple):
    """Columns of a table by name, and what else is said in JSON alone."""

    columns: dict[str, Any]
    more: dict[str, Any]


RowList = list[np.ndarray]
"""What a model says of each series."""


def tasks_of(served: Served) -> list[str]:
    """Return the tasks that a folder is for."""
    own = [task for task, classes in TASK_CLASSES.items() if served.class_name in classes]
    return [*own, *(["embed"] if served.model is not None else [])]


def check_task_of(served: Served, task: str) -> None:
    """Check that a folder is for a task.

    Raises:
        Refusal: it is for others.
    """
    if task not in (tasks := tasks_of(served)):
        raise Refusal(
            422,
            f"model {served.name} is a {served.class_name}, which cannot {task}, wanted: "
            f"{', '.join('/' + name for name in tasks)}",
        )


def is_joined(served: Served, task: str) -> bool:
    """Return whether series of several requests are encoded together."""
    found = served.found
    several = isinstance(found, Classifier) and isinstance(found.solution_.target_type, AnyClasses)
    one_each = task in ("embed", "regress") or (isinstance(found, Classifier) and not several)
    return one_each and served.kind.name == "series"


def prepare(served: Served, task: str, series: SeriesSet) -> SeriesSet:
    """Return series with the channels of the model in its order.

    Raises:
        SeriesError: other channels.
    """
    model = served.model
    if served.kind.name != "series" or task in ("forecast", "detect", "impute"):
        return series  # these look at channels, covariates and times by themselves
    names = model.channels if task == "embed" and model is not None else served.channels
    return match_channels(series, names)


def rows_of_parts(served: Served, task: str, parts: Sequence[SeriesSet]) -> list[RowList]:
    """Return what a model says of each series of each part.

    Series are encoded in blocks of one form: equally long, with the same gaps. A block that is not
    full is filled with copies of its own.
    """
    groups: dict[tuple[Any, ...], list[tuple[int, int]]] = defaultdict(list)
    for j, part in enumerate(parts):
        for i in range(len(part)):
            groups[form_of_series(part, i)].append((j, i))
    out: list[RowList] = [[np.empty(0)] * len(part) for part in parts]
    for members in groups.values():
        size = block_size(parts[members[0][0]], members[0][1])
        for first in range(0, len(members), size):
            some = members[first : first + size]
            found = answer_block(served, task, block_of(parts, some, size))
            for (j, i), row in zip(some, found, strict=False):
                out[j][i] = np.asarray(row)
    return out


def form_of_series(part: SeriesSet, i: int) -> tuple[Any, ...]:
    """Return what series of a block have in common: length, gaps, and whether a level is apart."""
    rows = slice(int(part.offsets[i]), int(part.offsets[i + 1]))
    gaps = None if part.observed is None else ~part.observed[rows]
    pattern = gaps.tobytes() if gaps is not None and gaps.any() else b""
    return int(part.lengths[i]), pattern, part.origin is not None


def block_size(part: SeriesSet, i: int) -> int:
    """Return how many series of the form of one are encoded at a time."""
    most = max(_MOST_VALUES // (part.n_channels * int(part.lengths[i])), 1)
    return min(1 << (most.bit_length() - 1), _MOST_ROWS)


def block_of(
    parts: Sequence[SeriesSet], members: Sequence[tuple[int, int]], size: int
) -> SeriesSet:
    """Return a block of the series that are named by part and number, filled with copies."""
    whole = [members[k % len(members)] for k in range(size)]
    spans = [slice(int(parts[j].offsets[i]), int(parts[j].offsets[i + 1])) for j, i in whole]
    first, length = parts[whole[0][0]], spans[0].stop - spans[0].start
    mask = None if first.observed is None else first.observed[spans[0]]  # one pattern for all
    gaps = None if mask is None or mask.all() else np.tile(mask, (size, 1))
    each = list(zip(whole, spans, strict=True))
    origins = [origin[i] for j, i in whole if (origin := parts[j].origin) is not None]
    return SeriesSet(
        steps=np.concatenate([parts[j].steps[rows] for (j, _), rows in each]),
        offsets=np.arange(size + 1, dtype=np.int64) * length,
        channels=first.channels,
        ids=np.arange(size),
        observed=gaps,
        origin=np.stack(origins) if origins else None,
        kind=first.kind,
    )


def answer_block(served: Served, task: str, block: SeriesSet) -> Any:
    """Return a row for each series of a block: vectors, probabilities or values."""
    if task == "embed":
        assert served.model is not None
        return served.model.embed(block, progress=False)
    if task == "regress":
        return served.found.predict(block)
    return served.found.predict_proba(block)


def answer_of_rows(served: Served, task: str, series: SeriesSet, rows: RowList) -> Reply:
    """Return the table of what a model said of each series."""
    found = np.stack(rows)
    if task == "embed":
        return Reply(Embeddings(series=series, vectors=found).to_columns(), {})
    if task == "regress":
        return Reply(predictions_of(series, found).to_columns(), {})
    classes = served.found.classes_
    table = predictions_of(series, classes[found.argmax(axis=1)], found, classes)
    return Reply(table.to_columns(), {})


def answer_alone(
    served: Served, task: str, content: Payload, asked: Mapping[str, str] = _NOTHING
) -> Reply:
    """Return the table of what looks at the series of a request by themselves."""
    found, series = served.found, content.series
    if task == "embed":
        assert served.model is not None
        vectors = served.model.embed(series, progress=False)
        return Reply(Embeddings(series=series, vectors=vectors).to_columns(), {})
    if task == "forecast":
        return Reply(found.forecasts(series, content.future).to_columns(), {})
    if task == "detect":
        scored = found.detection(series)
        return Reply(scored.to_columns(), {"alarms": json_columns(scored.alarm_columns())})
    if task == "impute":
        return Reply(found.imputation(series).to_columns(), {})
    if task == "search":
        return Reply(found.search(series, **search_options(asked)).to_columns(), {})
    return Reply(found.predictions(series).to_columns(), {})


def body_of_answer(served: Served, answer: Reply, notes: Sequence[str], media: str) -> bytes:
    """Return an answer as JSON or as an arrow stream; NaN is null."""
    if media == ARROW:
        table = arrow_table(answer.columns)
        about = {"model": served.name, "version": served.version}
        table = table.replace_schema_metadata(about)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue())
    whole: dict[str, Any] = {"model": served.name, "version": served.version}
    whole |= {"columns": json_columns(answer.columns), **answer.more, "notes": list(notes)}
    return json_of(whole)


def json_columns(columns: dict[str, Any]) -> dict[str, Any]:
    """Return columns as lists of plain values, None where there is no number; times as texts."""
    return {name: json_list(column) for name, column in columns.items()}
