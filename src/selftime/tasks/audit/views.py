"""The audit of views: which leave a series what it is, and which make it another one's."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from selftime.data.batch import Batch
from selftime.data.principal import principal_axes
from selftime.data.scaling import fit_channels
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.splits import folds_by_class
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.builders import rocket
from selftime.engine.solve import generator, sample_of
from selftime.progress import Progress, open_progress
from selftime.tasks.audit.advice import Effect, Invariance, ViewAudit
from selftime.tasks.comparison.gain import Gain, gain
from selftime.tasks.probing.probe import Probe
from selftime.tasks.probing.ridge import ridge_leave_one_out
from selftime.views.mild import View
from selftime.views.registry import VIEW_STRENGTHS, Strength

_AUDIT_SERIES, _AUDIT_STEPS = 200, 30_000
"""Most series that are looked at, and most steps of them together (but at least 64 series)."""
_AUDIT_FOLDS = 5

_Vectors = Float[np.ndarray, "N D"]
_Right = Bool[np.ndarray, "N"]


def inspect_views(
    series: SeriesSet, *, seed: int = 0, progress: bool | Progress | None = None
) -> Invariance:
    """Try every view on a data set: how far it moves series, and whether labels survive it.

    Untrained features (``rocket``, standardised) of a sample of the series are compared with
    those of their views, at a few strengths. Without labels: is a series still the nearest to
    its own view? With labels: how many points fewer held-out series (5 folds; whole groups where
    there are groups) are classified right when they are seen through the view. All figures are
    over the series that the view changed at all.

    Args:
        series: at least 2, best the training part alone; labels are used where there are any.
        seed: fixes everything random.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: a single series.
    """
    if len(series) < 2:
        raise SeriesError("got 1 series, wanted at least 2: cut it into windows (selftime.windows)")
    most = max(64, _AUDIT_STEPS // max(1, int(np.median(series.lengths))))
    chosen = series[sample_of(len(series), seed, min(_AUDIT_SERIES, most))]
    why = why_no_labels(chosen.labels)
    bench = bench_of(chosen if not why else replace(chosen, labels=None), seed)
    audits = []
    with open_progress(progress) as tell:
        for k, (name, (keyword, amounts, views)) in enumerate(VIEW_STRENGTHS.items()):
            tell(f"trying {name}", k, len(VIEW_STRENGTHS))
            effects = [
                effect_of(bench, view, amount, generator(seed, 1 + 10 * k + i))
                for i, (amount, view) in enumerate(zip(amounts, views, strict=True))
            ]
            audits.append(ViewAudit(name=name, keyword=keyword, effects=tuple(effects)))
        tell("done", len(VIEW_STRENGTHS), len(VIEW_STRENGTHS))
    judge = bench.judge
    return Invariance(
        series=len(chosen),
        classes=len(np.unique(judge.labels)) if judge else 0,
        nearest=float(judge.nearest.mean()) if judge else None,
        probe=float(judge.probe.mean()) if judge else None,
        note=why,
        views=tuple(sorted(audits, key=ViewAudit.order)),
    )


def why_no_labels(labels: np.ndarray | None) -> str:
    """Why labels cannot be used; empty where they can."""
    if labels is None:
        return "there are no labels"
    counts = np.sort(np.unique(labels, return_counts=True)[1])[::-1]
    if len(counts) < 2:
        return "all labels are the same"
    return "" if counts[1] > 1 else "fewer than 2 classes have 2 series or more"


class CleanResults(NamedTuple):
    """What is known of labels on clean series.

    Attributes:
        labels: (N,) of the series.
        folds: (N,) number of the fold in which each series is held out.
        nearest: (N,) which clean series 1-NN gets right.
        probe: (N,) which clean series the probe gets right.
    """

    labels: np.ndarray
    folds: Int64[np.ndarray, "N"]
    nearest: _Right
    probe: _Right


class Bench(NamedTuple):
    """Where views are tried.

    Attributes:
        x: the clean series.
        encoder: makes features of them.
        features: (N,F) of the clean series.
        judge: with labels.
    """

    x: Batch
    encoder: Encoder
    features: Float32[Tensor, "N F"]
    judge: CleanResults | None


def bench_of(series: SeriesSet, seed: int) -> Bench:
    """Series, features and, with labels, the clean results."""
    x = fit_channels(series).apply(batch_of(series))
    encoder = rocket(channels=series.n_channels, length=int(np.median(series.lengths)), seed=seed)
    with torch.inference_mode():
        encoder.prepare(x, generator(seed, 0))
        bench = Bench(x, encoder, encoder.embed(x), None)
    if series.labels is None:
        return bench
    folds = folds_by_class(
        series.labels, series.groups, _AUDIT_FOLDS, np.random.default_rng([seed, 2])
    )
    return bench._replace(
        judge=clean_results(gram_coordinates(bench.features), series.labels, folds)
    )


def gram_coordinates(features: Float32[Tensor, "M F"]) -> Float[np.ndarray, "M M"]:
    """Vectors with the inner products of the features, so with all that is measured here."""
    with torch.inference_mode():
        products = np.asarray((features @ features.T).double())
    squares, directions = principal_axes(products)
    return np.asarray(directions * np.sqrt(squares))


def clean_results(
    vectors: _Vectors, labels: np.ndarray, folds: Int64[np.ndarray, "N"]
) -> CleanResults:
    """What is right on clean series."""
    nearest = nearest_right(labels, folds, similarity(vectors, vectors))
    return CleanResults(labels, folds, nearest, probe_right(labels, folds, [vectors], vectors))


def similarity(views: _Vectors, clean: _Vectors) -> Float[np.ndarray, "N N"]:
    """Cosines, up to the length of each view."""
    lengths = np.linalg.norm(clean, axis=1)
    return np.asarray(views @ (clean / np.where(lengths > 0, lengths, 1.0)[:, None]).T)


def nearest_right(
    labels: np.ndarray, folds: Int64[np.ndarray, "N"], alike: Float[np.ndarray, "N N"]
) -> _Right:
    """Whether the nearest clean series of another fold has the label."""
    others = np.where(folds[:, None] == folds, -np.inf, alike)
    return np.asarray(labels[others.argmax(axis=1)] == labels)


def probe_right(
    labels: np.ndarray, folds: Int64[np.ndarray, "N"], known: list[_Vectors], asked: _Vectors
) -> _Right:
    """Whether a probe fitted on all other folds, in each way they are known, gets a series right.

    Args:
        labels: (N,) of the series.
        folds: (N,) in which each is held out.
        known: (N,D) of the series, clean or under a view; probes are fitted on all of them.
        asked: (N,D) of the same series, as they are to be classified.
    """
    right = np.zeros(len(asked), bool)
    for f in np.unique(folds):
        held = folds == f
        train = np.concatenate([vectors[~held] for vectors in known])
        found = fit_frozen(train, np.tile(labels[~held], len(known)), asked[held])
        right[held] = found == labels[held]
    return right


def fit_frozen(train: _Vectors, labels: np.ndarray, test: Float[np.ndarray, "M D"]) -> np.ndarray:
    """Classes that :class:`Probe` gives to test vectors; no probabilities, so it is quick."""
    classes, index = np.unique(labels, return_inverse=True)
    targets = np.where(index[:, None] == np.arange(len(classes)), 1.0, -1.0)  # (N,K)
    middle, offset = train.mean(axis=0), targets.mean(axis=0)
    weights, _ = ridge_leave_one_out(train - middle, targets - offset, Probe().penalty)
    return np.asarray(classes[((test - middle) @ weights.T + offset).argmax(axis=1)])


def effect_of(bench: Bench, view: View, amount: Strength, rng: torch.Generator) -> Effect:
    """What a view at one strength does to the series."""
    y = view(bench.x, rng)
    moved = changed_series(bench.x, y)
    if not moved.any():
        return Effect(amount=amount, changed=0.0, agreement=1.0)
    with torch.inference_mode():
        both = gram_coordinates(torch.cat([bench.features, bench.encoder.embed(y)]))
    clean, views = both[: len(moved)], both[len(moved) :]
    alike = similarity(views, clean)
    own = alike.argmax(axis=1) == np.arange(len(alike))
    share, agreement = float(moved.mean()), float(own[moved].mean())
    effect = Effect(amount=amount, changed=share, agreement=agreement)
    if bench.judge is None:
        return effect
    labels, folds, nearest, probe = bench.judge
    again = probe_right(labels, folds, [clean, views], views)
    return replace(
        effect,
        nearest=drop(nearest[moved], nearest_right(labels, folds, alike)[moved]),
        probe=drop(probe[moved], probe_right(labels, folds, [clean], views)[moved]),
        relearned=drop(probe[moved], again[moved]),
    )


def changed_series(x: Batch, y: Batch) -> _Right:
    """Which series a view changed, be it in what is observed."""
    before, after = (batch.values.masked_fill(~batch.observed, 0) for batch in (x, y))
    differ = (before != after) | (x.observed != y.observed)
    return np.asarray(differ.flatten(1).any(dim=1))


def drop(clean: _Right, viewed: _Right) -> Gain:
    """How many points are lost, with a 95 % interval."""
    return gain(clean[None], viewed[None], resamples=1000)
