"""What a causal network says of each step, and what it would say if that step were missing."""

import torch.nn.functional as F
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.networks.dilated import HERE, Block, Convolution, Dilated, Rows, series_first
from selftime.shapes import Tokens


def visible_and_masked_tokens(encoder: Dilated, x: Batch) -> tuple[Tokens, Tokens]:
    """Tokens (B,T,D) of all steps, and of each with that step alone hidden, in one pass.

    No step before the hidden one knows of it, so only the last tap of each convolution sees another
    input: y′ₜ = yₜ + W (gelu(h′ₜ) − gelu(hₜ)). Hiding all steps one by one costs a third more than
    hiding none. Tokens behind the end of a series are as if it went on without anything observed.

    Raises:
        ValueError: a network that is not causal: a hidden step would change other tokens too.
    """
    if not encoder.causal:
        raise ValueError(
            "got Dilated with causal=False, wanted causal=True: pretrain dilated_causal"
        )
    B, _, T = x.values.shape
    seen = encoder.entry_rows(x)
    hidden = seen.new_zeros(seen.shape)
    for k, block in enumerate(encoder.stack):
        assert isinstance(block, Block)
        seen, hidden = pass_block(block, seen, hidden, encoder.shifts(k, B))
    return series_first(seen, B, T), series_first(hidden, B, T)


def pass_block(
    block: Block, seen: Rows, hidden: Rows, shifts: tuple[int, int, int]
) -> tuple[Rows, Rows]:
    """What a block makes of rows, and of each if that row alone is another one."""
    inner = block.first(F.gelu(seen), shifts)
    inner_hidden = inner + last_tap(block.first, F.gelu(hidden) - F.gelu(seen))
    along, along_hidden = shortcut(block, seen), shortcut(block, hidden)
    outer = block.second(F.gelu(inner), shifts)
    outer_hidden = outer + last_tap(block.second, F.gelu(inner_hidden) - F.gelu(inner))
    return along + outer, along_hidden + outer_hidden


def last_tap(layer: Convolution, change: Rows) -> Rows:
    """What changes behind a convolution if its last tap reads other rows."""
    return change @ layer.weight[-1].T


def shortcut(block: Block, x: Rows) -> Tensor:
    """What the convolutions of a block are added to."""
    return x if block.beside is None else block.beside(x, HERE)
