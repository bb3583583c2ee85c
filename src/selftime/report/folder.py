"""Run folders: read every figure back from their files, write their page, write comparisons."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from selftime.data.files import place_of, restore, write_json, write_text
from selftime.data.readers import read
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements, Signal
from selftime.engine.guesses import Guesses, read_guesses
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.engine.monitoring.monitors import MONITORS
from selftime.engine.training.run_folder import (
    COMPARISON,
    EVALUATION,
    GUESSES,
    MODEL,
    RACE,
    REPORT,
    RUN_FILE,
    STRATEGIES,
    Complete,
    fresh_run,
    metrics_in,
    run_record,
    write_finished,
)
from selftime.engine.training.trainer import StepRecord
from selftime.report.page.content import Content
from selftime.report.page.evaluation import evaluation_section
from selftime.report.page.page import settings_of_run, write_page
from selftime.report.page.results import results_section, strategies_of
from selftime.report.pictures.curves import label_efficiency
from selftime.report.pictures.maps import embedding_map
from selftime.report.pictures.palette import save_picture
from selftime.report.places import check_same, claim_folder, json_in
from selftime.report.tables import (
    comparison_tables,
    evaluation_tables,
    finishes_table,
    metrics_table,
    plain_table,
    strategies_table,
)
from selftime.tasks.comparison.compare import (
    Comparison,
    Shots,
    comparison_from_dict,
    comparison_to_dict,
)
from selftime.tasks.evaluation.evaluation import Evaluation, evaluate_shots
from selftime.views import registry
from selftime.views.masks import RandomMask, hidden
from selftime.views.mild import View

FILES = {
    "run": RUN_FILE,
    "race": RACE,
    "comparison": COMPARISON,
    "strategies": STRATEGIES,
    "evaluation": EVALUATION,
}
"""JSON files of a folder by content; beside them lie metrics, model, page and pictures."""
BARE = (
    "This page was made anew from the files of its folder alone, which do not hold the series: map "
    "and views are left out. “selftime report” draws them with --test, or --train for a run."
)
NO_MODEL = "The map is left out: the folder holds no model to place the series with."
ACROSS = ("channel_dropout", "rotate")
"""Views that change nothing in a single channel; all others are in every gallery."""


def read_run(path: str | os.PathLike[str]) -> "RunFolder":
    """Read every figure of a run back from its files.

    Example:
        >>> import tempfile
        >>> import selftime as st
        >>> here = tempfile.TemporaryDirectory()
        >>> folder = here.name + "/run"
        >>> series = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(series, encoder="quantiles", run=folder)
        >>> run = st.read_run(folder)
        >>> run.run["settings"]["encoder"]["value"]
        'quantiles'
        >>> here.cleanup()

    Args:
        path: folder of :func:`selftime.pretrain`, :func:`selftime.race` or a comparison, or the
            file of an evaluation.

    Raises:
        ValueError: there are no such files, or they are of a run that was not finished.
    """
    source = place_of(path)
    restore(source)
    if source.is_file():
        content = json_in(source)
        files = {"run": content.pop("run", {}), "evaluation": content}
    else:
        files = _files_in(source)
    if not files.get("run"):
        raise ValueError(
            f"{source} does not say what was run: name the folder of a run or a comparison "
            f"(with {RUN_FILE}), or what classify wrote beside its predictions"
        )
    if files["run"].get("status") != "finished":
        raise ValueError(
            f"{source} holds a run that was not finished: go on with it first, --resume"
        )
    return RunFolder(
        path=source, files={name: content for name, content in files.items() if content}
    )


def _files_in(folder: Path) -> dict[str, dict[str, Any]]:
    return {name: json_in(folder / file) for name, file in FILES.items()}


def add_page(train: Any) -> Complete:
    """Return what writes the page of a run into its folder before the run counts as finished.

    ``train`` are the series that it learned from.
    """

    def complete(folder: Path, model: Model, record: dict[str, Any]) -> None:
        files = {name: content for name, content in _files_in(folder).items() if content}
        run = RunFolder(path=folder, files=files | {"run": record})
        run.write_report(train=train, model=model, overwrite=True)

    return complete


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RunFolder:
    """The figures of a run, read from its files; made by :func:`selftime.read_run`.

    Example:
        >>> import tempfile
        >>> import selftime as st
        >>> here = tempfile.TemporaryDirectory()
        >>> folder = here.name + "/run"
        >>> series = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(series, encoder="quantiles", run=folder)
        >>> run = st.read_run(folder)
        >>> run.write_report(train=series).name
        'report.html'
        >>> here.cleanup()

    Attributes:
        path: of the folder, or of the file of an evaluation.
        files: contents of those of :data:`FILES` that are there, under the same names.
    """

    path: Path
    files: dict[str, dict[str, Any]]

    def __repr__(self) -> str:
        status = self.run.get("status", "not begun")
        return f"RunFolder({str(self.path)!r}, {status}: {', '.join(self.files)})"

    @property
    def run(self) -> dict[str, Any]:
        """Settings with their reasons, data, seed and versions."""
        return self.files["run"]

    @cached_property
    def metrics(self) -> list[StepRecord]:
        """One record per optimiser step; none for a closed form."""
        return metrics_in(self.path) if self.path.is_dir() else []

    @cached_property
    def guesses(self) -> Guesses | None:
        """A few series with what was hidden of them and guessed; of masked objectives."""
        return read_guesses(self.path / GUESSES)

    @cached_property
    def comparison(self) -> Comparison | None:
        """The model beside reference rows; None if it was not compared."""
        content = self.files.get("comparison")
        return comparison_from_dict(content) if content else None

    @cached_property
    def evaluation(self) -> Evaluation | None:
        """The evaluation of a classifier; None if there was none."""
        content = self.files.get("evaluation")
        return Evaluation.from_dict(content) if content else None

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain values, without each case's hits in a comparison."""
        shown = {
            name: {key: value for key, value in content.items() if key != "hits"}
            for name, content in self.files.items()
        }
        return shown | ({"metrics": self.metrics} if self.metrics else {})

    def tables(self) -> list[Any]:
        """Return all figures as lines and tables for a terminal."""
        run, race = self.run, self.files.get("race")
        seconds = run.get("seconds")
        took = ", the model was there before" if seconds is None else f", {seconds:g} s of learning"
        out: list[Any] = [
            f"selftime {run['command']}, seed {run['seed']}{took}",
            plain_table(("setting", "value", "reason"), settings_of_run(run)),
        ]
        if race:
            out += [finishes_table(race["finishes"]), race["verdict"]]
        if self.metrics:
            out.append(metrics_table(self.metrics))
        if self.comparison:
            out += comparison_tables(self.comparison)
        if strategies := self.files.get("strategies"):
            out.append(strategies_table(strategies))
        return out + (evaluation_tables(self.evaluation) if self.evaluation else [])

    @property
    def page(self) -> Path:
        """The path of the page, whether it is there or not."""
        return self.path.with_suffix(".html") if self.path.is_file() else self.path / REPORT

    def write_report(
        self,
        *,
        train: Any = None,
        test: Any = None,
        model: ModelOrFolder | None = None,
        out: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
    ) -> Path:
        """Write the page of the run, and return where it is.

        Files hold a few series at most: what is drawn of all of them needs them again.

        Args:
            train: the labelled series, or those that the run learned from, whatever
                :func:`selftime.read` takes.
            test: the test series.
            model: or its folder, places series on the map; the one in the folder when None.
            out: the page; beside the files when None.
            overwrite: replace a page that stands there.

        Raises:
            FileExistsError: a page stands there and may not be replaced.
            ValueError: other series than the files are about.
        """
        target = place_of(out) if out else self.page
        if target.exists() and not overwrite:
            raise FileExistsError(f"{target} exists: choose another --out, or --force")
        given = {"train": train, "test": test}
        series = {name: self._same(name, x) for name, x in given.items() if x is not None}
        shown = series.get("test", series.get("train"))
        if model is None and shown is not None and (self.path / MODEL).is_dir():
            model = self.path
        return write_page(
            target, self._content(shown, None if model is None else model_at(model), series)
        )

    def _same(self, name: str, x: Any) -> SeriesSet:
        """Read series, and check that they are those of the files."""
        series, judged = read(x), self.files.get("evaluation", {})
        known = judged if judged.get("train") else {"train": self.run.get("data", {})}
        check_same(series, known.get(name) or {}, f"--{name}", self.path)
        return series

    def _content(
        self, shown: SeriesSet | None, model: Model | None, series: Mapping[str, SeriesSet]
    ) -> Content:
        left_out = [BARE] if shown is None else [NO_MODEL] if model is None else []
        kind = shown.kind if shown else Measurements()
        return Content(
            run=self.run,
            series=shown,
            vectors=model.embed(shown) if model and shown is not None else None,
            metrics=self.metrics,
            monitor_ranges={name: (g.low, g.high, g.about) for name, g in MONITORS.items()},
            warnings=[
                {"step": record["step"], "monitor": one["monitor"], "message": one["message"]}
                for record in self.metrics
                for one in record.get("warnings", ())
            ],
            guesses=self.guesses,
            views={"learned from": view_of(self.run["settings"], kind)}
            | views_for(kind, shown.n_channels if shown else 1),
            comparison=self.comparison,
            strategies=self.files.get("strategies", {}),
            evaluation=self.evaluation,
            judged_on=(series["train"], series["test"]) if len(series) == 2 else None,
            left_out=left_out,
        )


SIMILAR = "Series that the model finds similar lie side by side"


def _most_shots(labels_per_class: Sequence[Shots]) -> Shots:
    """Return the most labels per class of a comparison: all of them, or the highest number."""
    counts = [shots for shots in labels_per_class if shots is not None]
    return max(counts) if len(counts) == len(labels_per_class) else None


def write_comparison(  # noqa: PLR0913 - a front door: each is one thing that people decide
    folder: str | os.PathLike[str],
    comparison: Comparison,
    *,
    train: Any,
    test: Any,
    command: str = "compare",
    title: str | None = None,
    pictures: Mapping[str, Figure] | None = None,
    save_model: bool = True,
    overwrite: bool = False,
) -> RunFolder:
    """Write a comparison with its figures, pictures, page and model to a folder, whole or not.

    Example:
        >>> import tempfile, numpy as np, selftime as st
        >>> from selftime.tasks.comparison.compare import Comparison
        >>> train = st.sample("JapaneseVowels", "train")[::9]
        >>> model = st.pretrain(train, encoder="quantiles")
        >>> right = np.ones((1, 30), bool)  # worked out by st.compare, in a minute
        >>> hits = dict.fromkeys(("selftime", "untrained encoder", "raw values"), {1: right})
        >>> found = Comparison((1,), hits, {1: 9}, model=model)
        >>> here = tempfile.TemporaryDirectory()
        >>> st.write_comparison(here.name + "/it", found, train=train, test=train).page.name
        'report.html'
        >>> here.cleanup()

    Args:
        folder: the new folder.
        comparison: the result of :func:`selftime.compare`.
        train: the labelled series that it drew from.
        test: the test series.
        command: the command that made it.
        title: of the picture of accuracies.
        pictures: further ones by the names of their files.
        save_model: write the model too.
        overwrite: replace a run that stands there.

    Raises:
        FileExistsError: something stands there that may not be replaced.
        BlockingIOError: another process writes there.
        ValueError: the comparison has no model.
    """
    model, train, test = comparison.model, read(train), read(test)
    if model is None:
        raise ValueError("got a comparison without its model: compare again")
    claimed = claim_folder(place_of(folder), overwrite=overwrite)
    with claimed, fresh_run(place_of(folder)) as fresh:
        found = evaluate_shots(model, train, test, shots=_most_shots(comparison.labels_per_class))
        record = run_record(model.card, command=command, source=train.source)
        write_json(fresh / COMPARISON, comparison_to_dict(comparison))
        if strategies := strategies_of(comparison):
            write_json(fresh / STRATEGIES, strategies)
        found.save(fresh / EVALUATION)
        if save_model:
            model.save(fresh / MODEL)
            _add_results(fresh / MODEL, comparison, found)
        write_finished(fresh, record if save_model else record | {"seconds": None})
        title = title or f"{test.source or 'Test series'}: few labels"
        drawn = {
            "few-labels.png": label_efficiency(comparison, title=title),
            "map.png": embedding_map(model.embed(test), test, title=SIMILAR),
        }
        for name, picture in {**drawn, **(pictures or {})}.items():
            save_picture(picture, fresh / name)
        read_run(fresh).write_report(train=train, test=test, model=model)
    return read_run(folder)


def _add_results(model_folder: Path, comparison: Comparison, found: Evaluation) -> None:
    """Add results to the card of a saved model."""
    card = model_folder / "README.md"
    parts = [card.read_text(encoding="utf8"), results_section(comparison)]
    write_text(card, "\n".join([*parts, evaluation_section(found)]))


def views_for(kind: Signal, channels: int) -> dict[str, View]:
    """Return the views of the gallery, beside the one that was learned from."""
    found = registry.views_for(kind)
    return {name: view for name, view in found.items() if channels > 1 or name not in ACROSS}


def view_of(settings: Mapping[str, Any], kind: Signal) -> View:
    """Return the view that the objective saw, by the settings of the run."""
    if "strength" in settings:
        return registry.view_of(kind, strength=float(settings["strength"]["value"]))
    if settings.get("objective", {}).get("value") == "ts2vec":
        return lambda x, rng: hidden(x, RandomMask()(x, rng))
    return registry.view_of(kind)
