"""The audit of views: measures which of them keep a series recognisable and its label readable."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from selftime.data import scaling
from selftime.data.arrays import are_known
from selftime.data.batch import Batch
from selftime.data.labels import share_in_words
from selftime.data.principal import principal_axes
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.splits import folds_by_class
from selftime.data.windows import batch_of
from selftime.door import option, tell
from selftime.encoders.base import Encoder
from selftime.encoders.builders import build_encoder, rocket
from selftime.encoders.wrappers.projected import Standardised
from selftime.engine.solve import generator, sample_of
from selftime.progress import Progress, open_progress
from selftime.tasks.audit.advice import Effect, Invariance, ViewAudit
from selftime.tasks.comparison.gain import Gain, gain
from selftime.tasks.probing.probe import FEW_PENALTY
from selftime.tasks.probing.ridge import class_signs, ridge_with_intercept
from selftime.views.mild import View
from selftime.views.registry import Strength, strengths_for

_AUDIT_SERIES, _AUDIT_STEPS = 200, 30_000
"""Most series that are tried, and most timepoints of them together (but at least 64 series)."""
_AUDIT_FOLDS = 5

_Vectors = Float[np.ndarray, "N D"]
_Right = Bool[np.ndarray, "N"]


def inspect_views(
    series: SeriesSet, *, seed: int = 0, progress: bool | Progress | None = None
) -> Invariance:
    """Try every view of their kind on series, and measure whether they and their labels survive it.

    Untrained features (``rocket``, or ``bert_mini`` of texts, standardised) of a sample of the
    series are compared with those of their views, at a few strengths. Without labels: the share of
    series that are still the nearest to their own view. With labels: the drop of accuracy, in
    points, when held-out series (5 folds; whole groups where there are groups) are seen through the
    view. All figures are over the series that the view changed at all.

    Args:
        series: at least 2, best the training part alone; labels are used where there are any.
        seed: fixes everything random.
        progress: shows a bar where None and on a terminal, or is called with each step.

    Returns:
        The results, with a verdict and a suggested strength for each view, the worst view first.

    Raises:
        SeriesError: a single series.

    Example:
        >>> import selftime as st
        >>> found = st.inspect_views(st.sample("JapaneseVowels", "train")[:60:3])
        >>> found.series, found.classes, len(found.views)
        (20, 2, 20)
        >>> found.views[0].suggestion
        'confuses series: leave out'
    """
    if len(series) < 2:
        raise SeriesError(
            f"got 1 series, wanted at least 2: cut it into windows, {option('windows', 500)}"
        )
    most = max(64, _AUDIT_STEPS // max(1, int(np.median(series.lengths))))
    series = judged_part(series)
    sample = series[sample_of(len(series), seed, min(_AUDIT_SERIES, most))]
    why = why_no_labels(sample.labels)
    data = prepare_audit(sample if not why else replace(sample, labels=None), seed)
    audits, strengths = [], strengths_for(series.kind)
    with open_progress(progress) as show:
        for k, (name, (keyword, amounts, views)) in enumerate(strengths.items()):
            show(f"trying {name}", k, len(strengths))
            effects = [
                effect_of(data, view, amount, generator(seed, 1 + 10 * k + i))
                for i, (amount, view) in enumerate(zip(amounts, views, strict=True))
            ]
            audits.append(ViewAudit(name=name, keyword=keyword, effects=tuple(effects)))
        show("done", len(strengths), len(strengths))
    clean = data.clean
    return Invariance(
        series=len(sample),
        classes=len(np.unique(clean.labels)) if clean else 0,
        nearest=float(clean.nearest.mean()) if clean else None,
        probe=float(clean.probe.mean()) if clean else None,
        note=why,
        views=tuple(sorted(audits, key=ViewAudit.order)),
    )


def judged_part(series: SeriesSet) -> SeriesSet:
    """Return the labelled series alone, where they are enough to tell what views do to labels."""
    tell(share_in_words(series.labelled, said=series.notes))
    known = series[series.labelled] if series.labelled.any() else series
    return series if why_no_labels(known.labels) else known


def why_no_labels(labels: np.ndarray | None) -> str:
    """Return the reason why labels cannot be used; empty where they can."""
    if labels is None:
        return "there are no labels"
    labels = labels[are_known(labels)].astype(str)
    counts = np.sort(np.unique(labels, return_counts=True)[1])[::-1]
    if len(counts) < 2:
        return "all labels are the same"
    return "" if counts[1] > 1 else "fewer than 2 classes have 2 series or more"


class CleanResults(NamedTuple):
    """Labels of the clean series, their folds, and masks of those that 1-NN and probe get right."""

    labels: np.ndarray
    folds: Int64[np.ndarray, "N"]
    nearest: _Right
    probe: _Right


class AuditData(NamedTuple):
    """The clean series, their encoder and features, and with labels the clean results."""

    x: Batch
    encoder: Encoder
    features: Float32[Tensor, "N F"]
    clean: CleanResults | None


def prepare_audit(series: SeriesSet, seed: int) -> AuditData:
    """Encode the clean series and, with labels, classify them."""
    scale = scaling.fit(series)
    x = scale.apply(batch_of(scale.measure(series)))
    encoder = untrained_features(series, seed)
    with torch.inference_mode():
        encoder.prepare(x, generator(seed, 0))
        features = encoder.embed(x)
    if series.labels is None:
        return AuditData(x, encoder, features, None)
    rng = np.random.default_rng([seed, 2])
    folds = folds_by_class(series.labels, series.groups, _AUDIT_FOLDS, rng)
    vectors, labels = gram_coordinates(features), series.labels
    nearest = nearest_right(labels, folds, similarity(vectors, vectors))
    probe = probe_right(labels, folds, [vectors], vectors)
    return AuditData(x, encoder, features, CleanResults(labels, folds, nearest, probe))


def untrained_features(series: SeriesSet, seed: int) -> Encoder:
    """Return standardised features of series that nothing was learned for, not yet prepared."""
    channels, length = series.n_channels, int(np.median(series.lengths))
    if series.kind.symbols is None:
        return rocket(channels=channels, length=length, seed=seed)
    network = build_encoder(
        "bert_mini", kind=series.kind, channels=channels, length=length, seed=seed
    )
    return Standardised(encoder=network.eval())


def gram_coordinates(features: Float32[Tensor, "M F"]) -> Float[np.ndarray, "M M"]:
    """Return vectors with the inner products of the features, which all measures rest on."""
    with torch.inference_mode():
        products = np.asarray((features @ features.T).double())
    squares, directions = principal_axes(products)
    return np.asarray(directions * np.sqrt(squares))


def similarity(views: _Vectors, clean: _Vectors) -> Float[np.ndarray, "N N"]:
    """Return cosines, up to the length of each view."""
    lengths = np.linalg.norm(clean, axis=1)
    return np.asarray(views @ (clean / np.where(lengths > 0, lengths, 1.0)[:, None]).T)


def nearest_right(
    labels: np.ndarray, folds: Int64[np.ndarray, "N"], cosines: Float[np.ndarray, "N N"]
) -> _Right:
    """Return a mask of series whose nearest clean series of another fold has their label."""
    others = np.where(folds[:, None] == folds, -np.inf, cosines)
    return np.asarray(labels[others.argmax(axis=1)] == labels)


def probe_right(
    labels: np.ndarray, folds: Int64[np.ndarray, "N"], known: list[_Vectors], asked: _Vectors
) -> _Right:
    """Return a mask of asked vectors that a probe of all known ones of other folds gets right."""
    right = np.zeros(len(asked), bool)
    for f in np.unique(folds):
        held_out = folds == f
        train = np.concatenate([vectors[~held_out] for vectors in known])
        found = fit_frozen(train, np.tile(labels[~held_out], len(known)), asked[held_out])
        right[held_out] = found == labels[held_out]
    return right


def fit_frozen(train: _Vectors, labels: np.ndarray, test: Float[np.ndarray, "M D"]) -> np.ndarray:
    """Return the classes that a probe of a fixed penalty predicts, without its probabilities."""
    classes, index = np.unique(labels, return_inverse=True)
    signs = class_signs(index, len(classes))
    weights, offsets, _ = ridge_with_intercept(train, signs, FEW_PENALTY)
    return np.asarray(classes[(test @ weights.T + offsets).argmax(axis=1)])


def effect_of(data: AuditData, view: View, amount: Strength, rng: torch.Generator) -> Effect:
    """Measure the effect of a view at one strength."""
    y = view(data.x, rng)
    moved = changed_series(data.x, y)
    if not moved.any():
        return Effect(amount=amount, changed=0.0, agreement=1.0)
    with torch.inference_mode():
        both = gram_coordinates(torch.cat([data.features, data.encoder.embed(y)]))
    clean, views = both[: len(moved)], both[len(moved) :]
    cosines = similarity(views, clean)
    own = cosines.argmax(axis=1) == np.arange(len(cosines))
    share, agreement = float(moved.mean()), float(own[moved].mean())
    effect = Effect(amount=amount, changed=share, agreement=agreement)
    if data.clean is None:
        return effect
    labels, folds, nearest, probe = data.clean
    again = probe_right(labels, folds, [clean, views], views)
    return replace(
        effect,
        nearest=drop(nearest[moved], nearest_right(labels, folds, cosines)[moved]),
        probe=drop(probe[moved], probe_right(labels, folds, [clean], views)[moved]),
        relearned=drop(probe[moved], again[moved]),
    )


def changed_series(x: Batch, y: Batch) -> _Right:
    """Return a mask of series that a view changed, in values or in what is observed."""
    before, after = (batch.values.masked_fill(~batch.observed, 0) for batch in (x, y))
    differ = (before != after) | (x.observed != y.observed)
    return np.asarray(differ.flatten(1).any(dim=1))


def drop(clean: _Right, viewed: _Right) -> Gain:
    """Return the points that are lost, with a 95 % interval."""
    return gain(clean[None], viewed[None], resamples=1000)
