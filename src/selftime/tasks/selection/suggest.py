"""Which series to label next: those that stand for most of the others, then the unsure ones."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int64

from selftime.data.fingerprints import are_among, fingerprints_of
from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.engine.solve import sample_of
from selftime.progress import Progress
from selftime.tasks.probing.probe import Probe
from selftime.tasks.probing.reference_bank import unit_vectors

POOL = 4096
"""Most series that are looked at; of more, so many are drawn."""
TRUSTED = 2
"""Mean number of labels per class from which the probe is asked what it is unsure of. Asked at one
label per class it knows too little, and costs more than it gives (benchmarks/results/suggest.json
holds what was measured)."""
_MIN_WEIGHT = 0.3
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
    model: Model,
    x: Any,
    *,
    n: int = 10,
    labelled: SeriesSet | None = None,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Suggestions:
    """The ``n`` series whose labels would teach most.

    Without labels these are the series that together stand for all others in the space that the
    model learned (:func:`facility_location`). What is labelled already counts as chosen. From
    :data:`TRUSTED` labels per class on a probe is fitted, and series count the more the less it
    can decide between the two likeliest classes (margin sampling, Scheffer et al. 2001).

    Args:
        model: what :func:`selftime.pretrain` returned.
        x: the series to choose from, whatever :func:`selftime.read` takes; labels are not read.
        n: how many.
        labelled: series with labels; those of ``x`` that are among them are not suggested.
        seed: of the draw where there are more than :data:`POOL` series.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

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
    known = labelled_vectors(model, labelled)
    choice = select_rows(model.embed(series[pool], progress=progress), n, known)
    rows = pool[choice.rows]
    reasons = [f"stands for {_series_in_words(int(count))}" for count in choice.stands_for]
    if choice.probabilities is not None and known is not None:
        doubts = [
            uncertainty_in_words(p, np.unique(known.labels))
            for p in choice.probabilities[choice.rows]
        ]
        reasons = ["; ".join(both) for both in zip(reasons, doubts, strict=True)]
    return Suggestions(
        rows=rows, ids=series.ids[rows], stands_for=choice.stands_for, reasons=tuple(reasons)
    )


class LabelledVectors(NamedTuple):
    """What is labelled already.

    Attributes:
        vectors: (L,D) of the labelled series.
        labels: (L,) theirs.
        cohort: (K,D) vectors of unlabelled series for the probe, or None.
    """

    vectors: Float32[np.ndarray, "L D"]
    labels: np.ndarray
    reference_bank: Float32[np.ndarray, "K D"] | None


def labelled_vectors(model: Model, labelled: SeriesSet | None) -> LabelledVectors | None:
    """The labelled series as the model sees them, if there are any."""
    if labelled is None or labelled.labels is None:
        return None
    return LabelledVectors(
        model.embed(labelled, progress=False), labelled.labels, model.reference_bank
    )


class SelectedRows(NamedTuple):
    """What was chosen among the unlabelled.

    Attributes:
        rows: (n,) of them, the most useful first.
        stands_for: (n,) how many lie nearest to each.
        probabilities: (M,K) probability of each class for all of them; None where nobody was asked.
    """

    rows: Int64[np.ndarray, "n"]
    stands_for: Int64[np.ndarray, "n"]
    probabilities: Float[np.ndarray, "M K"] | None


def select_rows(
    vectors: Float32[np.ndarray, "M D"], n: int, known: LabelledVectors | None
) -> SelectedRows:
    """The ``n`` of M unlabelled series to label next, from their vectors."""
    alike, covered = cosine_similarities(vectors, None if known is None else known.vectors)
    probabilities = chances_of(vectors, known)
    doubt = np.ones(len(vectors)) if probabilities is None else uncertainty(probabilities)
    rows = facility_location(alike, n, weight=doubt, covered=covered)
    return SelectedRows(rows, nearest_counts(alike[:, rows], covered), probabilities)


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


def chances_of(
    vectors: Float32[np.ndarray, "M D"], known: LabelledVectors | None
) -> Float[np.ndarray, "M K"] | None:
    """Probabilities of a probe fitted on the labelled series; None where they are too few."""
    classes = 0 if known is None else len(np.unique(known.labels))
    if known is None or classes < 2 or len(known.labels) < TRUSTED * classes:
        return None
    probe = Probe(reference_bank=known.reference_bank).fit(known.vectors, known.labels)
    return probe.predict_proba(vectors)


def uncertainty(probabilities: Float[np.ndarray, "M K"]) -> Float[np.ndarray, "M"]:
    """How little two classes differ in probability, 1 on average, and :data:`_MIN_WEIGHT` on top."""
    ordered = np.sort(probabilities, axis=1)
    doubt: np.ndarray = 1 - (ordered[:, -1] - ordered[:, -2])
    mean = float(doubt.mean())
    return _MIN_WEIGHT + (doubt / mean if mean > 0 else np.ones(len(doubt)))


def _series_in_words(count: int) -> str:
    """So many series, in words."""
    return "itself alone" if count <= 1 else f"{count:,} series like it"


def uncertainty_in_words(probabilities: Float[np.ndarray, "K"], classes: np.ndarray) -> str:
    """The two likeliest classes of a series."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return (
        f"unsure between {classes[first]} ({100 * probabilities[first]:.0f} %) "
        f"and {classes[second]} ({100 * probabilities[second]:.0f} %)"
    )


def cosine_similarities(
    vectors: Float32[np.ndarray, "M D"], known: Float32[np.ndarray, "L D"] | None
) -> tuple[Float32[np.ndarray, "M M"], Float32[np.ndarray, "M"]]:
    """Cosines between series, centred on their mean, and the largest to a labelled one, or -1."""
    centre = vectors.mean(axis=0)
    units = unit_vectors(vectors - centre)
    if known is None:
        return units @ units.T, np.full(len(units), -1, np.float32)
    return units @ units.T, (units @ unit_vectors(known - centre).T).max(axis=1)


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
