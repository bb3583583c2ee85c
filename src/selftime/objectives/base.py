"""Objective and ClosedForm: the two ways of learning from unlabelled series."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from jaxtyping import Float64
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.settings import described


@dataclass(frozen=True)
class Moments:
    """Sums over series and their augmented copies; they add over batches and workers.

    Attributes:
        series: how many series were seen.
        copies: how many copies of them.
        total: (d,) sum of all copies.
        outer: (d,d) sum of p pᵀ over all copies.
        within: (d,d) sum of (p − p̄ᵢ)(p − p̄ᵢ)ᵀ, p̄ᵢ the mean of the copies of series i.
    """

    series: int
    copies: int
    total: Float64[Tensor, "d"]
    outer: Float64[Tensor, "d d"]
    within: Float64[Tensor, "d d"]

    def __add__(self, other: "Moments") -> "Moments":
        return Moments(
            self.series + other.series,
            self.copies + other.copies,
            self.total + other.total,
            self.outer + other.outer,
            self.within + other.within,
        )


class ClosedForm(ABC):
    """Learned by one pass over the data and one solve."""

    def __repr__(self) -> str:
        return described(self)

    @abstractmethod
    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Fix from a sample of series everything that must be the same for all batches."""

    @abstractmethod
    def accumulate(self, batch: Batch, rng: Generator) -> Moments:
        """The sums of one batch; sums of several batches or workers are added."""

    @abstractmethod
    def solve(self, moments: Moments) -> Encoder:
        """The learned encoder."""
