"""Mistakes of a classifier beside the training series that are most similar to them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from selftime.data.series import SeriesSet
from selftime.tasks.probing.reference_bank import unit_vectors


class Lookalike(NamedTuple):
    """The id of a training series, and the cosine of its embedding and that of a test series."""

    id: Any
    similarity: float


class Mistake(NamedTuple):
    """A test series with a wrong prediction, and the training series most similar to it."""

    id: Any
    truth: str
    predicted: str
    confidence: float  # probability of the predicted class
    like_predicted: Lookalike | None  # of the predicted class
    like_truth: Lookalike | None  # of the true class; None where training had no such class


MOST_MISTAKES = 24
"""Most wrong predictions that are kept with their nearest training series."""


def mistakes_in(
    test: SeriesSet,
    names: tuple[np.ndarray, np.ndarray],
    confidence: Float[np.ndarray, "M"],
    spaces: tuple[np.ndarray, np.ndarray],
    train: SeriesSet,
) -> tuple[Mistake, ...]:
    """Return wrong predictions beside their nearest training series, the most confident first.

    ``names`` are true and predicted classes (M,), ``spaces`` embeddings of train and test.
    """
    truth, predicted = names
    wrong = np.flatnonzero(truth != predicted)
    given, ids = np.asarray(train.labels).astype(str), train.ids
    found = []
    for i in wrong[np.argsort(-confidence[wrong], kind="stable")][:MOST_MISTAKES].tolist():
        words = test.ids[i].item(), str(truth[i]), str(predicted[i])
        likes = [
            most_similar(spaces[1][i], spaces[0], ids, given == name)
            for name in (predicted[i], truth[i])
        ]
        found.append(Mistake(*words, float(confidence[i]), *likes))
    return tuple(found)


def most_similar(
    vector: Float[np.ndarray, "D"],
    among: Float[np.ndarray, "N D"],
    ids: np.ndarray,
    allowed: Bool[np.ndarray, "N"],
) -> Lookalike | None:
    """Return the allowed training series of highest cosine, the first of equals, or None."""
    rows = np.flatnonzero(allowed)
    if not len(rows):
        return None
    units = unit_vectors(among[rows].astype(np.float64))
    cosines = units @ unit_vectors(vector[None].astype(np.float64))[0]
    best = int(cosines.argmax())
    return Lookalike(ids[rows[best]].item(), round(float(cosines[best]), 6))


def mistake_to_dict(mistake: Mistake) -> dict[str, Any]:
    """Return plain values for JSON."""
    likes = {"like_predicted": mistake.like_predicted, "like_truth": mistake.like_truth}
    return mistake._asdict() | {name: like and like._asdict() for name, like in likes.items()}


def mistake_from_dict(content: Mapping[str, Any]) -> Mistake:
    """Return the mistake that :func:`mistake_to_dict` wrote."""
    return Mistake(
        id=content["id"],
        truth=str(content["truth"]),
        predicted=str(content["predicted"]),
        confidence=float(content["confidence"]),
        like_predicted=lookalike_of(content["like_predicted"]),
        like_truth=lookalike_of(content["like_truth"]),
    )


def lookalike_of(content: Mapping[str, Any] | None) -> Lookalike | None:
    """Return a training series that :func:`mistake_to_dict` wrote."""
    return Lookalike(content["id"], float(content["similarity"])) if content else None
