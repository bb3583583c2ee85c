"""The smallest encoder and objective that keep the contract, and ones that break it on purpose."""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from selftime.data.batch import Batch
from selftime.data.graph import is_traced
from selftime.encoders.base import Encoder
from selftime.objectives.base import ClosedForm, Moments


class Spread(Encoder):
    """Mean and standard deviation of every channel, centred on a sample and randomly turned."""

    def __init__(self, *, channels: int, seed: int = 0) -> None:
        super().__init__()
        self.channels, self.seed = channels, seed
        self.dim = 2 * channels
        rng = torch.Generator().manual_seed(seed)
        self.register_buffer("turn", torch.randn(self.dim, self.dim, generator=rng))
        self.register_buffer("centre", torch.zeros(self.dim))

    def statistics(self, x: Batch) -> Tensor:
        """(B, 2C) mean and standard deviation over the observed steps."""
        count = x.observed.sum(dim=2).clamp(min=1)  # (B,C)
        mean = x.values.where(x.observed, 0.0).sum(dim=2) / count
        away = (x.values - mean[:, :, None]).where(x.observed, 0.0)
        return torch.cat([mean, (away.square().sum(dim=2) / count).sqrt()], dim=1)

    def forward(self, x: Batch) -> Tensor:
        return ((self.statistics(x) - self.centre) @ self.turn)[:, None]

    def prepare(self, x: Batch, rng: Generator) -> None:
        self.centre.copy_(self.statistics(x).mean(dim=0))


class GivesDoubles(Spread):
    """Breaks: vectors are float32."""

    def embed(self, x: Batch) -> Tensor:
        return super().embed(x).double()


class IgnoresItsSeed(Spread):
    """Breaks: the seed decides."""

    def prepare(self, x: Batch, rng: Generator) -> None:
        self.turn.copy_(torch.eye(self.dim))


class DividesBySpread(Spread):
    """Breaks: constant series have vectors too."""

    def statistics(self, x: Batch) -> Tensor:
        mean, spread = super().statistics(x).chunk(2, dim=1)
        return torch.cat([mean / spread, spread], dim=1)


class HidesItsSettings(Spread):
    """Breaks: repr shows what an encoder is."""

    def __repr__(self) -> str:
        return "HidesItsSettings()"


class ReadsPadding(Spread):
    """Breaks: missing is a mask."""

    def statistics(self, x: Batch) -> Tensor:
        return torch.cat([x.values.mean(dim=2), x.values.std(dim=2, correction=0)], dim=1)


class IsOtherwiseInGraphs(Spread):
    """Breaks: a graph gives the same."""

    def statistics(self, x: Batch) -> Tensor:
        return super().statistics(x) + is_traced()


class WritesIntoItsInput(Spread):
    """Breaks: the input stays untouched."""

    def statistics(self, x: Batch) -> Tensor:
        x.values[~x.observed] = 0.0
        return super().statistics(x)


class LooksAtNeighbours(Spread):
    """Breaks: a series' vector does not depend on what else is in the batch."""

    def forward(self, x: Batch) -> Tensor:
        tokens = super().forward(x)
        return tokens - tokens.mean(dim=0)


class ForgetsItsState(Spread):
    """Breaks: parameters and buffers are the whole encoder."""

    def prepare(self, x: Batch, rng: Generator) -> None:
        self.offset = self.statistics(x).mean(dim=0)

    def forward(self, x: Batch) -> Tensor:
        return super().forward(x) - getattr(self, "offset", 0.0)


class RollsGlobalDice(Spread):
    """Breaks: random functions take rng."""

    def prepare(self, x: Batch, rng: Generator) -> None:
        self.turn.copy_(torch.randn_like(self.turn))


class MixesChannels(Spread):
    """Breaks: channels are told apart."""

    def statistics(self, x: Batch) -> Tensor:
        return super().statistics(x).mean(dim=1, keepdim=True).expand(-1, self.dim)


class ReadsMemoryOrder(Spread):
    """Breaks: an array means its values, however they lie in memory."""

    def statistics(self, x: Batch) -> Tensor:
        values = x.values.as_strided(x.values.shape, x.values.contiguous().stride())
        return super().statistics(Batch(values, x.observed))


class StopsBeforeTheEnd(Spread):
    """Breaks: the last layer is what comes out."""

    def stages(self, x: Batch) -> Iterator[Tensor]:
        yield self.statistics(x)[:, None]


class LosesAWeight(Spread):
    """Breaks: every weight is in one block."""

    def __init__(self, *, channels: int, seed: int = 0) -> None:
        super().__init__(channels=channels, seed=seed)
        self.first, self.last = nn.Linear(1, 1, device="meta"), nn.Linear(1, 1, device="meta")

    def blocks(self) -> list[nn.Module]:
        return [self.first]


class RepeatsAWeight(LosesAWeight):
    """Breaks: every weight is in one block alone."""

    def blocks(self) -> list[nn.Module]:
        return [self.first, nn.ModuleList([self.first, self.last])]


class Turned(Encoder):
    """The vectors of an encoder, multiplied by a matrix."""

    def __init__(self, *, encoder: Encoder) -> None:
        super().__init__()
        self.encoder, self.dim = encoder, encoder.dim
        self.register_buffer("matrix", torch.eye(self.dim))

    def forward(self, x: Batch) -> Tensor:
        return self.encoder(x) @ self.matrix


class Whitening(ClosedForm):
    """Copies differ by noise; the differences between copies are made equally large."""

    def __init__(self, *, encoder: Encoder, strength: float, copies: int = 4) -> None:
        self.encoder, self.strength, self.copies = encoder, strength, copies

    def prepare(self, sample: Batch, rng: Generator) -> None:
        self.encoder.prepare(sample, rng)

    def accumulate(self, batch: Batch, rng: Generator) -> Moments:
        p = torch.stack([self.copy_of(batch, rng) for _ in range(self.copies)])  # (k,B,D)
        flat, away = p.flatten(0, 1), (p - p.mean(dim=0)).flatten(0, 1)
        B = len(batch.values)
        return Moments(B, B * self.copies, flat.sum(dim=0), flat.T @ flat, away.T @ away)

    def copy_of(self, x: Batch, rng: Generator) -> Tensor:
        """(B,D) vectors of one copy of each series."""
        noise = self.strength * torch.randn(x.values.shape, generator=rng)
        return self.encoder.embed(Batch(x.values + noise, x.observed)).double()

    def solve(self, moments: Moments) -> Encoder:
        values, vectors = torch.linalg.eigh(moments.within / moments.copies)
        turned = Turned(encoder=self.encoder)
        turned.matrix.copy_(vectors @ torch.diag((values + 1e-3).rsqrt()) @ vectors.T)
        return turned


class CountsCalls(Whitening):
    """Breaks: a batch gives the same sums whoever computes it, and whenever."""

    def copy_of(self, x: Batch, rng: Generator) -> Tensor:
        self.strength *= 1.5
        return super().copy_of(x, rng)


class CentresBatches(Whitening):
    """Breaks: the sums of two batches are those of both together."""

    def copy_of(self, x: Batch, rng: Generator) -> Tensor:
        p = super().copy_of(x, rng)
        return p - p.mean(dim=0)


class RollsItsOwnDice(Whitening):
    """Breaks: random functions take rng."""

    def copy_of(self, x: Batch, rng: Generator) -> Tensor:
        return super().copy_of(x, torch.default_generator)


class IgnoresRng(Whitening):
    """Breaks: copies are drawn anew for every batch."""

    def copy_of(self, x: Batch, rng: Generator) -> Tensor:
        return super().copy_of(x, torch.Generator().manual_seed(0))


class ForgetsToDivide(Whitening):
    """Breaks: seeing everything twice teaches nothing new."""

    def solve(self, moments: Moments) -> Encoder:
        return super().solve(replace(moments, copies=self.copies))
