"""``export``: a model or a fitted estimator as one file for other programs."""

import os
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from selftime.engine.graphs import Exported, GraphError, Subject, Target, vectors_of, write_graph
from selftime.engine.model import Model
from selftime.estimators.inputs import TransferEstimator
from selftime.estimators.loading import load
from selftime.estimators.transformer import SelfSupervised
from selftime.objectives.supervised.targets import Amount
from selftime.tasks.transfer.solution_graphs import solution_graph


def export(
    model: Any,
    path: str | os.PathLike[str],
    *,
    to: Target = "onnx",
    length: int | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a model or a fitted estimator as one graph that other programs run.

    Raw 32-bit series (N,C,T) go in, NaN where a value is missing or a series has ended; vectors
    (N,D) of a model come out, probabilities (N,K) of a classifier, values (N,K) of a regressor,
    probabilities of every step (N,T,K) of a segmenter. Scaling and gaps are inside. There may be
    any number of series and, but for recurrent networks, of steps. The file is kept only if it
    gives what selftime gives, within 10⁻⁴ of the greatest number.

    Example:
        >>> import tempfile, selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:40]
        >>> model = st.pretrain(x, objective="simclr", budget="2 steps")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     made = st.export(model, f"{folder}/model.pt2", to="torch")
        >>> made.output, made.error < 1e-4
        ('vectors', True)

    Args:
        model: a model, a fitted :class:`selftime.Classifier`, :class:`selftime.Regressor`,
            :class:`selftime.Segmenter` or :class:`selftime.SelfSupervised`, or a folder of one.
        path: the file: .onnx, or .pt2 of torch.
        to: "onnx", which takes ``pip install 'selftime[export]'``, or "torch", which
            :func:`torch.export.load` reads.
        length: steps of the series it is tried on and timed with; all that a recurrent network
            then takes. None goes by the model.
        overwrite: replace a file that stands there.

    Raises:
        GraphError: nothing that can be exported, or a graph that differs.
        FileExistsError: the file exists and ``overwrite`` is False.
        ModelError: a folder that cannot be used.
    """
    found = load(model) if isinstance(model, str | os.PathLike) else model
    return write_graph(subject_of(found), path, to=to, length=length, overwrite=overwrite)


def subject_of(found: Any) -> Subject:
    """Return what becomes a graph of a model or a fitted estimator."""
    if isinstance(found, Model):
        return vectors_of(found)
    if isinstance(found, SelfSupervised):
        check_is_fitted(found)
        return vectors_of(found.model_)
    if not isinstance(found, TransferEstimator):
        raise GraphError(
            f"got {type(found).__name__}, wanted a model, a Classifier, Regressor, Segmenter or "
            "SelfSupervised: others look at more than single series"
        )
    check_is_fitted(found)
    solution = found.solution_
    is_value = isinstance(solution.target_type, Amount)
    classes = getattr(found, "classes_", None)
    facts = {} if classes is None else {"classes": np.asarray(classes).tolist()}
    output = "values" if is_value else "probabilities"
    graph = solution_graph(solution)
    return Subject(graph, output, solution.model, solution.probabilities, facts)
