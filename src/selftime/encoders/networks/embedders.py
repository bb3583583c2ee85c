"""Embedders of signals that are no measurements over time: symbols, waveforms, frames of films."""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, check_channels, network_input
from selftime.encoders.networks.actnorm import he_uniform
from selftime.encoders.networks.attention import xavier_linear
from selftime.encoders.networks.dilated import uniform_init
from selftime.encoders.networks.patching import Embedder, steps_at_places
from selftime.shapes import Tokens


class SymbolEmbedder(Embedder, Encoder):
    """A row of a table for every symbol (Devlin et al. 2019, figure 2, "token embeddings").

    A symbol that was not observed has a row of its own, which is [MASK] there. Values are rounded
    to whole numbers, and those beyond the table take its nearest row.

    Attributes:
        symbols: V, of the vocabulary; the table has V + 1 rows.
        length: steps of the series it is prepared for; longer ones work too.
        dim: D, of the tokens.
        seed: draws the initial rows.

    Raises:
        ValueError: no symbols.
    """

    symbols: int
    channels = stride = patch = 1

    def __init__(self, *, symbols: int, length: int, dim: int = 128, seed: int = 0) -> None:
        super().__init__()
        if symbols < 1:
            raise ValueError(f"got {symbols} symbols, wanted at least 1: read a text first")
        self.symbols, self.length, self.dim, self.seed = symbols, length, dim, seed
        rng = Generator().manual_seed(seed)
        self.table = nn.Parameter(torch.randn(symbols + 1, dim, generator=rng))

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """The rows (B,K,D) of the symbols at some places."""
        check_channels(self, x)
        known = symbols_in(x.values[:, 0], self.symbols)  # (B,T)
        symbols = known.where(x.observed[:, 0], self.symbols)
        return F.embedding(symbols.gather(1, places), self.table)


def symbols_in(values: Float[Tensor, "*S"], count: int) -> Int[Tensor, "*S"]:
    """Return values as symbols 0 to ``count`` − 1, the nearest of them."""
    return values.round().clamp(0, count - 1).long()


_LONGEST = 1_000_000
"""Steps of a token of a waveform, as every series is filled up to whole tokens."""


class WaveEmbedder(Embedder, Encoder):
    """Strided convolutions of a waveform (van den Oord et al. 2018, section 3.1).

    As published, five layers of 10, 8, 4, 4 and 4 taps with strides 5, 4, 2, 2 and 2 make one token
    of 160 samples, 10 ms at 16 kHz. Behind each stands a norm over its features, step by step, as
    in Rivière et al. 2020, so that every series is encoded by itself, then a ReLU. Zeros stand in
    front of a series alone: a token knows nothing that comes after its own samples, and so
    nothing of padding either. Samples not observed enter as 0.

    Attributes:
        channels: C, of the series.
        length: steps of the series it is prepared for; longer ones work too.
        dim: D, of the tokens, and features of every layer.
        strides: of each layer.
        kernels: taps of each layer.
        seed: draws the initial weights.

    Raises:
        ValueError: no layer, other strides than kernels, or strides that leave steps out or make
            tokens of more than a million.
    """

    stride: int

    def __init__(  # noqa: PLR0913 - the sizes of a network
        self,
        *,
        channels: int,
        length: int,
        dim: int = 256,  # Rivière et al. 2020; 512 in van den Oord et al. 2018
        strides: Sequence[int] = (5, 4, 2, 2, 2),
        kernels: Sequence[int] = (10, 8, 4, 4, 4),
        seed: int = 0,
    ) -> None:
        super().__init__()
        sizes = list(zip(strides, kernels, strict=False))
        if not sizes or len(strides) != len(kernels) or any(s < 1 or k < s for s, k in sizes):
            raise ValueError(
                f"got strides {tuple(strides)} and kernels {tuple(kernels)}, wanted as many of "
                "each, and no gaps: use strides from 1 on that are no longer than the kernels"
            )
        if prod(strides) > _LONGEST:
            raise ValueError(
                f"got strides {tuple(strides)}, a token for {prod(strides)} steps, wanted at most "
                f"{_LONGEST}"
            )
        self.channels, self.length, self.dim, self.seed = channels, length, dim, seed
        self.strides, self.kernels = tuple(strides), tuple(kernels)
        rng = Generator().manual_seed(seed)
        self.stack = nn.ModuleList(
            StridedLayer(channels if layer == 0 else dim, dim, kernel, stride, rng)
            for layer, (stride, kernel) in enumerate(sizes)
        )
        self.stride = self.patch = prod(self.strides)

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) at some places; all of them are made, as they share their steps."""
        check_channels(self, x)
        h = F.pad(network_input(x), (0, -x.values.shape[2] % self.stride))
        for layer in self.stack:
            h = layer(h)
        index = places[:, None].expand(-1, h.shape[1], -1)
        return h.gather(2, index).transpose(1, 2)


class StridedLayer(nn.Module):
    """A causal convolution that keeps one step in ``stride``, a norm over features, a ReLU."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, rng: Generator) -> None:
        super().__init__()
        self.stride, self.ahead = stride, kernel - stride
        self.weight = nn.Parameter(he_uniform(outer, inner, kernel, rng=rng))
        self.bias = nn.Parameter(uniform_init(outer, bound=(inner * kernel) ** -0.5, rng=rng))
        self.norm = nn.LayerNorm(outer)

    def forward(self, h: Float[Tensor, "B I T"]) -> Float[Tensor, "B O _"]:
        """Features (B,O,T / stride), each of its own steps and those before them."""
        made = F.conv1d(F.pad(h, (self.ahead, 0)), self.weight, self.bias, stride=self.stride)
        normed: Tensor = self.norm(made.transpose(1, 2)).transpose(1, 2)
        return normed.relu()


WIDTHS = (16, 32, 64)
"""Features of the three layers of a :class:`FrameEmbedder`, small enough for two cores."""


class FrameEmbedder(Embedder, Encoder):
    """A small convolutional network of every frame, by itself.

    Three layers of 3 × 3 taps and stride 2 with 16, 32 and 64 features, then a linear map of all
    that is left, so that a token says where in its frame things are. Pixels not observed enter as
    0. One token is one frame: order and motion are for the encoder of the tokens.

    Attributes:
        height: pixels.
        width: pixels.
        colours: of a pixel; C = colours · height · width.
        length: frames of the films it is prepared for; longer ones work too.
        dim: D, of the tokens.
        seed: draws the initial weights.

    Raises:
        ValueError: frames without pixels.
    """

    stride = patch = 1

    def __init__(  # noqa: PLR0913 - the sizes of a film
        self, *, height: int, width: int, colours: int, length: int, dim: int = 128, seed: int = 0
    ) -> None:
        super().__init__()
        if min(height, width, colours) < 1:
            raise ValueError(
                f"got frames of {height} x {width} pixels of {colours} colours, wanted at least "
                "1 of each"
            )
        self.height, self.width, self.colours = height, width, colours
        self.length, self.dim, self.seed = length, dim, seed
        self.channels = colours * height * width
        rng = Generator().manual_seed(seed)
        self.stack = nn.ModuleList(
            HalvingLayer(inner, outer, rng) for inner, outer in pairwise((colours, *WIDTHS))
        )
        left = [-(-side // 2 ** len(WIDTHS)) for side in (height, width)]
        self.map = xavier_linear(WIDTHS[-1] * left[0] * left[1], dim, rng)

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) of the frames at some places; no other frame is looked at."""
        h = steps_at_places(self, x, places)  # (B,K,C)
        B, K, _ = h.shape
        h = h.reshape(B * K, self.colours, self.height, self.width)
        for layer in self.stack:
            h = layer(h)
        tokens: Tensor = self.map(h.flatten(1)).view(B, K, -1)
        return tokens


class HalvingLayer(nn.Module):
    """A convolution of 3 × 3 taps that keeps every second row and column, then a GELU."""

    def __init__(self, inner: int, outer: int, rng: Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(he_uniform(outer, inner, 9, rng=rng).view(outer, inner, 3, 3))
        self.bias = nn.Parameter(uniform_init(outer, bound=(9 * inner) ** -0.5, rng=rng))

    def forward(self, h: Float[Tensor, "R I H W"]) -> Float[Tensor, "R O _ _"]:
        """Features (R,O,⌈H/2⌉,⌈W/2⌉) of pictures."""
        return F.gelu(F.conv2d(h, self.weight, self.bias, stride=2, padding=1))
