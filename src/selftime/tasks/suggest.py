"""Which series to label next: those that stand for most of the others, then the unsure ones too."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from selftime.data.fingerprints import are_among, fingerprints_of
from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.engine.solve import sample_of
from selftime.tasks.probe import Probe

POOL = 4096
"""Most series that are looked at; of more, so many are drawn."""
TRUSTED = 2
"""Mean number of labels a class from which the probe is asked what it is unsure of. Asked at one
label a class it knows too little, and costs more than it gives (benchmarks/results/suggest.json
holds what was measured)."""
LEAST = 0.3
"""What a series counts at least, where the mean doubt is 1: with 0, whole classes of which the
probe is wrongly sure would never be asked for."""


@dataclass(frozen=True, kw_only=True)
class Suggestions:
    """Series to label, the most useful first; the first m of n are what m would have been.

    Attributes:
        rows: (n,) where they stand among the series that were given.
        ids: (n,) their names.
        stands_for: (n,) how many unlabelled series lie nearest to each of them.
        reasons: (n,) why, in words.
    """

    rows: Int64[np.ndarray, "n"]
    ids: np.ndarray
    stands_for: Int64[np.ndarray, "n"]
    reasons: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, a record a suggestion."""
        columns = self.rows.tolist(), self.ids, self.stands_for.tolist(), self.reasons
        return {
            "suggestions": [
                {"row": row, "id": str(name), "stands_for": stands_for, "reason": reason}
                for row, name, stands_for, reason in zip(*columns, strict=True)
            ]
        }


def suggest(
    model: Model, x: Any, *, n: int = 10, labelled: SeriesSet | None = None, seed: int = 0
) -> Suggestions:
    """The ``n`` series whose labels would teach most.

    Without labels these are the series that together stand for all others in the space that the
    model learned (:func:`facility_location`). What is labelled already counts as chosen. From
    :data:`TRUSTED` labels a class on a probe is fitted, and series count the more the less it can
    decide between the two likeliest classes (margin sampling, Scheffer et al. 2001).

    Args:
        model: what :func:`selftime.pretrain` returned.
        x: the series to choose from, whatever :func:`selftime.read` takes; labels are not read.
        n: how many.
        labelled: series with labels; those of ``x`` that are among them are not suggested.
        seed: of the draw where there are more than :data:`POOL` series.

    Raises:
        SeriesError: fewer series without a label than asked for, or ``labelled`` without labels.
    """
    series = read(x)
    open_rows = rows_without_label(series, labelled)
    if not 1 <= n <= len(open_rows):
        raise SeriesError(
            f"got n={n}, but {len(open_rows)} series are without a label: "
            f"ask for 1 to {len(open_rows)}"
        )
    pool = open_rows[sample_of(len(open_rows), seed, max(POOL, n))]
    vectors = model.embed(series[pool])
    known = None if labelled is None else model.embed(labelled)
    chances = chances_of(model, vectors, known, labelled)
    doubt = np.ones(len(pool)) if chances is None else doubt_of(chances.probabilities)
    alike, covered = likeness(vectors, known)
    chosen = facility_location(alike, n, weight=doubt, covered=covered)
    stands_for = nearest_counts(alike[:, chosen], covered)
    rows = pool[chosen]
    reasons = tuple(
        reason_of(int(count), None if chances is None else chances.words(row))
        for row, count in zip(chosen.tolist(), stands_for, strict=True)
    )
    return Suggestions(rows=rows, ids=series.ids[rows], stands_for=stands_for, reasons=reasons)


def rows_without_label(series: SeriesSet, labelled: SeriesSet | None) -> Int64[np.ndarray, "M"]:
    """Rows of the series that are not among the labelled ones, by their values.

    Raises:
        SeriesError: ``labelled`` has no labels.
    """
    if labelled is None:
        return np.arange(len(series))
    if labelled.labels is None:
        raise SeriesError("labelled has no labels, wanted one a series: name their column or file")
    return np.flatnonzero(~are_among(series, np.unique(fingerprints_of(labelled))))


@dataclass(frozen=True, kw_only=True)
class Chances:
    """What a probe thinks of the series.

    Attributes:
        classes: (K,) their names.
        probabilities: (M,K).
    """

    classes: np.ndarray
    probabilities: Float[np.ndarray, "M K"]

    def words(self, row: int) -> str:
        """The two likeliest classes of a series."""
        first, second = np.argsort(-self.probabilities[row], kind="stable")[:2]
        shares = 100 * self.probabilities[row]
        return (
            f"unsure between {self.classes[first]} ({shares[first]:.0f} %) "
            f"and {self.classes[second]} ({shares[second]:.0f} %)"
        )


def chances_of(
    model: Model,
    vectors: Float32[np.ndarray, "M D"],
    known: Float32[np.ndarray, "L D"] | None,
    labelled: SeriesSet | None,
) -> Chances | None:
    """What a probe fitted on the labelled series thinks; None where they are too few."""
    if known is None or labelled is None or labelled.labels is None:
        return None
    classes = np.unique(labelled.labels)
    if len(classes) < 2 or len(known) < TRUSTED * len(classes):
        return None
    probe = Probe(cohort=model.cohort).fit(known, labelled.labels)
    return Chances(classes=probe.classes_, probabilities=probe.predict_proba(vectors))


def doubt_of(probabilities: Float[np.ndarray, "M K"]) -> Float[np.ndarray, "M"]:
    """How little two classes differ in probability, 1 on average, and :data:`LEAST` on top."""
    ordered = np.sort(probabilities, axis=1)
    doubt: np.ndarray = 1 - (ordered[:, -1] - ordered[:, -2])
    mean = float(doubt.mean())
    return LEAST + (doubt / mean if mean > 0 else np.ones(len(doubt)))


def likeness(
    vectors: Float32[np.ndarray, "M D"], known: Float32[np.ndarray, "L D"] | None
) -> tuple[Float32[np.ndarray, "M M"], Float32[np.ndarray, "M"]]:
    """Cosines between series, centred on their mean, and the largest to a labelled one, or -1."""
    centre = vectors.mean(axis=0)
    units = unit(vectors - centre)
    if known is None:
        return units @ units.T, np.full(len(units), -1, np.float32)
    return units @ units.T, (units @ unit(known - centre).T).max(axis=1)


def unit(vectors: Float32[np.ndarray, "M D"]) -> Float32[np.ndarray, "M D"]:
    """Vectors of length 1; those of length 0 stay."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: np.ndarray = vectors / np.where(length > 0, length, 1)
    return scaled


def facility_location(
    alike: Float[np.ndarray, "M M"],
    n: int,
    *,
    weight: Float[np.ndarray, "M"],
    covered: Float[np.ndarray, "M"],
) -> Int64[np.ndarray, "n"]:
    """Rows S that greedily maximise Σᵢ wᵢ · max(coveredᵢ, max over s in S of alikeᵢₛ).

    Each step takes the row that adds most, of equals the first. Gains only shrink, so a row whose
    last known gain is below a fresh one need not be looked at (Minoux 1978); the greedy sum is at
    least 1 - 1/e of the best one (Nemhauser, Wolsey & Fisher 1978).

    Args:
        alike: likeness of series i to series j.
        n: how many rows.
        weight: how much each series counts, not below 0.
        covered: likeness of each series to what is chosen already.
    """
    best, bound = np.array(covered, np.float64), np.full(len(alike), np.inf)
    chosen: list[int] = []
    for _ in range(n):
        fresh = np.zeros(len(alike), bool)
        while not fresh[j := int(bound.argmax())]:
            bound[j] = weight @ np.maximum(alike[:, j] - best, 0)
            fresh[j] = True
        chosen.append(j)
        best = np.maximum(best, alike[:, j])
        bound[j] = -np.inf
    return np.array(chosen, np.int64)


def nearest_counts(
    alike: Float[np.ndarray, "M n"], covered: Float[np.ndarray, "M"]
) -> Int64[np.ndarray, "n"]:
    """How many series are nearer to each chosen one than to another or to a labelled one."""
    nearest, near = alike.argmax(axis=1), alike.max(axis=1) >= covered
    return np.bincount(nearest[near], minlength=alike.shape[1])


def reason_of(stands_for: int, doubt: str | None) -> str:
    """Why a series is suggested."""
    many = "itself alone" if stands_for <= 1 else f"{stands_for:,} series like it"
    return f"stands for {many}" + (f"; {doubt}" if doubt else "")
