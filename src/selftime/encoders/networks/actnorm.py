"""Convolutions over time with ActNorm, which stands where papers have batch normalisation."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.encoders.networks.dilated import uniform_init
from selftime.encoders.networks.steps import Features, StepMasks


class NormedConvolution(nn.Module):
    """A convolution over time, then ActNorm (Kingma & Dhariwal 2018, section 3.1).

    ActNorm is a learned scale and shift of each feature, first set from data so that features
    have mean 0 and deviation 1. It stands where the papers have batch normalisation, whose
    statistics would tie a series to the others of its batch, and training to another function
    than use. Scale and shift enter as factors of the weights and as bias, so they cost nothing.

    Weights are drawn as by He et al. 2015, section 2.2, so that it also works unprepared, with
    scale 1 and shift 0. There are as many steps behind as before: ⌊(taps − 1)/2⌋ zeros in front
    of a series and ⌊taps/2⌋ at its end.

    Attributes:
        weight: (O,I,taps).
        scale: (O,), factors of the features.
        shift: (O,), added to them.
        prepared: () buffer, whether scale and shift were set from data.
    """

    prepared: Tensor

    def __init__(self, inner: int, outer: int, taps: int, *, rng: Generator) -> None:
        super().__init__()
        self.weight = nn.Parameter(he_uniform(outer, inner, taps, rng=rng))
        self.scale, self.shift = nn.Parameter(torch.ones(outer)), nn.Parameter(torch.zeros(outer))
        self.register_buffer("prepared", torch.tensor(False))

    def forward(self, h: Features, steps: StepMasks) -> Float[Tensor, "B O T"]:  # noqa: ARG002
        """Features (B,O,T) of features (B,I,T) that are 0 beyond the ends of their series."""
        return convolve_same(h, self.weight * self.scale[:, None, None], self.shift)

    @torch.no_grad()
    def measure(self, h: Features, steps: StepMasks) -> None:
        """Set scale and shift on a sample, once, over the steps at which something was observed.

        A feature that stays the same is shifted alone; a sample with nothing in it sets nothing.
        """
        count = steps.seen.sum()
        if self.prepared or not count:
            return
        features = convolve_same(h, self.weight).double()  # (B,O,T)
        terms = convolve_same(
            h.abs(), self.weight.abs()
        ).double()  # what was added up, without sign
        mean, size = (_sums(kind * steps.seen) / count for kind in (features, terms))  # (O,)
        off = (features - mean[:, None]) * steps.seen
        deviation = (_sums(off.square()) / count).sqrt()
        moves = deviation > _ROUNDING * size
        self.scale.copy_(deviation.reciprocal().where(moves, 1.0))
        self.shift.copy_(-mean * self.scale)
        self.prepared.fill_(True)


_ROUNDING = 1e-5
"""Deviations up to this share of what was added up are rounding."""
_MAX_STEPS = 2**17
"""Most steps that norms are set on: they hold what 256 series of 512 steps do."""


@torch.no_grad()
def prepare_norms(encoder: Encoder, x: Batch) -> None:
    """One pass in which each norm that was never set sets itself on what reaches it.

    Args:
        encoder: whatever holds the norms.
        x: the sample; of a large one the first series, as many as have :data:`_MAX_STEPS` steps.
    """
    norms = [part for part in encoder.modules() if isinstance(part, NormedConvolution)]
    hooks = [norm.register_forward_pre_hook(_measure_hook) for norm in norms if not norm.prepared]
    few = max(_MAX_STEPS // x.values.shape[2], 1)
    try:
        if hooks:
            encoder(Batch(x.values[:few], x.observed[:few]))
    finally:
        for hook in hooks:
            hook.remove()


FRAGILE, ENOUGH = 8, 16
"""So many taps on fewer channels than that are never convolved in half precision on a CPU: with AMX
torch 2.13 gives noise for 8 taps on 8 channels in bfloat16; 7 taps or 16 channels are right."""


def _sums(features: Features) -> Float[Tensor, " D"]:
    return features.sum(dim=(0, 2))


def _measure_hook(norm: nn.Module, arguments: tuple[Tensor, StepMasks]) -> None:
    if isinstance(norm, NormedConvolution):
        norm.measure(*arguments)


def convolve_same(
    h: Features, weight: Float[Tensor, "O D K"], bias: Float[Tensor, " O"] | None = None
) -> Float[Tensor, "B O T"]:
    """Convolution over time that gives as many steps as it takes, with zeros around the series."""
    taps = weight.shape[2]
    if 2 * h.shape[2] <= taps:
        return convolve_short(h, weight, bias)
    if taps % 2 == 0:
        h = F.pad(h, (0, 1))
    if taps == FRAGILE and h.shape[1] < ENOUGH and h.device.type == "cpu":
        with torch.autocast("cpu", enabled=False):
            return F.conv1d(h.to(weight.dtype), weight, bias, padding=(taps - 1) // 2)
    return F.conv1d(h, weight, bias, padding=(taps - 1) // 2)


def convolve_short(
    h: Features, weight: Float[Tensor, "O D K"], bias: Float[Tensor, " O"] | None
) -> Float[Tensor, "B O T"]:
    """:func:`convolve_same` for series of at most half as many steps as taps: one plain product.

    Every step reaches every other, and most taps reach beyond the ends; torch's convolution takes
    up to ten times as long.
    """
    T, middle = h.shape[2], (weight.shape[2] - 1) // 2
    used = weight[:, :, middle - T + 1 : middle + T]  # (O,D,2·T−1)
    matrix = used.unfold(2, T, 1).flip(2)  # (O,D,T,T): to each step, from each step
    out = torch.einsum("odts,bds->bot", matrix, h)
    return out if bias is None else out + bias[:, None]


def he_uniform(outer: int, inner: int, taps: int, *, rng: Generator) -> Float[Tensor, "O I K"]:
    """Uniform weights that keep the mean square through a ReLU (He et al. 2015, equation 10)."""
    return uniform_init(outer, inner, taps, bound=(6 / (inner * taps)) ** 0.5, rng=rng)


def check_depth(depth: int) -> None:
    """A network has layers.

    Raises:
        ValueError: it has none.
    """
    if depth < 1:
        raise ValueError(f"got depth {depth}, wanted at least 1: a network has layers")
