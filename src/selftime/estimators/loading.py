"""``load``: opens every folder that was saved, models, indexes and fitted estimators."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from selftime.data.records import read_values
from selftime.data.storage import folder_at
from selftime.engine.hub import fetch
from selftime.engine.model import read_model
from selftime.estimators.classifier import Classifier
from selftime.estimators.detector import AnomalyDetector
from selftime.estimators.forecaster import Forecaster
from selftime.estimators.imputer import Imputer
from selftime.estimators.keeping import Kept, read_estimator
from selftime.estimators.regressor import Regressor
from selftime.estimators.segmenter import Segmenter
from selftime.estimators.transformer import SelfSupervised
from selftime.tasks.search.generations import is_index
from selftime.tasks.search.index import SeriesIndex

ESTIMATORS: dict[str, type[Kept]] = {
    kind.__name__: kind
    for kind in (
        *(Classifier, Regressor, Segmenter, Forecaster, AnomalyDetector, Imputer),
        SelfSupervised,
    )
}
"""The only estimators that a folder may name."""


def load(path: str | os.PathLike[str]) -> Any:
    """Open a folder that was saved: a model, a run that holds one, an index, or an estimator.

    No class is imported by a name that the folder holds: known names map to known classes, and
    tensors come from safetensors, so a foreign folder cannot run code. What was saved by
    ``.save(path)`` gives the same bits again.

    Example:
        >>> import tempfile, selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:40]
        >>> classifier = st.Classifier(st.pretrain(x, encoder="quantiles")).fit(x)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     same = st.load(classifier.save(f"{folder}/speakers"))
        >>> bool((same.predict_proba(x) == classifier.predict_proba(x)).all())
        True

    Args:
        path: a folder of :meth:`selftime.Model.save`, of a run, or of the ``save`` of an estimator;
            or one at the hub, ``hf://user/name`` or ``hf://user/name@revision``.

    Returns:
        A :class:`selftime.Model`, a :class:`selftime.SeriesIndex`, or the estimator that was saved.

    Raises:
        ModelError: a missing or damaged folder, one of another format, or one with unknown names
            or settings.
        HubError: a folder at the hub that is not there, or no connection.
    """
    folder, source = fetch(path)
    if is_index(folder):
        return SeriesIndex.load(folder)
    if is_estimator(folder):
        return read_estimator(folder, ESTIMATORS, source)
    return read_model(folder, source)


def is_estimator(folder: Path) -> bool:
    """Return whether a folder holds a fitted estimator; damaged ones are left to the reader."""
    with suppress(OSError, ValueError, RecursionError):
        config = read_values(folder_at(folder) / "config.json")
        return isinstance(config, dict) and "estimator" in config
    return False
