"""``selftime embed`` and ``selftime classify``: what a model is for."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from selftime.cli import terminal
from selftime.cli.evaluating import beside, write_evaluation
from selftime.cli.learning import run_of
from selftime.cli.lesson import Lesson
from selftime.cli.outputs import TABLES, VECTORS, check_file, write_file
from selftime.cli.reporting import Judgement
from selftime.cli.sources import Reader
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model, load
from selftime.objectives.answers import OneClass
from selftime.tasks.evaluate import evaluation_of
from selftime.tasks.leaks import leaks_of
from selftime.tasks.transfer.choosing import solved
from selftime.tasks.transfer.strategies import Way, check_way

NEIGHBOURS = 5
"""Labelled series that are asked by ``--head knn``, the nearer the weightier."""


class Classification(NamedTuple):
    """What is to be classified, and how.

    Attributes:
        model: model folder or run folder.
        train: where the labelled series are.
        test: where the series to classify are.
        strategy: how the model is used; "auto" chooses.
        head: what is fitted on vectors.
        seed: fixes everything random.
    """

    model: str
    train: str
    test: str
    strategy: str
    head: str
    seed: int

    @property
    def way(self) -> Way:
        """Strategy and head, checked.

        Raises:
            ValueError: they do not go together.
        """
        way = Way(self.strategy, self.head, neighbours=NEIGHBOURS, seed=self.seed)
        check_way(way)
        return way


def embed(model: str, read: Reader, data: str, *, out: str, force: bool, as_json: bool) -> None:
    """Write one vector a series."""
    target = Path(out)
    check_file(target, VECTORS, force=force)
    series = read(data)
    vectors = _embedded(load(model), series, "embedding")
    columns = {"id": series.ids.astype(str), "vectors": vectors}
    if series.labels is not None:
        columns["label"] = series.labels
    write_file(target, VECTORS[target.suffix.lower()](columns))
    result = {"out": out, "series": len(series), "dim": vectors.shape[1]}
    line = f"{len(series):,} series, {vectors.shape[1]} numbers each: {out}"
    terminal.show(result, line, as_json=as_json)


def classify(order: Classification, read: Reader, *, out: str, force: bool, as_json: bool) -> None:
    """Write class and probability of every test series."""
    target, way = Path(out), order.way
    check_file(target, TABLES, force=force)
    check_file(beside(target), {".json": None}, force=force)
    train, test, model = read(order.train), read(order.test), load(order.model)
    if train.labels is None:
        raise SeriesError(f"{order.train} has no labels, wanted one a series: name their --label")
    way = way._replace(neighbours=min(NEIGHBOURS, len(train)))
    answer = OneClass(np.unique(train.labels))
    with terminal.progress() as told:
        found = solved(model, train, train.labels, answer, way, told)
        told("classifying", 0, len(test))
        chances = np.asarray(found.solution.chances(test))  # (N,K)
    predicted = answer.decided(chances)
    columns = {"id": test.ids.astype(str), "class": predicted, "probability": chances.max(axis=1)}
    if test.labels is not None:
        columns["label"] = test.labels
    write_file(target, TABLES[target.suffix.lower()](columns))
    result, lines = _told(predicted, train, test)
    if test.labels is not None:
        own = found.solution.model
        spaces = _embedded(own, train, "train"), _embedded(own, test, "test")
        judged = Judgement(evaluation_of(chances, answer.classes, spaces, train, test), train, test)
        facts = run_of(model, Lesson(order.train), "classify", None)
        write_evaluation(beside(target), judged, (order.train, order.test), run=facts)
        leaks = leaks_of(model, train, test)
        result |= {"leaks": leaks.to_dict(), "evaluation": str(beside(target))}
        lines += [*leaks.sentences(), f"Every figure: selftime report {beside(target)}"]
    result = {"out": out, "strategy": found.strategy, "why": found.why} | result
    lines = [f"Strategy {found.strategy}: {found.why}.", *lines, f"Predictions: {out}"]
    terminal.show(result, *lines, as_json=as_json)


def _embedded(model: Model, series: SeriesSet, what: str) -> np.ndarray:
    with terminal.progress() as told:
        return model.embed(
            series, progress=lambda _, done, of, detail="": told(what, done, of, detail)
        )


def _told(
    predicted: np.ndarray, train: SeriesSet, test: SeriesSet
) -> tuple[dict[str, Any], list[str]]:
    """The result as plain values and as lines; accuracy only where test has labels."""
    names, counts = np.unique(predicted, return_counts=True)
    found = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    result: dict[str, Any] = {"labelled": len(train), "series": len(test), "classes": found}
    lines = [f"{len(test):,} series classified with {len(train):,} labelled ones."]
    if test.labels is not None:
        right = predicted.astype(str) == test.labels.astype(str)
        result["accuracy"] = float(right.mean())
        lines.append(f"{100 * right.mean():.1f} % right ({right.sum():,} of {len(test):,}).")
    return result, lines
