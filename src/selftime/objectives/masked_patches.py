"""Masked patches: patches of a series are set to zero and predicted."""

from jaxtyping import Bool
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Guess, Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.parts.heads import PatchHead
from selftime.objectives.patches import (
    check_patch,
    draw_patches,
    guess_at,
    patch_steps,
    patches_of,
    tokens_of_patches,
    trimmed,
)
from selftime.settings import check_share
from selftime.shapes import Tokens
from selftime.views.masks import hidden


class MaskedPatches(Objective):
    """Self-supervised PatchTST (Nie et al. 2023, section 3.2): whole patches are reconstructed.

    Hidden patches enter the encoder as missing, which networks read as 0. Every channel has its
    own hidden patches where the encoder keeps channels apart, and all have the same where it does
    not. A linear map of the mean token of a patch gives its values, or its symbols.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        patch: steps of a patch, a multiple of the encoder's stride; 12 in the paper.
        share: of the patches, hidden; 0.4 in section 4.2; at least one of each series.
        seed: draws the weights of the map.

    Raises:
        ValueError: no tokens along time, a patch of no whole tokens, or no share from 0 to 1.
    """

    family = "masked"
    suits = "long series whose pieces follow from one another; values are wanted later: forecasting"
    recipe = Recipe(batch_size=64, rate=1e-3, weight_decay=0.01, warmup=0.1)

    def __init__(
        self, *, encoder: Encoder, patch: int = 8, share: float = 0.4, seed: int = 0
    ) -> None:
        super().__init__()
        check_patch(encoder, patch)
        check_share("share", share)
        self.encoder, self.patch, self.share, self.seed = encoder, patch, share, seed
        self.head = PatchHead(encoder, patch, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Hide patches, encode, predict their values."""
        x, seen, tokens = self.encode_rest(batch, rng)
        wanted = patches_of(Batch(x.values, x.observed & ~seen.observed), self.patch)
        each = tokens_of_patches(tokens, seen, self.encoder, self.patch)
        return Step(self.head.loss(each, wanted), {}, self.encoder.pool(tokens, seen).detach())

    def guess(self, batch: Batch, rng: Generator) -> Guess:
        """Hide patches and fill them in."""
        x, seen, tokens = self.encode_rest(batch, rng)
        each = tokens_of_patches(tokens, seen, self.encoder, self.patch)
        return guess_at(x, seen, self.head.content.guesses(self.head(each)))

    def encode_rest(self, batch: Batch, rng: Generator) -> tuple[Batch, Batch, Tokens]:
        """Return series, what was seen of them, and its tokens (B,N,D)."""
        x = trimmed(batch)
        seen = hidden(x, self.draw_keep(x, rng))
        return x, seen, distribute(self.encoder, seen)

    def draw_keep(self, x: Batch, rng: Generator) -> Bool[Tensor, "B C T"]:
        """Draw the steps of the patches that stay visible."""
        B, C, T = x.values.shape
        free = patches_of(x, self.patch).observed.any(dim=3)  # (B,P,C)
        if not self.encoder.by_channel:
            free = free.any(dim=2, keepdim=True)
        rows = free.transpose(1, 2).flatten(0, 1)  # (B·C,P), or (B,P)
        masked = patch_steps(draw_patches(rows, self.share, rng), self.patch, T)
        return ~masked.view(B, -1, T).expand(-1, C, -1)
