"""Strategies: the ways to use a pretrained model for what labels ask, by the names people type."""

from typing import Any, NamedTuple

import numpy as np
import torch

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.registry import build
from selftime.engine.model import Model
from selftime.engine.plan import Plan
from selftime.engine.solve import generator, sample_of
from selftime.objectives.answers import Answer
from selftime.objectives.outlets import OUTLETS
from selftime.progress import Progress, silent
from selftime.tasks import heads
from selftime.tasks.scratch import network_like
from selftime.tasks.transfer.calibration import calibrated
from selftime.tasks.transfer.frozen import probed
from selftime.tasks.transfer.holdout import LEAST, SHARE, held_out, rows_of
from selftime.tasks.transfer.solution import Solution, Tuned
from selftime.tasks.transfer.training import Course
from selftime.tasks.transfer.tuning import (
    network_of,
    opened,
    rates_of,
    set_to_probe,
    tuned,
    usual_plan,
)

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
"""Stands for the strategy that :func:`selftime.tasks.transfer.choosing.choose` chooses."""
HEADS = (*OUTLETS, *(name for name in heads.HEADS if name != "probe"))
"""Heads by the names people type; those behind :data:`OUTLETS` are for frozen vectors alone."""
FROM_PROBE = ("partial", "staged", "adapter")
"""Strategies whose head begins as the probe says (Kumar et al. 2022: a new head would at first
pull what was learned apart)."""


class Way(NamedTuple):
    """How a model is used for what labels ask.

    Attributes:
        strategy: a name in :data:`STRATEGIES`.
        head: on vectors, one of :data:`HEADS`; on frozen ones "linear" is the probe, in closed
            form.
        blocks: last blocks that "partial" trains.
        neighbours: that the head "knn" asks.
        plan: how a network is trained; None goes by the number of labels.
        seed: fixes everything random.
    """

    strategy: str = "probe"
    head: str = LINEAR
    blocks: int = 2
    neighbours: int = 1
    plan: Plan | None = None
    seed: int = 0

    @property
    def is_closed(self) -> bool:
        """Whether the head is solved in closed form on frozen vectors."""
        return self.strategy == "probe" and (self.head == LINEAR or self.head not in OUTLETS)


def check_way(way: Way, answer: Answer | None = None) -> None:
    """There is such a strategy and such a head, and they go together.

    Raises:
        ValueError: they do not.
    """
    if way.strategy not in (AUTO, *STRATEGIES):
        known = ", ".join(STRATEGIES)
        raise ValueError(f"got strategy {way.strategy!r}, wanted one of auto, {known}")
    if way.head not in HEADS:
        raise ValueError(f"got head {way.head!r}, wanted one of {', '.join(HEADS)}")
    if way.head not in OUTLETS and way.strategy not in (AUTO, "probe"):
        raise ValueError(
            f"got head {way.head!r} with strategy {way.strategy!r}: it is fitted on vectors that "
            f"stay, so use strategy='probe', or one of the heads {', '.join(OUTLETS)}"
        )
    if answer is not None and answer.by_step and way.head == "attention":
        raise ValueError("got head 'attention', which makes one vector a series: use 'linear'")


def transfer(
    model: Model,
    series: SeriesSet,
    y: Any,
    answer: Answer,
    way: Way = Way(),  # noqa: B008 - a tuple, nothing changes it
    progress: Progress = silent,
) -> Solution:
    """Learn from labels on top of a model.

    Args:
        model: pretrained; it is not changed.
        series: labelled ones.
        y: what is known of each, as the answer takes it.
        answer: what is asked.
        way: strategy and head.
        progress: called after each step of training.

    Raises:
        SeriesError: series of other channels than the model's.
        ValueError: a strategy or head that there is not, or that the model cannot have.
    """
    check_way(way, answer)
    model.check(series)
    if way.is_closed:
        head = "probe" if way.head == LINEAR else way.head
        return probed(model, series, y, answer, head=head, neighbours=way.neighbours)
    share = SHARE if len(series) >= LEAST else 0.0
    fitted, judged = held_out(series, y, answer, share, way.seed)
    solution = networked(model, series[fitted], rows_of(y, fitted), answer, way, progress)
    return calibrated(solution, series[judged], rows_of(y, judged)) if len(judged) else solution


def networked(  # noqa: PLR0913 - all that training depends on
    model: Model, series: SeriesSet, y: Any, answer: Answer, way: Way, progress: Progress
) -> Tuned:
    """A network trained on all of the series."""
    if way.strategy == "scratch":
        model = from_first_weights(model, series)
    plan = way.plan or usual_plan(len(series))
    on = Course(series, answer.targets(y), model.scaling, plan, way.seed)
    encoder = opened(model.encoder, way.strategy, way.blocks, way.seed)
    network = network_of(encoder, answer, way.head, way.seed)
    network.rates = rates_of(network.encoder, way.strategy)
    if way.strategy in FROM_PROBE:
        set_to_probe(network, model, series, y)
    return tuned(model, on, network, progress)


def from_first_weights(model: Model, series: SeriesSet) -> Model:
    """The network of a model, or ``dilated`` where it has none, as it is before learning."""
    scale = scaling.fit_channels(series)
    length = int(np.median(series.lengths))
    encoder = build(network_like(model.encoder, series.n_channels, length))
    with torch.no_grad():
        encoder.prepare(scale.apply(batch_of(series, sample_of(len(series), 0))), generator(0, 0))
    return Model(encoder, scale, series.channels)
