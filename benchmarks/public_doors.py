"""Public doors, each as a call on an input: small models, small budgets, all that comes back.

``DOORS`` names them. A door gets the input itself, never what was read of it, so that it meets
whatever people give it; labels are as many as the input has series.
"""

import io
import tempfile
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import selftime as st
from benchmarks.wild_inputs import usual
from selftime.data.scaling import none, per_series
from selftime.data.windows import batch_of
from selftime.views.registry import VIEWS


class Door(NamedTuple):
    """A call on an input; ``gives_back`` where it gives back the values that came in, gaps too."""

    call: Callable[[Any], Any]
    gives_back: bool = False


DOORS: dict[str, Door] = {}
"""Every door by name."""

BUDGET = "2 steps"


def door(name: str, *, gives_back: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Keep a function as the door of a name."""

    def keep(call: Callable[[Any], Any]) -> Callable[[Any], Any]:
        DOORS[name] = Door(call, gives_back)
        return call

    return keep


NETWORKS = {
    "simclr": "resnet",
    "ts2vec": "dilated_causal",
    "masked_patches": "transformer",
    "vicreg": "inception",
    "cpc": "gru",
    "forecast": "lstm",
    "next_step": "dilated_causal",
}
"""Objectives and the networks that they train here."""


def pretrained(x: Any, objective: str, **more: Any) -> st.Model:
    """A model that learned for a moment, at a small size."""
    if objective in NETWORKS:
        more = {"encoder": NETWORKS[objective], "budget": BUDGET} | more
    else:
        more = {"dim": 16} | more
    return st.pretrain(x, objective=objective, progress=False, **more)


@cache
def model(objective: str = "quantiles") -> st.Model:
    """A model of the usual series."""
    if objective == "quantiles":
        return pretrained(usual(), "spectral", encoder="quantiles")
    return pretrained(usual(), objective)


def classes(n: int = len(usual())) -> list[str]:
    """Labels of the usual series, or as many for others."""
    return ["a" if i % 2 else "b" for i in range(n)]


def count(x: Any) -> int:
    """How many series an input has, where it can be read."""
    try:
        return len(st.read(x))
    except Exception:  # the door that is judged says it itself
        return len(usual())


def end_to_end(x: Any) -> Any:
    """Series of an array as one recording (C,S), which doors of recordings want; else as it is."""
    if not isinstance(x, np.ndarray) or x.ndim != 3:
        return x
    return x.transpose(1, 0, 2).reshape(x.shape[1], x.shape[0] * x.shape[2])


def recording(x: Any) -> Any:
    """One recording as a set of a single series."""
    joined = end_to_end(x)
    return joined[None] if joined is not x else x


def labelled(x: Any) -> st.SeriesSet:
    """The input as series with labels."""
    return st.read(x, labels=classes(count(x)))


def vectors(found: st.Model, x: Any) -> tuple[st.Model, np.ndarray]:
    """A model and the vectors of its own series."""
    return found, found.embed(x, progress=False)


door("read", gives_back=True)(st.read)
door("SeriesSet.of", gives_back=True)(st.SeriesSet.of)
door("read windows", gives_back=True)(lambda x: st.read(x, windows=4))
door("hold_out", gives_back=True)(lambda x: st.hold_out(labelled(x)))
door("inspect")(st.inspect)
door("embed")(lambda x: st.embed(model(), x, progress=False).to_pandas())
door("seen")(lambda x: model().seen(x))
door("suggest")(lambda x: st.suggest(model(), x, n=2, progress=False))
door("adapt")(lambda x: vectors(st.adapt(model(), x), x))
door("inspect_views")(lambda x: st.inspect_views(st.read(x), progress=False))
door("find_leaks")(lambda x: st.find_leaks(model(), st.read(usual()), st.read(x)))
door("pretrain spectral")(lambda x: vectors(pretrained(x, "spectral"), x))
door("pretrain neighbours")(lambda x: vectors(pretrained(x, "neighbours", encoder="hydra"), x))
for objective_ in NETWORKS:
    door(f"pretrain {objective_}")(lambda x, o=objective_: vectors(pretrained(x, o), x))
for objective_ in ("quantiles", "spectral", *NETWORKS):
    door(f"embed by {objective_}")(lambda x, o=objective_: model(o).embed(x, progress=False))


@door("embed each series scaled")
def embed_scaled(x: Any) -> Any:
    """Vectors of series that are scaled one by one."""
    known = model("masked_patches")
    return st.Model(known.encoder, per_series(), known.channels).embed(x, progress=False)


@door("embed unscaled")
def embed_unscaled(x: Any) -> Any:
    """Vectors of series as they are, by two networks."""
    models = [model("masked_patches"), model("simclr")]
    return [st.Model(m.encoder, none(), m.channels).embed(x, progress=False) for m in models]


@door("pretrain into a run, load, report")
def pretrain_run(x: Any) -> Any:
    """A run folder, its model and its page."""
    with tempfile.TemporaryDirectory() as to:
        pretrained(x, "simclr", run=f"{to}/run")
        st.read_run(f"{to}/run").write_report(train=st.read(x))
        return vectors(st.load(f"{to}/run"), x)


@door("race")
def race(x: Any) -> Any:
    """The better of two methods."""
    return st.race(x, minutes=0.005, objectives=("spectral", "neighbours"), progress=False)


@door("stream")
def stream(x: Any) -> Any:
    """Embeddings of the steps of a channel."""
    return model("ts2vec").stream().update(end_to_end(x))


@door("stream of series read")
def stream_read(x: Any) -> Any:
    """Embeddings of the steps of the first series."""
    return model("ts2vec").stream().update(st.read(x).series(0))


@door("stream of windows")
def stream_windows(x: Any) -> Any:
    """Embeddings of windows of the first series, at every other step."""
    return model("masked_patches").stream(window=8, every=2).update(st.read(x).series(0))


@door("StreamMonitor of normal")
def monitor_normal(x: Any) -> Any:
    """Judgements of usual steps beside normal ones."""
    monitor = st.StreamMonitor(model(), normal=x, rate=0.2, window=8)
    return [monitor.update([value]) for value in usual()[0, 0, :4]]


@door("StreamMonitor.update")
def monitor_update(x: Any) -> Any:
    """Judgements of steps of the first series, after usual ones."""
    monitor = deepcopy(fitted("monitor"))
    if not isinstance(x, np.ndarray) or x.ndim != 3:
        return monitor.update(x)
    return [monitor.update(values) for series in x[:4] for values in series.T[:8]]


@door("Classifier")
def classifier(x: Any) -> Any:
    """Probabilities of a classifier that was fitted on the input, which it learned from too."""
    found = st.Classifier(progress=False).fit(x, classes(count(x)))
    return found.predict_proba(x), found.predictions(x).to_pandas()


@door("Classifier of a model")
def classifier_model(x: Any) -> Any:
    """Probabilities of a probe on a model of other series."""
    return st.Classifier(model(), progress=False).fit(x, classes(count(x))).predict_proba(x)


@door("Classifier fine-tuned")
def classifier_tuned(x: Any) -> Any:
    """Probabilities of a network that was fine-tuned on the input."""
    found = st.Classifier(model("simclr"), strategy="full", budget=BUDGET, progress=False)
    return found.fit(x, classes(count(x))).predict_proba(x)


@cache
def fitted(kind: str) -> Any:
    """An estimator that was fitted on the usual series."""
    x, values = usual(), np.linspace(-1, 1, len(usual()))
    known = model("ts2vec")
    if kind == "classifier":
        return st.Classifier(known, progress=False).fit(x, classes())
    if kind == "neighbours":
        return st.Classifier(known, head="knn", progress=False).fit(x, classes())
    if kind == "regressor":
        return st.Regressor(known, progress=False).fit(x, values)
    if kind == "segmenter":
        return st.Segmenter(known, progress=False).fit(x, step_classes(x))
    if kind == "forecaster":
        return st.Forecaster(horizon=3, progress=False).fit(x)
    if kind == "monitor":
        return st.StreamMonitor(known, normal=x, rate=0.2)
    return st.AnomalyDetector(progress=False).fit(np.sin(np.arange(400.0)))


def step_classes(x: Any) -> list[np.ndarray]:
    """A class for every step."""
    try:
        lengths = st.read(x).lengths
    except Exception:  # the door that is judged says it itself
        lengths = np.full(len(usual()), usual().shape[2])
    return [np.arange(length) % 4 // 2 for length in lengths]


door("Classifier.predict")(lambda x: fitted("classifier").predict_proba(x))
door("Classifier of neighbours")(lambda x: fitted("neighbours").predict_proba(x))
door("Regressor.predict")(lambda x: fitted("regressor").predict(x))
door("Segmenter.predict")(lambda x: fitted("segmenter").predict_proba(x))
door("Forecaster.predict")(lambda x: fitted("forecaster").forecasts(x).to_pandas())
door("AnomalyDetector.score")(lambda x: fitted("detector").score(x))


@door("Regressor")
def regressor(x: Any) -> Any:
    """Values of series by a model of them."""
    n = count(x)
    found = st.Regressor(progress=False).fit(x, np.linspace(-1, 1, n))
    return found.predict(x), found.predictions(x).to_pandas()


@door("Regressor to the input")
def regressor_targets(x: Any) -> Any:
    """The first numbers of the input as values of the usual series."""
    values = x[:, 0, 0] if isinstance(x, np.ndarray) and x.ndim == 3 and x.size else x
    found = st.Regressor(model(), progress=False).fit(usual(), values)
    return found.predict(usual())


@door("labels from the input", gives_back=True)
def labels(x: Any) -> Any:
    """The input as labels of the usual series, and a classifier of these."""
    values = x[:, 0, 0] if isinstance(x, np.ndarray) and x.ndim == 3 and x.size else x
    return st.read(usual(), labels=values).labels


@door("Segmenter")
def segmenter(x: Any) -> Any:
    """Classes of steps."""
    found = st.Segmenter(model("ts2vec"), progress=False).fit(x, step_classes(x))
    return found.predict_proba(x), found.predictions(x).to_pandas()


@door("SelfSupervised")
def transformer(x: Any) -> Any:
    """Vectors of scikit-learn's transformer."""
    return st.SelfSupervised(encoder="quantiles", progress=False).fit(x).transform(x)


@door("Forecaster")
def forecaster(x: Any) -> Any:
    """Forecasts with quantiles, and their table."""
    found = st.Forecaster(horizon=3, progress=False).fit(x).forecasts()
    return found.mean, found.quantiles, found.to_pandas()


@door("Forecaster of a model")
def forecaster_model(x: Any) -> Any:
    """Forecasts by the vectors of a model."""
    return st.Forecaster(model(), horizon=2, progress=False).fit(x).forecasts().to_pandas()


@door("backtest")
def backtest(x: Any) -> Any:
    """Errors of forecasts."""
    return st.backtest(st.read(recording(x)), horizons=(2,), progress=False).to_dict()


@door("AnomalyDetector")
def detector(x: Any) -> Any:
    """Scores, alarms and tables of the input beside itself."""
    found = st.AnomalyDetector(progress=False).fit(x)
    return found.score(x), found.predict(x), found.alarms(x)


@door("AnomalyDetector, past only, of a model")
def detector_past(x: Any) -> Any:
    """Scores from what came before, and from embeddings."""
    found = st.AnomalyDetector(model("ts2vec"), past_only=True, progress=False)
    return found.fit(usual()).score(x)


@door("detect", gives_back=True)
def detect(x: Any) -> Any:
    """Scores of a recording and their table; steps without a value have no score."""
    return st.detect(recording(x)).to_pandas()


@door("compare")
def compare(x: Any) -> Any:
    """A model beside reference rows."""
    series = labelled(x)
    found = st.compare(model(), series, series, labels_per_class=(1, "all"), draws=1)
    return found.to_pandas()["accuracy"].to_numpy()


@door("evaluate")
def evaluate(x: Any) -> Any:
    """A classifier judged on the input."""
    train = st.read(usual(), labels=classes())
    return st.evaluate(model("ts2vec"), fitted("classifier"), train, labelled(x), progress=False)


@door("pick")
def pick(x: Any) -> Any:
    """The best layer of a network."""
    return st.pick(model("simclr"), x, classes(count(x)), progress=False)


@door("views")
def views(x: Any) -> Any:
    """Every view of the series, scaled and as they are."""
    import torch

    series, known = st.read(x), model()
    plain = batch_of(series)
    batches = [plain, per_series().apply(plain)]
    if series.n_channels == 1:
        batches.append(known.scaling.apply(batch_of(known.check(series))))
    return [
        view(batch, torch.Generator().manual_seed(0)).values
        for batch in batches
        for view in VIEWS.values()
    ]


def drawn(figure: Any) -> None:
    """Draw a figure, then close it."""
    import matplotlib.pyplot as plt

    figure.savefig(io.BytesIO(), dpi=20)
    plt.close(figure)


door("plot")(lambda x: drawn(st.plot(st.read(x))))
door("plot scores")(lambda x: drawn(st.plot(st.detect(recording(x)))))
door("plot forecasts")(
    lambda x: drawn(st.Forecaster(horizon=3, progress=False).fit(x).forecasts().plot())
)
door("plot embeddings")(lambda x: drawn(st.plot(st.embed(model(), x, progress=False))))
door("to_pandas, to_polars", gives_back=True)(
    lambda x: (st.read(x).to_pandas(), st.read(x).to_polars())
)


@door("write, read", gives_back=True)
def write(x: Any) -> Any:
    """Series in files of two kinds and back."""
    series = st.read(x)
    with tempfile.TemporaryDirectory() as to:
        paths = [Path(to) / f"x.{ending}" for ending in ("npz", "csv")]
        return [st.read(st.write(series, path)) for path in paths]


@door("save, load")
def save(x: Any) -> Any:
    """A model of the input through a folder."""
    found = pretrained(x, "spectral", encoder="quantiles")
    with tempfile.TemporaryDirectory() as to:
        return vectors(st.load(found.save(f"{to}/model")), x)


@door("save, load a classifier")
def save_classifier(x: Any) -> Any:
    """A classifier of the input through a folder."""
    found = st.Classifier(model(), progress=False).fit(x, classes(count(x)))
    with tempfile.TemporaryDirectory() as to:
        return st.load(found.save(f"{to}/model")).predict_proba(x)
