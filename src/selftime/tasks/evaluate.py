"""Judging a classifier on test series: whatever it is made of, or the probe of a comparison."""

from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int64
from sklearn.base import clone

from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.engine.runs import as_finished, run_record
from selftime.progress import Progress, open_progress
from selftime.tasks.compare import Shots, check_labels, draw_labels
from selftime.tasks.evaluation import Evaluation
from selftime.tasks.lookalikes import mistakes_in
from selftime.tasks.references import model_row


@runtime_checkable
class FittedClassifier(Protocol):
    """Whatever was fitted on labelled series, such as :class:`selftime.Classifier`."""

    classes_: np.ndarray

    def predict_proba(self, X: SeriesSet) -> np.ndarray:
        """Probability (M,K) of each class."""
        ...


def evaluate(
    model: Model,
    classifier: FittedClassifier,
    train: Any,
    test: Any,
    *,
    probabilities: np.ndarray | None = None,
    progress: bool | Progress | None = None,
) -> Evaluation:
    """Judge a fitted classifier on labelled test series, whatever it is made of.

    Args:
        model: in whose space the nearest training series are looked for.
        classifier: fitted on ``train``.
        train: the labelled series it was fitted on, whatever :func:`selftime.read` takes.
        test: labelled series that it never saw. A class that ``train`` lacks has probability 0.
        probabilities: (M,K) of the test series, where the classifier was asked already.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: labels are missing.
    """
    train, test = read(train), read(test)
    if probabilities is None:
        probabilities = classifier.predict_proba(test)
    probabilities = np.asarray(probabilities, np.float64)
    with open_progress(progress) as tell:
        spaces = model.embed(train, progress=tell), model.embed(test, progress=tell)
    found = evaluation_of(probabilities, classifier.classes_, spaces, train, test)
    record = run_record(model.card, command="classify", source=train.source)
    return replace(found, about={"run": as_finished(record | {"seconds": None}), **found.about})


def evaluate_shots(
    model: Model, train: SeriesSet, test: SeriesSet, *, shots: Shots = None
) -> Evaluation:
    """Judge the model's row of a comparison at some labels per class, with its first draw.

    Raises:
        SeriesError: labels are missing, or test has classes that train lacks.
    """
    labels, _ = check_labels(train, test)
    row, pick = model_row(model, train, test), draw_labels(labels, shots, 1)[0]
    head = clone(row.head).fit(row.train[pick], labels[pick])
    probabilities, spaces = head.predict_proba(row.test), (row.train[pick], row.test)
    found = evaluation_of(probabilities, head.classes_, spaces, train[pick], test)
    return replace(found, about=origins(train, test))


def evaluation_of(
    probabilities: Float[np.ndarray, "M K"],
    known: np.ndarray,
    spaces: tuple[np.ndarray, np.ndarray],
    train: SeriesSet,
    test: SeriesSet,
) -> Evaluation:
    """The evaluation of probabilities that were worked out already.

    Args:
        probabilities: probability of each class for each test series.
        known: (K,) the classes they are of.
        spaces: embeddings of the training series (N,D) and of the test series (M,D).
        train: the labelled series.
        test: the judged series.

    Raises:
        SeriesError: labels are missing.
    """
    for part, series in (("train", train), ("test", test)):
        if series.labels is None:
            raise SeriesError(f"{part} has no labels, wanted one a series to judge by")
    classes, truth = number_classes(known, test.labels)
    predicted = probabilities.argmax(axis=1)
    strangers = np.zeros((len(probabilities), len(classes) - len(known)))
    found = Evaluation(
        classes=classes,
        ids=test.ids.astype(str),
        truth=truth,
        predicted=predicted,
        probabilities=six_digits(np.hstack([probabilities, strangers])),
        labelled=len(train),
    )
    names = (classes[found.truth], classes[predicted])
    mistakes = mistakes_in(test, names, found.confidence, spaces, train)
    return replace(found, mistakes=mistakes, about=origins(train, test))


def origins(train: SeriesSet, test: SeriesSet) -> dict[str, Any]:
    """Where both parts came from, as files say it."""
    return {
        name: ({"source": series.source} if series.source else {})
        | {"fingerprint": series.fingerprint()}
        for name, series in (("train", train), ("test", test))
    }


def number_classes(known: np.ndarray, labels: Any) -> tuple[np.ndarray, Int64[np.ndarray, "M"]]:
    """Names of all classes, those that training lacked last, and the number of each label."""
    names, given = known.astype(str), np.asarray(labels).astype(str)
    classes = np.concatenate([names, np.setdiff1d(given, names)])
    places = {name: k for k, name in enumerate(classes.tolist())}
    return classes, np.array([places[name] for name in given.tolist()], np.int64)


def six_digits(probabilities: Float[np.ndarray, "M K"]) -> Float[np.ndarray, "M K"]:
    """Rounded to 6 significant digits."""
    rounded = [float(f"{chance:.6g}") for chance in probabilities.ravel().tolist()]
    return np.array(rounded).reshape(probabilities.shape)
