"""Training on labels, by the same loop as on series without any."""

from typing import NamedTuple

import numpy as np
from torch import Tensor

from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.engine.plan import Plan
from selftime.engine.training import Training
from selftime.objectives.supervised import Supervised
from selftime.progress import Progress, silent

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


def trained(network: Supervised, on: Course, progress: Progress = silent) -> Supervised:
    """The network itself after training; it ends early when there is nothing left to learn."""
    training = Training(network, on.series, on.scale, on.plan, on.seed, on.targets)
    network.train()
    recent = [np.inf] * 5
    while training.progress < 1 and max(recent) > LEARNT:
        recent = [*recent[1:], training.advance()["loss"]]
        loss = f"loss {recent[-1]:.3g}"
        progress("training on labels", training.step, training.steps or 0, loss)
    training.learned()
    return network.eval()
