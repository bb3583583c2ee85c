"""Leaks: which test series are not new to a model or to its labelled series, and what to say."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from selftime.data.fingerprints import are_among, fingerprints_of
from selftime.data.series import SeriesSet
from selftime.engine.model import Model


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """What test series have in common with what was learned from.

    Attributes:
        test: how many test series there are.
        seen: how many of them the model was pretrained on; None where the model does not know.
        doubled: how many of them occur among the labelled training series too, value by value.
        shared: groups (subject, machine, recording) that stand on both sides.
    """

    test: int
    seen: int | None = None
    doubled: int = 0
    shared: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """What must be said of a result; nothing where all is well."""
        said = []
        if self.seen:
            said.append(
                f"{self.seen:,} of {self.test:,} test series were seen in pretraining: the result "
                "is transductive and may flatter the model; what it does on new series shows only "
                "when these are left out of pretraining."
            )
        if self.doubled:
            said.append(
                f"{self.doubled:,} of {self.test:,} test series occur among the labelled ones too, "
                "value by value: getting these right is no evidence."
            )
        if self.shared:
            names = ", ".join(self.shared[:NAMED]) + (", …" if len(self.shared) > NAMED else "")
            said.append(
                f"train and test share {len(self.shared):,} groups ({names}): the result does not "
                "hold for new ones; split by group."
            )
        return said

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "shared": list(self.shared)}


NAMED = 3
"""Shared groups that are named."""


def find_leaks(model: Model, train: SeriesSet, test: SeriesSet) -> Leaks:
    """What a test part has in common with pretraining and with the labelled part.

    Args:
        model: what is judged.
        train: labelled series that its head is fitted on.
        test: series it is judged on.
    """
    seen = model.seen(test)
    return Leaks(
        test=len(test),
        seen=None if seen is None else int(seen.sum()),
        doubled=int(are_among(test, np.unique(fingerprints_of(train))).sum()),
        shared=shared_groups(train, test),
    )


def shared_groups(train: SeriesSet, test: SeriesSet) -> tuple[str, ...]:
    """Groups that have series in both parts; none where either has no groups."""
    if train.groups is None or test.groups is None:
        return ()
    names = np.intersect1d(train.groups.astype(str), test.groups.astype(str))
    return tuple(names.tolist())
