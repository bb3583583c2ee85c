"""Forecasts from the representation of a single step: the protocol of the contrastive papers.

A causal encoder sees the whole series once; a ridge goes from the vector of each step to all that
follows within the horizon (Yue et al. 2022, section 4.2 and appendix C.2).
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32

from selftime.data.batch import Batch
from selftime.data.series import SeriesError
from selftime.encoders.wrappers.projected import backbone
from selftime.engine.model import Model
from selftime.tasks.forecasting.backtest import Errors
from selftime.tasks.forecasting.protocols import Setting
from selftime.tasks.probing.ridge import solve_ridge

ALPHAS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Strengths of the ridge that are tried on the validation part (Yue et al. 2022, appendix C.2)."""
CHUNK = 1024
"""Steps whose futures are held at a time."""


class StepSums(NamedTuple):
    """Sums over steps of products of vectors (D,D), with futures (D,CH), and of both."""

    products: Float[np.ndarray, "D D"]
    cross: Float[np.ndarray, "D K"]
    vectors: Float[np.ndarray, "D"]
    futures: Float[np.ndarray, "K"]
    steps: int

    def ridge(self, alpha: float) -> tuple[Float[np.ndarray, "D K"], Float[np.ndarray, "K"]]:
        """Weights and intercept of one strength, which does not touch the intercept."""
        mean, level = self.vectors / self.steps, self.futures / self.steps
        own = self.products - self.steps * np.outer(mean, mean)
        across = self.cross - self.steps * np.outer(mean, level)
        weights = solve_ridge(own, across, alpha)
        return weights, level - mean @ weights


def step_vectors(model: Model, values: Float[np.ndarray, "T C"]) -> Float32[np.ndarray, "T D"]:
    """The vector of every step, from that step and earlier ones.

    Raises:
        SeriesError: a model that does not say a vector of every step, or that sees what follows.
    """
    encoder = backbone(model.encoder)
    if not encoder.causal or encoder.stride != 1:
        raise SeriesError(
            "got a model whose steps see what follows them, or that has no vector for each, wanted "
            "a causal one: pretrain with encoder='dilated_causal', 'lstm' or 'gru' made causal"
        )
    x = torch.from_numpy(np.ascontiguousarray(values.T[None], np.float32))
    with torch.inference_mode():
        tokens = encoder(model.scaling.apply(Batch(x, torch.ones_like(x, dtype=torch.bool))))
    return np.asarray(tokens[0].numpy())


def per_step_errors(setting: Setting, horizon: int, model: Model) -> Errors:
    """Errors on the test part of a ridge from the vector of the last step that is seen.

    Weights come from the training part, the strength from the validation part (the least sum of
    root mean squared and mean absolute error).

    Args:
        setting: a series, cut and scaled.
        horizon: future steps.
        model: pretrained on the training part; causal.
    """
    train, validation, end = setting.borders
    vectors = step_vectors(model, setting.values)
    sums = sums_of(setting, vectors, horizon, 1, train)
    found = []
    for alpha in ALPHAS:
        weights, intercept = sums.ridge(alpha)
        errors = _errors(setting, vectors, horizon, train, validation, weights, intercept)
        found.append((errors.mse**0.5 + errors.mae, alpha))
    weights, intercept = sums.ridge(min(found)[1])
    return _errors(setting, vectors, horizon, validation, end, weights, intercept)


def sums_of(
    setting: Setting, vectors: Float32[np.ndarray, "T D"], horizon: int, first: int, stop: int
) -> StepSums:
    """Sums over the origins whose futures lie within ``first`` and ``stop``."""
    parts = []
    for low in range(first, stop - horizon + 1, CHUNK):
        high = min(low + CHUNK, stop - horizon + 1)
        x = vectors[low - 1 : high - 1].astype(np.float64)
        y = futures(setting, horizon, low, high)
        parts.append((x.T @ x, x.T @ y, x.sum(axis=0), y.sum(axis=0), high - low))
    return StepSums(*(sum(part[1:], part[0]) for part in zip(*parts, strict=True)))


def futures(setting: Setting, horizon: int, low: int, high: int) -> Float[np.ndarray, "N K"]:
    """What follows each origin from ``low`` to ``high``, channels and steps side by side."""
    whole = np.lib.stride_tricks.sliding_window_view(setting.values[low:], horizon, axis=0)
    return np.ascontiguousarray(whole[: high - low]).reshape(high - low, -1)


def _errors(  # noqa: PLR0913 - all that an error depends on
    setting: Setting,
    vectors: np.ndarray,
    horizon: int,
    first: int,
    stop: int,
    weights: np.ndarray,
    intercept: np.ndarray,
) -> Errors:
    squares = sizes = count = 0.0
    for low in range(first, stop - horizon + 1, CHUNK):
        high = min(low + CHUNK, stop - horizon + 1)
        miss = vectors[low - 1 : high - 1] @ weights + intercept
        miss -= futures(setting, horizon, low, high)
        squares += float(np.square(miss).sum())
        sizes += float(np.abs(miss).sum())
        count += miss.size
    return Errors(squares / count, sizes / count)
