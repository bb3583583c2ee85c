"""data2vec: the contextual tokens of a teacher are predicted from a part of a series."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.distributed import distribute
from selftime.objectives.losses import mean_where
from selftime.objectives.parts.heads import linear, weights_from
from selftime.objectives.parts.teacher import Teacher
from selftime.objectives.patches import check_patch, draw_patches, patch_steps, patches_of, trimmed
from selftime.settings import check_share
from selftime.views.masks import hidden

BETA = 2.0
"""Where the loss turns from a square into a line: the authors' choice for images."""


class Data2Vec(Objective):
    """Contextual tokens as targets (Baevski et al. 2022, section 3).

    The student sees series with hidden spans and regresses, through a linear map, the tokens that
    the teacher has there of the whole series, normalised to mean 0 and variance 1. The paper
    averages the teacher's top K blocks; our encoders give their last one, so that is the target.
    Hidden steps enter as missing where the paper has a learned vector. Spans are ``patch`` steps,
    on a grid.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        patch: steps of a hidden span, a multiple of the encoder's stride; 10 tokens in the paper.
        share: of the spans, hidden; at least one of each series.
        momentum: of the teacher at the beginning; it rises to 1 in a straight line. The paper
            begins at 0.999, for runs a hundred times as long.
        seed: draws the weights of the map.

    Raises:
        ValueError: no tokens along time, a patch of no whole tokens, or a setting out of range.
    """

    family = "latent prediction"
    suits = "tokens in context are wanted, of series whose meaning lies in many steps together"
    recipe = Recipe(batch_size=64, rate=1e-3, weight_decay=0.01, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        patch: int = 8,
        share: float = 0.5,  # Baevski et al. 2022: 49 % of all steps, for speech
        momentum: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_patch(encoder, patch)
        check_share("share", share)
        self.encoder, self.patch, self.share = encoder, patch, share
        self.momentum, self.seed = momentum, seed
        self.teacher = Teacher(encoder, momentum=momentum, schedule="linear")
        self.head = linear(encoder.dim, encoder.dim, weights_from(seed))

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare the encoder; the teacher begins as it is then."""
        super().prepare(sample, rng)
        self.teacher.copy(self.encoder)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Hide spans, encode, regress the teacher's tokens of what was hidden."""
        x = trimmed(batch)
        free = patches_of(x, self.patch).observed.flatten(2).any(dim=2)  # (B,P)
        masked = patch_steps(draw_patches(free, self.share, rng), self.patch, x.values.shape[2])
        seen = hidden(x, ~masked)
        tokens = distribute(self.encoder, seen)  # (B,N,D)
        within = torch.arange(x.values.shape[2], device=masked.device) < x.lengths[:, None]
        counts = (masked & within)[:, :: self.encoder.stride]  # (B,N) tokens begin with these steps
        targets = self.targets(x)
        loss = smooth_l1(self.head(tokens), targets, counts[:, :, None].expand_as(targets), BETA)
        return Step(loss, {}, self.encoder.pool(tokens, seen).detach())

    @torch.no_grad()
    def targets(self, x: Batch) -> Float[Tensor, "B N D"]:
        """Return the teacher's tokens, each normalised to mean 0 and variance 1."""
        tokens = distribute(self.teacher.module, x)
        return F.layer_norm(tokens, tokens.shape[2:])

    def after_step(self, progress: float) -> None:
        """The teacher follows, ever more slowly."""
        self.teacher.follow(self.encoder, progress)


def smooth_l1(
    made: Float[Tensor, "*axes"],
    wanted: Float[Tensor, "*axes"],
    counts: Bool[Tensor, "*axes"],
    beta: float,
) -> Float[Tensor, ""]:
    """Mean smooth L1 error over what counts (Baevski et al. 2022, "Objective"); 0 of nothing."""
    # ½ d² / beta where the distance d is at most beta, and d − ½ beta beyond.
    each = F.smooth_l1_loss(made, wanted.where(counts, 0.0), beta=beta, reduction="none")
    return mean_where(each, counts)
