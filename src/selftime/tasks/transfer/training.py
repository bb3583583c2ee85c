"""Training on labels, by the same loop as on series without any."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.engine.plan import Plan
from selftime.engine.precision import warn_of
from selftime.engine.solve import Watch
from selftime.engine.training import Training
from selftime.objectives.supervised import Supervised

LEARNT = 0.01
"""Training ends earlier once the loss stays below this: there is nothing left to learn."""


class Course(NamedTuple):
    """What is trained on, and how.

    Attributes:
        series: labelled ones.
        targets: a row a series.
        scale: what is done to values first.
        plan: how it is carried out.
        seed: fixes everything random.
    """

    series: SeriesSet
    targets: Tensor
    scale: Scaling
    plan: Plan
    seed: int


def trained(network: Supervised, on: Course, watch: Watch | None = None) -> Supervised:
    """The network itself after training; it ends early when there is nothing left to learn."""
    training = Training(network, on.series, on.scale, on.plan, on.seed, on.targets)
    warn_of(training.refused)
    network.train()
    recent = [np.inf] * 5
    while training.progress < 1 and max(recent) > LEARNT:
        recent = [*recent[1:], training.advance()["loss"]]
        if watch:
            watch(training.step, training.steps or 0)
    training.learned()
    return network.eval()
