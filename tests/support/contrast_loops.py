"""Equations 1 to 3 of Yue et al. 2022 (TS2Vec) as loops over lists of floats."""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

Vector = list[float]
Row = list[Vector | None]
"""The tokens of a series; None where there is no step."""


def rows_of(tokens: Tensor, valid: Tensor | None) -> list[Row]:
    kept = torch.ones(tokens.shape[:2], dtype=torch.bool) if valid is None else valid
    return [
        [z if exists else None for z, exists in zip(row, own, strict=True)]
        for row, own in zip(tokens.tolist(), kept.tolist(), strict=True)
    ]


def dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def one_loss(anchor: Vector, positive: Vector, negatives: list[Vector]) -> float:
    """-log(exp(a·p) / (exp(a·p) + sum over negatives of exp(a·n)))."""
    below = math.exp(dot(anchor, positive)) + sum(math.exp(dot(anchor, n)) for n in negatives)
    return -math.log(math.exp(dot(anchor, positive)) / below)


def equation_1(r: Row, s: Row, t: int) -> float:
    """Yue et al. 2022: r[t] is told from all other steps of both views of the series."""
    others = [u for u in range(len(r)) if u != t and r[u] is not None]
    return one_loss(r[t], s[t], [r[u] for u in others] + [s[u] for u in others])


def equation_2(r: list[Row], s: list[Row], i: int, t: int) -> float:
    """Yue et al. 2022: r[i][t] is told from both views of all other series at the same step."""
    others = [j for j in range(len(r)) if j != i and r[j][t] is not None]
    return one_loss(r[i][t], s[i][t], [r[j][t] for j in others] + [s[j][t] for j in others])


def mean_of(loss: Callable[[list[Row], list[Row], int, int], float], r: list[Row], s: list[Row]):
    """Over all steps that exist, of both views: either is the anchor."""
    at = [(i, t) for i, row in enumerate(r) for t, z in enumerate(row) if z is not None]
    return sum(loss(r, s, i, t) + loss(s, r, i, t) for i, t in at) / (2 * len(at))


def temporal_loop(r: list[Row], s: list[Row]) -> float:
    return mean_of(lambda a, b, i, t: equation_1(a[i], b[i], t), r, s)


def instance_loop(r: list[Row], s: list[Row]) -> float:
    return mean_of(equation_2, r, s)


def pooled(row: Row) -> Row:
    """Max pooling over two steps; of two steps the one that exists, and no odd last one."""
    found: Row = []
    for a, b in pairwise(row):
        found.append(a if b is None else [max(x, y) for x, y in zip(a, b, strict=True)])
    return found[::2]


def hierarchy_loop(r: list[Row], s: list[Row]) -> tuple[float, float, int]:
    """Both parts of equation 3, halved and averaged over the resolutions, and how many."""
    instance = temporal = 0.0
    levels = 0
    while True:
        instance, temporal = instance + instance_loop(r, s), temporal + temporal_loop(r, s)
        levels += 1
        if len(r[0]) == 1:
            return instance / (2 * levels), temporal / (2 * levels), levels
        r, s = [pooled(row) for row in r], [pooled(row) for row in s]
