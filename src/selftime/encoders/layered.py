"""Layered: the vectors of another layer or pooling than an encoder's own."""

from itertools import islice

from torch import Generator, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, token_mask
from selftime.encoders.pooling import POOLINGS
from selftime.shapes import Tokens


class Layered(Encoder):
    """The tokens of one layer of an encoder, pooled to one vector a series.

    Layers behind it are not computed. Which layer and pooling is best for given labels is what
    :func:`selftime.tasks.picking.pick` finds out.

    Attributes:
        encoder: whose layers there are.
        layer: number of the layer, 0 the first (:meth:`selftime.encoders.base.Encoder.layers`).
        pooling: of its tokens, one of :data:`selftime.encoders.pooling.POOLINGS`.

    Raises:
        ValueError: a layer or a pooling that there is not.
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
