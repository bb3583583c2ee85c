"""Objective and ClosedForm: learning from series without labels, by gradient or in one solve."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.door import option
from selftime.encoders.base import Encoder
from selftime.objectives.distributed import summed
from selftime.settings import describe
from selftime.shapes import Embedding, Observed, Values

Averaging = Literal["none", "ema", "mean"]
AVERAGING: tuple[Averaging, ...] = ("none", "ema", "mean")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """AdamW (Loshchilov & Hutter 2019) with a learning rate that rises and, if wanted, falls again.

    A step has ``batch_size`` series over all processes; weight decay is decoupled. The rate rises
    from 0 over the share ``warmup`` of the run, then falls along half a cosine, or stays. Weights
    are those of the last step ("none"), a running average with decay 0.99 ("ema"), or the mean over
    all steps ("mean": stochastic weight averaging, Izmailov et al. 2018).
    """

    batch_size: int = 64
    rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.05
    cosine: bool = True
    averaging: Averaging = "none"

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"got batch_size {self.batch_size}, wanted at least 1")
        if not self.rate > 0:
            raise ValueError(f"got rate {self.rate}, wanted more than 0, such as 0.001")
        if not self.weight_decay >= 0:
            raise ValueError(f"got weight_decay {self.weight_decay}, wanted 0 or more")
        if not 0 <= self.warmup < 1:
            raise ValueError(f"got warmup {self.warmup}, wanted a share from 0 to below 1")
        if self.averaging not in AVERAGING:
            raise ValueError(
                f"got averaging {self.averaging!r}, wanted one of {', '.join(AVERAGING)}"
            )


def half_cosine(progress: float) -> float:
    """Return half a cosine: 1 at progress 0, 0 at progress 1 (Loshchilov & Hutter 2017)."""
    return (1 + math.cos(math.pi * progress)) / 2


class Step(NamedTuple):
    """Loss () of one batch, its terms () for the log, and embeddings (B,D) of a view, detached."""

    loss: Float[Tensor, ""]
    parts: dict[str, Tensor]
    embeddings: Embedding


class Guess(NamedTuple):
    """Series, True where an objective hid a part of one, and what it makes of the hidden parts."""

    whole: Batch
    hidden: Observed
    made: Values


SIGNALS = ("series", "images", "text", "sound", "wave", "film")
"""Kinds of signals that objectives may learn from (:mod:`selftime.data.signals`)."""
FAMILIES = ("contrastive", "without negatives", "masked",
            "latent prediction", "pretext", "closed form")  # fmt: skip
"""Sources of learning: other series, agreement alone, hidden values, hidden latents, a made-up
task, one solve."""


class Objective(nn.Module, ABC):
    """Base of methods learned by gradient: a module of the encoder and all that is trained with it.

    Its ``forward`` reads like the paper's algorithm: views, encode, loss. Randomness comes from
    ``rng`` alone, so a step is the same wherever and whenever it is computed. Methods that compare
    the series of a batch encode them with :func:`selftime.objectives.distributed.distribute`. The
    ``encoder`` is kept for later use, trained by the ``recipe`` unless the caller says otherwise.
    ``family`` is one of :data:`FAMILIES`; ``suits`` says in a few words when to take it.
    """

    encoder: Encoder
    recipe: Recipe
    family: ClassVar[str]
    suits: ClassVar[str]
    signals: ClassVar[tuple[str, ...]] = SIGNALS
    """Kinds of signals that it makes sense for."""

    def __repr__(self) -> str:
        return describe(self)

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Set what depends on the data but is not learned, from a sample of series."""
        self.encoder.prepare(sample, rng)

    @abstractmethod
    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Return the loss of one batch; raise a ValueError if nothing can be learned from it."""

    def guess(self, batch: Batch, rng: Generator) -> Guess | None:  # noqa: ARG002
        """Hide parts of series as in learning, and fill them in; None of one that hides nothing."""
        return None

    def after_step(self, progress: float) -> None:  # noqa: B027 - most methods have no teacher
        """Move teachers; ``progress`` runs from 0 to 1 over the run."""


@dataclass(frozen=True)
class Moments:
    """Sums over series and their augmented copies p; they add over batches and workers.

    ``outer`` is the sum of p pᵀ, ``within`` that of (p − p̄ᵢ)(p − p̄ᵢ)ᵀ, p̄ᵢ the mean of series i.
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

    def emptied(self) -> "Moments":
        """Return sums of nothing."""
        nothing = map(torch.zeros_like, (self.total, self.outer, self.within))
        return Moments(0, 0, *nothing)

    def over_processes(self) -> "Moments":
        """Return the sums over all processes of a run, each of which has seen its own series."""
        counts = torch.tensor([self.series, self.copies])
        series, copies = summed(counts).tolist()
        return Moments(series, copies, *map(summed, (self.total, self.outer, self.within)))


class ClosedForm(ABC):
    """Base of methods that learn by one pass and one solve; ``suits`` says when to take each."""

    family: ClassVar[str] = "closed form"
    suits: ClassVar[str]
    signals: ClassVar[tuple[str, ...]] = ("series", "images", "sound", "wave", "film")
    """Kinds of signals that it makes sense for: random convolutions do not read symbols."""

    def __repr__(self) -> str:
        return describe(self)

    @abstractmethod
    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Fix from a sample of series everything that must be the same for all batches."""

    @abstractmethod
    def accumulate(self, batch: Batch, rng: Generator) -> Moments:
        """Return the sums of one batch; sums of several batches or workers are added."""

    @abstractmethod
    def solve(self, moments: Moments) -> Encoder:
        """Return the learned encoder."""


def check_negatives(x: Batch) -> None:
    """Raise a ValueError for a batch of a single series, which has no negatives."""
    check_several(
        x, "the other series of the batch are its negatives, and without any the loss is always 0"
    )


def check_several(x: Batch, why: str) -> None:
    """Raise a ValueError for a batch of a single series; ``why`` says what more are needed for."""
    if len(x.values) < 2:
        raise ValueError(
            f"got a batch of 1 series, wanted at least 2: {why}. Use a larger batch, or "
            f"cut a long recording into windows, {option('windows', 500)}"
        )
