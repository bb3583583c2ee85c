"""Pictures of results by one name: series, models, guesses, comparisons, forecasts, scores."""

from functools import singledispatch
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from selftime.data.series import SeriesSet
from selftime.engine.embeddings import Embeddings
from selftime.engine.guesses import Guesses
from selftime.engine.model import Model
from selftime.report.pictures.anomalies import anomaly_picture
from selftime.report.pictures.clusters import clusters_picture, states_picture
from selftime.report.pictures.curves import label_efficiency
from selftime.report.pictures.forecasts import coverage_picture, forecast_picture
from selftime.report.pictures.guesses import guess_picture
from selftime.report.pictures.hits import hits_picture
from selftime.report.pictures.imputations import imputation_picture
from selftime.report.pictures.maps import embedding_map, overview, principal_plane
from selftime.report.pictures.palette import SOFT, STRONG, canvas, headline
from selftime.report.pictures.predictions import prediction_picture
from selftime.tasks.anomaly.detection import Detection, DetectionList
from selftime.tasks.clusters.cluster import Clusters
from selftime.tasks.clusters.states import StateSpans
from selftime.tasks.comparison.compare import Comparison
from selftime.tasks.evaluation.evaluation import Evaluation
from selftime.tasks.evaluation.predictions import Predictions
from selftime.tasks.forecasting.backtest import Backtest
from selftime.tasks.forecasting.forecasts import Forecasts
from selftime.tasks.imputation.imputations import Imputation
from selftime.tasks.search.hits import SearchHits
from selftime.texts import visible

_MOST_NUMBERED = 20
"""Classes of a confusion matrix whose counts are written."""


@singledispatch
def plot(result: Any) -> Figure:
    """Draw series, embeddings, a model, or the result of a task; notebooks show the figure.

    Series are drawn by class, over dates where they were recorded at the same time; of a model
    its reference bank, of embeddings their map.

    Example:
        >>> import selftime as st
        >>> figure = st.plot(st.sample("NYCTaxi"))
        >>> figure.savefig("taxi.png")  # doctest: +SKIP

    Raises:
        TypeError: something of which there is no picture.
    """
    known = ", ".join(sorted(kind.__name__ for kind in plot.registry if kind is not object))
    raise TypeError(f"got {type(result).__name__}, wanted one of {known}")


@plot.register
def _(result: SeriesSet) -> Figure:
    return overview(result, title=result.source or "Series")


@plot.register
def _(result: Embeddings) -> Figure:
    return embedding_map(result.vectors, result.series, title="Embeddings")


@plot.register
def _(result: Model) -> Figure:
    if result.reference_bank is None:
        raise ValueError("got a model without a reference bank, wanted series: st.embed(…).plot()")
    points, shares = principal_plane(result.reference_bank)
    with canvas(6.0, 5.0) as figure:
        axes = figure.add_axes((0.02, 0.02, 0.96, 0.8))
        axes.scatter(points[:, 0], points[:, 1], s=14, c=STRONG, alpha=0.6, lw=0)
        axes.set_axis_off()
        words = f"{len(points):,} series that it learned from, on two principal directions"
        headline(figure, repr(result), f"{words} ({100 * shares.sum():.0f} % of their variance)")
    return figure


@plot.register
def _(result: Guesses) -> Figure:
    return guess_picture(result)


@plot.register
def _(result: Comparison) -> Figure:
    return label_efficiency(result, title="Few labels")


@plot.register
def _(result: Evaluation) -> Figure:
    counts, names = result.confusion, [visible(str(name)) for name in result.classes]
    with canvas(6.4, 6.0) as figure:
        axes = figure.add_axes((0.2, 0.14, 0.76, 0.7))
        shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        axes.set(xlabel="was given", ylabel="is")
        if len(names) <= _MOST_NUMBERED:
            for (i, j), count in np.ndenumerate(counts):
                colour = "white" if shares[i, j] > 0.5 else SOFT
                axes.text(j, i, str(count) if count else "", ha="center", va="center", color=colour)
        low, high = (100 * end for end in result.accuracy_interval)
        words = f"of {len(result.ids):,} test series; 95 % interval {low:.1f} to {high:.1f} %"
        headline(figure, f"{100 * result.accuracy:.1f} % right", words)
    return figure


@plot.register
def _(result: Predictions) -> Figure:
    return prediction_picture(result)


@plot.register
def _(result: Forecasts) -> Figure:
    return forecast_picture(result, title="Forecasts")


@plot.register
def _(result: Imputation) -> Figure:
    return imputation_picture(result, title="Missing values filled in")


@plot.register
def _(result: Backtest) -> Figure:
    return coverage_picture(result.calibrations, title="Coverage of the intervals")


@plot.register(Detection)
@plot.register(DetectionList)
def _(result: Detection | DetectionList) -> Figure:
    return anomaly_picture(result)


@plot.register
def _(result: SearchHits) -> Figure:
    return hits_picture(result)


@plot.register
def _(result: Clusters) -> Figure:
    return clusters_picture(result)


@plot.register
def _(result: StateSpans) -> Figure:
    return states_picture(result)
