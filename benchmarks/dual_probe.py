"""The probe for many draws of labels at once: the same scores, from one matrix of products.

:class:`selftime.tasks.probing.probe.Probe` solves in whichever space is smaller, of vectors or of
cases, anew for every draw. Benchmarks that judge dozens of draws on the same vectors need the
products of these once; each fit is then a matter of milliseconds. `check` compares both.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.linalg import cho_factor, cho_solve

from selftime.tasks.probing import probe
from selftime.tasks.probing.probe import NEIGHBOURS_AVERAGED, Probe, softmax_temperature
from selftime.tasks.probing.reference_bank import (
    MIN_NORM,
    SAME_SERIES,
    most_confident_share,
    unit_vectors,
)
from selftime.tasks.probing.ridge import class_signs


class Products(NamedTuple):
    """Products of the bank (M), labelled vectors (L) and judged ones (J), in this order of rows.

    Attributes:
        plain: (M+L+J,M+L) with the bank and the labelled vectors.
        near: (M+L+J,M+L) of the mean of each vector's neighbours with the same.
        shares: (L,M) of the bank in the mean of each labelled vector's neighbours.
        bank: M.
    """

    plain: Float[np.ndarray, "A B"]
    near: Float[np.ndarray, "A B"]
    shares: Float[np.ndarray, "L M"]
    bank: int


def products_of(bank: np.ndarray, labelled: np.ndarray, judged: np.ndarray) -> Products:
    """Multiply all vectors with those that a probe may learn from."""
    M = len(bank)
    every = np.concatenate([bank, labelled, judged]).astype(np.float64)
    plain = every @ every[: M + len(labelled)].T
    unit = unit_vectors(every)
    cosine = unit @ unit[:M].T
    cosine[cosine > SAME_SERIES] = -np.inf
    wanted = max(min(NEIGHBOURS_AVERAGED, M // 2), 1)
    nearest = np.argpartition(-cosine, wanted - 1, axis=1)[:, :wanted]
    shares = np.zeros_like(cosine)
    np.put_along_axis(shares, nearest, 1 / wanted, axis=1)
    return Products(plain, shares @ plain[:M], shares[M : M + len(labelled)], M)


def hits_of(
    vectors: Float[np.ndarray, "N D"],
    labels: np.ndarray,
    bank: Float[np.ndarray, "M D"],
    judged: Int[np.ndarray, "J"],
    picks: Sequence[Int[np.ndarray, "n"]],
    penalty: float | None = None,
) -> Bool[np.ndarray, "R J"]:
    """Return the judged series that the probe gets right, fitted anew on each draw of labels."""
    rows = np.unique(np.concatenate(list(picks)))
    known = products_of(bank, vectors[rows], vectors[judged])
    out = []
    for pick in picks:
        classes, index = np.unique(labels[pick], return_inverse=True)
        scores = scores_of(known, np.searchsorted(rows, pick), index, penalty)
        out.append(classes[scores.argmax(axis=1)] == labels[judged])
    return np.stack(out)


def scores_of(
    known: Products,
    picked: Int[np.ndarray, "n"],
    index: Int[np.ndarray, "n"],
    penalty: float | None,
) -> Float[np.ndarray, "J K"]:
    """Return the scores of the judged vectors, of a probe fitted on some labelled ones."""
    M, n, labels = known.bank, len(picked), np.bincount(index)
    reach = probe._SHIFT_SHARE / float(labels.mean())
    asked = np.r_[:M, M + len(known.shares) : len(known.plain)]  # the bank and the judged
    moved = _moved(known, M + picked, picked, reach)
    signs = class_signs(index, len(labels))
    tried = probe.penalties_for(labels) if penalty is None else (penalty,)
    found = {each: _solve(moved, signs, each) for each in tried}
    penalty = min(found, key=lambda each: float(np.square(found[each][2] - signs).mean()))
    weights, offset, held_out = found[penalty]
    scores = _moved(known, asked, picked, reach) @ weights + offset
    strength = labels.min() / labels.max() / labels.mean()
    deviation = scores[:M].std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0) ** strength
    shift = strength * scores[:M].mean(axis=0)
    scores = (scores - shift) / scale
    temperature = softmax_temperature((held_out - shift) / scale, index)
    if n >= M:
        return scores[M:]
    share = probe._SELF_TRAINING_SHARE * (1 - n / M)
    first = mixed = scores
    for _ in range(Probe().rounds):
        rows, given = most_confident_share(mixed[:M] / temperature, probe._CONFIDENT_SHARE)
        cases, both = np.r_[M + picked, rows], np.r_[index, given]
        between = known.plain[np.ix_(cases, cases)]
        weights, offset, _ = _solve(between, class_signs(both, len(labels)), penalty, few=False)
        second = known.plain[np.ix_(asked, cases)] @ weights + offset
        size = share * first[:M].std() / max(second[:M].std(), MIN_NORM)
        mixed = (1 - share) * first + size * second
    return mixed[M:]


def _moved(
    known: Products, rows: Int[np.ndarray, "a"], picked: Int[np.ndarray, "n"], reach: float
) -> Float[np.ndarray, "a n"]:
    """Return products of vectors and labelled ones, all moved towards their neighbours."""
    M, shares = known.bank, known.shares[picked]
    both = known.plain[rows][:, M + picked] + reach * known.near[rows][:, M + picked]
    far = known.plain[rows][:, :M] + reach * known.near[rows][:, :M]
    return np.asarray(both + reach * far @ shares.T)


def _solve(
    between: Float[np.ndarray, "n n"], signs: Float[np.ndarray, "n K"], penalty: float, *, few=True
) -> tuple[Float[np.ndarray, "n K"], Float[np.ndarray, "K"], Float[np.ndarray, "n K"] | None]:
    """Return weights of cases, offsets, and left-out scores where they are asked for."""
    n, mean, level = len(between), between.mean(axis=0), signs.mean(axis=0)
    centred = between - mean - mean[:, None] + mean.mean()
    added = penalty * max(float(np.trace(centred)) / n, 1e-12)
    factor = cho_factor(centred + added * np.eye(n), overwrite_a=True, check_finite=False)
    weights = cho_solve(factor, signs - level, check_finite=False)
    held_out = None
    if few:
        leverage = 1 - added * np.diag(cho_solve(factor, np.eye(n), check_finite=False))
        residual = signs - level - centred @ weights
        held_out = signs - residual / (1 - leverage - 1 / n).clip(min=1e-6)[:, None]
    weights = weights - weights.mean(axis=0)
    return weights, level - mean @ weights, held_out


def check(
    vectors: np.ndarray,
    labels: np.ndarray,
    bank: np.ndarray,
    judged: np.ndarray,
    picks: Sequence[np.ndarray],
) -> float:
    """Return the share of answers in which this and the probe itself differ."""
    here = hits_of(vectors, labels, bank, judged, picks)
    heads = [Probe(reference_bank=bank).fit(vectors[pick], labels[pick]) for pick in picks]
    there = [head.predict(vectors[judged]) == labels[judged] for head in heads]
    return float((here != np.stack(there)).mean())
