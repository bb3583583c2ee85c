"""Pieces and segments: parts of each series as series of their own."""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, arange

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.distributed import distribute
from selftime.settings import check_count
from selftime.views.draws import uniform
from selftime.views.pairs import crop


def pieces_of(x: Batch, count: int, gap: float, rng: Generator) -> Batch:
    """Series (B·S) cut from each of B series: one from each of S equal parts of its length.

    A piece is shorter than its part and lies at a random place within it, so that the end of one
    does not go on in the beginning of the next: what fits at the seams would give the order away
    (Noroozi & Favaro 2016, section 3.3: tiles of 64 pixels drawn from cells of 75). All pieces of
    a series are equally long, so that their length says nothing either.

    Args:
        x: the series; one of fewer steps than ``count`` gives single steps, some of them twice.
        count: S, pieces of each series.
        gap: share of a part that is left out, rounded up to whole steps where one is left.
        rng: draws where in its part each piece lies.
    """
    lengths = x.lengths.clamp(min=1)[:, None].double()  # (B,1)
    part = lengths / count
    size = ((1 - gap) * part).floor().clamp(min=1)
    place = uniform(len(lengths), count, rng=rng, like=x.values)  # (B,S)
    first = arange(count, device=lengths.device) * part + place * (part - size).clamp(min=0)
    begin = first.floor().minimum(lengths - size).long()
    rows = Batch(*(whole.repeat_interleave(count, dim=0) for whole in x))
    return crop(rows, begin.flatten(), size.long().expand_as(begin).flatten())


def valid_pieces(x: Batch, pieces: Batch, count: int) -> Bool[Tensor, "B {count}"]:
    """Pieces in which something was observed, of series long enough to be cut into so many."""
    some = pieces.observed.any(dim=2).any(dim=1).view(-1, count)
    return some & (x.lengths >= count)[:, None]


def embed_pieces(encoder: Encoder, pieces: Batch, count: int) -> Float[Tensor, "B {count} D"]:
    """What the encoder says of each piece, seen by itself."""
    vectors = distribute(encoder.embed, pieces)  # (B·S,D)
    return vectors.view(-1, count, encoder.dim)


def check_pieces(count: int, gap: float) -> None:
    """Several pieces, of which something is left.

    Raises:
        ValueError: a single piece, or a gap outside 0 to below 1.
    """
    check_count("segments", count, 2)
    if not 0 <= gap < 1:
        raise ValueError(
            f"got gap={gap}, wanted a share from 0 to below 1: 0.15 leaves out about a seventh"
        )


class Segments(NamedTuple):
    """Series A followed by B, joined in time at a border of patches.

    Attributes:
        joined: (B,C,T) the first patches of each series, and then an end.
        start: (B,) patch with which B begins.
        follows: (B,) whether B is the true continuation.
        asked: (B,) whether that was drawn: a series of one patch has no continuation.
        apart: (B,P) the first patch of each B that has more than one; to be hidden, it keeps the
            segments apart, in place of the token [SEP].
    """

    joined: Batch
    start: Int[Tensor, "B"]
    follows: Bool[Tensor, "B"]
    asked: Bool[Tensor, "B"]
    apart: Bool[Tensor, "B P"]


def segments(x: Batch, patch: int, rng: Generator) -> Segments:
    """Half of all series go on as another one does (Devlin et al. 2019, section 3.1, task 2).

    A is the first half of the patches, rounded down. A foreign B is brought to the mean and the
    spread of the true one in each channel, so that neither level nor scale tells it.

    Args:
        x: at least two series.
        patch: steps of a patch.
        rng: draws which series go on with another, and with which.
    """
    B, T = len(x.values), x.values.shape[2]
    start = (-(-x.lengths // patch) // 2).clamp(min=1)  # (B,) patches
    rest = (x.lengths - start * patch).clamp(min=0)  # (B,) steps of the true B
    draw = uniform(2, B, rng=rng, like=x.values)
    own = torch.arange(B, device=rest.device)
    other = (own + 1 + (draw[0] * (B - 1)).long().clamp(max=B - 2)) % B
    asked = (rest > 0) & (rest[other] > 0)
    follows = (draw[1] < 0.5) | ~asked
    source = torch.where(follows, own, other)
    ends = match_moments(x, start * patch, source)
    first, total = start * patch, (start * patch).minimum(x.lengths) + rest[source]
    steps = torch.arange(int(total.max().clamp(min=1)), device=rest.device)
    before = (steps < first[:, None])[:, None]  # (B,1,T')
    shift = torch.where(before[:, 0], 0, ((start[source] - start) * patch)[:, None])
    index = (steps + shift).clamp(0, T - 1)[:, None].expand(-1, x.values.shape[1], -1)
    within = (steps < total[:, None])[:, None]
    values = torch.where(before, x.values.gather(2, index), ends.values.gather(2, index))
    observed = torch.where(before, x.observed.gather(2, index), ends.observed.gather(2, index))
    count = -(-total // patch)
    place = torch.arange(-(-len(steps) // patch), device=rest.device)
    apart = (place == start[:, None]) & (count - start > 1)[:, None]
    return Segments(Batch(values, observed & within), start, follows, asked, apart)


def match_moments(x: Batch, begin: Int[Tensor, "B"], source: Int[Tensor, "B"]) -> Batch:
    """The series of ``source``, moved to mean and spread of what these hold from ``begin`` on."""
    mean, std = moments(x, begin)
    scale = torch.where(std[source] > 1e-6, std / std[source].clamp(min=1e-6), 1.0)
    moved = (x.values[source] - mean[source]) * scale + mean
    same = source == torch.arange(len(source), device=source.device)
    return Batch(torch.where(same[:, None, None], x.values, moved), x.observed[source])


def moments(
    x: Batch, begin: Int[Tensor, "B"]
) -> tuple[Float[Tensor, "B C 1"], Float[Tensor, "B C 1"]]:
    """Mean and standard deviation of what was observed from step ``begin`` on; 0 of nothing."""
    steps = torch.arange(x.values.shape[2], device=begin.device)
    counts = x.observed & (steps >= begin[:, None])[:, None]
    number = counts.sum(dim=2, keepdim=True).clamp(min=1)
    mean = x.values.where(counts, 0.0).sum(dim=2, keepdim=True) / number
    square = ((x.values - mean) ** 2).where(counts, 0.0).sum(dim=2, keepdim=True) / number
    return mean, square.sqrt()
