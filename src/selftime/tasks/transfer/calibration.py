"""Calibration: a temperature that makes probabilities as sure as they may be."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from selftime.data.series import SeriesSet
from selftime.objectives.answers import Amount, StepClasses
from selftime.tasks.temperature import fit_temperature
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
