"""Sound: CPC on spoken digits, takes held out and speakers held out, beside untrained and mel."""

from dataclasses import replace

import numpy as np

import selftime as st
from benchmarks.open_data import root
from benchmarks.signals_common import Figures, Learned, accuracies, learn, model_of, show
from selftime.data.scaling import Scaling, fit_own_level
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.builders import build_encoder
from selftime.engine.model import Model
from selftime.objectives.formula import build_objective

STEPS = 500
"""Chosen among 300, 500 and 1,000 on takes 5 to 7 alone."""


def digits(kind: str) -> SeriesSet:
    """320 spoken digits; labels are digits, groups are speakers, ids hold takes."""
    found = st.read(root() / "modalities" / "audio_fsdd", kind=kind)
    parts = np.array([name.split(".")[0].split("_") for name in found.ids])
    return replace(found, labels=parts[:, 0], groups=parts[:, 1])


def takes_of(series: SeriesSet) -> np.ndarray:
    """The number of the take of each recording."""
    return np.array([int(name.split(".")[0].split("_")[2]) for name in series.ids])


def network(series: SeriesSet, encoder: str, seed: int) -> Encoder:
    """A network that has learned nothing yet."""
    length = int(np.median(series.lengths))
    size = {"channels": series.n_channels, "length": length, "seed": seed}
    return build_encoder(encoder, kind=series.kind, **size)


def cpc(series: SeriesSet, encoder: str, seed: int, scale: Scaling | None = None) -> Learned:
    """A network that has learned what follows in a sound."""
    body = network(series, encoder, seed)
    objective = build_objective("cpc", body, kind=series.kind, seed=seed)
    return learn(objective, series, STEPS, seed=seed, scale=scale)


def of_own_levels(series: SeriesSet, encoder: str, seed: int) -> dict[str, Model]:
    """Models that read each recording from its own mean in each band, learned and untrained."""
    scale = fit_own_level(series)
    return {
        "selftime, own levels": cpc(series, encoder, seed, scale).model,
        "untrained, own levels": model_of(network(series, encoder, seed), series, scale, seed),
    }


def beside(series: SeriesSet, train: np.ndarray, encoder: str, seed: int, draws: int) -> Figures:
    """Accuracies where the recordings of ``train`` are learned from and the others are judged."""
    own, judged = series[train], series[~train]
    learned = cpc(own, encoder, seed)
    closed = st.pretrain(own, objective="spectral", seed=seed, progress=False)
    models = {"selftime": learned.model, "spectral": closed}
    if series.kind.name == "sound":
        models |= of_own_levels(own, encoder, seed)
    found = st.compare(
        models, own, judged, labels_per_class=(1, 5, "all"), draws=draws, progress=False
    )
    return {"seconds": round(learned.seconds, 1), "accuracy": accuracies(found)}


def measured(kind: str, encoder: str, *, seed: int, draws: int) -> Figures:
    """All figures of sound: takes 0 to 4 are judged, then each speaker in turn."""
    series = digits(kind)
    takes = takes_of(series)
    figures = {"takes held out": beside(series, takes >= 5, encoder, seed, draws)}
    speakers = np.unique(np.asarray(series.groups)) if kind == "sound" else ()
    for speaker in speakers:
        figures[f"{speaker} held out"] = beside(
            series, np.asarray(series.groups) != speaker, encoder, seed, draws
        )
    if len(speakers):
        figures["speakers held out, mean"] = {"accuracy": mean_of_folds(figures)}
    for name in {"takes held out", "speakers held out, mean"} & set(figures):
        show(f"{kind}, {encoder}: {name}", figures[name]["accuracy"])
    return figures


def mean_of_folds(figures: Figures) -> Figures:
    """Mean accuracy over the speakers held out, with its standard error over them."""
    folds = [found["accuracy"] for name, found in figures.items() if name != "takes held out"]
    table: Figures = {}
    for row, cells in folds[0].items():
        table[row] = {}
        for shots in cells:
            each = np.array([fold[row][shots][0] for fold in folds])
            error = each.std(ddof=1) / len(each) ** 0.5
            table[row][shots] = [round(float(each.mean()), 4), round(float(error), 4)]
    return table
