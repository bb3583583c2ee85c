"""Transformers over the tokens of an embedder, and a token of its own for the series as a whole."""

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, LayerShape, Wrapper, last_of
from selftime.encoders.networks.attention import (
    Size,
    TransformerLayer,
    attention_mask,
    check_heads,
    positions_of,
)
from selftime.encoders.networks.patching import (
    Embedder,
    all_places,
    mean_or_first,
    observed_tokens,
)
from selftime.shapes import Embedding, Tokens

WIDER = 2
"""Width of the feed-forward parts in widths of a token: 256 to 128 (Nie et al. 2023, A.1.4)."""


class Transformer(Encoder):
    """Attention between patches: the encoder of PatchTST (Nie et al. 2023, section 3.1).

    Embedded patches with their positions go through Transformer layers and a last LayerNorm; a
    series is the mean of its tokens. No token attends to one of a patch without any observed value
    (:func:`selftime.encoders.networks.patching.observed_tokens`), but such a token has an output of
    its own, made from the others. PatchTST has batch norms behind the parts of a layer and
    dropout; here LayerNorms stand before them, so that every series is encoded by itself, and only
    the views are random in training.

    Attributes:
        embedder: makes tokens: of patches, or of symbols, frames, pieces of sound.
        positions: "learned", "sines" or "rotary"; "grid" where the tokens lie in rows.
        depth: layers.
        heads: of the attention in each.
        causal: tokens attend to earlier ones and themselves only; patches must not overlap then.
        seed: draws the initial weights of all but the embedder.

    Raises:
        ValueError: positions that there are not, heads that do not share a token evenly, or
            causal with patches that reach into the steps of the next token.
    """

    def __init__(
        self,
        *,
        embedder: Embedder,
        positions: str = "rotary",
        depth: int = 3,  # Nie et al. 2023, A.1.4
        heads: int = 16,
        causal: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        check_heads(embedder.dim, heads)
        check_causal(embedder, causal)
        self.embedder, self.positions = embedder, positions
        self.depth, self.heads, self.causal, self.seed = depth, heads, causal, seed
        self.channels, self.dim, self.stride = embedder.channels, embedder.dim, embedder.stride
        self.symbols, self.columns = embedder.symbols, embedder.columns
        rng = Generator().manual_seed(seed)
        self.stack = nn.ModuleList(
            TransformerLayer(self.dim, heads, inner=WIDER * self.dim, rng=rng) for _ in range(depth)
        )
        rows = -(-embedder.length // embedder.stride)
        self.placed = positions_of(
            positions, Size(rows, self.dim, heads, causal, embedder.columns), rng
        )
        self.norm = nn.LayerNorm(self.dim)

    def forward(self, x: Batch) -> Tokens:
        """One token a patch (B,N,D)."""
        return self.tokens_at(x, all_places(x, self.embedder.stride))

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) at some places, which attend to each other alone (He et al. 2022, 3)."""
        return last_of(self.stages_at(x, places))

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """Yield one token a patch: embedded with its position, then after each layer."""
        return self.stages_at(x, all_places(x, self.embedder.stride))

    def layer_shapes(self) -> list[LayerShape]:
        """The same for all."""
        return [LayerShape(self.dim, self.stride)] * (self.depth + 1)

    def stages_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Iterator[Tokens]:
        """Yield tokens (B,K,D) at some places after each layer; the last norm is of the last."""
        stride = self.embedder.stride
        counts = -(-x.lengths // stride)
        h, turns = self.placed(self.embedder.tokens_at(x, places), places, counts)
        seen = attention_mask_at(
            observed_tokens(x, stride).gather(1, places), places, causal=self.causal
        )
        for layer in self.stack:
            yield h
            h = layer(h, seen, turns)
        yield self.norm(h)

    def blocks(self) -> list[nn.Module]:
        """Patches with their positions, then the layers, the last one with the norm behind it."""
        first, last = [self.embedder, self.placed], [*self.stack[-1:], self.norm]
        return [nn.ModuleList(first), *self.stack[:-1], nn.ModuleList(last)]

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The mean (B,D) of the tokens with observed values."""
        return mean_or_first(tokens, observed_tokens(x, self.embedder.stride))


def attention_mask_at(
    valid: Bool[Tensor, "B K"], places: Int[Tensor, "B K"], *, causal: bool
) -> Bool[Tensor, "B K K"] | None:
    """:func:`attention_mask` of tokens at some places, in whatever order; None for no mask."""
    if not causal:
        return attention_mask(valid)
    seen = valid[:, None, :] & (places[:, None, :] <= places[:, :, None])
    alone = ~seen.any(dim=2, keepdim=True) & (places[:, None, :] == places[:, :, None])
    return seen | alone


def check_causal(embedder: Embedder, causal: bool) -> None:
    """Raise a ValueError where a causal token would read steps of the next one."""
    if causal and embedder.patch != embedder.stride:
        raise ValueError(
            f"got causal with patches of {embedder.patch} steps every {embedder.stride}, which "
            "reach into the steps of later tokens: use stride = patch"
        )


class ClassToken(Wrapper, Encoder):
    """A learned [CLS] token attends to all tokens of another encoder and becomes the vector.

    It joins behind the last layer, for one layer of its own, and no other token attends to it
    (Touvron et al. 2021, *Going deeper with image transformers*, section 3): tokens along time
    are those of the encoder, and the vector is made from them alone. Objectives of tokens along
    time only, such as masked ones, leave it as it was drawn: take the encoder bare for them.

    Attributes:
        encoder: makes the tokens.
        heads: of the attention.
        seed: draws the initial weights.

    Raises:
        ValueError: an encoder without tokens along time, or heads of uneven width.
    """

    def __init__(self, *, encoder: Encoder, heads: int = 8, seed: int = 0) -> None:
        super().__init__()
        if encoder.stride is None:
            raise ValueError(
                f"got {type(encoder).__name__}, which sees a series only as a whole, wanted an "
                "encoder with tokens along time: use it without a class token"
            )
        check_heads(encoder.dim, heads)
        self.encoder, self.heads, self.seed = encoder, heads, seed
        self.channels, self.dim, self.stride = encoder.channels, encoder.dim, encoder.stride
        self.causal, self.by_channel = encoder.causal, encoder.by_channel
        self.symbols, self.columns = encoder.symbols, encoder.columns
        rng = Generator().manual_seed(seed)
        self.token = nn.Parameter(0.02 * torch.randn(self.dim, generator=rng))
        self.layer = TransformerLayer(self.dim, heads, inner=WIDER * self.dim, rng=rng)
        self.norm = nn.LayerNorm(self.dim)

    def blocks(self) -> list[nn.Module]:
        """Those of the encoder, then the class token and its layer."""
        own = [nn.ParameterList([self.token]), self.layer, self.norm]
        return [*self.encoder.blocks(), nn.ModuleList(own)]

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The class token (B,D) after it attended to the tokens with observed values."""
        valid = observed_tokens(x, self.stride or x.values.shape[2])  # (B,N)
        own = self.token.expand(tokens.shape[0], 1, -1)
        seen = attention_mask(torch.cat([torch.ones_like(valid[:, :1]), valid], dim=1))
        vectors: Tensor = self.norm(self.layer(torch.cat([own, tokens], dim=1), seen)[:, 0])
        return vectors
