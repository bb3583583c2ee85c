"""Strategies: ways to learn from labels on top of a pretrained model, by name."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from selftime.data import scaling
from selftime.data.arrays import are_known
from selftime.data.series import SeriesSet
from selftime.data.splits import draw_stratified
from selftime.data.windows import batch_of
from selftime.door import option
from selftime.encoders.registry import build
from selftime.engine.model import Model
from selftime.engine.solve import generator, sample_for
from selftime.engine.training.config import Budget, TrainingConfig, check_config, parse_budget
from selftime.objectives.supervised.heads import NETWORK_HEADS
from selftime.objectives.supervised.targets import (
    Amount,
    AnyClasses,
    OneClass,
    StepClasses,
    TargetType,
)
from selftime.progress import Progress, silent
from selftime.tasks.probing.heads import HEAD_NAMES, NEIGHBOURS, LabelsProbe, ValueProbe, make_head
from selftime.tasks.probing.probe import Probe
from selftime.tasks.transfer.scratch import network_like
from selftime.tasks.transfer.solution import (
    FrozenSolution,
    Solution,
    TunedSolution,
    calibrate,
    token_vectors,
)
from selftime.tasks.transfer.tune import (
    fine_tune_model,
    network_with_head,
    rates_of,
    select_trainable,
    set_to_probe,
    usual_training,
)

_MAX_PROBE_STEPS = 100_000
"""Most labelled timepoints that a probe is fitted on, evenly spaced."""
MIN_FOR_HOLDOUT = 200
"""With fewer labelled series none are held out to calibrate on: each is worth more in training."""
CALIBRATION_SHARE = 0.1
"""Share of the labelled series that is held out to calibrate on."""


def fit_head(
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    *,
    head: str = "probe",
    neighbours: int = NEIGHBOURS,
) -> FrozenSolution:
    """Fit a head on the vectors of a frozen model; its name counts for classes of series alone."""
    made: BaseEstimator
    if isinstance(target_type, StepClasses):
        labels = np.concatenate(list(y))
        known = are_known(labels)
        labels = labels[known].astype(target_type.classes.dtype)
        every = -(-len(labels) // _MAX_PROBE_STEPS)
        rows = np.concatenate(list(token_vectors(model, series)))[known]
        made = make_pipeline(StandardScaler(), Probe()).fit(rows[::every], labels[::every])
        return FrozenSolution(model, target_type, made)
    if isinstance(target_type, AnyClasses | Amount):
        made = ValueProbe() if isinstance(target_type, Amount) else LabelsProbe()
    else:
        made = make_head(head, model.reference_bank, neighbours=neighbours)
    return FrozenSolution(model, target_type, made.fit(model.embed(series, progress=False), y))


STRATEGIES = {
    "probe": "the model stays as it is; a head is fitted on its vectors",
    "partial": "the last blocks are trained with the head, which begins as the probe",
    "full": "all of the model is trained with a new head, lower blocks more slowly",
    "staged": "the head is fitted first, then all of the model is trained from there",
    "adapter": "low-rank changes to the layers of a Transformer are trained with the head",
    "scratch": "the same network from its first weights: what pretraining has to beat",
}
"""Each strategy in a few words."""
LINEAR = "linear"
AUTO = "auto"
"""Stands for the strategy that :func:`selftime.tasks.transfer.choose.choose` returns."""
TRANSFER_HEADS = (*NETWORK_HEADS, *(name for name in HEAD_NAMES if name != "probe"))
"""Heads by name; those after :data:`NETWORK_HEADS` are for frozen vectors alone."""
FROM_PROBE = ("partial", "staged", "adapter")
"""Strategies whose head begins as the probe (Kumar et al. 2022: a new head would at first distort
the pretrained features)."""


class TransferConfig(NamedTuple):
    """Strategy, head and training for labels on top of a model."""

    strategy: str = "probe"  # a name in STRATEGIES
    head: str = LINEAR  # of TRANSFER_HEADS; on frozen vectors this one is the probe
    blocks: int = 2  # last blocks that "partial" trains
    neighbours: int | None = None  # that "knn" asks; None: 5, or all where there are fewer
    budget: Budget | str | None = None  # None and what config leaves open go by number of labels
    config: TrainingConfig | None = None
    seed: int = 0

    def training(self, labels: int) -> tuple[Budget, TrainingConfig]:
        """Return budget and config for so many labels, nothing left open."""
        budget, usual = usual_training(labels)
        config = self.config or usual
        if config.recipe is None:
            config = replace(config, recipe=usual.recipe)
        return budget if self.budget is None else parse_budget(self.budget), config

    @property
    def is_closed(self) -> bool:
        """True where the head is solved in closed form on frozen vectors."""
        return self.strategy == "probe" and (self.head == LINEAR or self.head not in NETWORK_HEADS)


def check_transfer(config: TransferConfig, target_type: TargetType | None = None) -> None:
    """Check strategy and head, and that they go together."""
    check_config(config.config)
    if (name := config.strategy) not in (AUTO, *STRATEGIES):
        raise ValueError(f"got strategy {name!r}, wanted one of auto, {', '.join(STRATEGIES)}")
    if config.head not in TRANSFER_HEADS:
        raise ValueError(f"got head {config.head!r}, wanted one of {', '.join(TRANSFER_HEADS)}")
    if config.head not in NETWORK_HEADS and config.strategy not in (AUTO, "probe"):
        raise ValueError(
            f"got head {config.head!r} with strategy {config.strategy!r}: it is fitted on vectors "
            f"that stay, so use {option('strategy', 'probe')}, or one of the heads "
            f"{', '.join(NETWORK_HEADS)}"
        )
    if target_type is not None and target_type.by_step and config.head == "attention":
        raise ValueError("got head 'attention', which makes one vector per series: use 'linear'")


def transfer(
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    config: TransferConfig = TransferConfig(),  # noqa: B008 - a tuple, nothing changes it
    progress: Progress = silent,
) -> Solution:
    """Learn from labels y of the series on top of a model, which is not changed."""
    check_transfer(config, target_type)
    series = model.check(series)
    if config.is_closed:
        head = "probe" if config.head == LINEAR else config.head
        asked = config.neighbours or min(NEIGHBOURS, len(series))
        return fit_head(model, series, y, target_type, head=head, neighbours=asked)
    share = CALIBRATION_SHARE if len(series) >= MIN_FOR_HOLDOUT else 0.0
    fitted, held_out = split_holdout(series, y, target_type, share, config.seed)
    own = take_rows(y, fitted)
    solution = fit_network(model, series[fitted], own, target_type, config, progress)
    if not len(held_out):
        return solution
    return calibrate(solution, series[held_out], take_rows(y, held_out))


def split_holdout(
    series: SeriesSet, y: Any, target_type: TargetType, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows to fit on and to hold out, about a share of all, in order; groups stay whole.

    Every class keeps at least one series to fit on, and classes are split evenly.
    """
    rng = np.random.default_rng([seed, 2])
    strata = y if isinstance(target_type, OneClass) else np.zeros(len(series), np.int64)
    if series.groups is None:
        judged = stratified_mask(strata, share, rng)
    else:
        judged = group_mask(series.groups, strata, share, rng)
    return np.flatnonzero(~judged), np.flatnonzero(judged)


def stratified_mask(strata: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Draw a mask (N,) of a share of each stratum, rounded down, so that at least one is left."""
    mask = np.zeros(len(strata), bool)
    mask[draw_stratified(strata, lambda counts: (share * counts).astype(np.int64), rng)] = True
    return mask


def group_mask(
    groups: np.ndarray, strata: np.ndarray, share: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw a mask (N,) of groups up to the share; none that holds the last of a stratum."""
    mask = np.zeros(len(groups), bool)
    for name in rng.permutation(np.unique(groups)):  # once a fit; groups are few
        more = mask | (groups == name)
        if more.mean() <= share and len(np.unique(strata[~more])) == len(np.unique(strata)):
            mask = more
    return mask


def take_rows(y: Any, rows: np.ndarray) -> Any:
    """Return the targets of some series; a list where each has an array of its own."""
    return [y[row] for row in rows] if isinstance(y, list) else y[rows]


def fit_network(  # noqa: PLR0913 - all that training depends on
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    config: TransferConfig,
    progress: Progress,
) -> TunedSolution:
    """Train a network on all of the series."""
    if config.strategy == "scratch":
        model = from_first_weights(model, series)
        series = model.check(series)
    encoder = select_trainable(model.encoder, config.strategy, config.blocks, config.seed)
    network = network_with_head(encoder, target_type, config.head, config.seed)
    network.rates = rates_of(network.encoder, config.strategy)
    if config.strategy in FROM_PROBE:
        set_to_probe(network, model, series, y)
    budget, own = config.training(len(series))
    return fine_tune_model(
        model, network, series, y, budget=budget, config=own, seed=config.seed, progress=progress
    )


def from_first_weights(model: Model, series: SeriesSet) -> Model:
    """Build the network of a model, or ``dilated`` where it has none, with its first weights."""
    scale = scaling.fit(series)
    length = int(np.median(series.lengths))
    encoder = build(network_like(model.encoder, series.n_channels, length, series.kind))
    few = scale.measure(series[sample_for(series, 0)])
    with torch.no_grad():
        encoder.prepare(scale.apply(batch_of(few)), generator(0, 0))
    return Model(encoder, scale, series.channels, kind=series.kind)
