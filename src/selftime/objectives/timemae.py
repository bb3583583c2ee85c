"""TimeMAE: the codes of hidden patches and the tokens that a teacher makes of them."""

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.attention import TransformerLayer, attention_mask, position_waves
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import mean_where
from selftime.objectives.parts.codebook import words_of
from selftime.objectives.parts.heads import linear, weights_from
from selftime.objectives.parts.teacher import Teacher, patch_targets
from selftime.objectives.patches import (
    check_patch,
    draw_patches,
    patch_columns,
    patch_steps,
    patches_of,
    tokens_of_patches,
    trimmed,
)
from selftime.settings import check_share
from selftime.views.masks import hidden

_WIDTH, _HEADS, _LAYERS = 64, 4, 2  # of the cross attention


class TimeMAE(Objective):
    """Decoupled masked autoencoder (Cheng et al. 2023, section 3).

    The encoder sees the visible patches only; queries for the hidden ones look at what it says of
    them. Two targets: the code of a hidden patch, and its token from a teacher that sees the
    hidden patches only. The paper learns its codes along; these are fitted once, by k-means on a
    sample. The teacher's tokens are normalised, so that their size does not set the balance.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        patch: steps of a patch, a multiple of the encoder's stride.
        codes: of the codebook; that of a text is its vocabulary.
        share: of the patches, hidden; at least one of each series.
        momentum: of the teacher at the beginning; it rises to 1 along half a cosine.
        seed: draws the weights of all but the encoder.

    Raises:
        ValueError: no tokens along time, a patch of no whole tokens, or a setting out of range.
    """

    family = "masked"
    suits = "series of many patches, whose pieces say something about one another"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=0.01, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        patch: int = 8,
        codes: int = 64,
        share: float = 0.6,  # Cheng et al. 2023, section 4
        momentum: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_patch(encoder, patch)
        check_share("share", share)
        self.encoder, self.patch, self.codes = encoder, patch, codes
        self.share, self.momentum, self.seed = share, momentum, seed
        self.codebook = words_of(encoder, patch=patch, codes=codes)
        self.teacher = Teacher(encoder, momentum=momentum, schedule="cosine")
        rng = weights_from(seed)
        self.queries = Queries(encoder.dim, rng, columns=patch_columns(encoder, patch))
        self.word = linear(_WIDTH, self.codebook.width, rng)
        self.token = linear(_WIDTH, encoder.dim, rng)

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Fit the codebook; the teacher begins as the encoder is then."""
        super().prepare(sample, rng)
        self.codebook.fit(sample, rng)
        self.teacher.copy(self.encoder)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Hide patches, encode the others, ask for the hidden ones."""
        x = trimmed(batch)
        cut = patches_of(x, self.patch)
        selected = draw_patches(cut.observed.flatten(2).any(dim=2), self.share, rng)  # (B,P)
        masked = patch_steps(selected, self.patch, x.values.shape[2])  # (B,T)
        seen = hidden(x, ~masked)
        tokens = distribute(self.encoder, seen)  # (B,N,D)
        visible = tokens_of_patches(tokens, seen, self.encoder, self.patch)  # (B,P,D)
        asked = self.queries(visible, cut.valid & ~selected)  # (B,P,W)
        targets = patch_targets(self.teacher, hidden(x, masked), self.patch)
        codes = self.codebook.loss(self.word(asked), cut, selected)
        vectors = masked_vector_loss(self.token(asked), targets, selected)
        parts = {"codes": codes.detach(), "vectors": vectors.detach()}
        return Step(codes + vectors, parts, self.encoder.pool(tokens, seen).detach())

    def after_step(self, progress: float) -> None:
        """The teacher follows, ever more slowly (Grill et al. 2020, section 3.3)."""
        self.teacher.follow(self.encoder, progress)


class Queries(nn.Module):
    """Cross attention of hidden patches to visible ones, which stay (Cheng et al. 2023, 3.3).

    A query is the mask token with its position; queries do not see one another.
    """

    def __init__(self, dim: int, rng: Generator, *, columns: int | None = None) -> None:
        super().__init__()
        self.columns = columns
        self.narrow = linear(dim, _WIDTH, rng)
        self.mask_token = nn.Parameter(torch.randn(_WIDTH, generator=rng) / _WIDTH**0.5)
        self.layers = nn.ModuleList(
            TransformerLayer(_WIDTH, _HEADS, inner=2 * _WIDTH, rng=rng) for _ in range(_LAYERS)
        )

    def forward(
        self, tokens: Float[Tensor, "B P D"], visible: Bool[Tensor, "B P"]
    ) -> Float[Tensor, "B P W"]:
        """Return vectors (B,P,W): predictions of hidden patches, the input of visible ones."""
        place = torch.arange(tokens.shape[1], device=tokens.device, dtype=tokens.dtype)
        shown = visible[:, :, None]
        given = torch.where(shown, self.narrow(tokens), self.mask_token)
        h = given = given + position_waves(place, _WIDTH, self.columns).to(given.dtype)
        for layer in self.layers:
            h = torch.where(shown, given, layer(h, attention_mask(visible)))
        return h


def masked_vector_loss(
    made: Float[Tensor, "B P D"], wanted: Float[Tensor, "B P D"], selected: Bool[Tensor, "B P"]
) -> Float[Tensor, ""]:
    """Mean squared error of the vectors of selected patches (Cheng et al. 2023, section 3.4)."""
    return mean_where(((made - wanted) ** 2).mean(dim=2), selected)
