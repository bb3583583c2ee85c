"""BERT on series: the codes of hidden patches, and whether one segment follows another."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Guess, Objective, Recipe, Step, check_several
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import mean_where
from selftime.objectives.parts.codebook import words_of
from selftime.objectives.parts.heads import linear, weights_from
from selftime.objectives.patches import (
    Patches,
    check_patch,
    draw_patches,
    guess_at,
    patch_steps,
    patches_of,
    steps_of_patches,
    tokens_of_patches,
    trimmed,
)
from selftime.settings import check_share
from selftime.shapes import Embedding
from selftime.views.draws import uniform
from selftime.views.masks import hidden


class BERT(Objective):
    """Masked words and next sentence (Devlin et al. 2019, section 3.1), with patches as words.

    The word of a patch is its code in a codebook fitted on a sample; where steps are symbols it is
    what the patch holds, and the vocabulary is the codebook. As in the paper one input serves both
    tasks: segment A, then the true continuation or that of another series. The patch after A is
    hidden in both cases, and a foreign B of values has mean and std of the true one, so that
    neither a jump nor a mean gives the answer. There are no segment embeddings (its figure 2): A
    is always the first half, so that positions say which is which.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        patch: steps of a patch, a multiple of the encoder's stride.
        codes: words of the codebook; that of a text is its vocabulary.
        share: of the patches, predicted, at least one of each series; 0.15 in section 3.1.
        between: whether the second task reads the hidden patch between A and B, which attends to
            both ends, in place of the vector of the whole, as the paper reads a token of its own.
        seed: draws the weights of the two classifiers.

    Raises:
        ValueError: no tokens along time, a patch of no whole tokens, or a setting out of range.
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
        share: float = 0.15,
        between: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_patch(encoder, patch)
        check_share("share", share)
        self.encoder, self.patch, self.codes = encoder, patch, codes
        self.share, self.between, self.seed = share, between, seed
        self.codebook = words_of(encoder, patch=patch, codes=codes)
        self.bring = match_moments if encoder.symbols is None else series_of
        rng = weights_from(seed)
        self.word = linear(encoder.dim, self.codebook.width, rng)
        self.follows = linear(encoder.dim, 1, rng)

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Fit the codebook."""
        super().prepare(sample, rng)
        self.codebook.fit(sample, rng)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Join segments, select patches, hide most of them, predict their codes."""
        check_several(batch, "half of all series are continued by another series of the batch")
        both = segments(trimmed(batch), self.patch, rng, self.bring)
        cut = patches_of(both.joined, self.patch)
        some = cut.observed.flatten(2).any(dim=2)  # (B,P)
        selected = draw_patches(some & ~both.apart, self.share, rng)
        x = corrupted(both.joined, selected, self.patch, rng)
        x = hidden(x, ~patch_steps(both.apart, self.patch, x.values.shape[2]))
        tokens = distribute(self.encoder, x)  # (B,N,D)
        z = self.encoder.pool(tokens, x)  # (B,D)
        each = tokens_of_patches(tokens, x, self.encoder, self.patch)  # (B,P,D)
        codes = self.codebook.loss(self.word(each), cut, selected)
        said = self.judge(each, z, both.start)
        follows = next_segment_loss(said, both.follows, both.asked)
        parts = {"codes": codes.detach(), "next": follows.detach()}
        return Step(codes + follows, parts, z.detach())

    def judge(
        self, each: Float[Tensor, "B P D"], z: Embedding, start: Int[Tensor, "B"]
    ) -> Float[Tensor, "B"]:
        """Score segments B that begin with the patch ``start``; above 0 they are said to follow."""
        place = start.clamp(max=each.shape[1] - 1)
        rows = torch.arange(len(z), device=z.device)
        scores: Tensor = self.follows(each[rows, place] if self.between else z)
        return scores[:, 0]

    def guess(self, batch: Batch, rng: Generator) -> Guess:
        """Hide patches of series as they are, and fill in the likeliest words."""
        x = trimmed(batch)
        some = patches_of(x, self.patch).observed.flatten(2).any(dim=2)  # (B,P)
        selected = draw_patches(some, self.share, rng)
        seen = hidden(x, ~patch_steps(selected, self.patch, x.values.shape[2]))
        tokens = distribute(self.encoder, seen)  # (B,N,D)
        words = self.word(tokens_of_patches(tokens, seen, self.encoder, self.patch))  # (B,P,K)
        return guess_at(x, seen, self.codebook.guesses(words))


def corrupted(x: Batch, selected: Bool[Tensor, "B P"], patch: int, rng: Generator) -> Batch:
    """Hide 80 % of the selected patches, replace 10 % by others of the batch, keep 10 %.

    Devlin et al. 2019, section 3.1, task 1. A replaced patch keeps its gaps, and its own values
    where the other has gaps.
    """
    cut, T = patches_of(x, patch), x.values.shape[2]
    fate, pick = uniform(2, *selected.shape, rng=rng, like=x.values)  # (B,P) each
    places = cut.valid.flatten().nonzero()[:, 0]
    other = places[(pick * len(places)).long().clamp(max=len(places) - 1)]  # (B,P)
    found = Patches(*(part.flatten(0, 1)[other] for part in cut))
    masked = selected & (fate < 0.8)
    swapped = (selected & (fate >= 0.8) & (fate < 0.9))[:, :, None, None] & found.observed
    values = torch.where(swapped, found.values, cut.values)  # (B,P,C,L)
    return hidden(Batch(steps_of_patches(values, T), x.observed), ~patch_steps(masked, patch, T))


def next_segment_loss(
    logits: Float[Tensor, "B"], follows: Bool[Tensor, "B"], asked: Bool[Tensor, "B"]
) -> Float[Tensor, ""]:
    """Binary cross entropy of B following A, where ``asked`` (Devlin et al. 2019, 3.1, task 2)."""
    each = F.binary_cross_entropy_with_logits(logits, follows.to(logits.dtype), reduction="none")
    return mean_where(each, asked)


class Segments(NamedTuple):
    """Series A and B joined (B,C,T), the patch (B,) with which B begins, and whether it follows A.

    ``asked`` is True where that was drawn: a series of one patch has no continuation. ``apart``
    (B,P) is the first patch of each B of several; hidden, it stands in place of the token [SEP].
    """

    joined: Batch
    start: Int[Tensor, "B"]
    follows: Bool[Tensor, "B"]
    asked: Bool[Tensor, "B"]
    apart: Bool[Tensor, "B P"]


Bring = Callable[[Batch, Int[Tensor, "B"], Int[Tensor, "B"]], Batch]
"""Maps series, the steps (B,) at which they go on and the rows (B,) of others to these others."""


def segments(x: Batch, patch: int, rng: Generator, bring: Bring | None = None) -> Segments:
    """Continue half of all series by another one (Devlin et al. 2019, section 3.1, task 2).

    A is the first half of the patches, rounded down. A foreign B is brought to the mean and the
    standard deviation of the true one in each channel, so that neither gives the answer away, or
    as ``bring`` says.
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
    ends = (bring or match_moments)(x, start * patch, source)
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
    """Return the series of ``source`` at the mean and std of these from ``begin`` on."""
    mean, std = moments(x, begin)
    scale = torch.where(std[source] > 1e-6, std / std[source].clamp(min=1e-6), 1.0)
    moved = (x.values[source] - mean[source]) * scale + mean
    same = source == torch.arange(len(source), device=source.device)
    return Batch(torch.where(same[:, None, None], x.values, moved), x.observed[source])


def series_of(x: Batch, begin: Int[Tensor, "B"], source: Int[Tensor, "B"]) -> Batch:  # noqa: ARG001
    """Return the series of ``source`` as they are."""
    return Batch(x.values[source], x.observed[source])


def moments(
    x: Batch, begin: Int[Tensor, "B"]
) -> tuple[Float[Tensor, "B C 1"], Float[Tensor, "B C 1"]]:
    """Return mean and standard deviation of what was observed from ``begin`` on; 0 of nothing."""
    steps = torch.arange(x.values.shape[2], device=begin.device)
    counts = x.observed & (steps >= begin[:, None])[:, None]
    number = counts.sum(dim=2, keepdim=True).clamp(min=1)
    mean = x.values.where(counts, 0.0).sum(dim=2, keepdim=True) / number
    square = ((x.values - mean) ** 2).where(counts, 0.0).sum(dim=2, keepdim=True) / number
    return mean, square.sqrt()
