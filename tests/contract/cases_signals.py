"""A tiny batch of every kind of signal, and a small encoder that reads it."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from cases_encoders import standardised
from material import waves
from torch import Generator, Tensor

from selftime.data.batch import Batch
from selftime.data.pixels import frames_to_steps, pixels_to_patches
from selftime.data.signals import Film, Images, Measurements, Signal, Sound, Text, Wave
from selftime.encoders.base import Encoder
from selftime.encoders.builders import embedder_for
from selftime.encoders.networks.dilated import Dilated
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.embedded import Embedded
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.formula import build_objective, settings_for
from selftime.objectives.registry import OBJECTIVES

SERIES = 12
IMAGES, FILM = Images(height=12, width=12, patch=3), Film(height=6, width=6)
TEXT = Text(vocabulary=tuple("abcdefg"))
CAUSAL = ("next_step",)
"""Objectives of encoders that know the past alone."""


def full(values: Tensor) -> Batch:
    """Series that are observed throughout."""
    return Batch(values, torch.ones_like(values, dtype=torch.bool))


def squares(side: int, steps: int, rng: Generator) -> Tensor:
    """Pictures (B,T,1,side,side) of a bright square that goes right, left or down, noisy."""
    rows, columns = torch.arange(side)[:, None], torch.arange(side)
    time, way = torch.arange(steps), torch.arange(SERIES)[:, None] % 3
    across = torch.where(way == 0, time, torch.where(way == 1, -time, 0 * time))  # (B,T)
    begin = torch.randint(0, side, (2, SERIES, 1), generator=rng)
    at = [(begin[0] + across) % side, (begin[1] + (way == 2) * time) % side]
    near = [
        ((axis - place[:, :, None, None]) % side) < side // 3
        for axis, place in zip((columns, rows), at, strict=True)
    ]
    values = (near[0] & near[1]).float()[:, :, None]
    return 2 * values - 0.5 + 0.1 * torch.randn(values.shape, generator=rng)


def pictures(rng: Generator) -> Batch:
    """A square somewhere in each picture."""
    return full(pixels_to_patches(squares(12, 1, rng)[:, 0], IMAGES))


def films(rng: Generator) -> Batch:
    """A square on its way through twelve frames."""
    return full(frames_to_steps(squares(6, 12, rng)))


def texts(rng: Generator) -> Batch:
    """Every symbol follows from the one before, by one of three rules, save one in ten."""
    steps, rule = torch.arange(24), torch.arange(SERIES)[:, None] % 3 + 1
    begin = torch.randint(0, TEXT.symbols, (SERIES, 1), generator=rng)
    other = torch.randint(0, TEXT.symbols, (SERIES, 24), generator=rng)
    strays = torch.rand(SERIES, 24, generator=rng) < 0.1
    return full(
        torch.where(strays, other, begin + rule * steps).remainder(TEXT.symbols)[:, None] * 1.0
    )


def tones(rng: Generator) -> Batch:
    """Eight tokens of a tone of one of three pitches."""
    pitch = torch.tensor([0.05, 0.11, 0.23]).repeat(SERIES // 3)[:, None, None]
    phase = 6.3 * torch.rand(SERIES, 1, 1, generator=rng)
    values = torch.sin(pitch * torch.arange(1280) + phase)
    return full(values + 0.1 * torch.randn(values.shape, generator=rng))


class SignalCase(NamedTuple):
    """A kind of signal and how to draw a batch of it."""

    kind: Signal
    draw: Callable[[Generator], Batch]

    def batch(self) -> Batch:
        """The batch, always the same."""
        return self.draw(torch.Generator().manual_seed(5))

    def encoder(self, *, causal: bool = False, seed: int = 0) -> Encoder:
        """A small one, of the parts that an encoder by name has for this kind."""
        _, channels, length = self.batch().values.shape
        if type(self.kind) in (Measurements, Sound):
            return Dilated(channels=channels, hidden=8, depth=3, dim=16, causal=causal, seed=seed)
        embedder = embedder_for(self.kind, channels=channels, length=length, dim=16, seed=seed)
        if causal or isinstance(self.kind, Wave):
            network = Dilated(channels=16, hidden=8, depth=2, dim=16, causal=causal, seed=seed)
            return Embedded(embedder=embedder, encoder=network)
        positions = "rotary" if self.kind.columns is None else "grid"
        return Transformer(embedder=embedder, positions=positions, depth=1, heads=2, seed=seed)

    def objective(self, name: str, seed: int = 0) -> Objective:
        """An objective learned by gradient, prepared on the batch."""
        x, encoder = self.batch(), self.encoder(causal=name in CAUSAL, seed=seed)
        length = x.values.shape[2]
        made = build_objective(name, encoder, kind=self.kind, seed=seed, length=length)
        made.prepare(x, torch.Generator().manual_seed(0))
        return made

    def closed_form(self, name: str) -> ClosedForm:
        """An objective solved in closed form, prepared on the batch."""
        x = self.batch()
        encoder = standardised(x.values.shape[1], 0)
        small = {"spectral": {"copies": 4, "dim": 16}, "neighbours": {"copies": 4}}
        method = OBJECTIVES[name]
        made = method(encoder=encoder, **settings_for(method, self.kind), **small[name])
        made.prepare(x, torch.Generator().manual_seed(0))
        return made


SIGNAL_CASES = {
    "series": SignalCase(Measurements(), lambda rng: waves(rng, channels=2)),
    "images": SignalCase(IMAGES, pictures),
    "text": SignalCase(TEXT, texts),
    "sound": SignalCase(Sound(rate=8000, bands=6), lambda rng: waves(rng, channels=6)),
    "wave": SignalCase(Wave(rate=8000), tones),
    "film": SignalCase(FILM, films),
}
"""One of each kind."""
PAIRS = [(name, signal) for name, part in OBJECTIVES.items() for signal in part.signals]
"""Every legal pair of an objective and a kind of signal."""
STEPWISE = [(n, s) for n, s in PAIRS if not issubclass(OBJECTIVES[n], ClosedForm)]
"""Those learned by gradient."""
CLOSED = [pair for pair in PAIRS if pair not in STEPWISE]
"""Those solved in closed form."""
