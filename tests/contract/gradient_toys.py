"""The smallest objective learned by gradient that keeps the contract, and ones that break it."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from toys import Spread

from selftime.data.batch import Batch
from selftime.encoders.base import Encoder
from selftime.objectives import distributed as ranks
from selftime.objectives.base import Objective, Recipe, Step


class Trained(Spread):
    """A linear map, to be learned, of mean, standard deviation and size of the steps."""

    def __init__(self, *, channels: int, seed: int = 0) -> None:
        super().__init__(channels=channels, seed=seed)
        rng = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(8, 3 * channels, generator=rng))
        self.bias = nn.Parameter(torch.randn(8, generator=rng))
        self.dim = 8

    def statistics(self, x: Batch) -> Tensor:
        both = x.observed[:, :, 1:] & x.observed[:, :, :-1]
        moved = (x.values.diff(dim=2).abs() * both).sum(dim=2) / both.sum(dim=2).clamp(min=1)
        return torch.cat([super().statistics(x), moved], dim=1)

    def forward(self, x: Batch) -> Tensor:
        return F.linear(self.statistics(x), self.weight, self.bias)[:, None]

    def prepare(self, x: Batch, rng: Generator) -> None:
        pass


class Louder(Objective):
    """A series is told from others, however loud each of its channels is."""

    recipe: ClassVar[Recipe] = Recipe()

    def __init__(self, *, encoder: Encoder, strength: float = 0.3) -> None:
        super().__init__()
        self.encoder, self.strength = encoder, strength
        self.turn = nn.Parameter(torch.eye(encoder.dim))

    def view(self, x: Batch, rng: Generator) -> Batch:
        """Every channel louder or softer."""
        gain = 1 + self.strength * torch.randn(*x.values.shape[:2], 1, generator=rng)
        return Batch(x.values * gain, x.observed)

    def encode(self, x: Batch) -> Tensor:
        """Vectors (B,D) of unit length."""
        return F.normalize(ranks.distribute(self.encoder.embed, x) @ self.turn, dim=1)

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        """Cross entropy of finding the other view of each series."""
        return F.cross_entropy(first @ second.T / 0.2, torch.arange(len(first)))

    def forward(self, batch: Batch, rng: Generator) -> Step:
        first, second = (self.encode(self.view(batch, rng)) for _ in range(2))
        loss = self.loss(first, second)
        return Step(loss, {"all": loss.detach()}, first.detach())


class GivesALossEach(Louder):
    """Breaks: the loss is one number."""

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        return super().loss(first, second)[None]


class KeepsTheGraph(Louder):
    """Breaks: what is reported is detached."""

    def forward(self, batch: Batch, rng: Generator) -> Step:
        loss, _, vectors = super().forward(batch, rng)
        return Step(loss, {"all": loss}, vectors)


class HasAnIdleWeight(Louder):
    """Breaks: every trainable weight gets a gradient."""

    def __init__(self, *, encoder: Encoder, strength: float = 0.3) -> None:
        super().__init__(encoder=encoder, strength=strength)
        self.idle = nn.Parameter(torch.zeros(3))


class MultipliesByZero(HasAnIdleWeight):
    """Breaks: a gradient is more than zeros."""

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        return super().loss(first, second) + 0 * self.idle.sum()


class ThawsWeights(Louder):
    """Breaks: what is frozen stays frozen."""

    def forward(self, batch: Batch, rng: Generator) -> Step:
        self.requires_grad_(True)
        return super().forward(batch, rng)


class Climbs(Louder):
    """Breaks: the loss falls."""

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        loss = super().loss(first, second)
        return 2 * loss.detach() - loss


class RollsItsOwnDice(Louder):
    """Breaks: random functions take rng."""

    def view(self, x: Batch, rng: Generator) -> Batch:
        return super().view(x, torch.default_generator)


class RollsDiceAtBirth(Louder):
    """Breaks: constructing draws from its own generator."""

    def __init__(self, *, encoder: Encoder, strength: float = 0.3) -> None:
        super().__init__(encoder=encoder, strength=strength)
        self.turn.data.normal_()


class IgnoresRng(Louder):
    """Breaks: views are drawn anew for every batch."""

    def view(self, x: Batch, rng: Generator) -> Batch:
        return super().view(x, torch.Generator().manual_seed(0))


class CountsSteps(Louder):
    """Breaks: what changes is in the state."""

    def after_step(self, progress: float) -> None:
        self.strength = 0.3 + progress


class ReadsPadding(Louder):
    """Breaks: missing is a mask."""

    def encode(self, x: Batch) -> Tensor:
        return super().encode(Batch(x.values, torch.ones_like(x.observed)))


class CountsPadding(Louder):
    """Breaks: the amount of padding changes nothing."""

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        return super().loss(first, second) / self.steps

    def forward(self, batch: Batch, rng: Generator) -> Step:
        self.steps = batch.values.shape[2]
        return super().forward(batch, rng)


class WritesIntoItsInput(Louder):
    """Breaks: the input stays untouched."""

    def view(self, x: Batch, rng: Generator) -> Batch:
        x.values[~x.observed] = 0.0
        return super().view(x, rng)


class LeavesOutTheFirstStep(Louder):
    """Breaks: one step is enough."""

    def encode(self, x: Batch) -> Tensor:
        valid = x.observed[:, :, 1:]
        mean = (x.values[:, :, 1:] * valid).sum(dim=2) / valid.sum(dim=2)
        return super().encode(Batch(x.values - mean[:, :, None], x.observed))


class NeedsFullBatches(Louder):
    """Breaks: unequal lengths work."""

    def encode(self, x: Batch) -> Tensor:
        full = x.lengths == x.values.shape[2]
        return super().encode(x) / full[:, None]


class DividesBySpread(Louder):
    """Breaks: constant series have a loss too."""

    def view(self, x: Batch, rng: Generator) -> Batch:
        return Batch(x.values / x.values.std(), x.observed)


class MixesChannels(Louder):
    """Breaks: channels are told apart."""

    def view(self, x: Batch, rng: Generator) -> Batch:
        mean = x.values.mean(dim=1, keepdim=True).expand_as(x.values)
        return Batch(mean + 0.1 * torch.randn(mean.shape, generator=rng), x.observed)


class IsCurtWithOne(Louder):
    """Breaks: an error says what was got and what is wanted."""

    def forward(self, batch: Batch, rng: Generator) -> Step:
        if len(batch.values) == 1:
            raise ValueError("bad batch")
        return super().forward(batch, rng)


class LearnsFromItsShare(Louder):
    """Breaks: negatives are those of the whole batch, however many ranks there are."""

    def forward(self, batch: Batch, rng: Generator) -> Step:
        if not ranks.dist.is_initialized():
            return super().forward(batch, rng)
        rows = slice(ranks.dist.get_rank(), None, ranks.dist.get_world_size())
        return super().forward(Batch(batch.values[rows], batch.observed[rows]), rng)

    def encode(self, x: Batch) -> Tensor:
        return F.normalize(self.encoder.embed(x) @ self.turn, dim=1)


class LearnsFromOthersToo(Louder):
    """Breaks: gradients are right once they are averaged over the ranks."""

    def encode(self, x: Batch) -> Tensor:
        vectors = ranks.distribute(self.encoder.embed, x)
        if ranks.dist.is_initialized():
            vectors = vectors / 2 + vectors.detach() / 2  # forgets to multiply by the world
        return F.normalize(vectors @ self.turn, dim=1)


class HidesItsSettings(Louder):
    """Breaks: repr shows what an objective is."""

    def __repr__(self) -> str:
        return "HidesItsSettings()"
