"""Random convolutions that compete: Hydra.

Dempster, Schmidt & Webb 2023, "HYDRA: Competing convolutional kernels for fast and accurate time
series classification", Data Mining and Knowledge Discovery 37.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.data.graph import is_traced
from selftime.encoders.base import Encoder, check_channels, check_least
from selftime.encoders.fixed import hydra_numba
from selftime.encoders.fixed.compiling_numba import parallel_over_series, runs_compiled
from selftime.encoders.fixed.rocket_torch import (
    centred_shifts,
    differences,
    every,
    in_chunks,
    steps_at,
    strides_for,
    sum_channels,
)
from selftime.shapes import Embedding, Lengths, Tokens, Values


class Hydra(Encoder):
    """Credits and counts of random kernels that beat the others of their group.

    At every step and dilation, the kernel of a group with the greatest response is credited with
    that response, and the one with the least is counted (section 3.1). Half of the groups read
    first differences. Counts are scaled to the reference length and their square root is taken,
    negative ones as 0. With several channels each group reads the sum of a random few of them.

    Nothing depends on data. Features are ordered by representation, dilation, group, then the
    credits of all kernels before their counts.

    Args:
        channels: C of the series.
        length: reference length, which sets the dilations; other lengths can be encoded.
        groups: of kernels at each dilation; even; 64 in section 3.2.
        kernels: in each group; 8 in section 3.2.
        most_steps: a series of 2 S steps or more is looked at every second step, of 3 S every
            third, …; None looks at all of them.
        seed: draws the weights and the channels that are summed.

    Attributes:
        dim: D, twice the kernels of all groups and dilations.

    Raises:
        ValueError: an odd number of groups, or an argument that is too small.
    """

    weights: Tensor
    members: Tensor

    def __init__(  # noqa: PLR0913 - six and self
        self,
        *,
        channels: int,
        length: int,
        groups: int = 64,
        kernels: int = 8,
        most_steps: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.channels, self.length, self.groups = channels, length, groups
        self.kernels, self.most_steps, self.seed = kernels, most_steps, seed
        check_least(self, {"channels": 1, "length": 1, "groups": 2, "kernels": 1, "most_steps": 1})
        if groups % 2:
            raise ValueError(
                f"got groups={groups}, wanted an even number, half of them read differences: "
                f"use {groups + 1}"
            )
        longest = max(0, int(math.log2(max(length - 1, 1) / 8)))
        self.dilations = tuple(2**e for e in range(longest + 1))
        shape = (2, len(self.dilations), groups // 2)
        rng = torch.Generator().manual_seed(seed)
        self.register_buffer("weights", random_kernels((*shape, kernels), rng))
        self.register_buffer("members", random_members(shape, channels, rng))
        self.dim = 2 * len(self.dilations) * groups * kernels

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D), float32."""
        check_channels(self, x)
        series, lengths = x.filled().detach().float(), x.lengths.clamp(min=1)
        whole = self._features(0, series, lengths, self.length)
        changes = self._features(1, *differences(series, lengths), max(self.length - 1, 1))
        return torch.cat([whole, changes], dim=1)[:, None]

    def _features(self, i: int, series: Values, lengths: Lengths, reference: int) -> Embedding:
        strides = strides_for(lengths, self.most_steps)
        counts_of = self._on_cpu if runs_compiled(series) else self._on_device
        counted = counts_of(i, series, lengths, strides)
        share = reference / steps_at(lengths, strides).float()
        return (counted.flatten(1) * share[:, None]).clamp(min=0).sqrt()

    def _on_device(
        self, i: int, series: Values, lengths: Lengths, strides: Int[Tensor, "B"]
    ) -> Float[Tensor, "B E G 2 K"]:
        plan = self.dilations, self.weights[i], self.members[i]
        return hydra_on_device(series, lengths, strides, *plan)

    def _on_cpu(
        self, i: int, series: Values, lengths: Lengths, strides: Int[Tensor, "B"]
    ) -> Float[Tensor, "B E G 2 K"]:
        E, G, K, _ = self.weights[i].shape
        out = torch.empty(len(series), E, G, 2, K)
        plan = (
            np.array(self.dilations),
            up_to_whole(self.weights[i], hydra_numba.ABREAST).numpy(),
            self.members[i].numpy(),
        )
        rows = series.contiguous().numpy()
        steps = lengths.numpy(), strides.numpy()
        parallel_over_series(hydra_numba.hydra_on_cpu, len(rows), rows, *steps, plan, out.numpy())
        return out


def up_to_whole(weights: Float[Tensor, "E G K 9"], many: int) -> Float[Tensor, "E G _ 9"]:
    """Weights with copies of the first kernel, which never beat it, up to a multiple."""
    missing = -weights.shape[2] % many
    return torch.cat([weights, weights[:, :, :1].expand(-1, -1, missing, -1)], dim=2).contiguous()


def random_kernels(shape: tuple[int, ...], rng: Generator) -> Float[Tensor, "..."]:
    """Normal weights (*shape,9) less their mean, divided by the sum of magnitudes (section 3.1)."""
    weights = torch.randn(*shape, 9, generator=rng)
    centred = weights - weights.mean(dim=-1, keepdim=True)
    return centred / centred.abs().sum(dim=-1, keepdim=True)


def random_members(shape: tuple[int, ...], channels: int, rng: Generator) -> Tensor:
    """Channels (*shape,M) that are summed: half of them, where possible 2 to 8."""
    count = min(channels, max(2, min(8, channels // 2)))
    return torch.rand(*shape, channels, generator=rng).argsort(dim=-1)[..., :count].contiguous()


def hydra_on_device(  # noqa: PLR0913 - all that counts depend on
    series: Values,
    lengths: Lengths,
    strides: Int[Tensor, "B"],
    dilations: Sequence[int],
    weights: Float[Tensor, "E G K 9"],
    members: Int[Tensor, "E G M"],
) -> Float[Tensor, "B E G 2 K"]:
    """Sum winning responses, count lowest ones, of each kernel: the twin of ``hydra_on_cpu``."""
    _, G, K, _ = weights.shape
    plans = list(zip(dilations, weights, members, strict=True))

    def whole(x: Values, n: Lengths, s: Int[Tensor, "B"]) -> Float[Tensor, "B E G 2 K"]:
        return torch.stack([counts(x, n, s, *plan) for plan in plans], dim=1)

    return in_chunks(whole, G * (2 * K + 9) * series.shape[2], series, lengths, strides)


def counts(  # noqa: PLR0913 - all that counts depend on
    series: Values,
    lengths: Lengths,
    strides: Int[Tensor, "B"],
    dilation: int,
    weights: Float[Tensor, "G K 9"],
    members: Int[Tensor, "G M"],
) -> Float[Tensor, "B G 2 K"]:
    """The counts at one dilation."""
    rows = centred_shifts(sum_channels(series, members), dilation)  # (B,G,9,T), (B,1,9,T) if C=1
    response = responses_of(weights, every(rows, strides, series.shape[2]))
    within = steps_that_count(response.shape[3], lengths, strides)[:, None]  # (B,1,S)
    high, first = response.max(dim=2)  # (B,G,S)
    last = response.argmin(dim=2)
    kernels = torch.arange(weights.shape[1], device=series.device)[:, None]  # (K,1)
    won = (first[:, :, None] == kernels) & within[:, :, None]  # (B,G,K,S)
    lost = (last[:, :, None] == kernels) & within[:, :, None]
    soft = (won * high[:, :, None]).sum(dim=-1)
    return torch.stack([soft, lost.sum(dim=-1).to(soft.dtype)], dim=2)


def steps_that_count(
    steps: int, lengths: Lengths, strides: Int[Tensor, "B"]
) -> Bool[Tensor, "B S"]:
    """True for steps that count: of those that `every` has left, or in a graph of all of them."""
    at = torch.arange(steps, device=lengths.device)
    if is_traced():
        return (at < lengths[:, None]) & (at % strides[:, None] == 0)
    return at < steps_at(lengths, strides)[:, None]


def responses_of(
    weights: Float[Tensor, "G K 9"], rows: Float[Tensor, "B _ 9 S"]
) -> Float[Tensor, "B G K S"]:
    """Responses of the kernels of each group to its own rows, or of all to the one set of rows."""
    if rows.shape[1] > 1:
        return weights @ rows
    responses = weights.flatten(0, 1) @ rows[:, 0]  # one large product
    return responses.view(-1, *weights.shape[:2], rows.shape[3])
