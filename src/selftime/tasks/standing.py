"""Standing: how good a model is on the series it learned from, with labels and without."""

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold

from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.engine.criteria import CRITERIA, sight
from selftime.engine.model import Model
from selftime.engine.solve import generator, sample_of
from selftime.tasks.probe import Probe

CRITERION = "views"
"""What decides where there are no labels."""
SERIES = 128
"""Series that the criterion looks at."""
FOLDS = 5


def criterion_of(model: Model, series: SeriesSet, seed: int) -> float:
    """How good the embeddings are likely to be, from a sample and without labels."""
    rows = sample_of(len(series), seed, SERIES)
    x = model.scaling.apply(batch_of(series, rows))
    return CRITERIA[CRITERION](sight(model.encoder, x, generator(seed, 0)))


def probe_of(model: Model, series: SeriesSet, seed: int) -> float | None:
    """Share of labelled series that a probe gets right, each judged by one that never saw it."""
    if series.labels is None:
        return None
    names, counts = np.unique(series.labels, return_counts=True)
    usable = np.isin(series.labels, names[counts >= 2])
    if len(names) < 2 or not usable.any():
        return None
    vectors, labels = model.embed(series)[usable], series.labels[usable]
    folds = StratifiedKFold(
        min(FOLDS, int(counts[counts >= 2].min())), shuffle=True, random_state=seed
    )
    probe, right = Probe(cohort=model.cohort), np.zeros(len(labels), bool)
    for fitted, judged in folds.split(vectors, labels):
        head = clone(probe).fit(vectors[fitted], labels[fitted])
        right[judged] = head.predict(vectors[judged]) == labels[judged]
    return float(right.mean())
