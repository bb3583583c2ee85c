"""Rows of a comparison: the model, the references beside it, and strategies of fine-tuning."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float32, Int
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import RidgeClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from selftime.data import scaling
from selftime.data.channels import concatenate
from selftime.data.series import SeriesSet
from selftime.data.signals import Text
from selftime.data.symbols import decode
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.fixed.quantiles import resample_to_length
from selftime.encoders.fixed.rocket import MiniRocket
from selftime.encoders.registry import build, recipe_of
from selftime.encoders.wrappers.projected import Projected, Standardised, UnitLength
from selftime.engine.model import Model
from selftime.engine.pretrain import BANK_SIZE
from selftime.engine.solve import generator, sample_for, sample_of
from selftime.objectives.supervised.targets import OneClass
from selftime.tasks.probing.probe import Probe
from selftime.tasks.transfer.choose import fit_strategy
from selftime.tasks.transfer.scratch import FromScratch, network_like, scaled_rows
from selftime.tasks.transfer.strategies import TransferConfig, check_transfer
from selftime.views.amplitude import channel_std

_Features = Float32[np.ndarray, "N D"]


class Row(NamedTuple):
    """One row of a comparison: vectors of both parts, or from scratch their values."""

    name: str
    train: _Features | csr_matrix  # (N,D), or (N,C·T)
    test: _Features | csr_matrix  # (M,D), or (M,C·T) with a T of its own
    head: ClassifierMixin  # cloned and fitted on the labelled vectors


Maker = Callable[[Model, SeriesSet, SeriesSet], Row]
"""Makes a row of a model, training series and test series."""
OWN = "selftime"
"""The name of the row of a single model."""


def _embed_both(
    model: Model, train: SeriesSet, test: SeriesSet
) -> tuple[_Features, Float32[np.ndarray, "M D"]]:
    return model.embed(train, progress=False), model.embed(test, progress=False)


def model_row(model: Model, train: SeriesSet, test: SeriesSet) -> Row:
    """Return the row of the model itself."""
    head = Probe(reference_bank=model.reference_bank)
    return Row(OWN, *_embed_both(model, train, test), head)


def untrained_row(model: Model, train: SeriesSet, test: SeriesSet) -> Row:
    """Return the row of the same encoder without its learned weights, under the same probe."""
    bare = Model(untrained_twin(model, train), model.scaling, model.channels, kind=model.kind)
    vectors, asked = _embed_both(bare, train, test)
    return Row("untrained encoder", vectors, asked, Probe(reference_bank=draw_bank(vectors)))


def raw_values_row(model: Model, train: SeriesSet, test: SeriesSet) -> Row:
    """Return the row of values, resampled to the median length and scaled, under the same probe."""
    scale, length = scaling.fit(train), int(np.median(train.lengths))

    def values(series: SeriesSet) -> _Features:
        x = scale.apply(batch_of(scale.measure(series)))
        return np.asarray(resample_to_length(x.filled(), x.lengths, length).flatten(1))

    vectors = values(train)
    return Row("raw values", vectors, values(test), Probe(reference_bank=draw_bank(vectors)))


def draw_bank(vectors: _Features) -> _Features:
    """Draw a reference bank, as large as that of a model and drawn in the same way."""
    return np.asarray(vectors[sample_of(len(vectors), 0, BANK_SIZE)])


def minirocket_ridge(model: Model, train: SeriesSet, test: SeriesSet, *, seed: int = 0) -> Row:
    """Return the row of MiniRocket with its paper's classifier (Dempster et al. 2021, section 3.3).

    Its biases and standardisation come from every training series, labelled or not.
    """
    length = int(np.median(train.lengths))
    body = Standardised(encoder=MiniRocket(channels=train.n_channels, length=length, seed=seed))
    scale = scaling.none() if train.origin is None else scaling.fit_channels(train)
    few = scale.measure(train[sample_for(train, seed)])
    with torch.inference_mode():
        body.prepare(scale.apply(batch_of(few)), generator(seed, 0))
    model = Model(body, scale, train.channels, kind=train.kind)
    head = RidgeClassifierCV(alphas=np.logspace(-3, 3, 10) / body.dim)
    return Row("MiniRocket + ridge", *_embed_both(model, train, test), head)


def bands_ridge(model: Model, train: SeriesSet, test: SeriesSet) -> Row:  # noqa: ARG001
    """Return the row of mean and deviation of each band over time, with a ridge classifier.

    The plainest description of a sound: how loud each pitch is, and how much that changes.
    """
    head = make_pipeline(StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-3, 3, 10)))
    return Row("mean log-mel + ridge", band_moments(train), band_moments(test), head)


def band_moments(series: SeriesSet) -> _Features:
    """Return mean and standard deviation of each channel over what was observed (N,2C)."""
    x = batch_of(series)
    count = x.observed.sum(dim=2).clamp(min=1)
    mean = x.values.masked_fill(~x.observed, 0).sum(dim=2) / count
    return np.asarray(torch.cat([mean, channel_std(x)], dim=1))


def tfidf_ridge(model: Model, train: SeriesSet, test: SeriesSet) -> Row:  # noqa: ARG001
    """Return the row of character n-grams by how telling they are, with a ridge classifier.

    TF-IDF (Spärck Jones 1972) of one to three characters; how rare each is comes from every
    training text, labelled or not.
    """
    counts = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 3), lowercase=False, sublinear_tf=True
    )
    vectors = csr_matrix(counts.fit_transform(texts_in(train)))
    head = RidgeClassifierCV(alphas=np.logspace(-3, 3, 10))
    return Row("TF-IDF + ridge", vectors, csr_matrix(counts.transform(texts_in(test))), head)


def texts_in(series: SeriesSet) -> list[str]:
    """Return the text of each series; ``▁`` stands for a missing symbol."""
    assert isinstance(series.kind, Text)  # no other kind has this row
    return [decode(series.series(i)[0], series.kind) for i in range(len(series))]


def from_scratch(model: Model, train: SeriesSet, test: SeriesSet) -> Row:
    """Return the row of the model's network, or ``dilated``, trained on the labels alone."""
    scale = scaling.fit(train)
    length = int(np.median(train.lengths))
    recipe = network_like(model.encoder, train.n_channels, length, train.kind)
    head = FromScratch(recipe=recipe, channels=train.n_channels)
    return Row("supervised from scratch", scaled_rows(train, scale), scaled_rows(test, scale), head)


def untrained_twin(model: Model, train: SeriesSet) -> Encoder:
    """Return the encoder without learned maps, and with first weights where it was trained."""
    bare = without_learning(model.encoder)
    if not any(weight.requires_grad for weight in bare.parameters()):
        return bare
    fresh = build(recipe_of(bare)).eval()
    sample = model.scaling.apply(batch_of(model.check(train), sample_for(train, 0)))
    with torch.no_grad():
        fresh.prepare(sample, generator(0, 0))
    return fresh


def without_learning(encoder: Encoder) -> Encoder:
    """Return the encoder with every learned map taken out."""
    if isinstance(encoder, Projected):
        return without_learning(encoder.encoder)
    if isinstance(encoder, UnitLength):
        return UnitLength(encoder=without_learning(encoder.encoder))
    if isinstance(encoder, Joined):
        parts = [without_learning(part) for part in encoder.encoders]
        return Joined(encoders=parts, weights=encoder.weights)
    return encoder


class TransferClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc] # scikit-learn has no types
    """A transfer strategy as a classifier of rows, which are numbers of series."""

    def __init__(self, *, model: Model, series: SeriesSet, config: TransferConfig) -> None:
        self.model = model
        self.series = series
        self.config = config

    def fit(self, X: Int[np.ndarray, "n 1"], y: Any) -> "TransferClassifier":
        """Fit the strategy on some of the series and their labels."""
        self.classes_ = np.unique(y)
        target_type, rows = OneClass(self.classes_), self.series[X[:, 0]]
        found = fit_strategy(self.model, rows, np.asarray(y), target_type, self.config)
        self.solution_ = found.solution
        return self

    def predict(self, X: Int[np.ndarray, "n 1"]) -> np.ndarray:
        """Return the most likely class of each series (n,)."""
        return np.asarray(self.solution_.predict(self.series[X[:, 0]]))


def strategy_row(model: Model, train: SeriesSet, test: SeriesSet, config: TransferConfig) -> Row:
    """Return a row that is fine-tuned anew on the labelled series of every draw."""
    both = concatenate_sets(train, test)
    rows = np.arange(len(both))[:, None]
    head = TransferClassifier(model=model, series=both, config=config)
    return Row(strategy_row_name(config.strategy), rows[: len(train)], rows[len(train) :], head)


_STRATEGY_PREFIX = "selftime, "


def strategy_row_name(strategy: str) -> str:
    """Return the name of a strategy's row."""
    return _STRATEGY_PREFIX + strategy


def strategy_in(name: str) -> str:
    """Return the strategy whose row has that name."""
    return name.removeprefix(_STRATEGY_PREFIX)


def is_strategy(name: str) -> bool:
    """Return whether a row is the model itself under another strategy."""
    return name.startswith(_STRATEGY_PREFIX)


def concatenate_sets(first: SeriesSet, second: SeriesSet) -> SeriesSet:
    """Join the series of two sets, without labels and groups."""
    ids = np.split(np.arange(len(first) + len(second)).astype(str), [len(first)])
    return concatenate(
        [
            SeriesSet(
                p.steps,
                p.offsets,
                p.channels,
                own,
                observed=p.observed,
                origin=p.origin,
                kind=p.kind,
            )
            for p, own in zip((first, second), ids, strict=True)
        ]
    )


MORE_ROWS: dict[str, dict[str, Maker]] = {
    "text": {"TF-IDF + ridge": tfidf_ridge},
    "sound": {"mean log-mel + ridge": bands_ridge},
}
"""Rows of one kind of signal: what was usual there before networks."""


def makers_of(
    models: Mapping[str, Model | None], strategies: Sequence[str], rows: Mapping[str, Maker]
) -> dict[str, Maker]:
    """Return a function for each row: the model, references, strategies, then other models.

    ``rows`` are those of the kind of series, that of the model itself among them.
    """
    first, *others = models.items()
    references = {name: make for name, make in rows.items() if name != OWN}
    own = {first[0]: rows[OWN]}
    tuned = {strategy_row_name(name): strategy_maker(name) for name in strategies}
    return own | references | tuned | {name: _row_of(other) for name, other in others if other}


def _row_of(other: Model) -> Maker:
    return lambda _, train, test: model_row(other, train, test)


def strategy_maker(name: str) -> Maker:
    """Return a function that makes the row of a strategy."""
    config = TransferConfig(strategy=name)
    check_transfer(config)
    return lambda model, train, test: strategy_row(model, train, test, config)
