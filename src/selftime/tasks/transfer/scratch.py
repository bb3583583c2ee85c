"""Supervised from scratch: the same network, trained on the labelled series alone."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from sklearn.base import BaseEstimator, ClassifierMixin

from selftime.data import scaling
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements, Signal
from selftime.data.windows import batch_of, batches
from selftime.encoders.base import Encoder
from selftime.encoders.builders import build_encoder
from selftime.encoders.registry import build, recipe_of
from selftime.engine.defaults import USUAL
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.objectives.parts.heads import linear, weights_from
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import OneClass
from selftime.tasks.transfer.tune import fine_tune

MAX_TRAINING_STEPS = 400
"""Most training steps by default; training ends earlier where the loss is low."""


class FromScratch(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A network of a recipe and a linear map, trained by cross entropy on few labelled series."""

    def __init__(
        self, *, recipe: dict[str, Any], channels: int, steps: int | None = None, seed: int = 0
    ) -> None:
        self.recipe = recipe
        self.channels = channels
        self.steps = steps
        self.seed = seed

    def fit(self, X: Float[np.ndarray, "n F"], y: Any) -> "FromScratch":
        """Train on rows (n, C·T) of scaled values, NaN where nothing was observed."""
        self.classes_ = np.unique(y)
        target_type = OneClass(self.classes_)
        encoder = build(self.recipe)
        head = linear(encoder.dim, len(self.classes_), weights_from(self.seed))
        network = Supervised(encoder=encoder, head=head, target_type=target_type)
        series, targets = SeriesSet.of(self._cubes(X)), target_type.targets(np.asarray(y))
        budget, config = Budget(amount=self.steps or MAX_TRAINING_STEPS), TrainingConfig()
        self.network_ = fine_tune(
            network, series, targets, scaling.none(), budget=budget, config=config, seed=self.seed
        )
        return self

    def predict(self, X: Float[np.ndarray, "n F"]) -> np.ndarray:
        """Return the class of highest score (n,)."""
        parts = batches(SeriesSet.of(self._cubes(X)), size=64)
        with torch.inference_mode():
            scores = torch.cat([self.network_.outputs(part) for part in parts])
        return np.asarray(self.classes_[scores.argmax(dim=1).numpy()])

    def _cubes(self, X: Float[np.ndarray, "n F"]) -> Float[np.ndarray, "n C T"]:
        return np.reshape(X, (len(X), self.channels, -1))


def scaled_rows(series: SeriesSet, scale: scaling.Scaling) -> Float32[np.ndarray, "N F"]:
    """Return scaled values, one series per row (N, C·T), NaN where nothing was observed."""
    x = scale.apply(batch_of(scale.measure(series)))
    values = np.where(x.observed.numpy(), x.values.numpy(), np.float32(np.nan))
    return values.reshape(len(series), -1)


def network_like(
    encoder: Encoder,
    channels: int,
    length: int,
    kind: Signal = Measurements(),  # noqa: B008
) -> dict[str, Any]:
    """Return the recipe of the outermost trainable part with tokens, or else of the innermost one.

    Where nothing can be trained it is that of the usual network of the kind, of series ``dilated``.
    """
    trained = [
        part
        for part in encoder.modules()
        if isinstance(part, Encoder)
        and any(weight.requires_grad for weight in part.parameters())
        and (part.stride or not any(isinstance(inner, Encoder) for inner in part.children()))
    ]
    if trained:
        return recipe_of(trained[0])
    usual = str(USUAL[kind.name].encoder.value)
    return recipe_of(build_encoder(usual, kind=kind, channels=channels, length=length))
