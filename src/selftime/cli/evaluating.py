"""``evaluation.json``: a judged classifier as a file, with where its series came from."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selftime.cli.outputs import EVALUATION, write_rows
from selftime.cli.reporting import Judgement
from selftime.data.series import SeriesSet
from selftime.engine.model import Model
from selftime.tasks.compare import Budget
from selftime.tasks.evaluate import evaluate_budget


def beside(target: Path) -> Path:
    """Where the evaluation of predictions goes: ``predictions.evaluation.json``."""
    return target.with_name(f"{target.stem}.{EVALUATION}")


def judged_at_most(
    model: Model, train: SeriesSet, test: SeriesSet, budgets: Sequence[Budget]
) -> Judgement:
    """The model of a comparison judged with all labels, or with the most that it was given."""
    counts = [budget for budget in budgets if budget is not None]
    most = None if None in budgets else max(counts)
    return Judgement(evaluate_budget(model, train, test, budget=most), train, test)


def write_evaluation(
    target: Path,
    judged: Judgement,
    sources: tuple[str, str],
    *,
    run: dict[str, Any] | None = None,
) -> None:
    """Write the evaluation.

    Args:
        target: its file.
        judged: the evaluation and its series.
        sources: where training and test series came from.
        run: what the run was, where no ``run.json`` says it.
    """
    parts = {"train": judged.train, "test": judged.test}
    origin = {
        name: {"source": source, "fingerprint": series.fingerprint()}
        for (name, series), source in zip(parts.items(), sources, strict=True)
    }
    write_rows(target, ({"run": run} if run else {}) | origin | judged.found.to_dict())


def json_in(path: Path) -> dict[str, Any]:
    """What a file of ours says; nothing if it is not there.

    Raises:
        ValueError: it is not JSON, or no object.
    """
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise ValueError(f"{path} cannot be read ({error}): make it anew") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__}, wanted an object: make it anew")
    return content
