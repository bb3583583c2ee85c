"""Recurrent networks: LSTM and GRU, ahead in time or both ways."""

from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import (
    Encoder,
    LayerShape,
    last_of,
    masked_mean,
    network_input,
    token_mask,
)
from selftime.encoders.networks.actnorm import check_depth
from selftime.shapes import Embedding, Tokens

States = Float[Tensor, "T B D"]
"""States at each step, time first, as recurrent networks are fastest."""
Kind = Callable[..., nn.RNNBase]
"""Makes one layer of one direction: ``nn.LSTM`` or ``nn.GRU``."""


class Recurrent(nn.Module):
    """All that LSTM and GRU share: layers ahead in time and, unless causal, back beside them."""

    kind: ClassVar[Kind]
    channels: int
    dim: int
    causal: bool
    stride: int | None = 1

    def __init__(  # noqa: PLR0913 - the sizes of a network
        self,
        *,
        channels: int,
        hidden: int = 160,
        depth: int = 1,
        causal: bool = False,
        pooling: str = "mean",
        seed: int = 0,
    ) -> None:
        super().__init__()
        if pooling not in _POOLINGS:
            raise ValueError(f"got pooling {pooling!r}, wanted one of {', '.join(_POOLINGS)}")
        check_depth(depth)
        self.channels, self.hidden, self.depth = channels, hidden, depth
        self.causal, self.pooling, self.seed = causal, pooling, seed
        self.dim = hidden if causal else 2 * hidden
        rng = torch.Generator().manual_seed(seed)
        self.stack = nn.ModuleList(
            Layer(self.kind, inner, hidden, causal=causal, rng=rng)
            for inner in [channels] + [self.dim] * (depth - 1)
        )

    def forward(self, x: Batch) -> Tokens:
        """One token a step (B,T,D)."""
        return last_of(self.stages(x))

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """Yield one token a step after each layer.

        In full precision wherever it is called: a state passes its rounding on from step to step.
        """
        h = network_input(x).permute(2, 0, 1)  # (T,B,C)
        order = reversal_order(x)
        for layer in self.stack:
            with torch.autocast(h.device.type, enabled=False):
                h = layer(h, order)
            yield h.transpose(0, 1)

    def layer_shapes(self) -> list[LayerShape]:
        """The same for all."""
        return [LayerShape(self.dim, self.stride)] * self.depth

    def blocks(self) -> list[nn.Module]:
        """The layers, each with all its directions."""
        return [*self.stack]

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The mean over the steps of each series, or its last states (B,D)."""
        valid = token_mask(x, self.stride)
        if self.pooling == "mean":
            return masked_mean(tokens, valid)
        return last_states(tokens, valid, self.hidden)


class LSTM(Recurrent, Encoder):
    """One token a step from long short-term memory (Hochreiter & Schmidhuber 1997, section 4).

    With forget gates (Gers et al. 2000, section 3), as torch writes its equations. Unless it is
    causal each layer also runs from the end of a series to its beginning, and a token holds the
    states of both. Steps at which nothing was observed enter as 0.

    Attributes:
        channels: C, of the series.
        hidden: numbers of a state; D is twice as many unless causal.
        depth: layers.
        causal: tokens depend on their own step and earlier ones only.
        pooling: of the tokens of a series: their "mean", as states forget and all steps shall
            count the same, or the "last" states.
        seed: draws the initial weights.

    Raises:
        ValueError: no layer, or a pooling that does not exist.
    """

    kind = nn.LSTM


class GRU(Recurrent, Encoder):
    """One token a step from gated recurrent units (Cho et al. 2014, section 2.3).

    The reset gate acts behind the matrix, as torch has it. All else is as in :class:`LSTM`, its
    attributes and errors too.
    """

    kind = nn.GRU


class Layer(nn.Module):
    """One layer: states ahead in time and, unless causal, states back in time beside them."""

    def __init__(
        self, kind: Kind, inner: int, hidden: int, *, causal: bool, rng: Generator
    ) -> None:
        super().__init__()
        self.ahead = build_rnn(kind, inner, hidden, rng)
        self.back = None if causal else build_rnn(kind, inner, hidden, rng)

    def forward(self, h: States, order: Int[Tensor, "T B"]) -> Float[Tensor, "T B E"]:
        """States (T,B,E) of features (T,B,D); ``order`` is as :func:`reversal_order` makes it."""
        ahead: Tensor = self.ahead(h)[0]
        if self.back is None:
            return ahead
        back = reordered(self.back(reordered(h, order))[0], order)
        return torch.cat([ahead, back], dim=2)


def reversal_order(x: Batch) -> Int[Tensor, "T B"]:
    """The order (T,B) of steps that turns every series around within its own length."""
    steps = torch.arange(x.values.shape[2], device=x.values.device)[:, None]  # (T,1)
    return torch.where(steps < x.lengths, x.lengths - 1 - steps, steps)


def reordered(h: States, order: Int[Tensor, "T B"]) -> States:
    """Steps in another order; the same order twice leads back."""
    return h.gather(0, order[:, :, None].expand_as(h))


def build_rnn(kind: Kind, inner: int, hidden: int, rng: Generator) -> nn.RNNBase:
    """Make one direction of one layer, its weights drawn as torch draws them, but from ``rng``."""
    undrawn = kind(inner, hidden, device="meta")  # torch would draw from the global state
    layer: nn.RNNBase = undrawn.to_empty(device="cpu")
    bound = hidden**-0.5
    with torch.no_grad():
        for weight in layer.parameters():
            weight.uniform_(-bound, bound, generator=rng)
    return layer


_POOLINGS = ("mean", "last")


def last_states(tokens: Tokens, valid: Bool[Tensor, "B N"], hidden: int) -> Embedding:
    """The state of each direction after all steps: ahead at the end, back at the beginning."""
    end = valid.sum(dim=1)[:, None, None] - 1  # (B,1,1)
    ahead = tokens[:, :, :hidden].gather(1, end.expand(-1, -1, hidden))[:, 0]
    return torch.cat([ahead, tokens[:, 0, hidden:]], dim=1)
