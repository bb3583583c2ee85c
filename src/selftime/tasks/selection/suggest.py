"""Suggestions of series to label next: representative ones, then uncertain ones."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Float32, Int64

from selftime.data.clock import iso_text
from selftime.data.fingerprints import are_among, fingerprints_of
from selftime.data.frames import Tabular, join_columns
from selftime.data.labels import labelled_part
from selftime.data.readers import kind_for, read
from selftime.data.series import SeriesError, SeriesSet
from selftime.door import option
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.engine.solve import sample_of
from selftime.progress import Progress
from selftime.tasks.probing.probe import Probe
from selftime.tasks.probing.reference_bank import unit_vectors

POOL = 4096
"""Most series to choose from; of more, so many are drawn."""
_MIN_LABELS_PER_CLASS = 2
"""Mean number of labels per class from which the uncertainty of a probe counts. At one label per
class it does more harm than good (measured in benchmarks/results/suggest.json)."""
_MIN_WEIGHT = 0.3
"""Least weight of a series, where the mean uncertainty is 1: with 0, whole classes of which the
probe is wrongly certain would never be suggested."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Suggestions(Tabular):
    """Series to label, the most useful first; the first m of n are the same as m suggestions."""

    rows: Int64[np.ndarray, "n"]  # among the series that were given
    ids: np.ndarray  # (n,)
    stands_for: Int64[np.ndarray, "n"]  # numbers of unlabelled series that are nearest to each
    reasons: tuple[str, ...]  # (n,) in words
    keys: Mapping[str, Any] = field(default_factory=dict)  # columns (n,) that name them

    def __len__(self) -> int:
        return len(self.rows)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, a record per suggestion."""
        keys = self.keys or {"id": self.ids}
        columns = {
            "row": self.rows,
            **dict(zip(("id", *list(keys)[1:]), keys.values(), strict=True)),
            "stands_for": self.stands_for,
            "reason": np.array(self.reasons),
        }
        plain = [plain_list(column) for column in columns.values()]
        rows = zip(*plain, strict=True)
        return {"suggestions": [dict(zip(columns, row, strict=True)) for row in rows]}

    def to_columns(self) -> dict[str, Any]:
        """Return what names the series, empty labels to fill in, and reasons."""
        asked = {
            "label": np.full(len(self), ""),
            "row": self.rows,
            "stands_for": self.stands_for,
            "reason": np.array(self.reasons),
        }
        return join_columns(self.keys or {"unique_id": self.ids}, asked)


def plain_list(column: Any) -> list[Any]:
    """Return values for JSON; times as text."""
    return list((iso_text(column).to_pylist if isinstance(column, pa.Array) else column.tolist)())


def suggest(
    model: ModelOrFolder,
    x: Any,
    *,
    n: int = 10,
    labelled: Any = None,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Suggestions:
    """Suggest the ``n`` series whose labels would help most.

    Without labels these are the series that together represent all others in the embedding space
    (:func:`facility_location`). Series that are labelled already count as selected. From 2 labels
    per class on a probe is fitted, and series weigh the more the closer the probabilities of their
    two most likely classes are (margin sampling, Scheffer et al. 2001).

    Args:
        model: pretrained, or its folder.
        x: the series to choose from, whatever :func:`selftime.read` takes. Where some of them are
            labelled and others are not, the labelled ones are known already; labels of all of
            them are not read.
        n: number of series.
        labelled: more series with labels; those of ``x`` that are among them are not suggested.
        seed: of the draw where there are more than :data:`POOL` series.
        progress: shows a bar where None and on a terminal, or is called with each step.

    Raises:
        SeriesError: fewer series without a label than asked for, or ``labelled`` without labels.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:60]
        >>> found = st.suggest(st.pretrain(x, encoder="quantiles"), x, n=2)
        >>> sorted(x.labels[found.rows].tolist())
        ['1', '2']
        >>> found.reasons[0]
        'stands for 29 series like it'
    """
    model = model_at(model)
    series, beside = read(x, kind=kind_for(x, model.kind)), None
    if labelled is not None:
        beside = labelled_part(read(labelled, kind=kind_for(labelled, model.kind)), "labelled")
    open_rows = rows_without_label(series, beside)
    most = len(open_rows)
    if not 1 <= n <= most:
        raise SeriesError(
            f"got {option('n', n)}, but {most} series are without a label: ask for 1 to {most}"
        )
    pool = open_rows[sample_of(len(open_rows), seed, max(POOL, n))]
    known = labelled_vectors(model, series, beside)
    selected = select_rows(model.embed(series[pool], progress=progress), n, known)
    rows, counts = pool[selected.rows], selected.stands_for
    ids, keys, why = series.ids[rows], series[rows].keys(), reasons_in_words(selected, known)
    return Suggestions(rows=rows, ids=ids, stands_for=counts, reasons=why, keys=keys)


def count_in_words(count: int) -> str:
    """Say how many series one stands for."""
    return "stands for itself alone" if count <= 1 else f"stands for {count:,} series like it"


class LabelledVectors(NamedTuple):
    """Embeddings and labels of labelled series, and the reference bank of the probe, or None."""

    vectors: Float32[np.ndarray, "L D"]
    labels: np.ndarray
    reference_bank: Float32[np.ndarray, "K D"] | None


def labelled_vectors(
    model: Model, series: SeriesSet, beside: SeriesSet | None
) -> LabelledVectors | None:
    """Embed the labelled series, if there are any, of a set with others and beside it."""
    parts = [] if beside is None else [beside]
    if series.labelled.any() and not series.labelled.all():
        parts.append(series[series.labelled])
    if not parts:
        return None
    vectors = np.concatenate([model.embed(part, progress=False) for part in parts])
    labels = np.concatenate([np.asarray(part.labels) for part in parts])
    return LabelledVectors(vectors, labels, model.reference_bank)


class SelectedRows(NamedTuple):
    """Rows selected among M unlabelled series, the most useful first."""

    rows: Int64[np.ndarray, "n"]
    stands_for: Int64[np.ndarray, "n"]  # numbers of series that are nearest to each
    probabilities: Float[np.ndarray, "M K"] | None  # of all series; None without a probe


def select_rows(
    vectors: Float32[np.ndarray, "M D"], n: int, known: LabelledVectors | None
) -> SelectedRows:
    """Select the ``n`` of M unlabelled series to label next, from their vectors."""
    cosines, covered = cosine_similarities(vectors, None if known is None else known.vectors)
    probabilities = class_probabilities(vectors, known)
    weight = np.ones(len(vectors)) if probabilities is None else uncertainty(probabilities)
    rows = facility_location(cosines, n, weight=weight, covered=covered)
    return SelectedRows(rows, nearest_counts(cosines[:, rows], covered), probabilities)


def reasons_in_words(selected: SelectedRows, known: LabelledVectors | None) -> tuple[str, ...]:
    """Say of each selected series how many it stands for, and what a probe is unsure of."""
    reasons = [count_in_words(count) for count in selected.stands_for.tolist()]
    if selected.probabilities is not None and known is not None:
        own, classes = selected.probabilities[selected.rows], np.unique(known.labels)
        unsure = [uncertainty_in_words(p, classes) for p in own]
        reasons = ["; ".join(both) for both in zip(reasons, unsure, strict=True)]
    return tuple(reasons)


def rows_without_label(series: SeriesSet, labelled: SeriesSet | None) -> Int64[np.ndarray, "M"]:
    """Return rows of the series without a label, and not among the labelled ones by their values.

    Where all series have a label none counts.
    """
    free = np.ones(len(series), bool) if series.labelled.all() else ~series.labelled
    if labelled is not None:
        free &= ~are_among(series, np.unique(fingerprints_of(labelled)))
    return np.flatnonzero(free)


def class_probabilities(
    vectors: Float32[np.ndarray, "M D"], known: LabelledVectors | None
) -> Float[np.ndarray, "M K"] | None:
    """Return probabilities of a probe fitted on labelled series; None where they are too few."""
    classes = 0 if known is None else len(np.unique(known.labels))
    if known is None or classes < 2 or len(known.labels) < _MIN_LABELS_PER_CLASS * classes:
        return None
    probe = Probe(reference_bank=known.reference_bank).fit(known.vectors, known.labels)
    return probe.predict_proba(vectors)


def uncertainty(probabilities: Float[np.ndarray, "M K"]) -> Float[np.ndarray, "M"]:
    """Return one minus the margin of the top two classes, over its mean, plus the least weight."""
    ordered = np.sort(probabilities, axis=1)
    unsure: np.ndarray = 1 - (ordered[:, -1] - ordered[:, -2])
    mean = float(unsure.mean())
    return _MIN_WEIGHT + (unsure / mean if mean > 0 else np.ones(len(unsure)))


def uncertainty_in_words(probabilities: Float[np.ndarray, "K"], classes: np.ndarray) -> str:
    """Return the two most likely classes of a series in words."""
    first, second = np.argsort(-probabilities, kind="stable")[:2]
    return (
        f"unsure between {classes[first]} ({100 * probabilities[first]:.0f} %) "
        f"and {classes[second]} ({100 * probabilities[second]:.0f} %)"
    )


def cosine_similarities(
    vectors: Float32[np.ndarray, "M D"], known: Float32[np.ndarray, "L D"] | None
) -> tuple[Float32[np.ndarray, "M M"], Float32[np.ndarray, "M"]]:
    """Return cosines between centred series, and each one's largest to a labelled one, or -1."""
    centre = vectors.mean(axis=0)
    units = unit_vectors(vectors - centre)
    if known is None:
        return units @ units.T, np.full(len(units), -1, np.float32)
    return units @ units.T, (units @ unit_vectors(known - centre).T).max(axis=1)


def facility_location(
    similarity: Float[np.ndarray, "M M"],
    n: int,
    *,
    weight: Float[np.ndarray, "M"],
    covered: Float[np.ndarray, "M"],
) -> Int64[np.ndarray, "n"]:
    """Return rows S that greedily maximise Σᵢ wᵢ · max(coveredᵢ, max over s in S of similarityᵢₛ).

    ``covered`` is the similarity of each series to those selected before. Each step takes the row
    that adds most, of equals the first. Gains only shrink, so a row whose last known gain is below
    a fresh one need not be tried (Minoux 1978); the greedy sum is at least 1 - 1/e of the best one
    (Nemhauser, Wolsey & Fisher 1978).
    """
    best, bound = np.array(covered, np.float64), np.full(len(similarity), np.inf)
    selected: list[int] = []
    for _ in range(n):
        fresh = np.zeros(len(similarity), bool)
        while not fresh[j := int(bound.argmax())]:
            bound[j] = weight @ np.maximum(similarity[:, j] - best, 0)
            fresh[j] = True
        selected.append(j)
        best = np.maximum(best, similarity[:, j])
        bound[j] = -np.inf
    return np.array(selected, np.int64)


def nearest_counts(
    similarity: Float[np.ndarray, "M n"], covered: Float[np.ndarray, "M"]
) -> Int64[np.ndarray, "n"]:
    """Count series nearer to each selected one than to another or to a labelled one."""
    nearest, near = similarity.argmax(axis=1), similarity.max(axis=1) >= covered
    return np.bincount(nearest[near], minlength=similarity.shape[1])
