"""Random convolutions counted by threshold: MiniRocket and MultiRocket.

Dempster, Schmidt & Webb 2021, "MiniRocket: A Very Fast (Almost) Deterministic Transform for Time
Series Classification", KDD; Tan, Dempster, Bergmeir & Webb 2022, "MultiRocket: multiple pooling
operators and transformations for fast and effective time series classification", DMKD 36.
"""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Generator, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.hydra import Hydra
from selftime.encoders.kernel_bank import KernelBank
from selftime.encoders.poolings_numba import ROCKET_POOLINGS
from selftime.encoders.rocket_torch import differences as differences_of
from selftime.shapes import Lengths, Tokens, Values

__all__ = ["Hydra", "MiniRocket", "minirocket", "multirocket"]


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
        differences: whether first differences are encoded too (MultiRocket).
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
        _check_sizes(channels, length)
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
        """One token a series (B,1,D), float32.

        Raises:
            ValueError: the series have another number of channels.
        """
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
        check_channels(x, self.channels)
        series, lengths = x.filled().detach().float(), x.lengths.clamp(min=1)
        views = [(series, lengths)]
        if self.differences:
            views.append(differences_of(series, lengths))
        return list(zip(cast(Iterable[KernelBank], self.banks), views, strict=True))


def _check_sizes(channels: int, length: int) -> None:
    """Both must be positive.

    Raises:
        ValueError: one of them is below 1.
    """
    for name, value in (("channels", channels), ("length", length)):
        if value < 1:
            raise ValueError(f"got {name}={value}, wanted at least 1: raise it")


def check_poolings(poolings: Sequence[str]) -> None:
    """At least one, each known and named once.

    Raises:
        ValueError: otherwise.
    """
    if not poolings or set(poolings) - set(ROCKET_POOLINGS) or len(set(poolings)) < len(poolings):
        raise ValueError(
            f"got poolings={poolings}, wanted some of {', '.join(ROCKET_POOLINGS)}, once each"
        )


def check_channels(x: Batch, channels: int) -> None:
    """The series must have the channels that the encoder was built for.

    Raises:
        ValueError: they have another number.
    """
    found = x.values.shape[1]
    if found != channels:
        raise ValueError(
            f"got series with {found} channels, wanted {channels}: "
            f"build the encoder with channels={found} or select channels"
        )


def minirocket(*, channels: int, length: int, seed: int = 0) -> MiniRocket:
    """MiniRocket as published: 9 996 features."""
    return MiniRocket(channels=channels, length=length, seed=seed)


def multirocket(*, channels: int, length: int, seed: int = 0) -> MiniRocket:
    """MultiRocket as published: four poolings of series and differences, 49 728 features."""
    return MiniRocket(
        channels=channels,
        length=length,
        features=50_000,  # 2022, section 3
        poolings=ROCKET_POOLINGS,
        differences=True,
        seed=seed,
    )
