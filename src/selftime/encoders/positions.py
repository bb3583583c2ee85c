"""Positions of tokens: a learned table, sines and cosines, or turns of queries and keys."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from selftime.encoders.attention import sinusoids, rotary_cos_sin
from selftime.shapes import Lengths, Tokens


class Size(NamedTuple):
    """What positions are made for.

    Attributes:
        rows: tokens of the series that the encoder is prepared for.
        dim: D, of the tokens.
        heads: of the attention.
        causal: whether no token may know how long its series is.
    """

    rows: int
    dim: int
    heads: int
    causal: bool


class LearnedPositions(nn.Module):
    """A row of a table is added to each token (Nie et al. 2023, section 3.1).

    A series of more tokens than rows is laid over the whole table, and its tokens stand between
    rows: linear interpolation over its own length, as Vision Transformers do with larger pictures
    (Dosovitskiy et al. 2021, section 3.2). With ``causal`` the length is not known, and all tokens
    beyond the table take its last row.
    """

    def __init__(self, size: Size, rng: Generator) -> None:
        super().__init__()
        self.causal = size.causal
        self.table = nn.Parameter(0.02 * torch.randn(size.rows, size.dim, generator=rng))

    def forward(
        self, h: Tokens, places: Int[Tensor, "B N"], counts: Lengths
    ) -> tuple[Tokens, None]:
        """Tokens (B,N,D) with their positions.

        Args:
            h: (B,N,D) tokens.
            places: (B,N) of the tokens in their series.
            counts: (B,) tokens that each series has.
        """
        last = len(self.table) - 1
        at = places.to(h.dtype)
        at = (at if self.causal else squeezed(at, counts, last)).clamp(max=last)
        below = at.floor().long()  # (B,N)
        above = (below + 1).clamp(max=last)
        share = (at - below)[:, :, None]
        return h + self.table[below] * (1 - share) + self.table[above] * share, None


def squeezed(at: Float[Tensor, "B N"], counts: Lengths, last: int) -> Float[Tensor, "B N"]:
    """Places of series that end behind place ``last``, drawn together so that they end there."""
    end = (counts - 1).clamp(min=1)[:, None]  # (B,1)
    return at * (last / end).clamp(max=1)


class SinePositions(nn.Module):
    """Sines and cosines are added to each token (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, size: Size, rng: Generator) -> None:  # noqa: ARG002
        super().__init__()
        self.dim = size.dim

    def forward(
        self,
        h: Tokens,
        places: Int[Tensor, "B N"],
        counts: Lengths,  # noqa: ARG002
    ) -> tuple[Tokens, None]:
        """Tokens (B,N,D) with their positions, for series of any length."""
        return h + sinusoids(places.to(h.dtype), self.dim).to(h.dtype), None


class RotaryPositions(nn.Module):
    """Queries and keys turn, so that attention knows distances alone (Su et al. 2021)."""

    def __init__(self, size: Size, rng: Generator) -> None:  # noqa: ARG002
        super().__init__()
        self.dim = size.dim // size.heads

    def forward(
        self,
        h: Tokens,
        places: Int[Tensor, "B N"],
        counts: Lengths,  # noqa: ARG002
    ) -> tuple[Tokens, Float[Tensor, "..."]]:
        """Tokens (B,N,D) as they are, and turns for the layers."""
        return h, rotary_cos_sin(places[:, None].to(h.dtype), self.dim).to(h.dtype)


POSITIONS: dict[str, Callable[[Size, Generator], nn.Module]] = {
    "learned": LearnedPositions,
    "sines": SinePositions,
    "rotary": RotaryPositions,
}
"""Positions by the names that settings hold."""


def positions_of(name: str, size: Size, rng: Generator) -> nn.Module:
    """Positions of a kind.

    Raises:
        ValueError: a kind that there is not.
    """
    if name not in POSITIONS:
        raise ValueError(f"got positions={name!r}, wanted one of {', '.join(POSITIONS)}")
    return POSITIONS[name](size, rng)
