"""Vectors of another layer or pooling than an encoder's own."""

from collections.abc import Callable
from itertools import islice

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, masked_mean, token_mask
from selftime.encoders.wrappers.projected import backbone
from selftime.shapes import Embedding, Tokens

TokenMask = Bool[Tensor, "B N"]
"""True for the valid tokens, at least one in each series."""
_VARIANCE_EPS = 1e-8
"""Added to variances, so that the deviation of a single token has a gradient."""


def maximum(tokens: Tokens, valid: TokenMask) -> Embedding:
    """The maximum of each feature over the valid tokens."""
    return tokens.masked_fill(~valid[:, :, None], -torch.inf).amax(dim=1)


def last(tokens: Tokens, valid: TokenMask) -> Embedding:
    """The last valid token."""
    places = torch.arange(valid.shape[1], device=valid.device) * valid
    end = places.amax(dim=1)[:, None, None].expand(-1, 1, tokens.shape[2])  # (B,1,D)
    return tokens.gather(1, end)[:, 0]


def first(tokens: Tokens, valid: TokenMask) -> Embedding:  # noqa: ARG001 - it always is
    """The first token, which is valid in every series."""
    return tokens[:, 0]


def mean_and_maximum(tokens: Tokens, valid: TokenMask) -> Float[Tensor, "B E"]:
    """Mean, then maximum: E = 2·D."""
    return torch.cat([masked_mean(tokens, valid), maximum(tokens, valid)], dim=1)


def mean_and_deviation(tokens: Tokens, valid: TokenMask) -> Float[Tensor, "B E"]:
    """Mean, then standard deviation over the valid tokens: E = 2·D."""
    centre = masked_mean(tokens, valid)
    variance = masked_mean((tokens - centre[:, None]).square(), valid)
    return torch.cat([centre, (variance + _VARIANCE_EPS).sqrt()], dim=1)


POOLINGS: dict[str, Callable[[Tokens, TokenMask], Tensor]] = {
    "mean": masked_mean,
    "max": maximum,
    "last": last,
    "first": first,
    "mean+max": mean_and_maximum,
    "mean+deviation": mean_and_deviation,
}
"""Poolings by the names that settings hold."""


class Layered(Encoder):
    """The tokens of one layer of an encoder, pooled to one vector a series.

    Layers behind it are not computed. :func:`selftime.tasks.selection.pick.pick` finds the best
    layer and pooling for given labels.

    Attributes:
        encoder: has the layers.
        layer: number of the layer, 0 the first (:meth:`selftime.encoders.base.Encoder.layers`).
        pooling: of its tokens, a key of :data:`POOLINGS`.

    Raises:
        ValueError: a layer or a pooling that does not exist.
    """

    def __init__(self, *, encoder: Encoder, layer: int, pooling: str) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"got pooling {pooling!r}, wanted one of {', '.join(POOLINGS)}")
        self.encoder, self.layer, self.pooling = encoder, layer, pooling
        if hasattr(encoder, "channels"):
            self.channels = encoder.channels
        shapes = encoder.layer_shapes()
        if not 0 <= layer < len(shapes):
            raise ValueError(
                f"got layer {layer} of {type(encoder).__name__}, wanted 0 to {len(shapes) - 1}: "
                "0 is the first"
            )
        width, self.layer_stride = shapes[layer]
        self.dim = width * len(pooling.split("+"))

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D)."""
        tokens = next(islice(self.encoder.stages(x), self.layer, None))
        return POOLINGS[self.pooling](tokens, token_mask(x, self.layer_stride))[:, None]

    def blocks(self) -> list[nn.Module]:
        """Those of the encoder, also those behind the layer."""
        return self.encoder.blocks()

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Prepare the encoder."""
        self.encoder.prepare(x, rng)


def network_of(encoder: Encoder) -> Encoder:
    """The network that was trained: the encoder without maps that follow it and layers left out."""
    body = backbone(encoder)
    return network_of(body.encoder) if isinstance(body, Layered) else body
