"""CPC: from its past alone, the future of a series is found among the futures of others."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step, check_negatives
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import mean_where
from selftime.objectives.parts.heads import weights_from
from selftime.settings import check_count
from selftime.shapes import Lengths
from selftime.views.draws import uniform
from selftime.views.pairs import crop, integers_between


class Cut(NamedTuple):
    """Past of each series, (B,) steps, and K segments of ``size`` (B,) steps that follow it."""

    past: Lengths
    size: Lengths
    segments: int

    def before(self, x: Batch) -> Batch:
        """Return the past of each series (B rows), alone."""
        return crop(x, self.past * 0, self.past)

    def after(self, x: Batch) -> Batch:
        """Return segments that stop as their series does: row i*K + k is the k-th of series i."""
        K = self.segments
        begin = self.past[:, None] + self.size[:, None] * torch.arange(K, device=self.past.device)
        left = (x.lengths[:, None] - begin).flatten()  # (B*K,)
        size = self.size.repeat_interleave(K).minimum(left).clamp(min=1)
        rows = Batch(*(part.repeat_interleave(K, dim=0) for part in x))
        found = crop(rows, begin.flatten(), size)
        observed = found.observed & (left > 0)[:, None, None]
        return Batch(found.values.where(observed, 0.0), observed)

    def valid(self, future: Batch) -> Bool[Tensor, "B K"]:
        """True for segments of which anything was observed."""
        return future.observed.flatten(1).any(dim=1).view(-1, self.segments)


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """Cuts each series in a past and K ``segments`` of future, each of a ``share`` of the series.

    A segment takes the same share of every series, so the k-th is always as far ahead. Where the
    cut lies is drawn once a batch, as a share of each series' own length, so that equal lengths
    stay equal; the past has at least one step, and as many as a segment if the series is long
    enough. A series of fewer steps has fewer segments; that of a single step has none.
    """

    segments: int = 4
    share: float = 0.125

    def __post_init__(self) -> None:
        check_count("segments", self.segments, 1)
        if not (self.share > 0 and self.segments * self.share < 1):
            raise ValueError(
                f"got {self.segments} segments that take {self.share:g} of a series each, wanted "
                "more than 0 and less than 1 in all: use segments=4, share=0.125"
            )

    def __call__(self, x: Batch, rng: Generator) -> Cut:
        """Draw where the series of a batch are cut."""
        lengths = x.lengths.clamp(min=1)
        size = (lengths * self.share).long().clamp(min=1)
        latest = (lengths - self.segments * size).clamp(min=1)
        draw = uniform(1, rng=rng, like=x.values)
        return Cut(integers_between(draw, size.minimum(latest), latest), size, self.segments)


class Predictor(nn.Module):
    """One linear map W_k per segment (van den Oord et al. 2018, section 2.3); without biases."""

    def __init__(self, inner: int, outer: int, segments: int, *, seed: int) -> None:
        super().__init__()
        draw = torch.rand(segments, outer, inner, generator=weights_from(seed))
        # First weights make scores zᵀ W_k c about 1 for vectors of numbers about 1.
        self.weight = nn.Parameter((2 * draw - 1) * (3 / (inner * outer)) ** 0.5)

    def forward(self, context: Float[Tensor, "B E"]) -> Float[Tensor, "B K D"]:
        """Return W_k c for every segment (B,K,D) of contexts (B,E)."""
        return torch.einsum("kde,be->bkd", self.weight, context)


NEGATIVES = ("series", "own", "both")
"""Segments that the true one is found among."""


class CPC(Objective):
    """Contrastive predictive coding (van den Oord et al. 2018, section 2).

    Series are cut at a random place. The context is the embedding of what comes before, the
    latents are embeddings of the segments that follow, each encoded by itself, so that any encoder
    will do, also one that looks ahead. The paper has an encoder of short windows and a recurrent
    net over them instead; here a single encoder does both, and is what is kept.

    Attributes:
        encoder: what is learned.
        ahead: cuts series into a past and the segments that are predicted.
        negatives: a segment is found among those of other "series", among the others of its "own",
            or among "both". Section 3.1 compares such choices: speech needs its own segments.
        seed: draws the weights of the predictions.

    Raises:
        ValueError: negatives that there are not.
    """

    family = "contrastive"
    suits = "what comes next depends on what the series is: speech, machines, activity"
    signals = ("series", "text", "sound", "wave", "film")
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        ahead: Ahead = Ahead(),  # noqa: B008
        negatives: str = "series",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if negatives not in NEGATIVES:
            raise ValueError(f"got negatives={negatives!r}, wanted one of {', '.join(NEGATIVES)}")
        self.encoder, self.ahead, self.negatives, self.seed = encoder, ahead, negatives, seed
        self.predict = Predictor(encoder.dim, encoder.dim, ahead.segments, seed=seed)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Cut, encode past and future apart, predict, contrast."""
        if self.negatives != "own":
            check_negatives(batch)
        cut = self.ahead(batch, rng)
        context = distribute(self.encoder.embed, cut.before(batch))  # (B,D)
        future = cut.after(batch)
        latents = distribute(self.encoder.embed, future)  # (B*K,D)
        latents = latents.view(len(context), self.ahead.segments, -1)
        valid = cut.valid(future)
        loss = info_nce(self.predict(context), latents, valid, self.negatives)
        return Step(loss, {}, context.detach())


def info_nce(
    predicted: Float[Tensor, "B K D"],
    latents: Float[Tensor, "B K D"],
    valid: Bool[Tensor, "B K"],
    negatives: str = "series",
) -> Float[Tensor, ""]:
    """InfoNCE over futures (van den Oord et al. 2018, equations 3 and 4); mean over valid segments.

    Segment l of series j scores exp(z_jlᵀ W_k c_i) as the k-th one of the future of series i. It is
    found among the k-th segments of all series, among all segments of its own, or among both; those
    that are not valid are no negatives either.
    """
    scores = predicted.transpose(0, 1) @ latents.permute(1, 2, 0)  # (K,B,B), candidates last
    exists, true = valid.T, scores.diagonal(0, 1, 2)  # (K,B)
    others = scores.masked_fill(~exists[:, None], -float("inf"))
    if negatives != "series":
        own = predicted @ latents.mT  # (B,K,K), candidates last
        own = own.masked_fill(~valid[:, None], -float("inf")).transpose(0, 1)  # (K,B,K)
        itself = torch.eye(len(own), dtype=torch.bool, device=own.device)[:, None]
        apart = [others, own.masked_fill(itself, -float("inf"))]
        others = own if negatives == "own" else torch.cat(apart, dim=2)
    others = others.masked_fill(~exists[:, :, None], 0.0)  # rows without a loss stay finite
    return mean_where(others.logsumexp(dim=2) - true, exists)
