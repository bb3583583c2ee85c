"""Encoders of what is left without level and scale, and of each channel by itself."""

from collections.abc import Iterator

from jaxtyping import Float, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, LayerShape
from selftime.shapes import Embedding, Observed, Tokens, Values

VARIANCE_EPS = 1e-5
"""Added to variances (Kim et al. 2022, equation 2: ε)."""


class InstanceNormalised(Encoder):
    """Another encoder, shown each channel of each series at mean 0 and deviation 1.

    The first half of RevIN (Kim et al. 2022, equations 1 and 2) over the values that were
    observed. Its learned scale and shift are left out: what follows is linear and has its own.
    Level and scale are lost to the encoder, and tokens are never causal, as both are of the whole
    series.

    Attributes:
        encoder: what sees the series then.
    """

    def __init__(self, *, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim, self.stride, self.by_channel = encoder.dim, encoder.stride, encoder.by_channel
        if hasattr(encoder, "channels"):
            self.channels = encoder.channels

    def forward(self, x: Batch) -> Tokens:
        """Tokens (B,N,D) of the normalised series."""
        tokens: Tensor = self.encoder(normalised(x))
        return tokens

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """Those of the encoder, of the normalised series."""
        return self.encoder.stages(normalised(x))

    def layer_shapes(self) -> list[LayerShape]:
        """Those of the encoder."""
        return self.encoder.layer_shapes()

    def span(self, x: Batch, start: int, stop: int) -> Tokens:
        """Tokens ``start`` to ``stop``; the whole series is normalised."""
        return self.encoder.span(normalised(x), start, stop)

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) at some places; all that was observed is normalised together."""
        return self.encoder.tokens_at(normalised(x), places)

    def blocks(self) -> list[nn.Module]:
        """Those of the encoder."""
        return self.encoder.blocks()

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """One vector a series (B,D), as the encoder makes it."""
        return self.encoder.pool(tokens, normalised(x))

    def embed(self, x: Batch) -> Embedding:
        """One vector a series (B,D)."""
        return self.encoder.embed(normalised(x))

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Prepare the encoder on normalised series."""
        self.encoder.prepare(normalised(x), rng)


def normalised(x: Batch) -> Batch:
    """Every channel of every series at mean 0 and deviation 1 over what was observed of it."""
    mean = observed_mean(x.values, x.observed)  # (B,C,1)
    centred = (x.values - mean).where(x.observed, 0.0)
    variance = observed_mean(centred.square(), x.observed)
    return Batch(centred / (variance + VARIANCE_EPS).sqrt(), x.observed)


def observed_mean(values: Values, observed: Observed) -> Float[Tensor, "B C 1"]:
    """Mean (B,C,1) of what was observed; 0 where nothing was."""
    count = observed.sum(dim=2, keepdim=True).clamp(min=1)
    return values.where(observed, 0.0).sum(dim=2, keepdim=True) / count


class ByChannel(Encoder):
    """An encoder of one channel, run on every channel with the same weights.

    Channel independence (Nie et al. 2023, section 3.1). Tokens and vectors hold the features of
    the first channel, then those of the second, …

    Attributes:
        channels: C, of the series.
        encoder: reads one channel.

    Raises:
        ValueError: it reads more.
    """

    by_channel = True

    def __init__(self, *, channels: int, encoder: Encoder) -> None:
        super().__init__()
        read = getattr(encoder, "channels", 1)
        if read != 1:
            raise ValueError(f"got an encoder of {read} channels, wanted one: build it for one")
        self.channels, self.encoder = channels, encoder
        self.dim = channels * encoder.dim
        self.stride, self.causal = encoder.stride, encoder.causal

    def forward(self, x: Batch) -> Tokens:
        """Tokens (B,N,D), those of the channels of each place side by side."""
        return self.side_by_side(self.encoder(split_channels(x)))

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """Tokens after each layer, those of the channels of each place side by side."""
        return map(self.side_by_side, self.encoder.stages(split_channels(x)))

    def layer_shapes(self) -> list[LayerShape]:
        """Those of the encoder, for all channels."""
        shapes = self.encoder.layer_shapes()
        return [LayerShape(self.channels * width, stride) for width, stride in shapes]

    def span(self, x: Batch, start: int, stop: int) -> Tokens:
        """Tokens ``start`` to ``stop``."""
        return self.side_by_side(self.encoder.span(split_channels(x), start, stop))

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) at some places."""
        each = places.repeat_interleave(self.channels, dim=0)  # (B·C,K)
        return self.side_by_side(self.encoder.tokens_at(split_channels(x), each))

    def blocks(self) -> list[nn.Module]:
        """Those of the encoder."""
        return self.encoder.blocks()

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The vectors of the channels side by side (B,D)."""
        B, N, _ = tokens.shape
        each = tokens.view(B, N, self.channels, -1).transpose(1, 2).flatten(0, 1)  # (B·C,N,D/C)
        return self.encoder.pool(each, split_channels(x)).view(B, -1)

    def embed(self, x: Batch) -> Embedding:
        """The vectors of the channels side by side (B,D)."""
        return self.encoder.embed(split_channels(x)).view(len(x.values), -1)

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Prepare the encoder on all channels."""
        self.encoder.prepare(split_channels(x), rng)

    def side_by_side(self, tokens: Float[Tensor, "R N d"]) -> Tokens:
        """Tokens of channels (B·C,N,D/C) as tokens of series (B,N,D)."""
        _, N, d = tokens.shape
        return tokens.view(-1, self.channels, N, d).transpose(1, 2).flatten(2)


def split_channels(x: Batch) -> Batch:
    """Every channel as a series of its own (B·C,1,T)."""
    return Batch(x.values.flatten(0, 1)[:, None], x.observed.flatten(0, 1)[:, None])
