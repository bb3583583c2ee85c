"""Classifiers of embeddings by the names people type."""

import numpy as np
from jaxtyping import Float32
from sklearn.neighbors import KNeighborsClassifier

from selftime.tasks.probe import Probe

HEADS = ("probe", "knn")


def check_head(name: str) -> None:
    """Whether there is such a head.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in HEADS:
        raise ValueError(f"got head {name!r}, wanted one of {', '.join(HEADS)}")


def head_of(
    name: str, cohort: Float32[np.ndarray, "M D"] | None, *, neighbours: int = 1
) -> Probe | KNeighborsClassifier:
    """A classifier of vectors, not yet fitted.

    Args:
        name: "probe" (:class:`selftime.tasks.probe.Probe`) or "knn" (nearest by cosine).
        cohort: vectors of unlabelled series for the probe, or None.
        neighbours: how many of them "knn" asks, the nearer the more weight.

    Raises:
        ValueError: there is no head of that name.
    """
    check_head(name)
    if name == "probe":
        return Probe(cohort=cohort)
    return KNeighborsClassifier(neighbours, metric="cosine", weights="distance")
