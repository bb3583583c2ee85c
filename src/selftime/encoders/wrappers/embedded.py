"""The tokens of an embedder as the series that any other encoder reads."""

from jaxtyping import Bool
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, LayerShape, Wrapper, token_mask
from selftime.encoders.networks.patching import Embedder
from selftime.shapes import Embedding, Tokens


class Embedded(Wrapper, Encoder):
    """Another encoder of tokens: their features are its channels, and each is a step.

    So CPC's network is a waveform's :class:`~selftime.encoders.networks.embedders.WaveEmbedder`
    with a recurrent network behind it (van den Oord et al. 2018, section 3.1), and text goes
    through convolutions. Every token up to the end of a series counts as observed: what a token of
    nothing looks like is for the embedder to say.

    Attributes:
        embedder: makes the tokens.
        encoder: reads them.

    Raises:
        ValueError: an encoder of another number of channels than tokens have features.
    """

    def __init__(self, *, embedder: Embedder, encoder: Encoder) -> None:
        super().__init__()
        read = getattr(encoder, "channels", embedder.dim)
        if read != embedder.dim:
            raise ValueError(
                f"got an encoder of {read} channels and tokens of {embedder.dim} features: build "
                f"it with channels={embedder.dim}"
            )
        self.embedder, self.encoder = embedder, encoder
        self.channels, self.dim = embedder.channels, encoder.dim
        self.stride = self.steps_of(encoder.stride)
        self.causal = encoder.causal and embedder.patch == embedder.stride
        self.symbols = embedder.symbols
        self.columns = embedder.columns if encoder.stride == 1 else None

    def steps_of(self, tokens: int | None) -> int | None:
        """Steps of the series that so many tokens take."""
        return None if tokens is None else tokens * self.embedder.stride

    def enter(self, x: Batch) -> Batch:
        """The tokens as a series (B,D,N)."""
        tokens = self.embedder(x).transpose(1, 2)  # (B,D,N)
        return Batch(tokens, self.within(x)[:, None].expand(tokens.shape))

    def within(self, x: Batch) -> Bool[Tensor, "B N"]:
        """True for tokens of the embedder that begin within their series."""
        return token_mask(x, self.embedder.stride)

    def layer_shapes(self) -> list[LayerShape]:
        """Those of the encoder, in steps of the series."""
        shapes = self.encoder.layer_shapes()
        return [LayerShape(width, self.steps_of(stride)) for width, stride in shapes]

    def blocks(self) -> list[nn.Module]:
        """The embedder, then those of the encoder."""
        return [self.embedder, *self.encoder.blocks()]

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """One vector a series (B,D), as the encoder makes it; it reads which tokens there are."""
        within = self.within(x)[:, None]
        nothing = tokens.new_zeros(()).expand(within.shape[0], self.embedder.dim, within.shape[2])
        return self.encoder.pool(tokens, Batch(nothing, within.expand(nothing.shape)))

    def embed(self, x: Batch) -> Embedding:
        """One vector a series (B,D)."""
        return self.encoder.embed(self.enter(x))

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Prepare the encoder on the tokens as they are."""
        self.encoder.prepare(self.enter(x), rng)
