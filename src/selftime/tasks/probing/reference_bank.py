"""The reference bank of unlabelled vectors: neighbours in it, and its most confident labels."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from jaxtyping import Float, Int

_Vectors = Float[np.ndarray, "n D"]
_Known = tuple[_Vectors, Float[np.ndarray, "M D"], int, _Vectors]
_kept: ContextVar[list[_Known] | None] = ContextVar("_kept", default=None)


@contextmanager
def keep_neighbours() -> Iterator[None]:
    """Find the neighbours of the same vectors once, whoever asks for them, until this ends."""
    token = _kept.set([])
    try:
        yield
    finally:
        _kept.reset(token)


def neighbour_mean(X: _Vectors, reference_bank: Float[np.ndarray, "M D"], count: int) -> _Vectors:
    """Return the mean (n,D) of the nearest vectors of the bank by cosine.

    A vector never counts itself, and ``count`` is at most half of the bank.
    """
    kept = _kept.get()
    for vectors, bank, number, mean in kept or ():
        same = number == count and np.array_equal(vectors, X)
        if same and np.array_equal(bank, reference_bank):
            return mean
    nearest = neighbour_rows(X, reference_bank, count)
    shares = np.zeros((len(X), len(reference_bank)), np.result_type(X, reference_bank))
    np.put_along_axis(shares, nearest, 1 / nearest.shape[1], axis=1)
    mean = np.asarray(shares @ reference_bank)
    if kept is not None:
        kept.append((X, reference_bank, count, mean))
    return mean


def neighbour_rows(
    X: _Vectors, reference_bank: Float[np.ndarray, "M D"], count: int
) -> Int[np.ndarray, "n k"]:
    """Return rows of the nearest vectors of the bank by cosine, as :func:`neighbour_mean` does."""
    wanted = max(min(count, len(reference_bank) // 2), 1)
    cosine = unit_vectors(X) @ unit_vectors(reference_bank).T  # (n,M)
    cosine[cosine > SAME_SERIES] = -np.inf
    return np.asarray(np.argpartition(-cosine, wanted - 1, axis=1)[:, :wanted])


def unit_vectors(X: _Vectors) -> _Vectors:
    """Scale vectors to length 1; zeros stay zeros."""
    return np.asarray(X / np.maximum(np.linalg.norm(X, axis=1, keepdims=True), MIN_NORM))


def most_confident(
    scores: Float[np.ndarray, "M K"], each: int | Int[np.ndarray, "K"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the most confident ``each`` of every class, or all it has, and their classes.

    Confidence is high where Σ exp(sⱼ - s) over the other classes is low, s the highest score.
    Probabilities give the same order, but near 1 they round to equal ones.
    """
    given = scores.argmax(axis=1)
    others = np.exp(scores - scores.max(axis=1, keepdims=True))
    others[np.arange(len(given)), given] = 0
    order = np.lexsort((others.sum(axis=1), given))  # class by class, the most confident first
    counts = np.bincount(given, minlength=scores.shape[1])
    place = np.arange(len(given)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = order[place < np.broadcast_to(each, counts.shape)[given[order]]]
    return rows, given[rows]


def most_confident_share(
    scores: Float[np.ndarray, "M K"], share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the most confident share of each class, and their classes."""
    counts = np.bincount(scores.argmax(axis=1), minlength=scores.shape[1])
    return most_confident(scores, np.ceil(share * counts).astype(int))


SAME_SERIES = 1 - 1e-6
"""Cosine above which two vectors are those of one series, to the precision of float32."""
MIN_NORM = 1e-12
