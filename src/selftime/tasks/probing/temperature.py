"""Calibration: a temperature that makes probabilities as sure as they may be."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from selftime.data.series import SeriesSet
from selftime.objectives.supervised.targets import Amount, StepClasses
from selftime.tasks.transfer.solution import TunedSolution


def calibrate(solution: TunedSolution, series: SeriesSet, y: Any) -> TunedSolution:
    """The same with the temperature of highest likelihood on series it was not trained on.

    (Guo et al. 2017, section 4.2.) Values have none, and without series it stays as it is.
    """
    if not len(y) or isinstance(solution.target_type, Amount):
        return solution
    outputs, targets = solution.outputs(series), solution.target_type.targets(y)
    if isinstance(solution.target_type, StepClasses):
        outputs = np.concatenate(list(outputs))[None]  # (1,n,K)
        own = [row[: len(steps)] for row, steps in zip(targets, y, strict=True)]
        targets = torch.cat(own)[None]
    return replace(solution, temperature=temperature_of(solution, np.asarray(outputs), targets))


def temperature_of(solution: TunedSolution, outputs: np.ndarray, targets: torch.Tensor) -> float:
    """Of highest likelihood for outputs (n,K) and their targets."""
    given = torch.from_numpy(outputs)
    wanted = targets.double() if targets.is_floating_point() else targets
    return fit_temperature(
        lambda t: float(solution.target_type.loss(given / t, wanted)), highest=5.0
    )


UNTESTED = 0.3
"""Temperature where one label a class leaves nothing to fit it on."""


def fit_temperature(loss: Callable[[float], float], *, highest: float = 3.0) -> float:
    """The temperature t of least loss, log t between -4 and ``highest``."""
    found = minimize_scalar(
        lambda log_t: loss(float(np.exp(log_t))), bounds=(-4.0, highest), method="bounded"
    )
    return float(np.exp(found.x))


def softmax_temperature(scores: Float[np.ndarray, "n K"], index: Int[np.ndarray, "n"]) -> float:
    """The softmax temperature of highest likelihood on left-out scores.

    Cases whose class has no other label are left aside: without them their class is unknown.
    With none left it is :data:`UNTESTED`.
    """
    known = np.bincount(index)[index] > 1
    if not known.any():
        return UNTESTED

    def loss(t: float) -> float:
        logs = log_softmax(scores[known] / t, axis=1)
        return float(-logs[np.arange(known.sum()), index[known]].mean())

    return fit_temperature(loss)


def logistic_temperature(
    scores: Float[np.ndarray, "n K"], signs: Float[np.ndarray, "n K"]
) -> float:
    """The temperature of highest likelihood: least mean of log(1 + exp(−sign · score / t))."""
    return fit_temperature(lambda t: float(np.logaddexp(0, -signs * scores / t).mean()))
