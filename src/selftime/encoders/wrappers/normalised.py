"""Encoders of series with mean 0 and standard deviation 1, and of each channel by itself."""

from jaxtyping import Float, Int
from torch import Tensor

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, LayerShape, Wrapper
from selftime.shapes import Embedding, Observed, Tokens, Values

VARIANCE_EPS = 1e-5
"""Added to variances (Kim et al. 2022, equation 2: ε)."""


class InstanceNormalised(Wrapper, Encoder):
    """Another encoder, shown each channel of each series at mean 0 and standard deviation 1.

    The first half of RevIN (Kim et al. 2022, equations 1 and 2) over the observed values, without
    its learned scale and shift: a linear map follows and has its own. Mean and standard deviation
    are lost to the encoder, and tokens are never causal, as both are of the whole series.

    Attributes:
        encoder: of the normalised series.
    """

    def __init__(self, *, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.dim, self.stride, self.by_channel = encoder.dim, encoder.stride, encoder.by_channel
        self.columns = encoder.columns
        if hasattr(encoder, "channels"):
            self.channels = encoder.channels

    def enter(self, x: Batch) -> Batch:
        """The normalised series."""
        return normalised(x)

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """One vector a series (B,D), as the encoder makes it."""
        return self.encoder.pool(tokens, normalised(x))

    def embed(self, x: Batch) -> Embedding:
        """One vector a series (B,D)."""
        return self.encoder.embed(normalised(x))


def normalised(x: Batch) -> Batch:
    """Every channel of every series at mean 0 and standard deviation 1 of its observed values."""
    mean = observed_mean(x.values, x.observed)  # (B,C,1)
    centred = (x.values - mean).where(x.observed, 0.0)
    variance = observed_mean(centred.square(), x.observed)
    return Batch(centred / (variance + VARIANCE_EPS).sqrt(), x.observed)


def observed_mean(values: Values, observed: Observed) -> Float[Tensor, "B C 1"]:
    """Mean (B,C,1) of the observed values; 0 where there are none."""
    count = observed.sum(dim=2, keepdim=True).clamp(min=1)
    return values.where(observed, 0.0).sum(dim=2, keepdim=True) / count


class ByChannel(Wrapper, Encoder):
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
        self.stride, self.causal, self.columns = encoder.stride, encoder.causal, encoder.columns

    def enter(self, x: Batch) -> Batch:
        """Every channel as a series of its own (B·C,1,T)."""
        return split_channels(x)

    def leave(self, tokens: Float[Tensor, "R N d"]) -> Tokens:
        """Tokens of channels (B·C,N,D/C) as tokens of series (B,N,D)."""
        _, N, d = tokens.shape
        return tokens.view(-1, self.channels, N, d).transpose(1, 2).flatten(2)

    def layer_shapes(self) -> list[LayerShape]:
        """Those of the encoder, for all channels."""
        shapes = self.encoder.layer_shapes()
        return [LayerShape(self.channels * width, stride) for width, stride in shapes]

    def tokens_at(self, x: Batch, places: Int[Tensor, "B K"]) -> Tokens:
        """Tokens (B,K,D) at some places."""
        each = places.repeat_interleave(self.channels, dim=0)  # (B·C,K)
        return self.leave(self.encoder.tokens_at(self.enter(x), each))

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The vectors of the channels side by side (B,D)."""
        B, N, _ = tokens.shape
        each = tokens.view(B, N, self.channels, -1).transpose(1, 2).flatten(0, 1)  # (B·C,N,D/C)
        return self.encoder.pool(each, split_channels(x)).view(B, -1)

    def embed(self, x: Batch) -> Embedding:
        """The vectors of the channels side by side (B,D)."""
        return self.encoder.embed(split_channels(x)).view(x.values.shape[0], -1)


def split_channels(x: Batch) -> Batch:
    """Every channel as a series of its own (B·C,1,T)."""
    return Batch(x.values.flatten(0, 1)[:, None], x.observed.flatten(0, 1)[:, None])
