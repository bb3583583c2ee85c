"""Leaks: test series that a model or its labelled series already know, and warnings of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from selftime.data.fingerprints import are_among, fingerprints_of
from selftime.data.series import SeriesSet
from selftime.engine.model import ModelOrFolder, model_at

_MAX_NAMED = 3
"""Shared groups that a warning names."""


@dataclass(frozen=True, kw_only=True)
class Leaks:
    """Overlap of test series with pretraining and with labelled series."""

    test: int  # number of test series
    seen: int | None = None  # of these in pretraining; None where the model does not know
    doubled: int = 0  # of these among the labelled training series too, value by value
    shared: tuple[str, ...] = ()  # groups (subject, machine, recording) in both parts

    def sentences(self) -> list[str]:
        """Return a warning for each leak."""
        found = []
        if self.seen:
            found.append(
                f"{self.seen:,} of {self.test:,} test series were seen in pretraining: the result "
                "is transductive and may flatter the model; what it does on new series shows only "
                "when these are left out of pretraining."
            )
        if self.doubled:
            found.append(
                f"{self.doubled:,} of {self.test:,} test series occur among the labelled ones too, "
                "value by value: getting these right is no evidence."
            )
        if self.shared:
            more = ", …" if len(self.shared) > _MAX_NAMED else ""
            found.append(
                f"train and test share {len(self.shared):,} groups "
                f"({', '.join(self.shared[:_MAX_NAMED])}{more}): the result does not "
                "hold for new ones; split by group."
            )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**vars(self), "shared": list(self.shared)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Leaks":
        """Return the leaks that :meth:`to_dict` wrote."""
        known = {name: content[name] for name in ("test", "seen", "doubled")}
        return cls(**known, shared=tuple(content["shared"]))


def find_leaks(model: ModelOrFolder, train: SeriesSet, test: SeriesSet) -> Leaks:
    """Find test series that pretraining or the labelled part had already.

    Args:
        model: the model that is judged, or its folder.
        train: N labelled series that its head is fitted on.
        test: M series that it is judged on.

    Example:
        >>> import selftime as st
        >>> train = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(train, encoder="quantiles")
        >>> leaks = st.find_leaks(model, train[:10], train[5:])
        >>> leaks.test, leaks.seen, leaks.doubled
        (15, 15, 5)
    """
    seen = model_at(model).seen(test)
    return Leaks(
        test=len(test),
        seen=None if seen is None else int(seen.sum()),
        doubled=int(are_among(test, np.unique(fingerprints_of(train))).sum()),
        shared=shared_groups(train, test),
    )


def shared_groups(train: SeriesSet, test: SeriesSet) -> tuple[str, ...]:
    """Return groups that have series in both parts; none where either part has no groups."""
    if train.groups is None or test.groups is None:
        return ()
    return tuple(np.intersect1d(train.groups.astype(str), test.groups.astype(str)).tolist())
