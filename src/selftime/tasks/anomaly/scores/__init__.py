"""Scores of every step, by name: each takes a record and gives (T,) numbers, higher is odder."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from selftime.engine.model import Model
from selftime.tasks.anomaly.record import ChannelRecord
from selftime.tasks.anomaly.scores.convolutions import convolutions, one_class
from selftime.tasks.anomaly.scores.distances import energy, matrix_profile, statistics, window_knn
from selftime.tasks.anomaly.scores.learned import embedding_distance, hidden_step
from selftime.tasks.anomaly.scores.prediction import forecast_error, inpainting
from selftime.tasks.anomaly.scores.references import (
    first_difference,
    isolation_forest,
    moving_average,
    noise,
    subsequence_pca,
)

Score = Callable[[ChannelRecord], np.ndarray]
ModelScore = Callable[[Sequence[ChannelRecord], Model], np.ndarray]


def _twice_as_long(score: Score) -> Score:
    """The same score of windows twice as long."""
    return lambda record: score(replace(record, width=record.double))


SCORES: dict[str, Score] = {
    "convolutions": convolutions,
    "convolutions, twice as long": _twice_as_long(convolutions),
    "raw values": window_knn,
    "raw values, twice as long": _twice_as_long(window_knn),
    "statistics": statistics,
    "statistics, twice as long": _twice_as_long(statistics),
    "self join": matrix_profile,
    "energy": energy,
    "inpainting": inpainting,
    "forecast error": forecast_error,
    "one-class distance": one_class,
}
"""What may be a member of the fused score."""

MODEL_SCORES: dict[str, ModelScore] = {"embeddings": embedding_distance, "hidden step": hidden_step}
"""What a pretrained model may add as one more member, from all channels at once."""

REFERENCE_SCORES: dict[str, Score] = {
    "random": noise,
    "first difference": first_difference,
    "moving average": moving_average,
    "isolation forest": isolation_forest,
    "subsequence PCA": subsequence_pca,
}
"""Rows that every comparison shows; the matrix profile is "self join"."""
