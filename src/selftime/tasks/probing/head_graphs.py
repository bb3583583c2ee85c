"""Heads as graphs: what a fitted head says of vectors, in tensors of 64 bits as in the head."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from torch import Tensor, nn

from selftime.tasks.probing.heads import NEAREST, LabelsProbe, ValueProbe
from selftime.tasks.probing.probe import NEIGHBOURS_AVERAGED, Probe
from selftime.tasks.probing.reference_bank import MIN_NORM, SAME_SERIES
from selftime.tasks.probing.semi import LabelSpreading, Prototypes, SelfTraining, balance_of

Vectors = Float[Tensor, "n D"]
HeadOutputs = Float[Tensor, "n K"]


class HeadGraph(nn.Module):
    """Base of heads as graphs: from vectors (n,D) to probabilities or values (n,K), in 64 bits."""

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        super().__init__()
        for name, array in arrays.items():
            self.register_buffer(name, torch.as_tensor(np.asarray(array, np.float64)))


class LinearGraph(HeadGraph):
    """Weights, offsets, and a function of what they give."""

    coef: Tensor
    intercept: Tensor

    def __init__(self, head: ValueProbe | LabelsProbe) -> None:
        super().__init__({"coef": head.coef_, "intercept": head.intercept_})
        self.temperature = head.temperature_ if isinstance(head, LabelsProbe) else None

    def forward(self, vectors: Vectors) -> HeadOutputs:
        """Values, or the probability of each label."""
        scores = vectors @ self.coef.T + self.intercept
        return scores if self.temperature is None else (scores / self.temperature).sigmoid()


class ProbeGraph(HeadGraph):
    """:class:`selftime.tasks.probing.probe.Probe` with its reference bank."""

    coef: Tensor
    own_coef: Tensor
    intercept: Tensor
    bank: Tensor

    def __init__(self, head: Probe) -> None:
        bank = np.zeros((0, 1)) if head.reference_bank is None else head.reference_bank
        super().__init__(
            {
                "coef": head.coef_,
                "own_coef": head.own_coef_,
                "intercept": head.intercept_,
                "bank": bank,
            }
        )
        self.reach, self.temperature = float(head.reach_), float(head.temperature_)

    def forward(self, vectors: Vectors) -> HeadOutputs:
        """Probabilities of the classes."""
        near = vectors
        if self.bank.shape[0]:
            near = vectors + self.reach * neighbours_in(self.bank, vectors, NEIGHBOURS_AVERAGED)
        scores = near @ self.coef.T + (vectors @ self.own_coef.T + self.intercept)
        return (scores / self.temperature).softmax(dim=1)


def neighbours_in(bank: Float[Tensor, "M D"], vectors: Vectors, count: int) -> Vectors:
    """:func:`selftime.tasks.probing.reference_bank.neighbour_mean`."""
    wanted = max(min(count, bank.shape[0] // 2), 1)
    cosines = unit_rows(vectors) @ unit_rows(bank).T
    cosines = cosines.masked_fill(cosines > SAME_SERIES, -torch.inf)
    return bank[cosines.topk(wanted, dim=1).indices].mean(dim=1)


def unit_rows(rows: Vectors) -> Vectors:
    """:func:`selftime.tasks.probing.reference_bank.unit_vectors`."""
    return rows / rows.square().sum(dim=1, keepdim=True).sqrt().clamp(min=MIN_NORM)


class ScaledGraph(HeadGraph):
    """A head behind the standardisation of a pipeline."""

    mean: Tensor
    scale: Tensor

    def __init__(self, pipeline: Pipeline) -> None:
        scaler, head = pipeline[0], pipeline[1]
        super().__init__({"mean": scaler.mean_, "scale": scaler.scale_})
        self.head = head_graph(head)

    def forward(self, vectors: Vectors) -> HeadOutputs:
        """Answers of the head to standardised vectors."""
        out: Tensor = self.head((vectors - self.mean) / self.scale)
        return out


class NeighboursGraph(HeadGraph):
    """The labels of the nearest vectors, as "knn" counts them."""

    known: Tensor
    labels: Tensor

    def __init__(self, head: KNeighborsClassifier) -> None:
        labels = np.eye(len(head.classes_))[head._y]
        super().__init__({"known": head._fit_X, "labels": labels})
        self.count = head.n_neighbors

    def forward(self, vectors: Vectors) -> HeadOutputs:
        """The share of each class, nearer vectors with more weight."""
        distances = 1 - unit_rows(vectors) @ unit_rows(self.known).T
        near, rows = distances.topk(self.count, dim=1, largest=False)
        votes = (self.labels[rows] / near.clamp(min=NEAREST)[:, :, None]).sum(dim=1)
        return votes / votes.sum(dim=1, keepdim=True)


class PrototypesGraph(HeadGraph):
    """:class:`selftime.tasks.probing.semi.Prototypes`."""

    centre: Tensor
    means: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(self, head: Prototypes) -> None:
        shift, scale = balance_of(head.over_, head.strength_)
        super().__init__(
            {"centre": head.centre_, "means": head.means_, "shift": shift, "scale": scale}
        )
        self.temperature = head.temperature

    def forward(self, vectors: Vectors) -> HeadOutputs:
        """Probabilities of the classes."""
        scores = unit_rows(vectors - self.centre) @ self.means.T
        return ((scores - self.shift) / self.scale / self.temperature).softmax(dim=1)


class SpreadGraph(HeadGraph):
    """:class:`selftime.tasks.probing.semi.LabelSpreading`."""

    centre: Tensor
    known: Tensor
    shares: Tensor

    def __init__(self, head: LabelSpreading) -> None:
        super().__init__({"centre": head.centre_, "known": head.known_, "shares": head.shares_})
        self.count = min(head.neighbours, len(head.known_))

    def forward(self, vectors: Vectors) -> HeadOutputs:
        """Shares of the classes among the neighbours, or among all vectors."""
        cosines = unit_rows(vectors - self.centre) @ self.known.T
        similarity = (2 * (cosines - 1)).exp()
        last = cosines.topk(self.count, dim=1).values[:, -1:]
        votes = similarity.masked_fill(cosines < last, 0.0) @ self.shares
        reached = votes.sum(dim=1, keepdim=True) > 0
        votes = torch.where(reached, votes, similarity @ self.shares)
        return votes / votes.sum(dim=1, keepdim=True)


GRAPHS: dict[type, Callable[[Any], nn.Module]] = {
    Probe: ProbeGraph,
    ValueProbe: LinearGraph,
    LabelsProbe: LinearGraph,
    Pipeline: ScaledGraph,
    KNeighborsClassifier: NeighboursGraph,
    Prototypes: PrototypesGraph,
    SelfTraining: lambda head: ProbeGraph(head.probe_),
    LabelSpreading: SpreadGraph,
}
"""The graph of each kind of head."""


def head_graph(head: Any) -> nn.Module:
    """Return a fitted head as a module: vectors (n,D) of 64 bits to probabilities or values (n,K).

    Raises:
        ValueError: a head of another kind.
    """
    if type(head) not in GRAPHS:
        known = ", ".join(kind.__name__ for kind in GRAPHS)
        raise ValueError(f"got a head of {type(head).__name__}, wanted one of {known}")
    return GRAPHS[type(head)](head)
