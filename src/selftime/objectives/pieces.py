"""Pieces: equal parts of each series, with gaps between them, as series of their own."""

from jaxtyping import Bool, Float
from torch import Generator, Tensor, arange

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.ranks import distribute
from selftime.views.draws import check_count, uniform
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
