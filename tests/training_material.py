"""Small gradient runs on sine waves, for the tests of the learning loop."""

from dataclasses import replace

import numpy as np

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.encoders.dilated import Dilated
from selftime.engine.plan import Plan, budget_in
from selftime.engine.training import Training
from selftime.objectives import OBJECTIVES
from selftime.objectives.base import Objective


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


def plan_of(name: str, budget: str = "12 steps", **changes) -> Plan:
    """A plan with the recipe of an objective in batches of 6; ``averaging`` is one of changes."""
    recipe = replace(OBJECTIVES[name].recipe, batch_size=6)
    if "averaging" in changes:
        recipe = replace(recipe, averaging=changes.pop("averaging"))
    return Plan(budget=budget_in(budget), recipe=recipe, **changes)


def training_of(name: str, budget: str = "12 steps", *, seed: int = 3, **changes) -> Training:
    """A run of an objective that has not begun."""
    series = waves()
    plan = plan_of(name, budget, **changes)
    return Training(objective_of(name), series, scaling.fit_channels(series), plan, seed)


def advanced(training: Training, steps: int) -> list[float]:
    """Losses of so many steps."""
    return [training.advance()["loss"] for _ in range(steps)]
