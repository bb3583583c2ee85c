"""Masks of spans: steps that are hidden together, as functions of drawn numbers and as parts.

True is kept. Every span lies within the length of its series; padding is never hidden.
"""

from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.shapes import Lengths
from selftime.views.draws import check_count, check_share, uniform


def padding(lengths: Lengths, T: int) -> Bool[Tensor, "B {T}"]:
    """True behind the last step of each series."""
    return torch.arange(T, device=lengths.device) >= lengths[:, None]


def outside_blocks(
    lengths: Lengths, T: int, begin: Float[Tensor, "B S"], shares: Float[Tensor, "B S"]
) -> Bool[Tensor, "B {T}"]:
    """True outside blocks that may overlap.

    Args:
        lengths: (B,) steps of each series.
        T: steps of the result.
        begin: (B,S) in [0, 1), from the first step at which a block fits to the last.
        shares: (B,S) of the length that each block takes, rounded to whole steps.
    """
    steps = torch.arange(T, device=lengths.device)
    width = (shares.double() * lengths[:, None]).round().long()  # (B,S)
    first = (begin * (lengths[:, None] - width + 1)).long()  # (B,S)
    within = (first[:, :, None] <= steps) & (steps < (first + width)[:, :, None])  # (B,S,T)
    return ~within.any(dim=1)


def outside_spans(
    lengths: Lengths, T: int, begin: Float[Tensor, "B S"], share: float
) -> Bool[Tensor, "B {T}"]:
    """True outside blocks that all take the same share, and on the last step of each series.

    Args:
        lengths: (B,) steps of each series.
        T: steps of the result.
        begin: (B,S) in [0, 1), from the first step at which a span fits to the last.
        share: of the length, rounded to whole steps.
    """
    keep = outside_blocks(lengths, T, begin, torch.full_like(begin, share, dtype=torch.float64))
    return keep | (torch.arange(T, device=lengths.device) == lengths[:, None] - 1)


def outside_segments(
    draw: Float[Tensor, "B T"], *, share: float, mean: float
) -> Bool[Tensor, "B T"]:
    """True outside segments of geometric length: a Markov chain of two states, without a loop.

    The first step is hidden with chance ``share``. After it a hidden step is followed by a kept
    one with chance ``leave`` and a kept step by a hidden one with chance ``enter``, so that every
    step is hidden with chance enter / (enter + leave) = share.

    One number in [0, 1) decides each move: below ``enter`` a kept state turns to hidden, below
    1 - leave a hidden one stays. A number on the same side of both leads to the same state from
    either; between them the state stays (or turns, where enter > 1 - leave). So each step follows
    from the last number that led to the same state from either, or from the first step.

    Args:
        draw: (B,T) uniform in [0, 1).
        share: chance that a step is hidden, 0 to 1.
        mean: steps of a hidden segment, at least 1; where share > mean / (mean + 1) kept
            segments are single steps and hidden ones as long as the share needs.
    """
    pace = 1 / max(mean * (1 - share), share)
    enter, leave = pace * share, pace * (1 - share)
    low, high = sorted((enter, 1 - leave))
    steps = torch.arange(draw.shape[1], device=draw.device)
    hides = (draw < low).where(steps > 0, draw < share)
    decides = (draw < low) | (draw >= high)
    source = steps.where(decides, 0).cummax(dim=1).values  # (B,T): the last step that decided
    turned = (steps - source) % 2 == 1
    return ~hides.gather(1, source) ^ (turned & (pace > 1))


@dataclass(frozen=True, kw_only=True)
class SpanMask:
    """Some spans of one width are hidden; they may overlap: the continuous mask of TS2Vec.

    Attributes:
        spans: how many in each series.
        share: of the length that each span takes, 0 to 1, rounded to whole steps.

    Raises:
        ValueError: a negative number of spans or a share outside 0 to 1.
    """

    spans: int = 5
    share: float = 0.1

    def __post_init__(self) -> None:
        check_count("spans", self.spans, 0)
        check_share("share", self.share)

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Steps outside the spans."""
        begin = uniform(len(x.values), self.spans, rng=rng, like=x.values)
        shares = torch.full_like(begin, self.share, dtype=torch.float64)
        return outside_blocks(x.lengths, x.values.shape[2], begin, shares)


@dataclass(frozen=True, kw_only=True)
class BlockMask:
    """Hidden segments of geometric length take turns with kept ones.

    The mask of TST (Zerveas et al. 2021, *A transformer-based framework for multivariate time
    series representation learning*, on unsupervised pre-training), which draws one for each
    channel: ``EachChannel(mask=BlockMask())``.

    Attributes:
        share: chance that a step is hidden, 0 to 1.
        mean: steps of a hidden segment; longer where the share needs it (above
            mean / (mean + 1), where kept segments are single steps).

    Raises:
        ValueError: share outside 0 to 1, or a mean below 1.
    """

    share: float = 0.15  # TST
    mean: float = 3.0  # TST

    def __post_init__(self) -> None:
        check_share("share", self.share)
        if not 1 <= self.mean < inf:
            raise ValueError(f"got mean={self.mean}, wanted steps from 1 on: use mean=3.0")

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Steps outside the hidden segments."""
        B, _, T = x.values.shape
        draw = uniform(B, T, rng=rng, like=x.values)
        keep = outside_segments(draw, share=self.share, mean=self.mean)
        return keep | padding(x.lengths, T)


@dataclass(frozen=True, kw_only=True)
class MultiBlockMask:
    """Several blocks of drawn width are hidden; they may overlap.

    The targets of I-JEPA (Assran et al. 2023, section 3), with time in place of the plane.

    Attributes:
        blocks: how many in each series.
        least: smallest share of the length that a block takes, 0 to 1; uniform up to ``most``.
        most: largest share, rounded to whole steps like all between.

    Raises:
        ValueError: a negative number of blocks, shares outside 0 to 1 or the wrong way round.
    """

    blocks: int = 4  # I-JEPA, section 3
    least: float = 0.15  # I-JEPA, section 3
    most: float = 0.2  # I-JEPA, section 3

    def __post_init__(self) -> None:
        check_count("blocks", self.blocks, 0)
        check_share("least", self.least)
        check_share("most", self.most)
        if self.least > self.most:
            raise ValueError(
                f"got least={self.least} and most={self.most}, wanted least <= most: swap them"
            )

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Steps outside the blocks."""
        begin, wide = uniform(2, len(x.values), self.blocks, rng=rng, like=x.values)
        shares = self.least + (self.most - self.least) * wide.double()
        return outside_blocks(x.lengths, x.values.shape[2], begin, shares)
