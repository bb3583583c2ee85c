"""SimMTM: a series is rebuilt from masked versions of itself and from its neighbours."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, valid_tokens
from selftime.objectives.base import Objective, Recipe, Step, check_several
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import mean_where
from selftime.objectives.parts.heads import PatchHead, projector
from selftime.objectives.patches import check_patch, patches_of, trimmed
from selftime.settings import check_count, check_positive
from selftime.views.masks import BlockMask, Mask, hidden

_TINY = 1e-12  # below the weights of all series together, wherever one of them has a token


class SimMTM(Objective):
    """Masked series as neighbours on a manifold (Dong et al. 2023, section 3).

    Every original is rebuilt from the tokens of all other series of the batch and their masked
    versions, weighed by how similar the whole series are; a contrastive constraint makes versions
    of one series similar. The two losses are weighed by learned uncertainties, as in the paper.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        mask: hides steps of each version.
        versions: masked ones of each series.
        temperature: divides the cosine similarities.
        seed: draws the weights of projection and head.

    Raises:
        ValueError: an encoder of whole series, no versions, or a temperature that is not positive.
    """

    family = "masked"
    suits = "many short series of a few kinds, where masking a series alone leaves too little"
    signals = ("series", "images", "sound", "film")
    """No waveforms, which holes of a few samples make noisy; no texts, whose symbols are not alike
    at the same place."""
    recipe = Recipe(batch_size=32, rate=1e-3, weight_decay=1e-4, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        mask: Mask = BlockMask(share=0.5),  # noqa: B008 - half of the steps, the authors' code
        versions: int = 3,  # the authors' code
        temperature: float = 0.2,  # the authors' code
        seed: int = 0,
    ) -> None:
        super().__init__()
        stride = encoder.stride or 1
        check_patch(encoder, stride)
        check_count("versions", versions, 1)
        check_positive("temperature", temperature, 0.2)
        self.encoder, self.mask, self.versions = encoder, mask, versions
        self.temperature, self.seed = temperature, seed
        self.project = projector(encoder.dim, encoder.dim, encoder.dim, seed=seed)
        self.rebuild = PatchHead(encoder, stride, seed=seed + 1)
        self.log_variances = nn.Parameter(torch.zeros(2))

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Mask, encode, compare, aggregate, rebuild."""
        check_several(batch, "it is rebuilt from its neighbours, which are its negatives too")
        x, B = trimmed(batch), len(batch.values)
        many = Batch(*(part.repeat(self.versions, 1, 1) for part in x))  # (M·B,C,T)
        masked = hidden(many, self.mask(many, rng))
        whole = Batch(*map(torch.cat, zip(x, masked, strict=True)))  # originals come first
        tokens = distribute(self.encoder, whole)  # (S,N,D) with S = (M + 1)·B
        z = self.encoder.pool(tokens, whole)  # (S,D)
        logits = similarities(self.project(z), self.temperature)  # (S,S)
        near = aggregate(tokens, valid_tokens(self.encoder, whole), logits[:B])  # (B,N,D)
        rebuilt = self.rebuild.loss(near, patches_of(x, self.rebuild.size))
        constraint = manifold_constraint(logits, B)
        loss = uncertainty_weighting(torch.stack([rebuilt, constraint]), self.log_variances)
        parts = {"reconstruction": rebuilt.detach(), "constraint": constraint.detach()}
        return Step(loss, parts, z[:B].detach())


def similarities(vectors: Float[Tensor, "S D"], temperature: float) -> Float[Tensor, "S S"]:
    """Cosines over the temperature (Dong et al. 2023, section 3.2); −∞ of each with itself."""
    z = F.normalize(vectors, dim=1)
    own = torch.eye(len(z), dtype=torch.bool, device=z.device)
    return (z @ z.T / temperature).masked_fill(own, -torch.inf)


def aggregate(
    tokens: Float[Tensor, "S N D"], valid: Bool[Tensor, "S N"], logits: Float[Tensor, "B S"]
) -> Float[Tensor, "B N D"]:
    """Point-wise aggregation at each position (Dong et al. 2023, section 3.2), over valid tokens.

    Tokens are means of those of all other series: ẑᵢ = Σⱼ exp(rᵢⱼ) zⱼ / Σⱼ exp(rᵢⱼ).
    """
    S, N, D = tokens.shape
    weights = logits.softmax(dim=1)
    total = weights @ (tokens * valid[:, :, None]).reshape(S, N * D)  # (B,N·D)
    mass = weights @ valid.to(weights.dtype)  # (B,N)
    return total.view(-1, N, D) / mass.clamp(min=_TINY)[:, :, None]


def manifold_constraint(logits: Float[Tensor, "S S"], series: int) -> Float[Tensor, ""]:
    """Cross entropy of finding versions of a series among the others (Dong et al. 2023, 3.2)."""
    # A mean, in the paper a sum. Rows i, i + series, … are versions of i, −∞ with themselves.
    number = torch.arange(len(logits), device=logits.device)
    positive = (number[:, None] - number) % series == 0
    positive = positive & (number[:, None] != number)
    return mean_where(-logits.log_softmax(dim=1), positive)


def uncertainty_weighting(
    losses: Float[Tensor, "L"], log_variances: Float[Tensor, "L"]
) -> Float[Tensor, ""]:
    """Σ ½ (exp(−s) · loss + s): each loss by its learned uncertainty s = log σ²."""
    # Kendall et al. 2018, *Multi-task learning using uncertainty to weigh losses*, section 3.2.
    return ((-log_variances).exp() * losses + log_variances).sum() / 2
