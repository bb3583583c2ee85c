"""Masks, True at kept steps, and views that hide steps: hidden values become missing.

A mask is called like a view, ``mask(x, rng)``, and is True where a step is kept: (B,T), or
(B,C,T) where channels differ. It is drawn for each series within its own length and never hides
padding. It may hide the last step of a series, which carries the length; ``hidden`` keeps it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.settings import check_count, check_share
from selftime.shapes import Lengths, Observed
from selftime.views.draws import uniform

Keep = Bool[Tensor, "B *C T"]
"""True where a step is kept: (B,T) for all channels at once, (B,C,T) for each on its own."""
Mask = Callable[[Batch, Generator], Keep]
"""Maps series to the steps that are kept."""


def padding(lengths: Lengths, T: int) -> Bool[Tensor, "B {T}"]:
    """Return True behind the last step of each series."""
    return torch.arange(T, device=lengths.device) >= lengths[:, None]


def outside_blocks(
    lengths: Lengths, T: int, begin: Float[Tensor, "B S"], shares: Float[Tensor, "B S"]
) -> Bool[Tensor, "B {T}"]:
    """Return True outside blocks that may overlap.

    ``begin`` in [0, 1) runs from the first step at which a block fits to the last; ``shares`` of
    the length are rounded to whole steps.
    """
    steps = torch.arange(T, device=lengths.device)
    width = (shares.double() * lengths[:, None]).round().long()  # (B,S)
    first = (begin * (lengths[:, None] - width + 1)).long()  # (B,S)
    within = (first[:, :, None] <= steps) & (steps < (first + width)[:, :, None])  # (B,S,T)
    return ~within.any(dim=1)


def outside_spans(
    lengths: Lengths, T: int, begin: Float[Tensor, "B S"], share: float
) -> Bool[Tensor, "B {T}"]:
    """Return True outside blocks of the same share, and on the last step of each series."""
    keep = outside_blocks(lengths, T, begin, torch.full_like(begin, share, dtype=torch.float64))
    return keep | (torch.arange(T, device=lengths.device) == lengths[:, None] - 1)


def outside_segments(
    draw: Float[Tensor, "B T"], *, share: float, mean: float
) -> Bool[Tensor, "B T"]:
    """Return True outside segments of geometric length: a two-state Markov chain without a loop.

    The first step is hidden with chance ``share``. After it a hidden step is followed by a kept
    one with chance ``leave`` and a kept step by a hidden one with chance ``enter``, so that every
    step is hidden with chance enter / (enter + leave) = share.

    One number in [0, 1) decides each move: below ``enter`` a kept state turns to hidden, below
    1 - leave a hidden one stays. A number on the same side of both leads to the same state from
    either; between them the state stays (or turns, where enter > 1 - leave). So each step follows
    from the last number that led to the same state from either, or from the first step.

    Hidden segments have ``mean`` steps; where share > mean / (mean + 1), kept segments are single
    steps and hidden ones as long as the share needs.
    """
    pace = 1 / max(mean * (1 - share), share)
    enter, leave = pace * share, pace * (1 - share)
    low, high = sorted((enter, 1 - leave))
    steps = torch.arange(draw.shape[1], device=draw.device)
    hides = (draw < low).where(steps > 0, draw < share)
    decides = (draw < low) | (draw >= high)
    source = steps.where(decides, 0).cummax(dim=1).values  # (B,T): the last step that decided
    turned = (steps - source) % 2 == 1
    return ~hides.gather(1, source) ^ (turned & (pace > 1))


def hidden(x: Batch, keep: Keep) -> Batch:
    """Hide all steps outside ``keep``, at the same lengths.

    The last step of a series carries its length: where ``keep`` would hide all of it, it stays.
    So the steps to predict are ``x.observed & ~hidden(x, keep).observed``.
    """
    return Batch(
        x.values, with_last_steps(x.observed & (keep if keep.ndim == 3 else keep[:, None]), x)
    )


def with_last_steps(left: Observed, x: Batch) -> Observed:
    """Return what is left of the observed values, and the last step of a series that lost it."""
    steps = torch.arange(x.values.shape[2], device=left.device)
    last = steps == x.lengths[:, None, None] - 1  # (B,1,T)
    lost = ~(left & last).any(dim=(1, 2), keepdim=True)  # (B,1,1)
    return left | (x.observed & last & lost)


def step_mask(x: Batch, rng: Generator, *, share: float = 0.15) -> Batch:
    """Hide some steps, each on its own, in all channels: symbols of a text, frames of a film.

    Dropped words (Iyyer et al. 2015, *Deep unordered composition rivals syntactic methods for text
    classification*, section 3.1), with the default share of Devlin et al. (2019, section 3.1).
    """
    return hidden(x, RandomMask(share=share)(x, rng))


def band_mask(x: Batch, rng: Generator, *, share: float = 0.2) -> Batch:
    """Hide a band of neighbouring channels, in each series another one.

    Frequency masking (Park et al. 2019, *SpecAugment*, section 2), where channels are bands from
    low to high. The width is uniform up to ``share`` of them, rounded to whole channels.
    """
    check_share("share", share)
    B, C, T = x.values.shape
    lies, wide = uniform(2, B, 1, rng=rng, like=x.values)
    count = torch.full_like(lies[:, 0], C).long()
    keep = outside_blocks(count, C, lies, share * wide)  # (B,C)
    return hidden(x, keep[:, :, None].expand(B, C, T))


def channel_dropout(x: Batch, rng: Generator, *, chance: float = 0.2) -> Batch:
    """Drop some channels entirely, never all of a series.

    One of the channels that reach the last step always stays, so lengths do too.
    """
    check_share("chance", chance)
    draw = uniform(*x.values.shape[:2], rng=rng, like=x.values)
    return Batch(x.values, x.observed & kept_channels(x, draw, chance)[:, :, None])


def kept_channels(x: Batch, draw: Float[Tensor, "B C"], chance: float) -> Bool[Tensor, "B C"]:
    """Return True for draws of at least ``chance``, and the highest that reaches the last step."""
    last = (x.lengths - 1).clamp(min=0)[:, None, None].expand(*draw.shape, 1)
    reaches = x.observed.gather(2, last)[:, :, 0]  # (B,C)
    spared = (draw + reaches).argmax(dim=1, keepdim=True)
    return (draw >= chance).scatter(1, spared, True)


def span_mask(x: Batch, rng: Generator, *, spans: int = 5, share: float = 0.1) -> Batch:
    """Hide some spans of time, in all channels of a series at once.

    The continuous timestamp mask of TS2Vec (Yue et al. 2022), in the paper on the output of the
    first layer. Spans may overlap; each takes ``share`` of the length. The last step of a series
    always stays, because it carries the length.
    """
    check_count("spans", spans, 0)
    check_share("share", share)
    begin = uniform(len(x.values), spans, rng=rng, like=x.values)
    keep = outside_spans(x.lengths, x.values.shape[2], begin, share)
    return Batch(x.values, x.observed & keep[:, None])


@dataclass(frozen=True, kw_only=True)
class RandomMask:
    """Every step is hidden or kept on its own: the binomial mask of TS2Vec (Yue et al. 2022)."""

    share: float = 0.5  # TS2Vec

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Return the kept steps: draws of at least the share."""
        B, _, T = x.values.shape
        draw = uniform(B, T, rng=rng, like=x.values)
        return (draw >= self.share) | padding(x.lengths, T)


def kept_patches(counts: Lengths, noise: Float[Tensor, "B P"], share: float) -> Bool[Tensor, "B P"]:
    """Hide exactly round(share * count) patches of each series: those of the least noise.

    Random masking by sorting noise (He et al. 2022, *Masked autoencoders are scalable vision
    learners*, section 3).
    """
    patches = torch.arange(noise.shape[1], device=noise.device)
    noise = noise.masked_fill(patches >= counts[:, None], torch.inf)
    quietest = noise.argsort(dim=1, stable=True)
    masked = patches < (share * counts.double()).round()[:, None]  # (B,P) in the order of noise
    return ~torch.zeros_like(masked).scatter(1, quietest, masked)


@dataclass(frozen=True, kw_only=True)
class PatchMask:
    """Whole patches are hidden, of each series exactly round(share * its number of patches).

    As in PatchTST (Nie et al. 2023, section 3.2). Patches of ``patch`` steps do not overlap and
    begin with the first step; a shorter one at the end counts like the others.
    """

    patch: int = 12  # PatchTST, section 4.2
    share: float = 0.4  # PatchTST, section 4.2

    def __post_init__(self) -> None:
        check_count("patch", self.patch, 1)
        check_share("share", self.share)

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Return the steps of the kept patches."""
        B, _, T = x.values.shape
        noise = uniform(B, -(-T // self.patch), rng=rng, like=x.values)
        keep = kept_patches(-(-x.lengths // self.patch), noise, self.share)
        return keep.repeat_interleave(self.patch, dim=1)[:, :T] | padding(x.lengths, T)


@dataclass(frozen=True, kw_only=True)
class SpanMask:
    """Some spans of one width are hidden; they may overlap: the continuous mask of TS2Vec.

    Each takes ``share`` of the length, rounded to whole steps.
    """

    spans: int = 5
    share: float = 0.1

    def __post_init__(self) -> None:
        check_count("spans", self.spans, 0)
        check_share("share", self.share)

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Return the steps outside the spans."""
        begin = uniform(len(x.values), self.spans, rng=rng, like=x.values)
        shares = torch.full_like(begin, self.share, dtype=torch.float64)
        return outside_blocks(x.lengths, x.values.shape[2], begin, shares)


@dataclass(frozen=True, kw_only=True)
class BlockMask:
    """Hidden segments of geometric length alternate with kept ones.

    The mask of TST (Zerveas et al. 2021, *A transformer-based framework for multivariate time
    series representation learning*, on unsupervised pre-training), which draws one for each
    channel: ``EachChannel(mask=BlockMask())``. A step is hidden with chance ``share``; hidden
    segments have ``mean`` steps, or more where the share needs it (:func:`outside_segments`).
    """

    share: float = 0.15  # TST
    mean: float = 3.0  # TST

    def __post_init__(self) -> None:
        check_share("share", self.share)
        if not 1 <= self.mean < inf:
            raise ValueError(f"got mean={self.mean}, wanted steps from 1 on: use mean=3.0")

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Return the steps outside the hidden segments."""
        B, _, T = x.values.shape
        draw = uniform(B, T, rng=rng, like=x.values)
        keep = outside_segments(draw, share=self.share, mean=self.mean)
        return keep | padding(x.lengths, T)


@dataclass(frozen=True, kw_only=True)
class MultiBlockMask:
    """Several blocks of drawn width are hidden; they may overlap.

    The targets of I-JEPA (Assran et al. 2023, section 3), with time in place of the plane. A block
    takes a share of the length that is uniform from ``least`` to ``most``, rounded to whole steps.
    """

    blocks: int = 4  # I-JEPA, section 3
    least: float = 0.15  # I-JEPA, section 3
    most: float = 0.2  # I-JEPA, section 3

    def __post_init__(self) -> None:
        check_count("blocks", self.blocks, 0)
        check_share("least", self.least)
        check_share("most", self.most)
        if self.least > self.most:
            raise ValueError(
                f"got least={self.least} and most={self.most}, wanted least <= most: swap them"
            )

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Return the steps outside the blocks."""
        begin, wide = uniform(2, len(x.values), self.blocks, rng=rng, like=x.values)
        shares = self.least + (self.most - self.least) * wide.double()
        return outside_blocks(x.lengths, x.values.shape[2], begin, shares)


@dataclass(frozen=True, kw_only=True)
class ChannelMask:
    """Whole channels are hidden, each on its own; it may be all of a series.

    The view ``channel_dropout`` spares one of them.
    """

    share: float = 0.2

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B C T"]:
        """Return the kept channels: draws of at least the share."""
        B, C, T = x.values.shape
        keep = uniform(B, C, 1, rng=rng, like=x.values) >= self.share
        return keep | padding(x.lengths, T)[:, None]


@dataclass(frozen=True, kw_only=True)
class EachChannel:
    """Another mask, drawn for every channel on its own, as a series of the same length."""

    mask: Mask

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B C T"]:
        """Return the kept steps of each channel."""
        B, C, T = x.values.shape
        valid = x.observed.any(dim=1).repeat_interleave(C, dim=0)  # (B*C,T), to keep the length
        alone = Batch(x.values.reshape(B * C, 1, T), valid[:, None])
        return self.mask(alone, rng).reshape(B, C, T)


@dataclass(frozen=True, kw_only=True)
class FutureMask:
    """The last share of each series is hidden: the future; nothing is drawn.

    ``Batch(x.values, x.observed & keep[:, None])`` is a shorter series, the past alone; ``hidden``
    would keep the last step of the future. The future is rounded to whole steps.
    """

    share: float = 0.25

    def __post_init__(self) -> None:
        check_share("share", self.share)

    def __call__(self, x: Batch, rng: Generator) -> Bool[Tensor, "B T"]:
        """Return the steps of the past."""
        T = x.values.shape[2]
        future = (self.share * x.lengths.double()).round().long()  # (B,)
        return ~padding(x.lengths - future, T) | padding(x.lengths, T)


MASKS: dict[str, Mask] = {
    "random": RandomMask(),
    "span": SpanMask(),
    "block": BlockMask(),
    "patch": PatchMask(),
    "channel": ChannelMask(),
    "future": FutureMask(),
    "multi_block": MultiBlockMask(),
}
"""Masks with their default settings."""
