"""Self-supervised learning for time series: from raw recordings to results with few labels.

======================================== ======================================================
read, write, write_table                 series and tables in files
pack, verify_store                       a folder of series that need not fit in memory
SeriesSet, SeriesError, windows          series in memory, and recordings cut into windows
hold_out                                 labelled series held out to be judged on
sample, samples                          bundled data sets
inspect, inspect_views, methods          a data set at a glance, safe views, names to choose from
pretrain, Auto, TrainingConfig, Run      a model from unlabelled series, how and into which folder
load, Model, ModelError, adapt           what was saved, and a model adapted to other series
embed, plot                              vectors of series with their ids, and pictures of results
export                                   a model or a fitted estimator as a graph of ONNX or torch
predict, Ray                             tables of series beyond memory, part by part, on a cluster
race, pick, suggest, advise              the best objective, layer, next labels and strategy
SeriesIndex                              series and windows found by what they look like
cluster, states                          series in clusters, recordings in states
compare, write_comparison, find_leaks    a model beside reference rows, with few labels
evaluate, Evaluation                     a fitted classifier on test series
perplexity, continue_text, fill_text     how well a model reads texts, and what it writes
read_run, RunFolder, RunError            every figure of a run folder, and its report
Classifier, Regressor, Segmenter         scikit-learn estimators on top of a model
SelfSupervised                           a scikit-learn transformer that pretrains
Forecaster, backtest                     forecasts with quantiles, and their errors
Imputer                                  missing values filled in, with intervals
AnomalyDetector, detect                  anomaly scores of recordings
StreamMonitor, Stream, StreamError       embeddings and alarms timepoint by timepoint
serve                                    saved folders behind an address
open_studio                              a page on which series are looked at and labelled
======================================== ======================================================

Names are loaded when they are first used, so that ``import selftime`` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; at run time __getattr__ finds the same names
    from selftime.data.packing import pack as pack
    from selftime.data.readers import read as read
    from selftime.data.samples import sample as sample
    from selftime.data.samples import samples as samples
    from selftime.data.series import SeriesError as SeriesError
    from selftime.data.series import SeriesSet as SeriesSet
    from selftime.data.splits import hold_out as hold_out
    from selftime.data.store import verify_store as verify_store
    from selftime.data.windows import windows as windows
    from selftime.data.writers import write as write
    from selftime.data.writers import write_table as write_table
    from selftime.encoders.streaming.base import StreamError as StreamError
    from selftime.engine.adaptation import adapt as adapt
    from selftime.engine.choices import Auto as Auto
    from selftime.engine.embeddings import embed as embed
    from selftime.engine.model import Model as Model
    from selftime.engine.model import ModelError as ModelError
    from selftime.engine.pretrain import pretrain as pretrain
    from selftime.engine.ray_cluster import Ray as Ray
    from selftime.engine.streaming.stream import Stream as Stream
    from selftime.engine.training.config import TrainingConfig as TrainingConfig
    from selftime.engine.training.run_folder import Run as Run
    from selftime.engine.training.run_folder import RunError as RunError
    from selftime.estimators import AnomalyDetector as AnomalyDetector
    from selftime.estimators import Classifier as Classifier
    from selftime.estimators import Forecaster as Forecaster
    from selftime.estimators import Imputer as Imputer
    from selftime.estimators import Regressor as Regressor
    from selftime.estimators import Segmenter as Segmenter
    from selftime.estimators import SelfSupervised as SelfSupervised
    from selftime.estimators import StreamMonitor as StreamMonitor
    from selftime.estimators.export import export as export
    from selftime.estimators.loading import load as load
    from selftime.estimators.tables import predict as predict
    from selftime.report.folder import RunFolder as RunFolder
    from selftime.report.folder import read_run as read_run
    from selftime.report.folder import write_comparison as write_comparison
    from selftime.report.inspection import inspect as inspect
    from selftime.report.methods import methods as methods
    from selftime.report.pictures.plot import plot as plot
    from selftime.serving.server import serve as serve
    from selftime.studio.server import open_studio as open_studio
    from selftime.tasks.anomaly.detect import detect as detect
    from selftime.tasks.audit.views import inspect_views as inspect_views
    from selftime.tasks.clusters.cluster import cluster as cluster
    from selftime.tasks.clusters.states import states as states
    from selftime.tasks.comparison.compare import compare as compare
    from selftime.tasks.comparison.leaks import find_leaks as find_leaks
    from selftime.tasks.evaluation.evaluation import Evaluation as Evaluation
    from selftime.tasks.evaluation.evaluation import evaluate as evaluate
    from selftime.tasks.forecasting.backtest import backtest as backtest
    from selftime.tasks.language.prediction import continue_text as continue_text
    from selftime.tasks.language.prediction import fill_text as fill_text
    from selftime.tasks.language.prediction import perplexity as perplexity
    from selftime.tasks.search.index import SeriesIndex as SeriesIndex
    from selftime.tasks.selection.pick import pick as pick
    from selftime.tasks.selection.race import race as race
    from selftime.tasks.selection.suggest import suggest as suggest
    from selftime.tasks.transfer.choose import advise as advise

    __version__: str

_HOMES = {
    "read": "data.readers",
    "write": "data.writers",
    "write_table": "data.writers",
    "pack": "data.packing",
    "verify_store": "data.store",
    "inspect": "report.inspection",
    "SeriesSet": "data.series",
    "SeriesError": "data.series",
    "windows": "data.windows",
    "hold_out": "data.splits",
    "sample": "data.samples",
    "samples": "data.samples",
    "pretrain": "engine.pretrain",
    "Run": "engine.training.run_folder",
    "RunError": "engine.training.run_folder",
    "load": "estimators.loading",
    "serve": "serving.server",
    "open_studio": "studio.server",
    "export": "estimators.export",
    "predict": "estimators.tables",
    "Ray": "engine.ray_cluster",
    "embed": "engine.embeddings",
    "Model": "engine.model",
    "ModelError": "engine.model",
    "Stream": "engine.streaming.stream",
    "StreamError": "encoders.streaming.base",
    "Auto": "engine.choices",
    "TrainingConfig": "engine.training.config",
    "adapt": "engine.adaptation",
    "compare": "tasks.comparison.compare",
    "write_comparison": "report.folder",
    "read_run": "report.folder",
    "RunFolder": "report.folder",
    "evaluate": "tasks.evaluation.evaluation",
    "Evaluation": "tasks.evaluation.evaluation",
    "find_leaks": "tasks.comparison.leaks",
    "advise": "tasks.transfer.choose",
    "detect": "tasks.anomaly.detect",
    "backtest": "tasks.forecasting.backtest",
    "inspect_views": "tasks.audit.views",
    "perplexity": "tasks.language.prediction",
    "continue_text": "tasks.language.prediction",
    "fill_text": "tasks.language.prediction",
    "race": "tasks.selection.race",
    "pick": "tasks.selection.pick",
    "suggest": "tasks.selection.suggest",
    "SeriesIndex": "tasks.search.index",
    "cluster": "tasks.clusters.cluster",
    "states": "tasks.clusters.states",
    "methods": "report.methods",
    "plot": "report.pictures.plot",
    "AnomalyDetector": "estimators",
    "Classifier": "estimators",
    "Regressor": "estimators",
    "Segmenter": "estimators",
    "Forecaster": "estimators",
    "Imputer": "estimators",
    "SelfSupervised": "estimators",
    "StreamMonitor": "estimators",
}
"""The module of each public name."""

__all__ = [*_HOMES, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    """A public name, loaded on first use and kept (PEP 562)."""
    if name == "__version__":
        value: Any = import_module("importlib.metadata").version("selftime")
    elif name in _HOMES:
        value = getattr(import_module(f"selftime.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'selftime' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
