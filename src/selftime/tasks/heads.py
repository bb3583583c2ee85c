"""Classifiers of embeddings by the names people type."""

import numpy as np
from jaxtyping import Float32
from sklearn.neighbors import KNeighborsClassifier

from selftime.tasks.probe import Probe
from selftime.tasks.semi import Prototypes, SelfTraining, SemiSupervised, LabelSpreading

SEMI: dict[str, type[Prototypes] | type[SelfTraining] | type[LabelSpreading]] = {
    "prototypes": Prototypes,
    "self_training": SelfTraining,
    "spread": LabelSpreading,
}
NEIGHBOURS = 5
"""How many labelled vectors "knn" asks, the nearer with more weight; all where there are fewer."""
HEAD_NAMES = ("probe", "knn", *SEMI)


def check_head(name: str) -> None:
    """Whether there is such a head.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in HEAD_NAMES:
        raise ValueError(f"got head {name!r}, wanted one of {', '.join(HEAD_NAMES)}")


def make_head(
    name: str, reference_bank: Float32[np.ndarray, "M D"] | None, *, neighbours: int = NEIGHBOURS
) -> Probe | KNeighborsClassifier | SemiSupervised:
    """A classifier of vectors, not yet fitted.

    Args:
        name: "probe" (:class:`selftime.tasks.probe.Probe`), "knn" (nearest by cosine), or one that
            learns from unlabelled vectors too (:mod:`selftime.tasks.semi`): "prototypes",
            "self_training", "spread".
        cohort: vectors of unlabelled series, such as those a model keeps, or None.
        neighbours: how many of them "knn" asks, the nearer the more weight.

    Raises:
        ValueError: there is no head of that name.
    """
    check_head(name)
    if name == "probe":
        return Probe(reference_bank=reference_bank)
    if name in SEMI:
        return SEMI[name](unlabelled=reference_bank)
    return KNeighborsClassifier(neighbours, metric="cosine", weights="distance")
