"""Strategies: the ways to use a pretrained model for what labels ask, by the names people type."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.registry import build
from selftime.engine.model import Model
from selftime.engine.solve import generator, sample_of
from selftime.engine.training.config import Budget, TrainingConfig, parse_budget
from selftime.objectives.supervised.heads import NETWORK_HEADS
from selftime.objectives.supervised.targets import Amount, AnyClasses, StepClasses, TargetType
from selftime.progress import Progress, silent
from selftime.tasks.probing import heads
from selftime.tasks.probing.heads import NEIGHBOURS, LabelsProbe, ValueProbe, make_head
from selftime.tasks.probing.probe import Probe
from selftime.tasks.probing.temperature import calibrate
from selftime.tasks.transfer.holdout import (
    CALIBRATION_SHARE,
    MIN_FOR_HOLDOUT,
    split_holdout,
    take_rows,
)
from selftime.tasks.transfer.scratch import network_like
from selftime.tasks.transfer.solution import FrozenSolution, Solution, TunedSolution, token_vectors
from selftime.tasks.transfer.tune import (
    fine_tune_model,
    network_with_head,
    rates_of,
    select_trainable,
    set_to_probe,
    usual_training,
)

_MAX_PROBE_STEPS = 100_000
"""Most labelled steps that a probe of steps is fitted on, evenly spaced."""


def fit_head(
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    *,
    head: str = "probe",
    neighbours: int = NEIGHBOURS,
) -> FrozenSolution:
    """The model as it is, and a head fitted on its vectors.

    Args:
        model: makes the vectors.
        series: labelled ones.
        y: what is known of each, as the answer takes it.
        target_type: what is asked.
        head: "probe" or another of :data:`selftime.tasks.probing.heads.HEAD_NAMES`, for classes of series.
        neighbours: how many "knn" asks.

    Raises:
        ValueError: steps are asked of a model that has no vector for a step.
    """
    made: BaseEstimator
    if isinstance(target_type, StepClasses):
        rows, labels = labelled_steps(model, series, y)
        return FrozenSolution(
            model, target_type, make_pipeline(StandardScaler(), Probe()).fit(rows, labels)
        )
    if isinstance(target_type, AnyClasses | Amount):
        made = ValueProbe() if isinstance(target_type, Amount) else LabelsProbe()
    else:
        made = make_head(head, model.reference_bank, neighbours=neighbours)
    return FrozenSolution(model, target_type, made.fit(model.embed(series, progress=False), y))


def labelled_steps(model: Model, series: SeriesSet, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n,D) and labels (n,) of steps, at most :data:`_MAX_PROBE_STEPS` of them."""
    labels = np.concatenate(list(y))
    every = -(-len(labels) // _MAX_PROBE_STEPS)
    rows = np.concatenate(list(token_vectors(model, series)))
    return rows[::every], labels[::every]


STRATEGIES = {
    "probe": "the model stays as it is; a head is fitted on its vectors",
    "partial": "the last blocks are trained with the head, which begins as the probe",
    "full": "all of the model is trained with a new head, lower blocks more slowly",
    "staged": "the head is fitted first, then all of the model is trained from there",
    "adapter": "low-rank changes to the layers of a Transformer are trained with the head",
    "scratch": "the same network from its first weights: what pretraining has to beat",
}
"""What each does, in a few words."""
LINEAR = "linear"
AUTO = "auto"
"""Stands for the strategy that :func:`selftime.tasks.transfer.choose.choose` chooses."""
TRANSFER_HEADS = (*NETWORK_HEADS, *(name for name in heads.HEAD_NAMES if name != "probe"))
"""Heads by the names people type; those behind the first are for frozen vectors alone."""
FROM_PROBE = ("partial", "staged", "adapter")
"""Strategies whose head begins as the probe says (Kumar et al. 2022: a new head would at first
pull what was learned apart)."""


class TransferConfig(NamedTuple):
    """How a model is used for what labels ask.

    Attributes:
        strategy: a name in :data:`STRATEGIES`.
        head: on vectors, one of :data:`TRANSFER_HEADS`; on frozen ones "linear" is the probe, in closed
            form.
        blocks: last blocks that "partial" trains.
        neighbours: that the head "knn" asks; None asks 5, or all where there are fewer labels.
        budget: how long a network is trained; None goes by the number of labels.
        config: how it is trained; what it leaves open goes by the number of labels.
        seed: fixes everything random.
    """

    strategy: str = "probe"
    head: str = LINEAR
    blocks: int = 2
    neighbours: int | None = None
    budget: Budget | str | None = None
    config: TrainingConfig | None = None
    seed: int = 0

    def training(self, labels: int) -> tuple[Budget, TrainingConfig]:
        """Budget and config for so many labels, nothing left open."""
        budget, usual = usual_training(labels)
        config = self.config or usual
        if config.recipe is None:
            config = replace(config, recipe=usual.recipe)
        return budget if self.budget is None else parse_budget(self.budget), config

    @property
    def is_closed(self) -> bool:
        """Whether the head is solved in closed form on frozen vectors."""
        return self.strategy == "probe" and (self.head == LINEAR or self.head not in NETWORK_HEADS)


def check_transfer(config: TransferConfig, target_type: TargetType | None = None) -> None:
    """There is such a strategy and such a head, and they go together.

    Raises:
        ValueError: they do not.
    """
    if config.strategy not in (AUTO, *STRATEGIES):
        known = ", ".join(STRATEGIES)
        raise ValueError(f"got strategy {config.strategy!r}, wanted one of auto, {known}")
    if config.head not in TRANSFER_HEADS:
        raise ValueError(f"got head {config.head!r}, wanted one of {', '.join(TRANSFER_HEADS)}")
    if config.head not in NETWORK_HEADS and config.strategy not in (AUTO, "probe"):
        raise ValueError(
            f"got head {config.head!r} with strategy {config.strategy!r}: it is fitted on vectors "
            f"that stay, so use strategy='probe', or one of the heads {', '.join(NETWORK_HEADS)}"
        )
    if target_type is not None and target_type.by_step and config.head == "attention":
        raise ValueError("got head 'attention', which makes one vector a series: use 'linear'")


def transfer(
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    config: TransferConfig = TransferConfig(),  # noqa: B008 - a tuple, nothing changes it
    progress: Progress = silent,
) -> Solution:
    """Learn from labels on top of a model.

    Args:
        model: pretrained; it is not changed.
        series: labelled ones.
        y: what is known of each, as the answer takes it.
        target_type: what is asked.
        config: strategy and head.
        progress: called after each step of training.

    Raises:
        SeriesError: series of other channels than the model's.
        ValueError: a strategy or head that there is not, or that the model cannot have.
    """
    check_transfer(config, target_type)
    model.check(series)
    if config.is_closed:
        head = "probe" if config.head == LINEAR else config.head
        asked = config.neighbours or min(heads.NEIGHBOURS, len(series))
        return fit_head(model, series, y, target_type, head=head, neighbours=asked)
    share = CALIBRATION_SHARE if len(series) >= MIN_FOR_HOLDOUT else 0.0
    fitted, judged = split_holdout(series, y, target_type, share, config.seed)
    solution = fit_network(
        model, series[fitted], take_rows(y, fitted), target_type, config, progress
    )
    return calibrate(solution, series[judged], take_rows(y, judged)) if len(judged) else solution


def fit_network(  # noqa: PLR0913 - all that training depends on
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    config: TransferConfig,
    progress: Progress,
) -> TunedSolution:
    """A network trained on all of the series."""
    if config.strategy == "scratch":
        model = from_first_weights(model, series)
    encoder = select_trainable(model.encoder, config.strategy, config.blocks, config.seed)
    network = network_with_head(encoder, target_type, config.head, config.seed)
    network.rates = rates_of(network.encoder, config.strategy)
    if config.strategy in FROM_PROBE:
        set_to_probe(network, model, series, y)
    budget, how = config.training(len(series))
    return fine_tune_model(
        model, network, series, y, budget=budget, config=how, seed=config.seed, progress=progress
    )


def from_first_weights(model: Model, series: SeriesSet) -> Model:
    """The network of a model, or ``dilated`` where it has none, as it is before learning."""
    scale = scaling.fit_channels(series)
    length = int(np.median(series.lengths))
    encoder = build(network_like(model.encoder, series.n_channels, length))
    with torch.no_grad():
        encoder.prepare(scale.apply(batch_of(series, sample_of(len(series), 0))), generator(0, 0))
    return Model(encoder, scale, series.channels)
