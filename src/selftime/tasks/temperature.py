"""Temperatures that make probabilities as sure as they may be (Guo et al. 2017, section 4.2)."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

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
