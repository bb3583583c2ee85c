"""Views that hide: what is hidden is missing in the result, no number stands for it."""

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.shapes import Lengths
from selftime.views.draws import check_count, check_share, uniform


def channel_dropout(x: Batch, rng: Generator, *, chance: float = 0.2) -> Batch:
    """Some channels are missing altogether, never all of a series.

    One of the channels that reach the last step always stays, so lengths do too.

    Args:
        x: the series.
        rng: draws which channels of which series go.
        chance: that a channel goes, 0 to 1.

    Raises:
        ValueError: chance outside 0 to 1.
    """
    check_share("chance", chance)
    draw = uniform(*x.values.shape[:2], rng=rng, like=x.values)
    return Batch(x.values, x.observed & kept_channels(x, draw, chance)[:, :, None])


def kept_channels(x: Batch, draw: Float[Tensor, "B C"], chance: float) -> Bool[Tensor, "B C"]:
    """Channels whose draw is at least ``chance``, and the highest that reaches the last step."""
    last = (x.lengths - 1).clamp(min=0)[:, None, None].expand(*draw.shape, 1)
    reaches = x.observed.gather(2, last)[:, :, 0]  # (B,C)
    spared = (draw + reaches).argmax(dim=1, keepdim=True)
    return (draw >= chance).scatter(1, spared, True)


def span_mask(x: Batch, rng: Generator, *, spans: int = 5, share: float = 0.1) -> Batch:
    """Some spans of time are missing, in all channels of a series at once.

    The continuous timestamp mask of TS2Vec (Yue et al. 2022), there on what the encoder's first
    layer says. The last step of a series always stays, because it carries the length.

    Args:
        x: the series.
        rng: draws where the spans begin; they may overlap.
        spans: how many in each series; 0 leaves the series as they are.
        share: of the length that each span takes, 0 to 1.

    Raises:
        ValueError: a negative number of spans or a share outside 0 to 1.
    """
    check_count("spans", spans, 0)
    check_share("share", share)
    begin = uniform(len(x.values), spans, rng=rng, like=x.values)
    keep = outside_spans(x.lengths, x.values.shape[2], begin, share)
    return Batch(x.values, x.observed & keep[:, None])


def outside_spans(
    lengths: Lengths, T: int, begin: Float[Tensor, "B S"], share: float
) -> Bool[Tensor, "B {T}"]:
    """True outside the spans, and on the last step of each series.

    Args:
        lengths: (B,) steps of each series.
        T: steps of the result.
        begin: (B,S) in [0, 1), from the first step at which a span fits to the last.
        share: of the length, rounded to whole steps.
    """
    steps = torch.arange(T, device=lengths.device)
    width = (share * lengths).round().long()[:, None]  # (B,1)
    first = (begin * (lengths[:, None] - width + 1)).long()[:, :, None]  # (B,S,1)
    hidden = ((first <= steps) & (steps < first + width[:, :, None])).any(dim=1)  # (B,T)
    return ~hidden | (steps == lengths[:, None] - 1)
