"""SegmentOrder: shuffled segments of a series are put back in order."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.attention import TransformerLayer, attention_mask
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import mean_where
from selftime.objectives.parts.heads import linear, projector, weights_from
from selftime.settings import check_count
from selftime.views.draws import uniform
from selftime.views.mild import View
from selftime.views.pairs import crop, same


class SegmentOrder(Objective):
    """Order of segments (Noroozi & Favaro 2016, section 3; Lee et al. 2017, section 3).

    Segments with gaps between them are encoded by themselves, attend to one another, and the head
    predicts the position of each. It does not see positions, so all orders are the same to it and
    nothing need be shuffled. Noroozi & Favaro classify a few permutations, Lee et al. all of them,
    from pairs; one position per segment works for any number of segments. Segments keep their mean,
    which Noroozi & Favaro take away: a trend is what orders many series.

    Attributes:
        encoder: what is learned.
        segments: of each series; shorter series do not count.
        gap: share of each segment that is left out at its ends.
        differences: each segment meets every other one as a pair, with how far they are apart in
            each feature (pairs: Lee et al. 2017, section 3.3), before they attend to one another.
        view: what is seen of the series before it is cut; other content in the same order.
        seed: draws the weights of the head.

    Raises:
        ValueError: fewer than two segments, or a gap that leaves nothing.
    """

    family = "pretext"
    suits = "series that go through stages, such as gestures or days; not stationary noise"
    signals = ("series", "text", "sound", "wave", "film")
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        *,
        encoder: Encoder,
        segments: int = 4,
        gap: float = 0.15,  # Noroozi & Favaro 2016, section 3.3: 64 of 75 pixels
        differences: bool = False,
        view: View = same,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_pieces(segments, gap)
        self.encoder, self.segments, self.gap = encoder, segments, gap
        self.differences, self.view, self.seed = differences, view, seed
        self.head = PlaceHead(encoder.dim, segments, differences=differences, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Cut, encode each segment, let them attend to one another, predict each position."""
        x = self.view(batch, rng)
        segments = pieces_of(x, self.segments, self.gap, rng)
        valid = valid_pieces(x, segments, self.segments)  # (B,S)
        z = embed_pieces(self.encoder, segments, self.segments)  # (B,S,D)
        return Step(place_loss(self.head(z, valid), valid), {}, z.detach().mean(dim=1))


_WIDTH, _HEADS = 64, 4
"""Of the layer in which segments attend to one another."""


class PlaceHead(nn.Module):
    """A Transformer layer without positions, and one score per position for each segment."""

    def __init__(self, inner: int, places: int, *, differences: bool, seed: int) -> None:
        super().__init__()
        rng = weights_from(seed)
        self.enter = linear(inner, _WIDTH, rng)
        self.relate = TransformerLayer(_WIDTH, _HEADS, inner=2 * _WIDTH, rng=rng)
        self.norm = nn.LayerNorm(_WIDTH)
        self.place = linear(_WIDTH, places, rng)
        self.pair: nn.Module | None = None
        if differences:
            self.pair = projector(3 * inner, _WIDTH, _WIDTH, seed=seed)

    def forward(
        self, z: Float[Tensor, "B S D"], valid: Bool[Tensor, "B S"]
    ) -> Float[Tensor, "B S S"]:
        """Return scores of every segment for every position; segments attend to valid ones."""
        h = self.enter(z)
        if self.pair is not None:
            h = h + mean_of_pairs(self.pair, z, valid)
        scores: Tensor = self.place(self.norm(self.relate(h, attention_mask(valid))))
        return scores


def mean_of_pairs(
    pair: nn.Module, z: Float[Tensor, "B S D"], valid: Bool[Tensor, "B S"]
) -> Float[Tensor, "B S W"]:
    """Return what a map of pairs says of each segment beside every valid other one, the mean."""
    S = z.shape[1]
    own, other = z[:, :, None].expand(-1, -1, S, -1), z[:, None].expand(-1, S, -1, -1)
    said: Tensor = pair(torch.cat([own, other, (own - other).abs()], dim=3))  # (B,S,S,W)
    apart = ~torch.eye(S, dtype=torch.bool, device=z.device) & valid[:, None]  # (B,S,S)
    share = apart / apart.sum(dim=2, keepdim=True).clamp(min=1)
    return (said * share[..., None]).sum(dim=2)


def place_loss(scores: Float[Tensor, "B S S"], valid: Bool[Tensor, "B S"]) -> Float[Tensor, ""]:
    """Cross entropy of the position of each segment; ``scores[b, s]`` are those of segment s."""
    places = torch.arange(scores.shape[1], device=scores.device).expand(len(scores), -1)
    return mean_where(F.cross_entropy(scores.mT, places, reduction="none"), valid)


def pieces_of(x: Batch, count: int, gap: float, rng: Generator) -> Batch:
    """Cut series (B·S) from B series: one piece from each of ``count`` equal parts of its length.

    A piece is shorter than its part, by the share ``gap`` rounded up to whole steps, and lies at a
    random position within it, so that the end of one does not go on in the beginning of the next:
    matching boundaries would give the order away (Noroozi & Favaro 2016, section 3.3: tiles of 64
    pixels drawn from cells of 75). All pieces of a series are equally long, so that their length
    does not either. A series of fewer steps gives single steps, some of them twice.
    """
    lengths = x.lengths.clamp(min=1)[:, None].double()  # (B,1)
    part = lengths / count
    size = ((1 - gap) * part).floor().clamp(min=1)
    place = uniform(len(lengths), count, rng=rng, like=x.values)  # (B,S)
    first = torch.arange(count, device=lengths.device) * part + place * (part - size).clamp(min=0)
    begin = first.floor().minimum(lengths - size).long()
    rows = Batch(*(whole.repeat_interleave(count, dim=0) for whole in x))
    return crop(rows, begin.flatten(), size.long().expand_as(begin).flatten())


def valid_pieces(x: Batch, pieces: Batch, count: int) -> Bool[Tensor, "B {count}"]:
    """True for observed pieces of series long enough to be cut into so many."""
    some = pieces.observed.any(dim=2).any(dim=1).view(-1, count)
    return some & (x.lengths >= count)[:, None]


def embed_pieces(encoder: Encoder, pieces: Batch, count: int) -> Float[Tensor, "B {count} D"]:
    """Embed each piece by itself."""
    vectors = distribute(encoder.embed, pieces)  # (B·S,D)
    return vectors.view(-1, count, encoder.dim)


def check_pieces(count: int, gap: float) -> None:
    """Raise a ValueError for a single piece, or a gap outside 0 to below 1."""
    check_count("segments", count, 2)
    if not 0 <= gap < 1:
        raise ValueError(
            f"got gap={gap}, wanted a share from 0 to below 1: 0.15 leaves out about a seventh"
        )
