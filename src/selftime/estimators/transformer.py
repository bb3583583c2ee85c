"""Representations as a scikit-learn transformer."""

from dataclasses import replace
from typing import Any

import numpy as np
from narwhals.dependencies import is_into_dataframe
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import Tags
from sklearn.utils._set_output import _get_output_config
from sklearn.utils.validation import check_is_fitted

from selftime.data.frames import frame_of
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.engine.model import Model
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.estimators.inputs import series_in, tags_of_series
from selftime.estimators.keeping import Kept
from selftime.objectives.base import ClosedForm, Objective
from selftime.progress import Progress


class SelfSupervised(
    Kept,
    TransformerMixin,  # type: ignore[misc] # scikit-learn has no types
    BaseEstimator,  # type: ignore[misc]
):
    """Learns a representation from unlabelled series and turns series into vectors.

    Example:
        >>> import selftime as st
        >>> series = st.sample("JapaneseVowels", "train")[:30]
        >>> transformer = st.SelfSupervised(encoder="quantiles").fit(series)
        >>> vectors = transformer.transform(series)  # one vector per series, 32-bit floats
        >>> vectors.shape == (30, transformer.model_.dim)
        True

    Args:
        objective: a name in ``selftime methods``, "auto", or a ready objective with its encoder
            (then ``encoder="auto"``).
        encoder: a name in ``selftime methods``, "auto", or an encoder, which is copied.
        budget: how long a gradient run lasts, such as "200 steps".
        config: how it is carried out.
        random_state: fixes everything random, an integer.
        progress: a bar where a person looks when None; else as in
            :func:`selftime.progress.open_progress`.

    Attributes:
        model_: the learned :class:`selftime.Model`.
        n_features_in_: timepoints of a series, where ``fit`` was given a 2-D array.
    """

    model = None

    def __init__(
        self,
        objective: str | ClosedForm | Objective = "auto",
        encoder: str | Encoder = "auto",
        budget: Budget | str | None = None,
        config: TrainingConfig | None = None,
        random_state: int = 0,
        progress: bool | Progress | None = None,
    ) -> None:
        self.objective = objective
        self.encoder = encoder
        self.budget = budget
        self.config = config
        self.random_state = random_state
        self.progress = progress

    def fit(self, X: Any, y: Any = None) -> "SelfSupervised":
        """Learn from series; neither ``y`` nor labels that they carry are learned from.

        With as many entries of ``y`` as a frame has rows, each of its rows is a series.

        Raises:
            ValueError: bad input, fewer than 2 series, or an unknown name.
        """
        rows = y is not None and is_into_dataframe(X) and len(y) == len(X)
        series = series_in(self, X, np.zeros(len(y)) if rows else None, first=True)
        series = replace(series, labels=None) if rows else series
        self.model_ = pretrain(
            series,
            objective=self.objective,
            encoder=self.encoder,
            budget=self.budget,
            config=self.config,
            seed=self.random_state,
            progress=self.progress,
        )
        return self

    def transform(self, X: Any) -> Any:
        """Return one vector per series: (N,D), or a frame after ``set_output``.

        After ``set_output(transform="pandas")`` the index holds what names the series; where each
        row of a frame is a series, it is the index of the frame.

        Raises:
            ValueError: bad input, or series of other channels than in ``fit``.
        """
        check_is_fitted(self)
        series = series_in(self, X)
        vectors = self.model_.embed(series, progress=self.progress)
        rows = getattr(X, "index", None)
        alone = rows is None or callable(rows) or len(rows) == len(series)
        if _get_output_config("transform", self)["dense"] != "pandas" or (
            alone and not isinstance(X, SeriesSet)
        ):
            return vectors
        keys = series.keys()
        found = frame_of({**keys, "vectors": vectors}, "pandas")
        return found.set_index(list(keys))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:  # noqa: ARG002
        """Return names for the numbers of a vector: e0, e1 and so on."""
        check_is_fitted(self)
        return np.array([f"e{j}" for j in range(self.model_.dim)], object)

    @property
    def _used(self) -> Model | None:
        return self.model_

    def _complete(self, model: Model | None) -> None:
        if model is None:
            raise ValueError("SelfSupervised lacks its model")
        self.model_ = model

    def __sklearn_tags__(self) -> Tags:
        tags = tags_of_series(super().__sklearn_tags__())
        tags.transformer_tags.preserves_dtype = []  # vectors are 32-bit floats, always
        return tags
