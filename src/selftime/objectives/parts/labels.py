"""Labels of tasks that are made up: as many of one kind as of another."""

from jaxtyping import Float, Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.views.draws import uniform

Labels = Int[Tensor, "B"]


def balanced_labels(x: Batch, kinds: int, rng: Generator) -> Labels:
    """A label from 0 to ``kinds`` - 1 for each series; no kind has two more than another.

    Args:
        x: the series.
        kinds: how many there are.
        rng: draws which series get which, and which kinds get one more.
    """
    names = uniform(kinds, rng=rng, like=x.values).argsort()
    turns = uniform(len(x.values), rng=rng, like=x.values).argsort()
    return names[turns % kinds]


def accuracy(scores: Float[Tensor, "B K"], labels: Labels) -> Float[Tensor, ""]:
    """Share of the labels with the highest score, detached; for the log."""
    return (scores.detach().argmax(dim=1) == labels).float().mean()
