"""Attention and positions: the layers of Transformers, with weights drawn from a generator."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from selftime.data.graph import is_whole
from selftime.shapes import Lengths, Tokens


class TransformerLayer(nn.Module):
    """h + attention(norm(h)), then h + feed-forward(norm(h)) (Vaswani et al. 2017, section 3.1).

    Norms come first (Xiong et al. 2020, figure 1b), so that no warm-up is needed, and there is no
    dropout: only the views are random in training. Each head reads D / heads features of a token.
    """

    def __init__(self, dim: int, heads: int, *, inner: int, rng: Generator) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_feed = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.queries_keys_values = xavier_linear(dim, 3 * dim, rng)
        self.out = xavier_linear(dim, dim, rng)
        self.widen, self.narrow = xavier_linear(dim, inner, rng), xavier_linear(inner, dim, rng)

    def forward(
        self,
        h: Tokens,
        seen: Bool[Tensor, "B N N"] | None = None,
        turns: Float[Tensor, "..."] | None = None,
    ) -> Tokens:
        """Tokens (B,N,D) after each (axis 1) attended to those (axis 2) that ``seen`` allows.

        ``turns`` are of :func:`rotary_cos_sin`; None where tokens carry their position themselves.
        """
        q, k, v = self.split(self.queries_keys_values(self.norm_attention(h)))  # (B,H,N,D/H)
        if turns is not None:
            q, k = apply_rotary(q, turns), apply_rotary(k, turns)
        mask = None if seen is None else seen[:, None]  # (B,1,N,N)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (B,H,N,D/H)
        h = h + self.out(attended.transpose(1, 2).flatten(2))
        more: Tensor = self.narrow(F.gelu(self.widen(self.norm_feed(h))))
        return h + more

    def split(self, qkv: Float[Tensor, "B N E"]) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values, (B,H,N,D/H) each, from their concatenation (B,N,3·D)."""
        B, N, _ = qkv.shape
        q, k, v = qkv.view(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return q, k, v


def xavier_linear(inner: int, outer: int, rng: Generator) -> nn.Linear:
    """A linear map, Xavier uniform (Glorot & Bengio 2010, equation 16), bias 0."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inner, outer)  # type: ignore[no-untyped-call]
    bound = (6 / (inner + outer)) ** 0.5
    with torch.no_grad():
        layer.weight.uniform_(-bound, bound, generator=rng)
        layer.bias.zero_()
    return layer


def check_heads(dim: int, heads: int) -> None:
    """Raise a ValueError where heads cannot share a token evenly, in pairs for rotary positions."""
    if heads < 1 or dim % (2 * heads):
        raise ValueError(
            f"got {heads} heads for tokens of {dim} numbers, wanted a multiple of {2 * heads}: "
            "such as 4 heads for 64"
        )


def attention_mask(
    valid: Bool[Tensor, "B N"], *, causal: bool = False
) -> Bool[Tensor, "B N N"] | None:
    """Mask of the tokens that each token attends to: valid ones, none after it if ``causal``."""
    # A token that would attend to none attends to itself. None where nothing is masked.
    if not causal and is_whole(valid):
        return None
    N = valid.shape[1]
    seen = valid[:, None, :].expand(-1, N, -1)  # (B,N,N)
    if causal:
        seen = seen & torch.ones(N, N, dtype=torch.bool, device=valid.device).tril()
    alone = ~seen.any(dim=2, keepdim=True) & torch.eye(N, dtype=torch.bool, device=valid.device)
    return seen | alone


def sinusoids(places: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Sines, then cosines (…,dim), waves of 2π to 20,000π (Vaswani et al. 2017, section 3.5)."""
    angle = rotary_angles(places, dim)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def grid_sinusoids(places: Float[Tensor, "..."], dim: int, columns: int) -> Float[Tensor, "..."]:
    """:func:`sinusoids` of the row, then of the column (…,dim), of places on a grid.

    The two-dimensional positions of He et al. 2022, A.1: half of the features say the row.
    """
    row = places.div(columns, rounding_mode="floor")
    return torch.cat([sinusoids(at, dim // 2) for at in (row, places - row * columns)], dim=-1)


def position_waves(
    places: Float[Tensor, "..."], dim: int, columns: int | None
) -> Float[Tensor, "..."]:
    """Waves (…,dim) that say where tokens are: in time, or on a grid of so many columns."""
    if columns is None:
        return sinusoids(places, dim)
    return grid_sinusoids(places, dim, columns)


def rotary_cos_sin(places: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Cosines and sines (2,…,dim/2) by which pairs of features turn (Su et al. 2021, eq. 34).

    Places are (N,) for all series, or (B,1,N); ``dim`` is D / heads.
    """
    angle = rotary_angles(places, dim)
    return torch.stack([angle.cos(), angle.sin()])


def rotary_angles(places: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Place times 10,000^(−2i/dim), (…,dim/2)."""
    speed = 10_000 ** (-torch.arange(0, dim, 2, device=places.device) / dim)
    return places[..., None] * speed


def apply_rotary(
    z: Float[Tensor, "B H N d"], turns: Float[Tensor, "..."]
) -> Float[Tensor, "B H N d"]:
    """The first half of each vector and the second, as coordinates of points, turned."""
    cos, sin = turns
    a, b = z.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Size(NamedTuple):
    """Tokens of a usual series, their width D, heads, and whether length must stay unknown.

    ``columns`` are the tokens in a row, where they lie on a grid.
    """

    rows: int
    dim: int
    heads: int
    causal: bool
    columns: int | None = None


class LearnedPositions(nn.Module):
    """A row of a table is added to each token (Nie et al. 2023, section 3.1).

    A series of more tokens than rows is stretched over the whole table, and its tokens take linear
    interpolations of rows, as Vision Transformers do with larger pictures (Dosovitskiy et al. 2021,
    section 3.2). With ``causal`` all tokens beyond the table take its last row.
    """

    def __init__(self, size: Size, rng: Generator) -> None:
        super().__init__()
        self.causal = size.causal
        self.table = nn.Parameter(0.02 * torch.randn(size.rows, size.dim, generator=rng))

    def forward(
        self, h: Tokens, places: Int[Tensor, "B N"], counts: Lengths
    ) -> tuple[Tokens, None]:
        """Tokens (B,N,D) with their positions, in series of so many tokens (B,)."""
        last = len(self.table) - 1
        at = places.to(h.dtype)
        if not self.causal:  # longer series are drawn together, so that they end at the last row
            at = at * (last / (counts - 1).clamp(min=1)[:, None]).clamp(max=1)
        at = at.clamp(max=last)
        below = at.floor().long()  # (B,N)
        above = (below + 1).clamp(max=last)
        share = (at - below)[:, :, None]
        return h + self.table[below] * (1 - share) + self.table[above] * share, None


class SinePositions(nn.Module):
    """Sines and cosines are added to each token (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, size: Size, rng: Generator) -> None:  # noqa: ARG002
        super().__init__()
        self.dim = size.dim

    def forward(
        self, h: Tokens, places: Int[Tensor, "B N"], counts: Lengths
    ) -> tuple[Tokens, None]:
        """Tokens (B,N,D) with their positions, for series of any length."""
        return h + sinusoids(places.to(h.dtype), self.dim).to(h.dtype), None


class GridPositions(nn.Module):
    """Sines and cosines of row and column are added to each token (He et al. 2022, A.1)."""

    def __init__(self, size: Size, rng: Generator) -> None:  # noqa: ARG002
        super().__init__()
        if size.columns is None or size.dim % 4:
            raise ValueError(
                f"got positions='grid' for tokens of {size.dim} numbers in rows of {size.columns}, "
                "wanted an embedder of a grid, such as GridEmbedder, and a multiple of 4 numbers"
            )
        self.dim, self.columns = size.dim, size.columns

    def forward(
        self, h: Tokens, places: Int[Tensor, "B N"], counts: Lengths
    ) -> tuple[Tokens, None]:
        """Tokens (B,N,D) with their positions, in as many rows as there are."""
        return h + grid_sinusoids(places.to(h.dtype), self.dim, self.columns).to(h.dtype), None


class RotaryPositions(nn.Module):
    """Queries and keys turn, so that attention knows distances alone (Su et al. 2021)."""

    def __init__(self, size: Size, rng: Generator) -> None:  # noqa: ARG002
        super().__init__()
        self.dim = size.dim // size.heads

    def forward(
        self, h: Tokens, places: Int[Tensor, "B N"], counts: Lengths
    ) -> tuple[Tokens, Float[Tensor, "..."]]:
        """Tokens (B,N,D) as they are, and turns for the layers."""
        return h, rotary_cos_sin(places[:, None].to(h.dtype), self.dim).to(h.dtype)


POSITIONS: dict[str, Callable[[Size, Generator], nn.Module]] = {
    "learned": LearnedPositions,
    "sines": SinePositions,
    "rotary": RotaryPositions,
    "grid": GridPositions,
}
"""Positions by the names that settings hold."""


def positions_of(name: str, size: Size, rng: Generator) -> nn.Module:
    """Return positions of a kind; raise a ValueError for an unknown one."""
    if name not in POSITIONS:
        raise ValueError(f"got positions={name!r}, wanted one of {', '.join(POSITIONS)}")
    return POSITIONS[name](size, rng)
