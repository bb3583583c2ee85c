"""JEPA: a teacher's tokens of hidden blocks are predicted from what is visible."""

from jaxtyping import Bool
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.losses import squared_error
from selftime.objectives.parts.heads import Decoder
from selftime.objectives.parts.teacher import Teacher, patch_targets
from selftime.objectives.patches import (
    check_patch,
    encode_visible,
    patch_columns,
    patch_steps,
    patches_of,
    trimmed,
)
from selftime.settings import check_count
from selftime.views.draws import uniform
from selftime.views.masks import hidden, outside_blocks

_LEAST, _MOST = 0.15, 0.2  # share of the patches of a block (Assran et al. 2023, section 3)


class JEPA(Objective):
    """Joint-embedding predictive architecture (I-JEPA, Assran et al. 2023, section 3), of time.

    The encoder sees what lies outside all hidden blocks; a predictor tells the tokens that the
    teacher, which sees everything, has within them. They are normalised to mean 0 and variance 1,
    as in the authors' code. All blocks are predicted at once, where the paper predicts each by
    itself, and the context is all that is left, without a block of its own.

    Attributes:
        encoder: what is learned; it must have tokens along time.
        patch: steps of a patch, a multiple of the encoder's stride.
        blocks: how many are hidden, 4 in section 3; they may overlap.
        momentum: of the teacher at the beginning; it rises to 1 in a straight line. The paper
            begins at 0.996, for runs a hundred times as long.
        seed: draws the weights of the predictor.

    Raises:
        ValueError: no tokens along time, a patch of no whole tokens, or a setting out of range.
    """

    family = "latent prediction"
    suits = "noisy series: the unpredictable part of the values need not be predicted"
    recipe = Recipe(batch_size=64, rate=1e-3, weight_decay=0.05, warmup=0.1)

    def __init__(
        self,
        *,
        encoder: Encoder,
        patch: int = 8,
        blocks: int = 4,
        momentum: float = 0.99,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_patch(encoder, patch)
        check_count("blocks", blocks, 1)
        self.encoder, self.patch, self.blocks = encoder, patch, blocks
        self.momentum, self.seed = momentum, seed
        self.teacher = Teacher(encoder, momentum=momentum, schedule="linear")
        self.predictor = Decoder(
            encoder.dim, encoder.dim, seed=seed, columns=patch_columns(encoder, patch)
        )

    def prepare(self, sample: Batch, rng: Generator) -> None:
        """Prepare the encoder; the teacher begins as it is then."""
        super().prepare(sample, rng)
        self.teacher.copy(self.encoder)

    def forward(self, batch: Batch, rng: Generator) -> Step:
        """Hide blocks, encode the rest, predict what the teacher says of the blocks."""
        x = trimmed(batch)
        free = patches_of(x, self.patch).observed.flatten(2).any(dim=2)  # (B,P)
        masked = draw_blocks(free, self.blocks, rng)
        seen = hidden(x, ~patch_steps(masked, self.patch, x.values.shape[2]))
        visible = free & ~masked
        tokens, z = encode_visible(self.encoder, seen, visible, self.patch)
        made = self.predictor(tokens, visible, masked)  # (B,P,D)
        loss = squared_error(
            made, patch_targets(self.teacher, x, self.patch), masked[:, :, None].expand_as(made)
        )
        return Step(loss, {}, z.detach())

    def after_step(self, progress: float) -> None:
        """The teacher follows, ever more slowly."""
        self.teacher.follow(self.encoder, progress)


def draw_blocks(free: Bool[Tensor, "B P"], blocks: int, rng: Generator) -> Bool[Tensor, "B P"]:
    """Draw blocks of 15 to 20 % of the patches of each series, at least one each; they may overlap.

    Blocks lie over the ``free`` patches alone, which hold something. Where they would leave
    nothing, one drawn patch stays visible; so of a single patch that one does.
    """
    B, P = free.shape
    counts, rank = free.sum(dim=1), (free.cumsum(dim=1) - 1).clamp(min=0)
    begin, wide = uniform(2, B, blocks, rng=rng, like=free)
    shares = (_LEAST + (_MOST - _LEAST) * wide).maximum(1 / counts.clamp(min=1)[:, None])
    masked = free & ~outside_blocks(counts, P, begin, shares).gather(1, rank)
    spared = (uniform(B, rng=rng, like=free) * counts).long().minimum((counts - 1).clamp(min=0))
    nothing_left = (masked == free).all(dim=1, keepdim=True)
    return masked & ~(nothing_left & (rank == spared[:, None]))
