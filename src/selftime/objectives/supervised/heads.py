"""Heads: from the embedding of a series, or of a step, to outputs of a target type."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from selftime.objectives.parts.heads import linear, weights_from
from selftime.shapes import Embedding, Tokens


def linear_head(inner: int, outer: int, *, seed: int) -> nn.Linear:
    """One linear map, 0 at first: all outputs are equally likely, for any vector."""
    return zeroed(linear(inner, outer, weights_from(seed)))


def perceptron(inner: int, outer: int, *, depth: int, seed: int) -> nn.Sequential:
    """Layers with a ReLU, as wide as the vector, and a linear map that is 0 at first."""
    rng, layers = weights_from(seed), list[nn.Module]()
    for _ in range(depth):
        layers += [linear(inner, inner, rng), nn.ReLU()]
    return nn.Sequential(*layers, zeroed(linear(inner, outer, rng)))


def normed_linear(inner: int, outer: int, *, seed: int) -> nn.Sequential:
    """Batch norm without scale and shift, then linear (He et al. 2022, A.1, linear probing)."""
    norm = nn.BatchNorm1d(inner, affine=False)
    return nn.Sequential(_Rows(norm), linear_head(inner, outer, seed=seed))


class AttentionPool(nn.Module):
    """A learned query attends to the tokens of a series: softmax of wᵀ tanh(V h) weighs them."""

    def __init__(self, dim: int, *, seed: int) -> None:
        super().__init__()
        self.look = linear(dim, dim, weights_from(seed))
        self.query = nn.Parameter(torch.zeros(dim))

    def forward(self, tokens: Tokens, valid: Bool[Tensor, "B N"]) -> Embedding:
        """Return one vector per series (B,D) of its valid tokens (B,N,D)."""
        # Ilse et al. 2018, equation 7. w is 0 at first, which is the plain mean.
        scores = self.look(tokens).tanh() @ self.query  # (B,N)
        shares = scores.masked_fill(~valid, -torch.inf).softmax(dim=1)
        return torch.einsum("bn,bnd->bd", shares, tokens)


class AllTokens(nn.Module):
    """All tokens of a series of fixed length side by side (Nie et al. 2023, section 3.1)."""

    def forward(self, tokens: Tokens, valid: Bool[Tensor, "B N"]) -> Float[Tensor, "B ND"]:
        """Return one vector per series (B,N·D)."""
        return tokens.flatten(1)


class _Rows(nn.Module):
    """A module of rows (R,D), for tensors (…,D) of any shape."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        rows: Tensor = self.module(x.reshape(-1, x.shape[-1]))
        return rows.view_as(x)


def zeroed(layer: nn.Linear) -> nn.Linear:
    """Set all weights of the map to 0."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
    return layer


NETWORK_HEADS: dict[str, Callable[..., nn.Module]] = {
    "linear": linear_head,
    "mlp": partial(perceptron, depth=1),
    "deep_mlp": partial(perceptron, depth=2),
    "normed_linear": normed_linear,
    "attention": linear_head,
}
"""Heads by the names people type; "attention" pools the tokens first (:class:`AttentionPool`)."""


def name_of_head(head: nn.Module) -> str:
    """Return the name of a head made by one of :data:`NETWORK_HEADS`."""
    if isinstance(head, nn.Linear):
        return "linear"
    layers = list(head.children())
    if isinstance(layers[0], _Rows):
        return "normed_linear"
    return "mlp" if len(layers) == 3 else "deep_mlp"
