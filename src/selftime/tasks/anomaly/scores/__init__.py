"""Scores of every step, by name: each takes a record and gives (T,) numbers, higher is odder."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from selftime.engine.model import Model
from selftime.tasks.anomaly.record import Record
from selftime.tasks.anomaly.scores.convolutions import convolutions, one_class
from selftime.tasks.anomaly.scores.distances import energy, raw_values, self_join, statistics
from selftime.tasks.anomaly.scores.learned import hidden_step, learned
from selftime.tasks.anomaly.scores.prediction import forecast, inpainting
from selftime.tasks.anomaly.scores.references import (
    first_difference,
    isolation_forest,
    moving_average,
    noise,
    subsequence_pca,
)

Score = Callable[[Record], np.ndarray]
ModelScore = Callable[[Sequence[Record], Model], np.ndarray]


def twice(score: Score) -> Score:
    """The same score of windows twice as long."""
    return lambda record: score(replace(record, width=record.double))


SCORES: dict[str, Score] = {
    "convolutions": convolutions,
    "convolutions, twice as long": twice(convolutions),
    "raw values": raw_values,
    "raw values, twice as long": twice(raw_values),
    "statistics": statistics,
    "statistics, twice as long": twice(statistics),
    "self join": self_join,
    "energy": energy,
    "inpainting": inpainting,
    "forecast error": forecast,
    "one-class distance": one_class,
}
"""What may be a member of the fused score."""

LEARNED: dict[str, ModelScore] = {"embeddings": learned, "hidden step": hidden_step}
"""What a pretrained model may add as one more member, from all channels at once."""

REFERENCES: dict[str, Score] = {
    "random": noise,
    "first difference": first_difference,
    "moving average": moving_average,
    "isolation forest": isolation_forest,
    "subsequence PCA": subsequence_pca,
}
"""Rows that every comparison shows; the matrix profile is "self join"."""
