"""Random convolutions with thresholds from data: MiniRocket and MultiRocket."""

import math
from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder, check_channels, check_least
from selftime.encoders.fixed import rocket_torch
from selftime.encoders.fixed.abreast_numba import minirocket_on_cpu
from selftime.encoders.fixed.compiling_numba import (
    LANES,
    parallel_over_series,
    runs_compiled,
)
from selftime.encoders.fixed.rocket_numba import ROCKET_POOLINGS, TAPS
from selftime.encoders.fixed.rocket_torch import differences as differences_of
from selftime.shapes import Lengths, Tokens, Values

_GOLDEN_RATIO = (math.sqrt(5) + 1) / 2


class KernelBank(nn.Module):
    """The 84 kernels with their dilations, thresholds and channels, for one representation."""

    subsets: Tensor
    biases: Tensor

    def __init__(self, *, channels: int, length: int, biases: int, seed: int) -> None:
        super().__init__()
        self.channels, self.length, self.seed = channels, length, seed
        self.dilations, self.counts = plan_dilations(length, biases)
        rng = torch.Generator().manual_seed(seed)
        subsets = random_subsets(84 * len(self.dilations), channels, rng)
        self.register_buffer("subsets", subsets)
        noise = torch.special.ndtri(low_discrepancy(84 * biases)) * math.sqrt(18)  # 18 = Σ w²
        self.register_buffer("biases", noise.float())

    def forward(
        self, series: Values, lengths: Lengths, poolings: Sequence[str]
    ) -> Float[Tensor, "B P F"]:
        """Features of the series, by pooling, dilation, kernel and threshold."""
        if runs_compiled(series):
            return self._on_cpu(series, lengths, poolings)
        plan = (self.dilations, self.counts, self.subsets)
        return rocket_torch.minirocket_on_device(series, lengths, plan, self.biases, poolings)

    def _on_cpu(
        self, series: Values, lengths: Lengths, poolings: Sequence[str]
    ) -> Float[Tensor, "B P F"]:
        out = torch.empty(len(series), len(poolings), len(self.biases))
        plan = (
            np.array(self.dilations),
            np.array(self.counts),
            self.subsets.numpy(),
            self.biases.numpy(),
            np.array([ROCKET_POOLINGS.index(name) for name in poolings]),
        )
        rows = series.contiguous().numpy()
        given = rows, lengths.numpy(), plan, out.numpy()
        parallel_over_series(minirocket_on_cpu, len(rows), *given, abreast=LANES)
        return out

    def prepare(self, series: Values, lengths: Lengths, rng: Generator) -> None:
        """Thresholds: quantiles of the responses of series that are drawn (2021, section 3.1)."""
        shape = (len(self.dilations), 84)
        drawn = torch.randint(len(series), shape, generator=rng, device=rng.device)
        all_ranks = low_discrepancy(len(self.biases)).to(series.device)
        ranks = torch.split(all_ranks, [84 * n for n in self.counts])
        found = []
        for e, dilation in enumerate(self.dilations):
            selected = drawn[e].to(series.device)
            rows = sum_own_subset(series[selected], self.subsets[84 * e : 84 * (e + 1)])  # (84,T)
            response = own_responses(rows, dilation)
            found.append(quantiles_of(response, lengths[selected], ranks[e].view(84, -1)).flatten())
        self.biases = torch.cat(found).float()


def plan_dilations(length: int, biases: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Dilations, and the number of biases of each kernel at each of them (2021, section 3.1).

    At most 32 exponents, evenly spaced from 0 to log2((length − 1) / 8), are rounded down; equal
    dilations are merged; biases that are left over go to the smallest dilations.
    """
    exponents = min(biases, 32)
    longest = max(0.0, math.log2(max(length - 1, 1) / 8))
    powers = np.logspace(0, longest, exponents, base=2).astype(np.int64)
    dilations, repeats = np.unique(powers, return_counts=True)
    counts = repeats * (biases // exponents)
    left = biases - counts.sum()
    counts += left // len(counts) + (np.arange(len(counts)) < left % len(counts))
    return tuple(dilations.tolist()), tuple(counts.tolist())


def low_discrepancy(count: int) -> Float[Tensor, "F"]:
    """Low-discrepancy numbers in (0, 1): multiples of the golden ratio, modulo 1 (float64)."""
    return (torch.arange(1, count + 1, dtype=torch.float64) * _GOLDEN_RATIO) % 1


def random_subsets(count: int, channels: int, rng: Generator) -> Tensor:
    """Channels (count,M) that are summed, −1 for none; 2^u of them with u uniform, at most 9."""
    most = min(channels, 9)
    exponents = torch.rand(count, generator=rng) * math.log2(most + 1)
    sizes = exponents.exp2().long().clamp(max=most)
    order = torch.rand(count, channels, generator=rng).argsort(dim=1)[:, :most]
    return order.masked_fill(torch.arange(most) >= sizes[:, None], -1)


def sum_own_subset(series: Values, subsets: Tensor) -> Float[Tensor, "B T"]:
    """Sum over each series' own subset of channels; −1 selects none."""
    padded = torch.cat([series, torch.zeros_like(series[:, :1])], dim=1)  # −1 reads the zeros
    return padded[torch.arange(len(series))[:, None], subsets].sum(dim=1)


def own_responses(rows: Float[Tensor, "K T"], dilation: int) -> Float[Tensor, "K T"]:
    """Response of each kernel to the row of the same number, padded with zeros."""
    weighed = rocket_torch.weigh(rocket_torch.centred_shifts(rows, dilation))
    kernels = torch.arange(len(rows))
    i, j, k = TAPS.T
    return (weighed[kernels, i] + weighed[kernels, j]) + weighed[kernels, k]


def quantiles_of(
    rows: Float[Tensor, "K T"], lengths: Lengths, ranks: Float[Tensor, "K J"]
) -> Float[Tensor, "K J"]:
    """Quantiles of the first ``lengths`` values of each row, between order statistics linear."""
    beyond = torch.arange(rows.shape[1], device=rows.device) >= lengths[:, None]
    ordered = rows.masked_fill(beyond, torch.inf).sort(dim=1).values.double()
    place = ranks * (lengths[:, None] - 1)
    left = place.floor().long()
    right = torch.minimum(left + 1, lengths[:, None] - 1)
    low, high = ordered.gather(1, left), ordered.gather(1, right)
    return low + (place - left) * (high - low)


class MiniRocket(Encoder):
    """Shares of steps at which 84 fixed kernels, dilated, exceed thresholds from the data.

    The kernels have length 9 and weights −1 and 2 (three of them); half of the combinations of
    kernel and dilation are padded with zeros, the others count only steps that need no padding,
    unless a series has none. Values are divided by the steps that count, so that lengths compare.
    Thresholds are quantiles of the responses of randomly drawn series (:meth:`prepare`); until
    then those that white noise of unit variance would give.

    With several channels each combination reads the sum of a random few of them.
    Features are ordered by representation, pooling, dilation, kernel, threshold.

    Args:
        channels: C of the series.
        length: typical number of steps, which sets the dilations; other lengths can be encoded.
        features: how many, rounded down to what 84 kernels, poolings and representations divide.
        poolings: of the steps above the threshold: "ppv", their share; "mpv", their mean excess;
            "mipv", their mean position, and "lspv", their longest run, as a share of the steps.
        differences: encodes first differences too (MultiRocket).
        seed: draws the channels that are summed.

    Attributes:
        dim: D, features that come out.

    Raises:
        ValueError: too few features, a pooling that is not known, no channel or no step.
    """

    def __init__(  # noqa: PLR0913 - six and self
        self,
        *,
        channels: int,
        length: int,
        features: int = 10_000,  # 2021, section 3.1
        poolings: Sequence[str] = ("ppv",),
        differences: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.channels, self.length, self.features = channels, length, features
        self.poolings, self.differences, self.seed = tuple(poolings), differences, seed
        check_least(self, {"channels": 1, "length": 1})
        check_poolings(self.poolings)
        biases = features // (84 * len(self.poolings) * (1 + differences))
        if biases < 1:
            least = 84 * len(self.poolings) * (1 + differences)
            raise ValueError(f"got features={features}, wanted at least {least}: raise it")
        lengths = [length, max(length - 1, 1)][: 1 + differences]
        self.banks = nn.ModuleList(
            KernelBank(channels=channels, length=steps, biases=biases, seed=seed + i)
            for i, steps in enumerate(lengths)
        )
        self.dim = 84 * biases * len(self.poolings) * len(lengths)

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D), float32."""
        parts = [
            bank(series, lengths, self.poolings).flatten(1)
            for bank, (series, lengths) in self._banks_and_views(x)
        ]
        return (parts[0] if len(parts) == 1 else torch.cat(parts, dim=1))[:, None]

    def prepare(self, x: Batch, rng: Generator) -> None:
        """Take the thresholds from these series; each kernel and dilation draws one of them."""
        for bank, (series, lengths) in self._banks_and_views(x):
            bank.prepare(series, lengths, rng)

    def _banks_and_views(self, x: Batch) -> list[tuple[KernelBank, tuple[Values, Lengths]]]:
        check_channels(self, x)
        series, lengths = x.filled().detach().float(), x.lengths.clamp(min=1)
        views = [(series, lengths)]
        if self.differences:
            views.append(differences_of(series, lengths))
        return list(zip(cast(Iterable[KernelBank], self.banks), views, strict=True))


def check_poolings(poolings: Sequence[str]) -> None:
    """Raise a ValueError unless there is at least one, each known and named once."""
    if not poolings or set(poolings) - set(ROCKET_POOLINGS) or len(set(poolings)) < len(poolings):
        raise ValueError(
            f"got poolings={poolings}, wanted some of {', '.join(ROCKET_POOLINGS)}, once each"
        )
