"""Views that change spectra: remove, raise and turn frequencies, for every length at once."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Complex, Float, Int
from torch import Generator, Tensor
from torch.nn.functional import pad

from selftime.data.batch import Batch
from selftime.settings import check_share, check_strength
from selftime.shapes import Lengths, Values
from selftime.views.amplitude import finite, size_where_large
from selftime.views.draws import normal, one_if_equal, uniform

PerFrequency = Float[Tensor, "B C F"]


def spectrum(
    x: Batch,
    rng: Generator,
    *,
    removed: float = 0.1,
    raised: float = 0.1,
    level: float = 0.1,
    phase: float = 0.0,
) -> Batch:
    """Remove some frequencies, raise some and, with ``phase``, turn all.

    The frequency-based augmentation of TF-C (Zhang et al. 2022, *Self-supervised contrastive
    pre-training for time series via time-frequency consistency*), with the settings of its
    published code, which leaves phases alone. Each channel is perturbed on its own; its mean
    stays. ``removed`` and ``raised`` are probabilities; a frequency is raised by up to ``level`` of
    the channel's largest amplitude, and turned by an angle of deviation ``phase``, radians.
    """
    check_share("removed", removed)
    check_share("raised", raised)
    check_strength("level", level)
    check_strength("phase", phase)
    B, C, T = x.values.shape
    shape = (B, C, T // 2 + 1)
    remove, choose, amount = uniform(3, *shape, rng=rng, like=x.values)
    turn = phase * normal(*shape, rng=rng, like=x.values)
    return recomposed(x, remove >= removed, level * amount * (choose < raised), turn)


def frequency_mask(x: Batch, rng: Generator, *, share: float = 0.1) -> Batch:
    """Remove one band of frequencies, in all channels of a series at once.

    Frequency masking (Park et al. 2019, *SpecAugment*, section 2), here of the spectrum of the
    whole series; the mean stays. The width is uniform up to ``share`` of all frequencies.
    """
    check_share("share", share)
    lies, wide = uniform(2, len(x.values), rng=rng, like=x.values)
    keep = outside_band(x.lengths, x.values.shape[2] // 2 + 1, lies, share * wide)
    keep = keep[:, None].expand(-1, x.values.shape[1], -1)
    zeros = torch.zeros(keep.shape, device=keep.device)
    return recomposed(x, keep, zeros, zeros)


def outside_band(
    lengths: Lengths, F: int, lies: Float[Tensor, "B"], wide: Float[Tensor, "B"]
) -> Bool[Tensor, "B {F}"]:
    """Return False in a band of frequencies of each series, the lowest for 0, highest for 1.

    Of L // 2 frequencies above 0 it takes the share ``wide``, rounded up to whole ones.
    """
    count = lengths[:, None] // 2
    width = (wide[:, None] * count).ceil()
    first = 1 + (lies[:, None] * (count - width + 1)).floor()
    k = torch.arange(F, device=lengths.device)
    return (k < first) | (k >= first + width)


def recomposed(
    x: Batch, keep: Bool[Tensor, "B C F"], lift: PerFrequency, turn: PerFrequency
) -> Batch:
    """Return series with a changed spectrum: amplitudes kept or not, lifted, and phases turned.

    Frequency k of a series of length L is k turns in L steps, k = 1 … L/2.
    """
    lengths = x.lengths.clamp(min=1)
    k = torch.arange(keep.shape[2], device=keep.device)
    precise = torch.promote_types(x.values.dtype, torch.complex64)
    unit = size_where_large(x)
    spectra = ragged_dft((x.filled() / unit).to(precise), lengths)[:, :, : len(k)]
    swings = (k > 0) & (2 * k <= lengths[:, None, None])  # (B,1,F)
    size = spectra.abs() * swings
    size = size * keep + lift * size.amax(dim=2, keepdim=True)
    changed = torch.where(swings, torch.polar(size, spectra.angle() + turn), spectra)
    values = ragged_irfft(changed, lengths, x.values.shape[2]) * unit
    return x._replace(values=finite(values.to(x.values.dtype)))


def ragged_irfft(spectra: Complex[Tensor, "B C F"], lengths: Lengths, T: int) -> Values:
    """Return real series (B,C,T) of the given lengths from the first half of their spectra."""
    k = torch.arange(spectra.shape[2], device=spectra.device)
    twice = 2 * k[None] - lengths[:, None]  # (B,F): 0 at the highest frequency of even lengths
    counts = torch.where((k > 0) & (twice < 0), 2, 1).masked_fill((k > 0) & (twice > 0), 0)
    full = pad((spectra * counts[:, None]).conj(), (0, T - len(k)))
    series: Tensor = ragged_dft(full, lengths).real / lengths[:, None, None]
    return series


def ragged_dft(series: Complex[Tensor, "B C T"], lengths: Lengths) -> Complex[Tensor, "B C T"]:
    """Return the Fourier transform of each series over its own length, all lengths at once.

    With kt = (k² + t² - (k-t)²) / 2 the transform is a convolution with a chirp, whatever the
    length (Bluestein 1970, *A linear filtering approach to the computation of discrete Fourier
    transform*). Where a series or its spectrum has ended (from its length on) the result has no
    meaning; the series must be 0 there.
    """
    T = series.shape[2]
    steps = torch.arange(2 * T, device=series.device)
    distinct = one_if_equal(lengths)
    chirp = chirps(steps[:T], distinct).to(series.dtype)
    kernel = chirps(steps.minimum(2 * T - steps), distinct).to(series.dtype).conj()
    product = torch.fft.fft(series * chirp, n=2 * T) * torch.fft.fft(kernel)
    spectra: Tensor = torch.fft.ifft(product)[:, :, :T] * chirp
    return spectra


def chirps(m: Int[Tensor, "M"], lengths: Lengths) -> Complex[Tensor, "B 1 M"]:
    """Return ``exp(-iπ m² / L)`` of whole numbers m (M,), for each length L."""
    turns = (m * m % (2 * lengths[:, None])) / lengths[:, None].double()  # exact, in half turns
    return torch.polar(torch.ones_like(turns), -math.pi * turns)[:, None]


def amplitudes(x: Batch) -> Batch:
    """Return the magnitude spectrum of every channel as a series of L // 2 + 1 frequencies.

    Each series is transformed over its own length L, gaps bridged, and divided by √L: a spectrum
    has about the size of the series, whatever its length (Parseval).
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
    """Remove some frequencies and raise some weak ones (Zhang et al. 2022, section 4.2).

    A view of spectra, as :func:`amplitudes` makes them; each channel on its own. ``removed`` and
    ``raised`` are probabilities; a frequency below ``level``, a share of the largest amplitude of
    the channel (α of the paper), is raised to it.
    """

    removed: float = 0.1
    raised: float = 0.02
    level: float = 0.5  # α, section 4.2

    def __post_init__(self) -> None:
        for name in ("removed", "raised", "level"):
            check_share(name, getattr(self, name))

    def __call__(self, x: Batch, rng: Generator) -> Batch:
        """Return spectra with other amplitudes."""
        sizes = x.values.where(x.observed, 0.0)
        remove, choose = uniform(2, *sizes.shape, rng=rng, like=sizes)
        floor = self.level * sizes.amax(dim=2, keepdim=True) * (choose < self.raised)
        changed = torch.maximum(sizes * (remove >= self.removed), floor)
        return Batch(changed.where(x.observed, 0.0), x.observed)
