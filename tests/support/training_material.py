"""Small gradient runs on sine waves, for the tests of the learning loop."""

from dataclasses import replace

import numpy as np
import torch

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.networks.dilated import Dilated
from selftime.engine.training.config import TrainingConfig, parse_budget
from selftime.engine.training.trainer import Trainer
from selftime.objectives.base import Objective, Recipe, Step
from selftime.objectives.registry import OBJECTIVES


def waves(count: int = 20, *, channels: int = 2, steps: int = 24) -> SeriesSet:
    """Waves of two speeds with noise, lengths from half to all of ``steps``, a step missing."""
    rng = np.random.default_rng(5)
    series = []
    for i in range(count):
        time = np.arange(rng.integers(steps // 2, steps + 1)) / steps
        phase = rng.uniform(size=(channels, 1))
        wave = np.sin(2 * np.pi * ((2 + 3 * (i % 2)) * time + phase))
        series.append((wave + 0.1 * rng.normal(size=wave.shape)).astype(np.float32))
    series[0][:, 3] = np.nan
    return SeriesSet.of(series)


def objective_of(name: str, channels: int = 2, seed: int = 0) -> Objective:
    """An objective on a small encoder."""
    encoder = Dilated(channels=channels, hidden=8, depth=3, dim=16, seed=seed)
    return OBJECTIVES[name](encoder=encoder)


def config_of(name: str, **changes) -> TrainingConfig:
    """A config with the recipe of an objective in batches of 6; changes are of either."""
    of_recipe = {key: changes.pop(key) for key in ("batch_size", "averaging") if key in changes}
    recipe = replace(OBJECTIVES[name].recipe, **{"batch_size": 6} | of_recipe)
    return TrainingConfig(recipe=recipe, **changes)


def training_of(name: str, budget: str = "12 steps", *, seed: int = 3, **changes) -> Trainer:
    """A run of an objective that has not begun."""
    series = waves()
    scale, config = scaling.fit_channels(series), config_of(name, **changes)
    return Trainer(objective_of(name), series, scale, parse_budget(budget), config, seed)


def advanced(training: Trainer, steps: int) -> list[float]:
    """Losses of so many steps."""
    return [training.advance()["loss"] for _ in range(steps)]


class Followed(Objective):
    """Vectors should be those of a teacher, which follows slowly; as small as can be."""

    recipe = Recipe(batch_size=6, averaging="mean")

    def __init__(self, *, encoder, explodes_at=None):
        super().__init__()
        self.encoder, self.explodes_at = encoder, explodes_at
        self.register_buffer("teacher", torch.ones(encoder.dim))
        self.register_buffer("calls", torch.zeros(()))
        self.told = []

    def forward(self, batch, rng):
        z = self.encoder.embed(batch)
        self.calls += 1
        factor = float("nan") if self.calls == self.explodes_at else 1.0
        return Step((z - self.teacher).square().mean() * factor, {}, z.detach())

    def after_step(self, progress):
        self.told.append(progress)
        weight = self.encoder.entry.bias.detach().mean()
        self.teacher.lerp_(weight * torch.ones_like(self.teacher), 0.5 - progress / 4)


def followed(budget="12 steps", **settings):
    series = waves()
    objective = Followed(encoder=objective_of("ts2vec").encoder, **settings)
    scale = scaling.fit_channels(series)
    return Trainer(objective, series, scale, parse_budget(budget), TrainingConfig(), 3)


def assert_same_state(got, wanted):
    """Every number is the same to the bit, except how long it took."""
    assert got.facts.keys() == wanted.facts.keys()
    assert {k: v for k, v in got.facts.items() if k != "seconds"} == {
        k: v for k, v in wanted.facts.items() if k != "seconds"
    }
    assert got.tensors.keys() == wanted.tensors.keys()
    for name, tensor in wanted.tensors.items():
        assert torch.equal(got.tensors[name], tensor), name
