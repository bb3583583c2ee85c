"""TS-TCC: the past of one view predicts the future of another, and contexts are contrasted."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, valid_tokens
from selftime.encoders.networks.attention import TransformerLayer, attention_mask
from selftime.objectives.base import Objective, Recipe, Step, check_negatives
from selftime.objectives.cpc import Ahead, Cut, Predictor, info_nce
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import nt_xent
from selftime.objectives.parts.heads import linear, projector, weights_from
from selftime.settings import check_positive
from selftime.shapes import Tokens
from selftime.views.pairs import Pair, WeakStrong

TEMPORAL, CONTEXTUAL = 1.0, 0.7
"""Weights λ1 and λ2 of the two losses (Eldele et al. 2021, section 4.2)."""
_HEADS, DEPTH = 4, 4
"""Of the Transformer (Eldele et al. 2021, section 4.2)."""


class TSTCC(Objective):
    """Temporal and contextual contrasting (Eldele et al. 2021, section 3).

    Both views are cut at the same place. A small Transformer sums up the tokens of the past of one
    view; from that, the segments that follow in the other view are found among those of other
    series (section 3.2), both ways. The contexts of a series, projected, belong together (section
    3.3). Past and segments are encoded apart, so encoders may look ahead.

    Attributes:
        encoder: what is learned.
        pair: makes the weak and the strong view; views of time keep the length of a series.
        ahead: cuts series into a past and the segments that are predicted.
        width: of contexts, a multiple of 4 (``HEADS``).
        temperature: divides the cosine similarities of contexts.
        seed: draws the weights of Transformer, predictions and projection.

    Raises:
        ValueError: a temperature that is not positive, or a width that heads cannot share.
    """

    family = "contrastive"
    suits = "sensors with a rhythm of their own: activity, heart, brain, machines"
    signals = ("series", "sound", "wave")
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        pair: Pair = WeakStrong(),  # noqa: B008
        ahead: Ahead = Ahead(),  # noqa: B008
        width: int = 64,  # section 4.2, of sleep stages
        temperature: float = 0.2,  # section 4.2
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_positive("temperature", temperature, 0.2)
        if width < _HEADS or width % _HEADS:
            raise ValueError(f"got width={width}, wanted a multiple of {_HEADS}: use 64")
        self.encoder, self.pair, self.ahead = encoder, pair, ahead
        self.width, self.temperature, self.seed = width, temperature, seed
        self.context = Context(encoder.dim, width, seed=seed)
        self.predict = Predictor(width, encoder.dim, ahead.segments, seed=seed + 1)
        self.project = projector(width, width, width // 2, seed=seed + 2)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Views, cut, encode, predict across views, contrast contexts."""
        check_negatives(batch)
        weak, strong = self.pair(batch, rng)
        cut = self.ahead(batch, rng)
        (c, z, embedded), (d, y, _) = self.sides(weak, cut), self.sides(strong, cut)
        valid = cut.valid(cut.after(batch))
        temporal = info_nce(self.predict(c), y, valid) + info_nce(self.predict(d), z, valid)
        contextual = nt_xent(self.project(c), self.project(d), self.temperature)
        loss = TEMPORAL * temporal + CONTEXTUAL * contextual  # equation 6
        parts = {"temporal": temporal.detach(), "contextual": contextual.detach()}
        return Step(loss, parts, embedded)

    def sides(self, view: Batch, cut: Cut) -> tuple[Tensor, Tensor, Tensor]:
        """Return contexts (B,E), latents (B,K,D) and detached embeddings (B,D) of a view."""
        past, future = cut.before(view), cut.after(view)
        tokens = distribute(self.encoder, past)  # (B,N,D)
        context = self.context(tokens, valid_tokens(self.encoder, past))
        latents = distribute(self.encoder.embed, future).view(len(context), cut.segments, -1)
        return context, latents, self.encoder.pool(tokens.detach(), past)


class Context(nn.Module):
    """A Transformer sums up tokens, without positions, in one put before them (section 3.2)."""

    def __init__(self, inner: int, width: int, *, seed: int) -> None:
        super().__init__()
        rng = weights_from(seed)
        self.narrow = linear(inner, width, rng)
        self.summary = nn.Parameter(0.02 * torch.randn(width, generator=rng))
        layers = (TransformerLayer(width, _HEADS, inner=2 * width, rng=rng) for _ in range(DEPTH))
        self.layers = nn.ModuleList(layers)

    def forward(self, tokens: Tokens, valid: Bool[Tensor, "B N"]) -> Float[Tensor, "B E"]:
        """Return the context (B,E) of the valid ones of tokens (B,N,D)."""
        h: Tensor = self.narrow(tokens)
        h = torch.cat([self.summary.expand(len(h), 1, -1), h], dim=1)  # (B,1+N,E)
        seen = attention_mask(F.pad(valid, (1, 0), value=True))
        for layer in self.layers:
            h = layer(h, seen)
        return h[:, 0]
