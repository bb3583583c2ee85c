"""SegmentOrder: shuffled segments of a series are put back in order."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.attention import TransformerLayer, attention_mask, check_heads
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.losses.reconstruction import mean_where
from selftime.objectives.parts.heads import linear, weights_from
from selftime.objectives.patches.pieces import check_pieces, embed_pieces, pieces_of, valid_pieces


class SegmentOrder(Objective):
    """Where was this segment? (Noroozi & Favaro 2016, section 3; Lee et al. 2017, section 3).

    Segments with gaps between them are encoded by themselves, look at one another, and each says
    its place. Places are not told to them, so all orders are the same to the head and it makes no
    difference that nothing is shuffled. Noroozi & Favaro name one of some chosen permutations,
    Lee et al. one of all, from pairs; a place each works for any number of segments. Segments
    keep their level, which Noroozi & Favaro take away: a trend is what orders many series.

    Attributes:
        encoder: what is learned.
        segments: of each series; shorter series do not count.
        gap: share of each segment that is left out at its ends.
        width: of the layer in which segments look at one another.
        heads: of its attention.
        seed: draws the weights of the head.

    Raises:
        ValueError: fewer than two segments, a gap that leaves nothing, or heads that do not share
            the width evenly.
    """

    family = "pretext"
    suits = "series that go through stages, such as gestures or days; not stationary noise"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4)

    def __init__(
        self,
        *,
        encoder: Encoder,
        segments: int = 4,
        gap: float = 0.15,  # Noroozi & Favaro 2016, section 3.3: 64 of 75 pixels
        width: int = 64,
        heads: int = 4,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_pieces(segments, gap)
        check_heads(width, heads)
        self.encoder = encoder
        self.segments = segments
        self.gap = gap
        self.width = width
        self.heads = heads
        self.seed = seed
        self.head = PlaceHead(encoder.dim, segments, width, heads, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Cut, encode each segment, let them look at one another, say the place of each."""
        segments = pieces_of(batch, self.segments, self.gap, rng)
        valid = valid_pieces(batch, segments, self.segments)  # (B,S)
        z = embed_pieces(self.encoder, segments, self.segments)  # (B,S,D)
        return Step(place_loss(self.head(z, valid), valid), {}, z.detach().mean(dim=1))


class PlaceHead(nn.Module):
    """A Transformer layer without positions, and one score a place for each segment."""

    def __init__(self, inner: int, places: int, width: int, heads: int, *, seed: int) -> None:
        super().__init__()
        rng = weights_from(seed)
        self.enter = linear(inner, width, rng)
        self.relate = TransformerLayer(width, heads, inner=2 * width, rng=rng)
        self.norm = nn.LayerNorm(width)
        self.place = linear(width, places, rng)

    def forward(
        self, z: Float[Tensor, "B S D"], valid: Bool[Tensor, "B S"]
    ) -> Float[Tensor, "B S S"]:
        """Scores of every segment for every place; segments see those that are there."""
        scores: Tensor = self.place(self.norm(self.relate(self.enter(z), attention_mask(valid))))
        return scores


def place_loss(scores: Float[Tensor, "B S S"], valid: Bool[Tensor, "B S"]) -> Float[Tensor, ""]:
    """Cross entropy of the place of each segment, mean over those that are there.

    Args:
        scores: (B,S,S) of segment s being at each place (last axis); its place is s.
        there: (B,S) segments that count.
    """
    places = torch.arange(scores.shape[1], device=scores.device).expand(len(scores), -1)
    return mean_where(F.cross_entropy(scores.mT, places, reduction="none"), valid)
