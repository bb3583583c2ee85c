"""Solutions: a model with a head learned from labels, and the calibration of its outputs."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from selftime.data.memory import BLOCK, is_mapped
from selftime.data.series import SeriesSet
from selftime.data.windows import batches, by_length
from selftime.door import option
from selftime.encoders.base import Encoder
from selftime.encoders.wrappers.layered import network_of
from selftime.engine.model import Model
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import Amount, StepClasses, TargetType
from selftime.tasks.probing.probe import fit_temperature

Outputs = np.ndarray | list[np.ndarray]
"""Predictions for each series (N,…), or for each timepoint of each series: N arrays (T,…)."""
_BATCH_SIZE = 64


class Solution(ABC):
    """Predicts targets of new series."""

    model: Model
    target_type: TargetType

    @abstractmethod
    def predict(self, series: SeriesSet) -> Outputs:
        """Return the prediction for each series, or for each timepoint of each series."""

    @abstractmethod
    def probabilities(self, series: SeriesSet) -> Outputs:
        """Return probabilities of the classes; values where targets are values."""


@dataclass(frozen=True, eq=False)
class FrozenSolution(Solution):
    """A head that was fitted on the vectors of a frozen model."""

    model: Model
    target_type: TargetType
    head: BaseEstimator

    def predict(self, series: SeriesSet) -> Outputs:
        """Return the predictions of the head."""
        if self.target_type.by_step:
            return [self.head.predict(rows) for rows in token_vectors(self.model, series)]
        return self._apply(self.head.predict, series)

    def probabilities(self, series: SeriesSet) -> Outputs:
        """Return the probabilities of the head."""
        if self.target_type.by_step:
            return [self.head.predict_proba(rows) for rows in token_vectors(self.model, series)]
        name = "predict_proba" if hasattr(self.head, "predict_proba") else "predict"
        return self._apply(getattr(self.head, name), series)

    def _apply(self, function: Callable[[np.ndarray], np.ndarray], series: SeriesSet) -> np.ndarray:
        """Apply a function to the vectors of all series; of a store's in blocks, none are kept."""
        N = len(series)
        some = max(BLOCK // (4 * self.model.dim), 1) if is_mapped(series.steps) else N
        parts = [series] if some >= N else [series[i : i + some] for i in range(0, N, some)]
        each = [function(self.model.embed(part, progress=False)) for part in parts]
        return np.concatenate(each) if len(each) > 1 else np.asarray(each[0])


@dataclass(frozen=True, eq=False)
class TunedSolution(Solution):
    """A network trained on labels, the model of its encoder, and a temperature of its outputs."""

    model: Model
    network: Supervised
    temperature: float = 1.0

    @property
    def target_type(self) -> TargetType:  # type: ignore[override]
        """The targets that the network predicts."""
        return self.network.target_type

    def predict(self, series: SeriesSet) -> Outputs:
        """Return the predictions of the outputs."""
        return apply_each(self.outputs(series), self.target_type.predictions)

    def probabilities(self, series: SeriesSet) -> Outputs:
        """Return probabilities, calibrated by the temperature."""
        return apply_each(
            self.outputs(series), lambda out: self.target_type.probabilities(out / self.temperature)
        )

    def outputs(self, series: SeriesSet) -> Outputs:
        """Return outputs of each series (N,K), or of its timepoints: N arrays (T,K)."""
        series = self.model.check(series)
        order = by_length(series)
        by_order: list[np.ndarray] = []
        for batch in batches(series, size=_BATCH_SIZE, order=order):
            with torch.inference_mode():
                out = self.network.outputs(self.model.scaling.apply(batch)).double()
            by_order.extend(out.numpy())
        found = [by_order[row] for row in np.argsort(order)]
        if not self.target_type.by_step:
            return np.stack(found)
        return [own[:length] for own, length in zip(found, series.lengths, strict=True)]


def calibrate(solution: TunedSolution, series: SeriesSet, y: Any) -> TunedSolution:
    """Fit the temperature of highest likelihood on held-out series (Guo et al. 2017, section 4.2).

    Values have none, and without series it stays as it is.
    """
    target_type = solution.target_type
    if not len(y) or isinstance(target_type, Amount):
        return solution
    outputs, targets = solution.outputs(series), target_type.targets(y)
    if isinstance(target_type, StepClasses):
        outputs = np.concatenate(list(outputs))[None]  # (1,n,K)
        own = [row[: len(steps)] for row, steps in zip(targets, y, strict=True)]
        targets = torch.cat(own)[None]
    given = torch.from_numpy(np.asarray(outputs))
    wanted = targets.double() if targets.is_floating_point() else targets
    temperature = fit_temperature(lambda t: float(target_type.loss(given / t, wanted)), highest=5.0)
    return replace(solution, temperature=temperature)


def apply_each(outputs: Outputs, function: Callable[[np.ndarray], np.ndarray]) -> Outputs:
    """Apply a function to all outputs at once, or to those of each series."""
    if isinstance(outputs, list):
        return [function(own) for own in outputs]
    return np.asarray(function(outputs))


def token_vectors(model: Model, series: SeriesSet) -> Iterator[np.ndarray]:
    """Yield vectors of the timepoints of each series (T,D), the token's for all its timepoints."""
    encoder, series = with_tokens(model.encoder), model.check(series)
    for k, batch in enumerate(batches(series, size=_BATCH_SIZE)):
        with torch.inference_mode():
            tokens = encoder(model.scaling.apply(batch)).numpy()  # (B,N,D)
        lengths = series.lengths[k * _BATCH_SIZE : (k + 1) * _BATCH_SIZE]
        vectors = np.repeat(tokens, encoder.stride or 1, axis=1)
        yield from (own[:length] for own, length in zip(vectors, lengths, strict=True))


def with_tokens(encoder: Encoder) -> Encoder:
    """Return the part of an encoder that has tokens along time."""
    network = network_of(encoder)
    if network.stride is None:
        raise ValueError(
            "this model sees a series only as a whole and has no vector for a step: pretrain one "
            f"with tokens along time, such as {option('objective', 'ts2vec')}"
        )
    return network
