"""Masked values: single numbers of a series, hidden in short spans, are predicted."""

from torch import Generator

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Guess, Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import PatchHead
from selftime.objectives.patches import check_patch, guess_at, patches_of, trimmed
from selftime.shapes import Tokens
from selftime.views.masks import BlockMask, EachChannel, Mask, hidden


class MaskedValues(Objective):
    """Denoising by the rest of the series (TST, Zerveas et al. 2021, section 3.3).

    Each channel has hidden segments of its own, so one may be predicted from another as well as
    from its past and future. A linear map of each token gives the values of its steps, or their
    symbols.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        mask: hides values.
        seed: draws the weights of the map.

    Raises:
        ValueError: an encoder of whole series.
    """

    family = "masked"
    suits = "channels that explain one another, gaps to be filled; regression as well as classes"
    signals = ("series", "images", "text", "sound", "film")
    """No waveforms: a few hidden samples follow from those beside them."""
    recipe = Recipe(batch_size=64, rate=1e-3, weight_decay=0.01, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        mask: Mask = EachChannel(mask=BlockMask()),  # noqa: B008 - 15 %, mean length 3: section 3.3
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_patch(encoder, encoder.stride or 1)
        self.encoder, self.mask, self.seed = encoder, mask, seed
        self.size = encoder.stride or 1
        self.head = PatchHead(encoder, self.size, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Hide values, encode, predict them."""
        x, seen, tokens = self.encode_rest(batch, rng)
        wanted = patches_of(Batch(x.values, x.observed & ~seen.observed), self.size)
        return Step(self.head.loss(tokens, wanted), {}, self.encoder.pool(tokens, seen).detach())

    def guess(self, batch: Batch, rng: Generator) -> Guess:
        """Hide values and fill them in."""
        x, seen, tokens = self.encode_rest(batch, rng)
        return guess_at(x, seen, self.head.content.guesses(self.head(tokens)))

    def encode_rest(self, batch: Batch, rng: Generator) -> tuple[Batch, Batch, Tokens]:
        """Return series, what was seen of them, and its tokens (B,N,D)."""
        x = trimmed(batch)
        seen = hidden(x, self.mask(x, rng))
        return x, seen, distribute(self.encoder, seen)
