"""Solutions: a model with what was learned from labels on top of it."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from selftime.data.series import SeriesSet
from selftime.data.windows import batches, by_length
from selftime.encoders.base import Encoder
from selftime.encoders.wrappers.projected import backbone
from selftime.engine.model import Model
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import TargetType

Outputs = np.ndarray | list[np.ndarray]
"""What is said of each series (N,…), or of each step of each series: N arrays (T,…)."""
_SERIES_AT_ONCE = 64
"""Series of a batch."""


class Solution(ABC):
    """Answers what was asked of new series.

    Attributes:
        model: what makes the vectors.
        target_type: what is asked.
    """

    model: Model
    target_type: TargetType

    @abstractmethod
    def predict(self, series: SeriesSet) -> Outputs:
        """The answer for each series, or for each step of each series."""

    @abstractmethod
    def probabilities(self, series: SeriesSet) -> Outputs:
        """Probabilities of the classes; values where values are asked."""


@dataclass(frozen=True, eq=False)
class FrozenSolution(Solution):
    """A head of its own on the vectors of a model, which stayed as it was.

    Attributes:
        model: makes the vectors.
        target_type: what is asked.
        head: fitted on vectors.
    """

    model: Model
    target_type: TargetType
    head: BaseEstimator

    def predict(self, series: SeriesSet) -> Outputs:
        """What the head says of each vector."""
        if self.target_type.by_step:
            return [self.head.predict(rows) for rows in token_vectors(self.model, series)]
        return np.asarray(self.head.predict(self.model.embed(series, progress=False)))

    def probabilities(self, series: SeriesSet) -> Outputs:
        """Probabilities as the head has them."""
        if self.target_type.by_step:
            return [self.head.predict_proba(rows) for rows in token_vectors(self.model, series)]
        name = "predict_proba" if hasattr(self.head, "predict_proba") else "predict"
        return np.asarray(getattr(self.head, name)(self.model.embed(series, progress=False)))


@dataclass(frozen=True, eq=False)
class TunedSolution(Solution):
    """A network that was trained on labels.

    Attributes:
        model: with the encoder as it is now.
        network: the same encoder and its head.
        temperature: outputs are divided by it where they become probabilities.
    """

    model: Model
    network: Supervised
    temperature: float = 1.0

    @property
    def target_type(self) -> TargetType:  # type: ignore[override]
        """What is asked."""
        return self.network.target_type

    def predict(self, series: SeriesSet) -> Outputs:
        """What the outputs say."""
        return apply_each(self.outputs(series), self.target_type.predictions)

    def probabilities(self, series: SeriesSet) -> Outputs:
        """Outputs as probabilities, calibrated by the temperature."""
        return apply_each(
            self.outputs(series), lambda out: self.target_type.probabilities(out / self.temperature)
        )

    def outputs(self, series: SeriesSet) -> Outputs:
        """Outputs of each series (N,K), or of its steps: N arrays (T,K)."""
        self.model.check(series)
        order = by_length(series)
        made = [own for batch in self._parts(series, order) for own in batch]
        found = [made[place] for place in np.argsort(order)]
        if not self.target_type.by_step:
            return np.stack(found)
        return [own[:length] for own, length in zip(found, series.lengths, strict=True)]

    def _parts(self, series: SeriesSet, order: np.ndarray) -> Iterator[np.ndarray]:
        for batch in batches(series, size=_SERIES_AT_ONCE, order=order):
            with torch.inference_mode():
                made = self.network.outputs(self.model.scaling.apply(batch)).double().numpy()
            yield made


def apply_each(outputs: Outputs, how: Any) -> Outputs:
    """Done to all outputs at once, or to those of each series."""
    return [how(own) for own in outputs] if isinstance(outputs, list) else np.asarray(how(outputs))


def token_vectors(model: Model, series: SeriesSet) -> Iterator[np.ndarray]:
    """The vectors of the steps of each series (T,D), in turn; a token stands for all its steps.

    Raises:
        ValueError: the model sees a series only as a whole.
    """
    encoder = with_tokens(model.encoder)
    model.check(series)
    for k, batch in enumerate(batches(series, size=_SERIES_AT_ONCE)):
        with torch.inference_mode():
            tokens = encoder(model.scaling.apply(batch)).numpy()  # (B,N,D)
        lengths = series.lengths[k * _SERIES_AT_ONCE : (k + 1) * _SERIES_AT_ONCE]
        for own, length in zip(
            np.repeat(tokens, encoder.stride or 1, axis=1), lengths, strict=True
        ):
            yield own[:length]


def with_tokens(encoder: Encoder) -> Encoder:
    """The part of an encoder that has tokens along time.

    Raises:
        ValueError: it sees a series only as a whole.
    """
    network = backbone(encoder)
    if network.stride is None:
        raise ValueError(
            "this model sees a series only as a whole and has no vector for a step: pretrain one "
            "with tokens along time, such as objective='ts2vec'"
        )
    return network
