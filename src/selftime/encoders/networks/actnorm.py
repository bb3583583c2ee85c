"""Convolutions over time with ActNorm, which stands where papers have batch normalisation.

Steps beyond the end of a series, and steps at which nothing was observed, have their masks here.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.data.graph import is_traced, is_whole
from selftime.encoders.base import last_of, masked_mean, token_mask
from selftime.encoders.networks.dilated import uniform_init
from selftime.shapes import Embedding, Tokens

Features = Float[Tensor, "B D T"]
"""Features of each step, time last, as convolutions take them."""


class StepMasks(NamedTuple):
    """Masks of steps with an observed value (seen) and up to the last (within; None if all are)."""

    seen: Bool[Tensor, "B 1 T"]
    within: Bool[Tensor, "B 1 T"] | None

    def clear(self, h: Features, value: float = 0.0) -> Features:
        """Return features with a constant beyond the end of each series."""
        if self.within is None:
            return h
        return h * self.within if value == 0 else h.masked_fill(~self.within, value)

    def halved(self) -> "StepMasks":
        """Masks of pairs of steps: a pair is valid where either step is."""
        within = None if self.within is None else max_pool_pairs(self.within.float()) > 0
        return StepMasks(max_pool_pairs(self.seen.float()) > 0, within)


def step_masks(x: Batch) -> StepMasks:
    """Masks of the steps of a batch."""
    T, lengths = x.values.shape[2], x.lengths
    seen = x.observed.any(dim=1, keepdim=True)  # (B,1,T)
    if is_whole(lengths == T):
        return StepMasks(seen, None)
    within = torch.arange(T, device=lengths.device) < lengths[:, None]  # (B,T)
    return StepMasks(seen, within[:, None])


def max_pool_pairs(h: Features) -> Float[Tensor, "B D _"]:
    """The maximum of steps 2n and 2n + 1, (B,D,⌈T/2⌉); the last step stands alone if T is odd."""
    return highest_of(h, 2, stride=2)


def highest_of(h: Features, width: int, *, stride: int, beside: int = 0) -> Float[Tensor, "B D _"]:
    """The maximum of ``width`` steps, every so many, from so many before the first one on."""
    if is_traced():  # the same, and slower, but for any number of steps
        room = (1, width), (1, stride), (0, beside)
        return F.max_pool2d(h[:, :, None], *room, ceil_mode=True)[:, :, 0]
    return F.max_pool1d(h, width, stride, beside, ceil_mode=True)


class NormedNetwork(nn.Module):
    """All that networks of :class:`NormedConvolution` share; a series is the mean of its tokens."""

    stack: nn.ModuleList
    stride: int | None = 1
    stages: Callable[[Batch], Iterator[Tokens]]

    def forward(self, x: Batch) -> Tokens:
        """Tokens (B,N,D) after the last block."""
        return last_of(self.stages(x))

    def blocks(self) -> list[nn.Module]:
        """The blocks of the network."""
        return [*self.stack]

    def pool(self, tokens: Tokens, x: Batch) -> Embedding:
        """The mean over the tokens of each series (B,D)."""
        return masked_mean(tokens, token_mask(x, self.stride))

    def prepare(self, x: Batch, rng: Generator) -> None:  # noqa: ARG002 - nothing is drawn
        """Set the norms, once."""
        prepare_norms(self, x)


class NormedConvolution(nn.Module):
    """A convolution over time, then ActNorm (Kingma & Dhariwal 2018, section 3.1).

    ActNorm is a learned scale and shift of each feature, first set from data so that features
    have mean 0 and std 1. It stands where the papers have batch normalisation, whose
    statistics would tie a series to the others of its batch, and training to another function
    than use. Scale and shift enter as factors of the weights and as bias, so they cost nothing.

    Weights are drawn as by He et al. 2015, section 2.2, so that it also works unprepared, with
    scale 1 and shift 0. There are as many steps behind as before: ⌊(taps − 1)/2⌋ zeros in front
    of a series and ⌊taps/2⌋ at its end. ``prepared`` is True once scale and shift are set on data.
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
        """Set scale and shift once, on observed steps of a sample; constant features only shift."""
        count = steps.seen.sum()
        if self.prepared or not count:
            return
        features = convolve_same(h, self.weight).double()  # (B,O,T)
        terms = convolve_same(h.abs(), self.weight.abs()).double()  # the summands, without sign
        mean, size = ((kind * steps.seen).sum((0, 2)) / count for kind in (features, terms))  # (O,)
        off = (features - mean[:, None]) * steps.seen
        deviation = (off.square().sum((0, 2)) / count).sqrt()
        moves = deviation > _ROUNDING * size
        self.scale.copy_(deviation.reciprocal().where(moves, 1.0))
        self.shift.copy_(-mean * self.scale)
        self.prepared.fill_(True)


_ROUNDING = 1e-5
"""Deviations up to this share of the summands are rounding."""
_MAX_STEPS = 2**17
"""Most steps that norms are set on: those of 256 series of 512 steps."""


@torch.no_grad()
def prepare_norms(encoder: nn.Module, x: Batch) -> None:
    """Set each unset norm, in one pass, on what reaches it of `_MAX_STEPS` steps at most."""
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


def _measure_hook(norm: nn.Module, arguments: tuple[Tensor, StepMasks]) -> None:
    if isinstance(norm, NormedConvolution):
        norm.measure(*arguments)


def convolve_same(
    h: Features, weight: Float[Tensor, "O D K"], bias: Float[Tensor, " O"] | None = None
) -> Float[Tensor, "B O T"]:
    """Convolution over time that gives as many steps as it takes, with zeros around the series."""
    taps = weight.shape[2]
    if not is_traced() and 2 * h.shape[2] <= taps:
        return convolve_short(h, weight, bias)
    if taps % 2 == 0:
        h = F.pad(h, (0, 1))
    is_fragile = taps == FRAGILE and h.shape[1] < ENOUGH and h.device.type == "cpu"
    if is_fragile and not is_traced():
        with torch.autocast("cpu", enabled=False):
            return F.conv1d(h.to(weight.dtype), weight, bias, padding=(taps - 1) // 2)
    return F.conv1d(h, weight, bias, padding=(taps - 1) // 2)


def convolve_short(
    h: Features, weight: Float[Tensor, "O D K"], bias: Float[Tensor, " O"] | None
) -> Float[Tensor, "B O T"]:
    """:func:`convolve_same` for series of at most half as many steps as taps: one plain product."""
    # Every step reaches every other and most taps lie outside: torch takes up to ten times as long.
    T, middle = h.shape[2], (weight.shape[2] - 1) // 2
    used = weight[:, :, middle - T + 1 : middle + T]  # (O,D,2·T−1)
    matrix = used.unfold(2, T, 1).flip(2)  # (O,D,T,T): to each step, from each step
    out = torch.einsum("odts,bds->bot", matrix, h)
    return out if bias is None else out + bias[:, None]


def he_uniform(outer: int, inner: int, taps: int, *, rng: Generator) -> Float[Tensor, "O I K"]:
    """Uniform weights that keep the mean square through a ReLU (He et al. 2015, equation 10)."""
    return uniform_init(outer, inner, taps, bound=(6 / (inner * taps)) ** 0.5, rng=rng)


def check_depth(depth: int) -> None:
    """Raise a ValueError for a network without layers."""
    if depth < 1:
        raise ValueError(f"got depth {depth}, wanted at least 1: a network has layers")
