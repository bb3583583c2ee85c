"""The content of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesSet
from selftime.engine.guesses import Guesses
from selftime.report.page.results import Strategies
from selftime.tasks.comparison.compare import Comparison
from selftime.tasks.evaluation.evaluation import Evaluation
from selftime.views.mild import View


@dataclass(frozen=True, eq=False, kw_only=True)
class Content:
    """Everything that a report shows.

    Attributes:
        run: command, finished, seconds, seed, settings, data, versions.
        series: drawn in the map and the views, with labels or without; None without them.
        vectors: their embeddings, one each; None leaves the map out.
        metrics: one record a logged step of learning by gradient (step, seconds, loss, rate,
            parts, gradient_norm and, at some steps, monitors); empty for learning in one pass.
        monitor_ranges: by monitor: lower and upper end of its healthy range, which may be infinite,
            and one line on what it means.
        warnings: step, monitor and message of each warning, the message with a remedy.
        guesses: a few series with what was hidden of them and what was guessed; None of a method
            that hides nothing.
        views: by name, the one that the model learned from first.
        comparison: the model beside the reference rows; None when it was not compared.
        strategies: figures by strategy of using the model.
        evaluation: a classifier judged; None when none was.
        judged_on: the training and test series of the evaluation; None leaves them undrawn.
        left_out: sentences on the parts that the page lacks.

    Raises:
        ValueError: another number of vectors than series.
    """

    run: Mapping[str, Any]
    series: SeriesSet | None = None
    vectors: Float[np.ndarray, "N D"] | None = None
    metrics: Sequence[Mapping[str, Any]] = ()
    monitor_ranges: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)
    warnings: Sequence[Mapping[str, Any]] = ()
    guesses: Guesses | None = None
    views: Mapping[str, View] = field(default_factory=dict)
    comparison: Comparison | None = None
    strategies: Strategies = field(default_factory=dict)
    evaluation: Evaluation | None = None
    judged_on: tuple[SeriesSet, SeriesSet] | None = None
    left_out: Sequence[str] = ()

    def __post_init__(self) -> None:
        vectors = 0 if self.vectors is None else len(self.vectors)
        series = 0 if self.series is None else len(self.series)
        if vectors and vectors != series:
            raise ValueError(f"got {vectors} vectors for {series} series: one each is wanted")
