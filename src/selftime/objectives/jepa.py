"""JEPA: a teacher's tokens of hidden blocks are predicted from what is visible."""

import torch
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
from selftime.shapes import Lengths
from selftime.views.draws import uniform
from selftime.views.masks import hidden, outside_blocks

_LEAST, _MOST = 0.15, 0.2  # share of the patches of a block (Assran et al. 2023, section 3)
_TALLEST, _WIDEST = 1.5, 0.75  # height of a block over its width, on a grid (section 3)


class JEPA(Objective):
    """Joint-embedding predictive architecture (I-JEPA, Assran et al. 2023, section 3), of time.

    The encoder sees what lies outside all hidden blocks; a predictor tells the tokens that the
    teacher, which sees everything, has within them. They are normalised to mean 0 and variance 1,
    as in the authors' code. All blocks are predicted at once, where the paper predicts each by
    itself, and the context is all that is left, without a block of its own. Where patches lie on a
    grid blocks are rectangles, as in the paper.

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
        masked = draw_blocks(free, self.blocks, rng, columns=self.predictor.columns)
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


def draw_blocks(
    free: Bool[Tensor, "B P"], blocks: int, rng: Generator, *, columns: int | None = None
) -> Bool[Tensor, "B P"]:
    """Draw blocks of 15 to 20 % of the patches of each series, at least one each; they may overlap.

    Blocks lie over the ``free`` patches alone, which hold something, or are rectangles on a grid
    of so many ``columns``. Where they would leave nothing, one drawn patch stays visible; so of a
    single patch that one does.
    """
    counts, rank = free.sum(dim=1), (free.cumsum(dim=1) - 1).clamp(min=0)
    if columns is None:
        outside = draw_spans(counts, free.shape[1], blocks, rng).gather(1, rank)
    else:
        outside = draw_rectangles(free, blocks, columns, rng)
    masked = free & ~outside
    spared = (uniform(len(free), rng=rng, like=free) * counts).long()
    spared = spared.minimum((counts - 1).clamp(min=0))
    nothing_left = (masked == free).all(dim=1, keepdim=True)
    return masked & ~(nothing_left & (rank == spared[:, None]))


def draw_spans(counts: Lengths, P: int, blocks: int, rng: Generator) -> Bool[Tensor, "B {P}"]:
    """Return True outside drawn spans of 15 to 20 % of so many patches."""
    begin, wide = uniform(2, len(counts), blocks, rng=rng, like=counts)
    shares = (_LEAST + (_MOST - _LEAST) * wide).maximum(1 / counts.clamp(min=1)[:, None])
    return outside_blocks(counts, P, begin, shares)


def draw_rectangles(
    free: Bool[Tensor, "B P"], blocks: int, columns: int, rng: Generator
) -> Bool[Tensor, "B P"]:
    """Return True outside drawn rectangles of 15 to 20 % of a grid, 3:4 to 3:2 tall to wide."""
    B, P = free.shape
    place = torch.arange(P, device=free.device)
    row, column = place.div(columns, rounding_mode="floor"), place % columns
    size, form, *at = uniform(4, B, blocks, rng=rng, like=free)  # (B,S) each
    area = (_LEAST + (_MOST - _LEAST) * size) * P
    tall = (_WIDEST + (_TALLEST - _WIDEST) * form).sqrt()  # the side of a square is times this
    within = torch.ones(B, blocks, P, dtype=torch.bool, device=free.device)
    for where, side, draw, most in zip(
        (row, column),
        (area.sqrt() * tall, area.sqrt() / tall),
        at,
        (-(-P // columns), columns),
        strict=True,
    ):
        length = side.round().clamp(1, most)
        first = (draw * (most - length + 1)).floor()  # (B,S)
        within &= (first[:, :, None] <= where) & (where < (first + length)[:, :, None])
    return ~within.any(dim=1)
