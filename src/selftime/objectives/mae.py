"""MAE: the encoder sees the few visible patches, a decoder predicts the others."""

from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Guess, Objective, Recipe, Step
from selftime.objectives.parts.content import content_of
from selftime.objectives.parts.heads import Decoder, DecoderSize
from selftime.objectives.patches import (
    check_patch,
    draw_patches,
    encode_visible,
    guess_at,
    patch_columns,
    patch_steps,
    patches_of,
    trimmed,
)
from selftime.settings import check_share
from selftime.shapes import Embedding
from selftime.views.masks import hidden


class MAE(Objective):
    """Masked autoencoder (He et al. 2022, section 3), of patches of time.

    Encoders that make single tokens do not compute the hidden ones. The decoder is a small
    Transformer and is not kept. Values are predicted as they are; the paper finds them a little
    better normalised within each patch (its table 1d), which leaves mean and scale out. Symbols
    are predicted as such.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        patch: steps of a patch, a multiple of the encoder's stride.
        share: of the patches, hidden, 0.75 in section 4.1; of several at least one is, and one is
            not. A series of a single patch teaches nothing.
        normalise: whether values are predicted at mean 0 and deviation 1 of their patch.
        decoder_size: its width and layers.
        seed: draws the weights of the decoder.

    Raises:
        ValueError: no tokens along time, a patch of no whole tokens, no share from 0 to 1, or
            symbols to normalise.
    """

    family = "masked"
    suits = "long series with much repetition, and Transformers: only a quarter is encoded"
    recipe = Recipe(batch_size=64, rate=1e-3, weight_decay=0.05, warmup=0.1)  # its table 8

    def __init__(
        self,
        *,
        encoder: Encoder,
        patch: int = 8,
        share: float = 0.75,
        normalise: bool = False,
        decoder_size: DecoderSize = DecoderSize(),  # noqa: B008
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_patch(encoder, patch)
        check_share("share", share)
        self.encoder, self.patch, self.share, self.seed = encoder, patch, share, seed
        self.normalise, self.decoder_size = normalise, decoder_size
        self.content = content_of(encoder, patch, normalised=normalise)
        self.decoder = Decoder(
            encoder.dim,
            self.content.width,
            seed=seed,
            columns=patch_columns(encoder, patch),
            size=decoder_size,
        )

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Hide patches, encode the others, predict what was hidden."""
        x, seen, made, z = self.fill(batch, rng)
        wanted = patches_of(Batch(x.values, x.observed & ~seen.observed), self.patch)
        return Step(self.content.loss(made, wanted), {}, z.detach())

    def guess(self, batch: Batch, rng: Generator) -> Guess | None:
        """Hide patches and fill them in; None where mean and scale of a patch are left out."""
        if self.normalise:
            return None
        x, seen, made, _ = self.fill(batch, rng)
        return guess_at(x, seen, self.content.guesses(made))

    def fill(self, batch: Batch, rng: Generator) -> tuple[Batch, Batch, Tensor, Embedding]:
        """Return series, what was seen of them, what was made of each patch, and embeddings."""
        x = trimmed(batch)
        cut = patches_of(x, self.patch)
        free = cut.observed.flatten(2).any(dim=2)  # (B,P)
        masked = draw_patches(free, self.share, rng) & (free.sum(dim=1, keepdim=True) > 1)
        seen = hidden(x, ~patch_steps(masked, self.patch, x.values.shape[2]))
        visible = free & ~masked
        tokens, z = encode_visible(self.encoder, seen, visible, self.patch)
        return x, seen, self.content.read(self.decoder(tokens, visible, masked)), z
