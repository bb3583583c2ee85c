"""Facts of whole sets of series, each of which takes a pass over all values; a store knows them."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Int64

from selftime.data.fingerprints import fingerprints_of
from selftime.data.levels import largest_in, share_missing
from selftime.data.memory import file_of
from selftime.data.scaling import PerChannel, Scaling, fit, from_dict
from selftime.data.series import SeriesSet
from selftime.data.store import open_array, path_of, read_index, status_of


class Facts:
    """Facts of series, each counted when it is asked for, unless their store knows it.

    Example:
        >>> import selftime as st
        >>> facts = Facts(st.sample("ECG"))
        >>> facts.missing, len(facts.fingerprints)
        (0.0, 1)

    Args:
        series: of which; a store is asked where they are all that it holds.
    """

    def __init__(self, series: SeriesSet) -> None:
        self.series = series

    @cached_property
    def known(self) -> Mapping[str, Any]:
        """Facts that a store knows of all its series; none of others."""
        x = self.series
        path = file_of(x.steps)
        if path is None or status_of(path.parent) != "finished":
            return {}
        store = path.parent
        facts, offsets = read_index(store).facts, open_array(store, "offsets")
        same = facts.get("of") == self.described and np.array_equal(offsets, x.offsets)
        if x.observed is not None:
            same = same and file_of(x.observed) == path_of(store, "observed")
        return {**facts, "fingerprints": open_array(store, "fingerprints")} if same else {}

    @property
    def described(self) -> dict[str, Any]:
        """Whatever the facts depend on beside values and lengths."""
        x = self.series
        masked, levels = x.observed is not None, x.origin is not None
        kind = x.kind.to_dict()
        return {"channels": [*x.channels], "kind": kind, "masked": masked, "levels": levels}

    @cached_property
    def scaling(self) -> Scaling:
        """The scaling that suits the series."""
        known = self.known
        return from_dict(known["scaling"], self.series.n_channels) if known else fit(self.series)

    @cached_property
    def wild(self) -> int:
        """Count of values beyond the bounds of that scaling."""
        return int(self.known["wild"]) if self.known else count_wild(self.series, self.scaling)

    @cached_property
    def missing(self) -> float:
        """The share of values that are missing."""
        return float(self.known["missing"]) if self.known else share_missing(self.series)

    @cached_property
    def digest(self) -> str:
        """The fingerprint of all of them, :meth:`selftime.SeriesSet.fingerprint`."""
        return str(self.known["digest"]) if self.known else self.series.fingerprint()

    @cached_property
    def fingerprints(self) -> Int64[np.ndarray, "N"]:
        """The fingerprint of each series."""
        known = self.known
        return np.asarray(known["fingerprints"] if known else fingerprints_of(self.series))

    @cached_property
    def largest(self) -> float:
        """The size of the largest value."""
        return float(self.known["largest"]) if self.known else largest_in(self.series)

    def to_dict(self) -> dict[str, Any]:
        """Return what a store keeps, as JSON has it; fingerprints are an array beside it."""
        return {
            "of": self.described,
            "scaling": self.scaling.to_dict(),
            "wild": self.wild,
            "missing": self.missing,
            "largest": self.largest,
            "digest": self.digest,
        }


def count_wild(series: SeriesSet, scaling: Scaling) -> int:
    """Return how many values a scaling takes for wild."""
    return scaling.count_wild(series) if isinstance(scaling, PerChannel) else 0
