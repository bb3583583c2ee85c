"""``selftime compare``: what a model is worth beside the reference rows."""

import time
from pathlib import Path
from typing import Any, NamedTuple

from selftime.cli import terminal
from selftime.cli.evaluating import judged_at_most, write_evaluation
from selftime.cli.learning import learned, run_of, write_run
from selftime.cli.lesson import Lesson
from selftime.cli.outputs import (
    COMPARISON,
    EVALUATION,
    RUN,
    STRATEGIES,
    check_folder,
    whole_folder,
    write_json,
)
from selftime.cli.reporting import REPORT, write_report
from selftime.cli.sources import Reader
from selftime.data.series import SeriesSet
from selftime.engine.model import Model, load
from selftime.report.curves import label_efficiency
from selftime.report.maps import embedding_map
from selftime.report.palette import save_picture
from selftime.report.strategies import strategies_of
from selftime.report.tables import comparison_table
from selftime.tasks import compare as tasks
from selftime.tasks.compare import Budget, Comparison, check_labels
from selftime.tasks.recorded import recorded


class Contest(NamedTuple):
    """What is to be compared.

    Attributes:
        train: where the labelled series to draw from are.
        test: where the labelled series to be judged on are.
        model: model folder or run folder; None learns one on train.
        budgets: labels a class.
        draws: how often labels are drawn.
        seed: of the learning.
        strategies: further ways to use the model.
    """

    train: str
    test: str
    model: str | None
    budgets: tuple[Budget, ...]
    draws: int
    seed: int
    strategies: tuple[str, ...]


def budgets_in(text: str) -> tuple[Budget, ...]:
    """Labels a class, shares and all from ``1,2,5,10%,all``, each once, in the order given.

    Raises:
        ValueError: neither a positive number, nor a share of up to 100 %, nor "all".
    """
    words = [word.strip() for word in text.split(",")]
    try:
        return tuple(dict.fromkeys(budget_in(word) for word in words))
    except ValueError:
        raise ValueError(
            f"got --labels {text!r}, wanted numbers, shares or all, such as 1,2,5,10%,all"
        ) from None


def words_in(text: str) -> tuple[str, ...]:
    """Words between commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def budget_in(word: str) -> Budget:
    """One of them.

    Raises:
        ValueError: it is none.
    """
    if word in ("all", "100%"):
        return None
    if word.endswith("%"):
        share = float(word[:-1]) / 100
        if not 0 < share < 1:
            raise ValueError(word)
        return share
    if not word.isdecimal() or int(word) < 1:
        raise ValueError(word)
    return int(word)


def compare(contest: Contest, read: Reader, *, out: str | None, force: bool, as_json: bool) -> None:
    """Print the comparison; write it, its pictures and a newly learned model to a folder."""
    if out:
        check_folder(Path(out), force=force)
    train, test = read(contest.train), read(contest.test)
    check_labels(train, test)
    with terminal.progress() as told:
        start = time.perf_counter()
        order = Lesson(contest.train, seed=contest.seed)
        model = load(contest.model) if contest.model else learned(train, order, told)
        seconds = None if contest.model else time.perf_counter() - start
        comparison = tasks.compare(
            model,
            train,
            test,
            budgets=contest.budgets,
            draws=contest.draws,
            strategies=contest.strategies,
            progress=told,
        )
    result, lines = told_of(comparison)
    if out:
        with whole_folder(Path(out), force=force) as folder:
            write_comparison(folder, comparison, model, test, title=f"{contest.test}: few labels")
            run = run_of(model, order, "compare", seconds)
            if contest.model:
                write_json(folder / RUN, run)
            else:
                write_run(folder, model, run)
            judged = judged_at_most(model, train, test, contest.budgets)
            write_evaluation(folder / EVALUATION, judged, (contest.train, contest.test))
            write_report(folder, model, test, run, comparison, judged)
        lines.append(f"Report: {Path(out) / REPORT}; pictures and figures beside it")
    terminal.show(result, *lines, as_json=as_json)


def told_of(comparison: Comparison) -> tuple[dict[str, Any], list[Any]]:
    """A comparison as plain values, and as a table with the verdict beneath it."""
    return comparison.to_dict(), [comparison_table(comparison), *comparison.verdict()]


def write_comparison(
    folder: Path, comparison: Comparison, model: Model, test: SeriesSet, *, title: str
) -> None:
    """``comparison.json`` and the pictures."""
    write_json(folder / COMPARISON, recorded(comparison))
    if ways := strategies_of(comparison):
        write_json(folder / STRATEGIES, ways)
    save_picture(label_efficiency(comparison, title=title), folder / "few-labels.png")
    alike = "Series that the model finds alike lie side by side"
    save_picture(embedding_map(model.embed(test), test, title=alike), folder / "map.png")
