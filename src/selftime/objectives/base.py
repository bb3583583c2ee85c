"""Objective and ClosedForm: the two ways of learning from unlabelled series."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.recipe import Recipe
from selftime.settings import described
from selftime.shapes import Embedding


class Step(NamedTuple):
    """What an objective makes of one batch.

    Attributes:
        loss: () to be lowered.
        parts: () terms of the loss for the log, detached.
        embeddings: (B,D) of one view of the batch, detached; for the monitors.
    """

    loss: Float[Tensor, ""]
    parts: dict[str, Tensor]
    embeddings: Embedding


FAMILIES = (
    "contrastive",
    "without negatives",
    "masked",
    "latent prediction",
    "pretext",
    "closed form",
)
"""What methods learn from: others, agreement alone, what was hidden, its latents, a made-up task,
or one solve."""


class Objective(nn.Module, ABC):
    """Learned by gradient: a module that holds the encoder and whatever else is trained with it.

    Its ``forward`` reads like the paper's algorithm: views, encode, loss. Randomness comes from
    ``rng`` alone, so a step is the same wherever and whenever it is computed. What compares the
    series of a batch encodes them with :func:`selftime.objectives.ranks.distribute`.

    Attributes:
        encoder: what is learned for later use.
        recipe: how it is trained where nothing else is said.
        family: what it learns from, one of :data:`FAMILIES`.
        suits: when to take it, in a few words.
    """

    encoder: Encoder
    recipe: Recipe
    family: ClassVar[str]
    suits: ClassVar[str]

    def __repr__(self) -> str:
        return described(self)

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Set what depends on the data but is not learned, from a sample of series."""
        self.encoder.prepare(sample, rng)

    @abstractmethod
    def forward(self, batch: Batch, rng: Generator) -> Step:
        """The loss of one batch.

        Raises:
            ValueError: a batch from which nothing can be learned.
        """

    def after_step(self, progress: float) -> None:  # noqa: B027 - most methods have no teacher
        """Move teachers; ``progress`` runs from 0 to 1 over the run."""


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
    """Learned by one pass over the data and one solve.

    Attributes:
        family: "closed form".
        suits: when to take it, in a few words.
    """

    family: ClassVar[str] = "closed form"
    suits: ClassVar[str]

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


def check_negatives(x: Batch) -> None:
    """A batch in which series can be told from others.

    Raises:
        ValueError: a single series.
    """
    check_several(
        x,
        "it is told from the other series of the batch, and without any the loss is 0 whatever is "
        "learned",
    )


def check_several(x: Batch, why: str) -> None:
    """A batch of two series or more.

    Args:
        x: the batch.
        why: what more than one is needed for.

    Raises:
        ValueError: a single series.
    """
    if len(x.values) < 2:
        raise ValueError(
            f"got a batch of 1 series, wanted at least 2: {why}. Use a larger batch, or "
            "cut a long recording into windows (selftime.windows)"
        )
