"""What the measurements of all signals share: learning, and accuracies with standard errors."""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from selftime.data import scaling
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.engine.model import Model
from selftime.engine.pretrain import with_reference_bank, with_standard_vectors
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.loop import run_training
from selftime.engine.training.trainer import Trainer
from selftime.objectives.base import Objective
from selftime.tasks.comparison.compare import Comparison, labels_in_words

Figures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Learned:
    """An objective after learning, the model of its encoder, and what learning took."""

    objective: Objective
    model: Model
    scale: Scaling
    seconds: float


def learn(
    objective: Objective,
    series: SeriesSet,
    steps: int,
    *,
    seed: int = 0,
    scale: Scaling | None = None,
) -> Learned:
    """Learn as `selftime.pretrain` does, and keep the objective, which can then be asked."""
    start, scale = time.perf_counter(), scale or scaling.fit(series)
    config = replace(TrainingConfig(), recipe=objective.recipe)
    run = Trainer(objective, series, scale, Budget(amount=steps), config, seed)
    run_training(run)
    run.finish()
    seconds = time.perf_counter() - start
    model = model_of(objective.encoder, series, scale, seed)
    return Learned(objective=objective.eval(), model=model, scale=scale, seconds=seconds)


def model_of(encoder: Encoder, series: SeriesSet, scale: Scaling, seed: int = 0) -> Model:
    """Return the model of an encoder as `selftime.pretrain` makes it."""
    ready = with_standard_vectors(encoder, series, scale, seed).eval()
    bare = Model(ready, scale, series.channels, kind=series.kind)
    return with_reference_bank(bare, series, seed)


def accuracies(found: Comparison) -> Figures:
    """Mean accuracy of each row and number of labels, with its standard error over series."""
    table: Figures = {}
    for name in found.names:
        table[name] = {}
        for shots in found.labels_per_class:
            right = found.hits[name][shots].mean(axis=0)  # of each test series, over draws
            error = float(right.std(ddof=1) / len(right) ** 0.5)
            table[name][labels_in_words(shots)] = [round(float(right.mean()), 4), round(error, 4)]
    return table


def show(title: str, table: Figures) -> None:
    """Print accuracies, a row each."""
    print(f"\n{title}")
    for name, cells in table.items():
        cell = [f"{shots}: {mean:.3f} ± {error:.3f}" for shots, (mean, error) in cells.items()]
        print(f"  {name:30s}", "   ".join(cell), flush=True)


def share(right: Any) -> list[float]:
    """The share that is right, and its standard error."""
    right = np.asarray(right, np.float64).ravel()
    return [round(float(right.mean()), 4), round(float(right.std() / len(right) ** 0.5), 4)]
