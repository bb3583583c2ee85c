"""Heads: from the vector of a series, or of a step, to what is asked of it."""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from selftime.objectives.parts.heads import linear, weights_from
from selftime.shapes import Embedding, Tokens


def linear_head(inner: int, outer: int, *, seed: int) -> nn.Linear:
    """One linear map, 0 at first: all answers are equally likely, whatever the vector."""
    return zeroed(linear(inner, outer, weights_from(seed)))


def mlp(inner: int, outer: int, *, seed: int) -> nn.Sequential:
    """A linear map, a ReLU and a linear map, as wide between as the vector."""
    return _perceptron(inner, outer, 1, seed)


def deep_mlp(inner: int, outer: int, *, seed: int) -> nn.Sequential:
    """As :func:`mlp`, with two layers before the last map."""
    return _perceptron(inner, outer, 2, seed)


def normed_linear(inner: int, outer: int, *, seed: int) -> nn.Sequential:
    """Batch normalisation without scale and shift, then a linear map.

    As on frozen features of masked autoencoders (He et al. 2022, appendix A.1, linear probing).
    """
    norm = nn.BatchNorm1d(inner, affine=False)
    return nn.Sequential(_Rows(norm), linear_head(inner, outer, seed=seed))


class AttentionPool(nn.Module):
    """A learned query looks at the tokens of a series: their weighted mean is its vector.

    Attention-based pooling (Ilse et al. 2018, equation 7): the weights are a softmax over the
    tokens that are there of wᵀ tanh(V h). w is 0 at first, which is the plain mean.
    """

    def __init__(self, dim: int, *, seed: int) -> None:
        super().__init__()
        self.look = linear(dim, dim, weights_from(seed))
        self.query = nn.Parameter(torch.zeros(dim))

    def forward(self, tokens: Tokens, valid: Bool[Tensor, "B N"]) -> Embedding:
        """One vector a series (B,D) of its tokens (B,N,D) that are there."""
        scores = self.look(tokens).tanh() @ self.query  # (B,N)
        shares = scores.masked_fill(~valid, -torch.inf).softmax(dim=1)
        return torch.einsum("bn,bnd->bd", shares, tokens)


class AllTokens(nn.Module):
    """All tokens of a series side by side are its vector; series must be of one length.

    The flattened tokens of PatchTST's head (Nie et al. 2023, section 3.1).
    """

    def forward(
        self,
        tokens: Tokens,
        valid: Bool[Tensor, "B N"],  # noqa: ARG002
    ) -> Float[Tensor, "B ND"]:
        """One vector a series (B,N·D)."""
        return tokens.flatten(1)


class _Rows(nn.Module):
    """A module of rows (R,D), for tensors (…,D) of any shape."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Float[Tensor, "... D"]) -> Float[Tensor, "... D"]:
        rows: Tensor = self.module(x.reshape(-1, x.shape[-1]))
        return rows.view_as(x)


def _perceptron(inner: int, outer: int, depth: int, seed: int) -> nn.Sequential:
    rng, layers = weights_from(seed), list[nn.Module]()
    for _ in range(depth):
        layers += [linear(inner, inner, rng), nn.ReLU()]
    return nn.Sequential(*layers, zeroed(linear(inner, outer, rng)))


def zeroed(layer: nn.Linear) -> nn.Linear:
    """The map with all its weights 0."""
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
    return layer


NETWORK_HEADS: dict[str, Callable[..., nn.Module]] = {
    "linear": linear_head,
    "mlp": mlp,
    "deep_mlp": deep_mlp,
    "normed_linear": normed_linear,
    "attention": linear_head,
}
"""Heads by the names people type; "attention" pools the tokens first (:class:`AttentionPool`)."""
