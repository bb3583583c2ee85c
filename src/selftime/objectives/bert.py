"""BERT on series: the codes of hidden patches, and whether one segment follows another."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_several
from selftime.objectives.distributed import distribute
from selftime.objectives.losses.reconstruction import masked_code_loss, mean_where
from selftime.objectives.parts.heads import linear, weights_from
from selftime.objectives.patches.codebook import Codebook
from selftime.objectives.patches.patches import (
    Patches,
    check_patch,
    draw_patches,
    patch_steps,
    patches_of,
    tokens_of_patches,
    trimmed,
)
from selftime.objectives.patches.pieces import segments
from selftime.settings import check_share
from selftime.views.draws import uniform
from selftime.views.masks import hidden


class BERT(Objective):
    """Masked words and next sentence (Devlin et al. 2019, section 3.1), with patches as words.

    The word of a patch is its code in a codebook fitted on a sample. As in the paper one input
    serves both tasks: segment A, then the true continuation or that of another series. The patch
    after A is hidden in both cases, and a foreign B has mean and spread of the true one, so that
    neither a jump nor a level gives the answer.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        patch: steps of a patch, a multiple of the encoder's stride.
        codes: words of the codebook.
        share: of the patches, chosen to be predicted; at least one of each series.
        seed: draws the weights of the two classifiers.

    Raises:
        ValueError: an encoder of whole series, a stride that does not divide the patch, or a
            setting out of range.
    """

    family = "masked"
    suits = "series that repeat a vocabulary of shapes, such as beats, strokes or machine cycles"
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=0.01, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        patch: int = 8,
        codes: int = 64,
        share: float = 0.15,  # Devlin et al. 2019, section 3.1
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_patch(encoder, patch)
        check_share("share", share)
        self.encoder, self.patch, self.codes = encoder, patch, codes
        self.share, self.seed = share, seed
        self.codebook = Codebook(channels=encoder.channels, patch=patch, codes=codes)
        rng = weights_from(seed)
        self.word = linear(encoder.dim, codes, rng)
        self.follows = linear(encoder.dim, 1, rng)

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Fit the codebook."""
        super().prepare(sample, rng)
        self.codebook.fit(sample, rng)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Join segments, choose patches, hide most of them, predict their codes."""
        check_several(batch, "half of all series are continued by another series of the batch")
        both = segments(trimmed(batch), self.patch, rng)
        cut = patches_of(both.joined, self.patch)
        some = cut.observed.flatten(2).any(dim=2)  # (B,P)
        selected = draw_patches(some & ~both.apart, self.share, rng)
        x = corrupted(both.joined, selected, self.patch, rng)
        x = hidden(x, ~patch_steps(both.apart, self.patch, x.values.shape[2]))
        tokens = distribute(self.encoder, x)  # (B,N,D)
        z = self.encoder.pool(tokens, x)  # (B,D)
        words = self.word(tokens_of_patches(tokens, x, self.encoder, self.patch))  # (B,P,K)
        codes = masked_code_loss(words, self.codebook(cut), selected)
        follows = next_segment_loss(self.follows(z)[:, 0], both.follows, both.asked)
        parts = {"codes": codes.detach(), "next": follows.detach()}
        return Step(codes + follows, parts, z.detach())


def corrupted(x: Batch, selected: Bool[Tensor, "B P"], patch: int, rng: Generator) -> Batch:
    """Of the chosen patches 80 % hidden, 10 % replaced by others of the batch, 10 % as they were.

    Devlin et al. 2019, section 3.1, task 1. A replaced patch keeps what it lacks, and its own
    values where the other lacks some.

    Args:
        x: the series.
        chosen: (B,P) patches that are predicted.
        patch: steps of a patch.
        rng: draws what becomes of each, and by which it is replaced.
    """
    cut, (B, C, T) = patches_of(x, patch), x.values.shape
    fate, pick = uniform(2, *selected.shape, rng=rng, like=x.values)  # (B,P) each
    places = cut.valid.flatten().nonzero()[:, 0]
    other = places[(pick * len(places)).long().clamp(max=len(places) - 1)]  # (B,P)
    found = Patches(*(part.flatten(0, 1)[other] for part in cut))
    masked = selected & (fate < 0.8)
    swapped = (selected & (fate >= 0.8) & (fate < 0.9))[:, :, None, None] & found.observed
    values = torch.where(swapped, found.values, cut.values)  # (B,P,C,L)
    series = values.transpose(1, 2).reshape(B, C, -1)[:, :, :T]
    return hidden(Batch(series, x.observed), ~patch_steps(masked, patch, T))


def next_segment_loss(
    logits: Float[Tensor, "B"], follows: Bool[Tensor, "B"], asked: Bool[Tensor, "B"]
) -> Float[Tensor, ""]:
    """Binary cross entropy of B following A (Devlin et al. 2019, section 3.1, task 2).

    Args:
        logits: (B,) that it does.
        follows: (B,) whether it does.
        asked: (B,) series that count.
    """
    each = F.binary_cross_entropy_with_logits(logits, follows.to(logits.dtype), reduction="none")
    return mean_where(each, asked)
