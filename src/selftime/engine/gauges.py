"""Monitors: what the embeddings of some series say about whether learning works."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float64, Int
from torch import Tensor

from selftime.shapes import Embedding

EPSILON = 1e-7
"""Added to each share of the singular values (RankMe, equation 1)."""


def spread(z: Embedding) -> float:
    """How differently embeddings point: 1 when healthy, 0 when collapsed.

    √D times the mean over the D features of the standard deviation of z / ‖z‖ (Chen & He 2021,
    SimSiam, section 4.1 and figure 2, whose healthy 1/√D is 1 here). The deviation divides by N,
    so that 1 is the most there can be. Untrained networks give all series nearly the same
    vector: 0.006 to 0.35 before training is usual, and what counts is that it does not fall.
    """
    return float(unit(z).std(dim=0, correction=0).mean() * math.sqrt(z.shape[1]))


def effective_rank(z: Embedding) -> float:
    """In how many directions embeddings differ: from 1 (collapsed) to min(N,D).

    RankMe (Garrido et al. 2023, equation 1): exp(−Σ pₖ log pₖ) with pₖ = σₖ / Σσ + ε of the
    singular values σ, ε = 1e-7. A mean that all share is one large σ: take it off to measure in
    what embeddings differ. NaN where they are not finite.
    """
    if not bool(z.isfinite().all()):
        return math.nan
    sizes = torch.linalg.svdvals(z.double())  # (min(N,D),)
    if float(sizes[0]) == 0:
        return 1.0
    share = sizes / sizes.sum() + EPSILON
    return float((-share * share.log()).sum().exp())


def alignment(a: Embedding, b: Embedding) -> float:
    """How far two views of a series lie apart: 0 when they are the same, 2 when unrelated.

    The mean of ‖a − b‖² over pairs of unit vectors (Wang & Isola 2020, equation 1 with α = 2).
    It is low in collapse too: read it beside :func:`uniformity`.
    """
    return float((unit(a) - unit(b)).square().sum(dim=1).mean())


def uniformity(z: Embedding, t: float = 2.0) -> float:
    """How evenly embeddings fill the sphere: 0 when all are the same, about −2t when even.

    The logarithm of the mean of exp(−t ‖x − y‖²) over all pairs of different rows, as unit
    vectors (Wang & Isola 2020, equation 2, with their t = 2). NaN where there is no pair.
    """
    x = unit(z)
    if len(x) < 2:
        return math.nan
    nearness = -t * torch.pdist(x).square()  # (N(N-1)/2,)
    return float(nearness.logsumexp(dim=0)) - math.log(len(nearness))


def neighbour_accuracy(z: Embedding, labels: Int[Tensor, " B"]) -> float:
    """Share of rows whose nearest other row, by cosine, has the same label; NaN for one row.

    The online probe of self-supervised learning in its simplest form (Wu et al. 2018, section
    3.4, with one neighbour). Labels are looked at, never learned from. Chance is the share of the
    most frequent class: compare with the value before training.
    """
    x = unit(z)
    if len(x) < 2 or not bool(x.isfinite().all()):
        return math.nan
    likeness = (x @ x.T).fill_diagonal_(-torch.inf)
    return float((labels[likeness.argmax(dim=1)] == labels).double().mean())


def length(z: Embedding) -> float:
    """The mean of ‖z‖: all other monitors but the rank see directions only."""
    return float(torch.linalg.vector_norm(z.double(), dim=1).mean())


def unit(z: Embedding) -> Float64[Tensor, "B D"]:
    """Rows of length 1 in double precision, however short they were; a row of zeros stays one."""
    size = torch.linalg.vector_norm(z.double(), dim=1, keepdim=True)  # (B,1)
    vectors: Tensor = z.double() / size.masked_fill(size == 0, 1.0)
    return vectors


class Monitor(NamedTuple):
    """What a monitor says, when it is healthy, and what to do when it is not.

    Attributes:
        name: as in readings.
        about: what it means, in one line.
        low: lower end of the healthy range.
        high: upper end.
        remedy: what to change first.
    """

    name: str
    about: str
    low: float
    high: float
    remedy: str


APART = "choose an objective that pushes series apart (simclr has negatives)"
WEAKER = "weaken the views (a lower strength)"

MONITORS: dict[str, Monitor] = {
    monitor.name: monitor
    for monitor in (
        Monitor("spread", "how differently vectors point: 0 collapsed, 1 most", 0.001, 1.0, APART),
        Monitor("rank", "in how many directions vectors differ", 1.5, math.inf, WEAKER),
        Monitor("alignment", "distance of two views: 0 same, 2 unrelated", 0.0, 0.5, WEAKER),
        Monitor("uniformity", "0 all alike, lower is more even", -math.inf, -4e-6, APART),
        Monitor("knn", "share of nearest neighbours of the same label", 0.0, 1.0, "train longer"),
        Monitor("length", "mean length of vectors", 0.0, math.inf, "lower the weight decay"),
        Monitor("gradient_norm", "length of the gradient", 0.0, math.inf, "clip it (clip=1)"),
    )
}
"""Every monitor of a run; the loop measures the last. The ranges held before training and at the
end of 194 healthy runs. They are wide, since untrained networks differ so much: collapse is a fall,
which ``watching`` looks for."""
