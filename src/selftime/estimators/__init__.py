"""The door for scikit-learn: representations in pipelines, and what is done with them.

Every estimator takes whatever :func:`selftime.read` takes. A 2-D array holds one-channel series,
and as everywhere in scikit-learn its width is fixed by ``fit``; series of other lengths come as a
list of arrays or as an array (N,C,T). NaN means missing.
"""

from selftime.estimators.classifier import Classifier
from selftime.estimators.detector import AnomalyDetector
from selftime.estimators.forecaster import Forecaster
from selftime.estimators.imputer import Imputer
from selftime.estimators.monitor import StreamMonitor
from selftime.estimators.regressor import Regressor
from selftime.estimators.segmenter import Segmenter
from selftime.estimators.transformer import SelfSupervised

__all__ = [
    "AnomalyDetector",
    "Classifier",
    "Forecaster",
    "Imputer",
    "Regressor",
    "Segmenter",
    "SelfSupervised",
    "StreamMonitor",
]
