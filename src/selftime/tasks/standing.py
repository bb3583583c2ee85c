"""Standing: how good a model is on the series it learned from, with labels and without."""

import numpy as np
from sklearn.base import clone

from selftime.data.folds import folds_by_group
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.engine.criteria import CRITERIA, embed_views
from selftime.engine.model import Model
from selftime.engine.solve import generator, sample_of
from selftime.tasks.probe import Probe

CRITERION = "views"
"""What decides where there are no labels."""
_CRITERION_SERIES = 128
"""Series that the criterion looks at."""
PROBE_FOLDS = 5


def criterion_of(model: Model, series: SeriesSet, seed: int) -> float:
    """How good the embeddings are likely to be, from a sample and without labels."""
    rows = sample_of(len(series), seed, _CRITERION_SERIES)
    x = model.scaling.apply(batch_of(series, rows))
    return CRITERIA[CRITERION](embed_views(model.encoder, x, generator(seed, 0)))


def probe_of(model: Model, series: SeriesSet, seed: int) -> float | None:
    """Share of labelled series that a probe gets right, each judged by one that never saw it.

    Nor did it see any other series of the same group; with fewer than 2 groups there is nothing
    to judge by.
    """
    if series.labels is None:
        return None
    names, counts = np.unique(series.labels, return_counts=True)
    usable = np.isin(series.labels, names[counts >= 2])
    if len(names) < 2 or not usable.any():
        return None
    kept = series[usable]
    groups = len(kept) if kept.groups is None else len(np.unique(kept.groups))
    if groups < 2:
        return None
    folds = min(PROBE_FOLDS, int(counts[counts >= 2].min()), groups)
    fold = folds_by_group(kept, folds, np.random.default_rng(seed))
    vectors, labels = model.embed(kept, progress=False), np.asarray(kept.labels)
    probe, right = Probe(reference_bank=model.reference_bank), np.zeros(len(labels), bool)
    for judged in (fold == f for f in range(folds)):
        head = clone(probe).fit(vectors[~judged], labels[~judged])
        right[judged] = head.predict(vectors[judged]) == labels[judged]
    return float(right.mean())
