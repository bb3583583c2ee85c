"""Recurrent networks: LSTM and GRU, ahead in time or both ways."""

from collections.abc import Callable, Iterator
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, LayerShape, last_of, token_mask
from selftime.encoders.networks.actnorm import check_depth
from selftime.encoders.networks.steps import masked_mean, network_input
from selftime.shapes import Embedding, Tokens

States = Float[Tensor, "T B D"]
"""What is known at each step, time first, as recurrent networks are fastest."""
Kind = Callable[..., nn.RNNBase]
"""Makes one layer of one direction: ``nn.LSTM`` or ``nn.GRU``."""


class Recurrent(nn.Module):
    """What LSTM and GRU share: layers ahead in time and, unless causal, back in time beside them.

    Attributes:
        kind: what makes one layer of one direction.
    """

    kind: ClassVar[Kind]
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
        check_pooling(pooling)
        self.channels, self.hidden, self.depth = channels, hidden, depth
        self.causal, self.pooling, self.seed = causal, pooling, seed
        self.stack = build_layers(self.kind, (channels, hidden, depth), causal=causal, seed=seed)
        self.dim = _states_width(hidden, causal=causal)

    def forward(self, x: Batch) -> Tokens:
        """One token a step (B,T,D)."""
        return last_of(self.stages(x))

    def stages(self, x: Batch) -> Iterator[Tokens]:
        """One token a step after each layer."""
        return states_of(self.stack, x)

    def layer_shapes(self) -> list[LayerShape]:
        """All alike."""
        return [LayerShape(self.dim, self.stride)] * self.depth

    def blocks(self) -> list[nn.Module]:
        """The layers, each with all its directions."""
        return [*self.stack]

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The mean over the steps of each series, or its last states (B,D)."""
        return _POOLINGS[self.pooling](tokens, token_mask(x, self.stride), self.hidden)


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
        pooling: what a series is, one of :data:`_POOLINGS`; "mean" of its tokens, as states forget
            what was long ago and all steps shall count alike, or the "last" states.
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
        """States (T,B,E) of features (T,B,D).

        Args:
            h: the features.
            order: as :func:`reversal_order` makes it.
        """
        ahead: Tensor = self.ahead(h)[0]
        if self.back is None:
            return ahead
        back = reordered(self.back(reordered(h, order))[0], order)
        return torch.cat([ahead, back], dim=2)


def build_layers(
    kind: Kind, sizes: tuple[int, int, int], *, causal: bool, seed: int
) -> nn.ModuleList:
    """Layers one after the other.

    Args:
        kind: of recurrent network.
        sizes: channels, hidden and depth.
        causal: whether states go ahead in time alone.
        seed: draws the weights.
    """
    channels, hidden, depth = sizes
    check_depth(depth)
    rng = torch.Generator().manual_seed(seed)
    widths = [channels] + [_states_width(hidden, causal=causal)] * (depth - 1)
    return nn.ModuleList(Layer(kind, inner, hidden, causal=causal, rng=rng) for inner in widths)


def _states_width(hidden: int, *, causal: bool) -> int:
    """D, of the states of all directions."""
    return hidden if causal else 2 * hidden


def states_of(layers: nn.ModuleList, x: Batch) -> Iterator[Tokens]:
    """What each of some layers says at each step (B,T,D).

    In full precision wherever it is called: a state passes its rounding on from step to step.
    """
    h = network_input(x).permute(2, 0, 1)  # (T,B,C)
    order = reversal_order(x)
    for layer in layers:
        with torch.autocast(h.device.type, enabled=False):
            h = layer(h, order)
        yield h.transpose(0, 1)


def reversal_order(x: Batch) -> Int[Tensor, "T B"]:
    """Which step comes at each place if every series is turned around within its own length."""
    steps = torch.arange(x.values.shape[2], device=x.values.device)[:, None]  # (T,1)
    return torch.where(steps < x.lengths, x.lengths - 1 - steps, steps)


def reordered(h: States, order: Int[Tensor, "T B"]) -> States:
    """Steps in another order; the same order twice leads back."""
    return h.gather(0, order[:, :, None].expand_as(h))


def build_rnn(kind: Kind, inner: int, hidden: int, rng: Generator) -> nn.RNNBase:
    """One direction of one layer, with weights drawn as torch draws them, but from ``rng``."""
    undrawn = kind(inner, hidden, device="meta")  # torch would draw from the global state
    layer: nn.RNNBase = undrawn.to_empty(device="cpu")
    bound = hidden**-0.5
    with torch.no_grad():
        for weight in layer.parameters():
            weight.uniform_(-bound, bound, generator=rng)
    return layer


Pooling = Callable[[Tokens, Bool[Tensor, "B N"], int], Embedding]
"""From tokens, which of them are there, and how many of their features go ahead in time."""


def mean_states(tokens: Tokens, valid: Bool[Tensor, "B N"], hidden: int) -> Embedding:  # noqa: ARG001
    """The mean over the steps of each series (B,D)."""
    return masked_mean(tokens, valid)


def last_states(tokens: Tokens, valid: Bool[Tensor, "B N"], hidden: int) -> Embedding:
    """What each direction knows when it has seen all: ahead at the end, back at the beginning."""
    end = valid.sum(dim=1)[:, None, None] - 1  # (B,1,1)
    ahead = tokens[:, :, :hidden].gather(1, end.expand(-1, -1, hidden))[:, 0]
    return torch.cat([ahead, tokens[:, 0, hidden:]], dim=1)


_POOLINGS: dict[str, Pooling] = {"mean": mean_states, "last": last_states}
"""Ways from states to one vector a series."""


def check_pooling(pooling: str) -> None:
    """There is such a pooling.

    Raises:
        ValueError: there is not.
    """
    if pooling not in _POOLINGS:
        raise ValueError(f"got pooling {pooling!r}, wanted one of {', '.join(_POOLINGS)}")
