"""Scores of every step by name, (T,) of a record, higher is more anomalous; references too."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from selftime.data.principal import principal_axes
from selftime.engine.model import Model
from selftime.tasks.anomaly.record import ChannelRecord
from selftime.tasks.anomaly.scores.convolutions import convolutions, one_class
from selftime.tasks.anomaly.scores.distances import energy, matrix_profile, statistics, window_knn
from selftime.tasks.anomaly.scores.learned import embedding_distance, hidden_step
from selftime.tasks.anomaly.scores.prediction import forecast_error, inpainting

Score = Callable[[ChannelRecord], np.ndarray]
ModelScore = Callable[[Sequence[ChannelRecord], Model], np.ndarray]


def _twice_as_long(score: Score) -> Score:
    """Return the same score of windows twice as long."""
    return lambda record: score(replace(record, width=record.double))


_EXPLAINED = 0.9
"""Share of the variance that the principal directions of "subsequence PCA" explain."""


def noise(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by chance: smoothing alone raises its VUS-PR in ranges of labels."""
    return record.smooth(np.random.default_rng(0).uniform(size=record.steps))


def first_difference(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the absolute change from the step before."""
    return record.smooth(np.abs(np.diff(record.values, prepend=record.values[:1])))


def moving_average(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the absolute distance from the mean over a window."""
    return record.smooth(np.abs(record.values - record.smooth(record.values)))


def isolation_forest(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by scikit-learn's isolation forest of windows (Liu, Ting & Zhou 2008, ICDM)."""
    from sklearn.ensemble import IsolationForest

    starts, windows = record.cut(record.width)
    forest = IsolationForest(random_state=0)
    forest.fit(windows[record.usual(starts, record.width)])
    return record.over_steps(-forest.score_samples(windows), starts, record.width)


def subsequence_pca(record: ChannelRecord) -> Float[np.ndarray, "T"]:
    """Score by the residual of each window off the principal directions of the normal ones."""
    width = record.width
    starts, windows = record.cut(width)
    within = starts + width <= record.train
    normal = windows[within] if within.any() else windows
    centred = windows - normal.mean(axis=0)
    covariance = np.cov((normal - normal.mean(axis=0)).T, bias=True).reshape(width, width)
    variances, directions = principal_axes(covariance)
    kept = int(np.searchsorted(np.cumsum(variances), _EXPLAINED * variances.sum())) + 1
    rest = centred @ directions[:, kept:]
    return record.over_steps(np.sqrt(np.square(rest).mean(axis=1)), starts, width)


SCORES: dict[str, Score] = {
    "convolutions": convolutions,
    "convolutions, twice as long": _twice_as_long(convolutions),
    "window kNN": window_knn,
    "window kNN, twice as long": _twice_as_long(window_knn),
    "statistics": statistics,
    "statistics, twice as long": _twice_as_long(statistics),
    "matrix profile": matrix_profile,
    "energy": energy,
    "inpainting": inpainting,
    "forecast error": forecast_error,
    "one-class distance": one_class,
}
"""The scores that may be members of the fused score."""

MODEL_SCORES: dict[str, ModelScore] = {"embeddings": embedding_distance, "hidden step": hidden_step}
"""Members that a pretrained model may add, from all channels at once."""

REFERENCE_SCORES: dict[str, Score] = {
    "random": noise,
    "first difference": first_difference,
    "moving average": moving_average,
    "isolation forest": isolation_forest,
    "subsequence PCA": subsequence_pca,
}
"""Rows that every comparison shows; beside "matrix profile"."""
