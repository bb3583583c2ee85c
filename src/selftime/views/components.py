"""Spectra as series: the amplitudes of all frequencies, and a view that changes some of them."""

from dataclasses import dataclass

import torch
from torch import Generator

from selftime.data.batch import Batch
from selftime.views.draws import check_share, uniform
from selftime.views.spectrum import ragged_dft


def amplitudes(x: Batch) -> Batch:
    """The magnitude spectrum of every channel as a series of L // 2 + 1 steps, one a frequency.

    Each series is transformed over its own length L, gaps bridged, and divided by √L: a spectrum
    has about the size of the series, whatever its length (Parseval).

    Args:
        x: the series.
    """
    T = x.values.shape[2]
    lengths = x.lengths.clamp(min=1)
    precise = torch.promote_types(x.values.dtype, torch.complex64)
    spectra = ragged_dft(x.filled().to(precise), lengths)[:, :, : T // 2 + 1].abs()
    steps = torch.arange(spectra.shape[2], device=lengths.device)
    within = (steps <= lengths[:, None] // 2)[:, None].expand_as(spectra)
    spectra = spectra / lengths[:, None, None].sqrt()
    return Batch(spectra.where(within, 0.0).to(x.values.dtype), within)


@dataclass(frozen=True, kw_only=True)
class Components:
    """Some frequencies removed and some weak ones raised (Zhang et al. 2022, section 4.2).

    A view of spectra, as :func:`amplitudes` makes them; each channel on its own.

    Attributes:
        removed: chance that a frequency is removed, 0 to 1.
        raised: chance that one is raised to ``level``, if it is below, 0 to 1.
        level: share of the largest amplitude of the channel; α of the paper.

    Raises:
        ValueError: a share outside 0 to 1.
    """

    removed: float = 0.1
    raised: float = 0.02
    level: float = 0.5  # α, section 4.2

    def __post_init__(self) -> None:
        for name in ("removed", "raised", "level"):
            check_share(name, getattr(self, name))

    def __call__(self, x: Batch, rng: Generator) -> Batch:
        """Spectra with other amplitudes."""
        sizes = x.values.where(x.observed, 0.0)
        remove, choose = uniform(2, *sizes.shape, rng=rng, like=sizes)
        floor = self.level * sizes.amax(dim=2, keepdim=True) * (choose < self.raised)
        changed = torch.maximum(sizes * (remove >= self.removed), floor)
        return Batch(changed.where(x.observed, 0.0), x.observed)
