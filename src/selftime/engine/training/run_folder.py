"""Run folders: the names of their files, ``run.json``, ``metrics.jsonl``, checkpoints, trackers."""

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from accelerate.state import PartialState
from accelerate.tracking import GeneralTracker, MLflowTracker, TensorBoardTracker
from accelerate.utils import is_mlflow_available, is_tensorboard_available

from selftime.data.files import (
    MARK,
    append_line,
    begin_successor,
    clear_successor,
    has_successor,
    install_successor,
    is_free,
    place_of,
    remove_folder,
    restore,
    successor_of,
    sweep,
    sweep_below,
    whole_folder,
    write_json,
    write_text,
)
from selftime.data.places import check_place, only_writer
from selftime.engine.training import checkpoint
from selftime.engine.training.trainer import Callback, StepRecord

RUN_FILE, METRICS, CHECKPOINTS, MODEL = "run.json", "metrics.jsonl", "checkpoints", "model"
"""Files of training: what the run was, a line a step, states to go on from, the model."""
RACE, CONTENDERS = "race.json", "contenders"
"""Files of a race: the ranking, and a run folder for each contender."""
COMPARISON, STRATEGIES, EVALUATION = "comparison.json", "strategies.json", "evaluation.json"
"""Files of a comparison: its figures, ways to use the model, an evaluated classifier."""
GUESSES = "guesses.npz"
"""Series of which an objective hid a part, and what it made of that."""
REPORT, PICTURES = "report.html", ("few-labels.png", "map.png", "overview.png")
"""The page that shows all of it, and pictures of a comparison."""
_JSON = (RUN_FILE, METRICS, RACE, COMPARISON, STRATEGIES, EVALUATION)
OWN = re.compile(
    rf"({CONTENDERS}/[^/]+/)?({'|'.join((*_JSON, GUESSES, REPORT, *PICTURES))}"
    rf"|{CHECKPOINTS}/step-.*|(tensorboard|mlflow)/.*"
    rf"|{MODEL}/((model|seen)\.safetensors|config\.json|README\.md))"
)
"""Paths of files that a run writes into its folder; others are the user's and stay there."""
ROOM = 32_000_000
"""Bytes that a run takes beside its weights, about: the model of a closed form, page, pictures."""
Complete = Callable[[Path, Any, dict[str, Any]], object]
"""Adds to the folder of a run, by its model and record, before the run counts as finished."""


class RunError(ValueError):
    """A run folder that cannot be used: the message says why and what to do.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> run = st.Run(folder="no-such-run", resume=True)
        >>> st.pretrain(x, objective="simclr", budget="2 steps", run=run)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        selftime...RunError: no-such-run is not a run folder: run.json is missing
    """


@dataclass(frozen=True, kw_only=True)
class Run:
    """A folder that keeps a run, and who is called with its steps.

    Example:
        >>> import tempfile, selftime as st
        >>> x, losses = st.sample("JapaneseVowels", "train")[:20], []
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = st.Run(folder=f"{folder}/run", log=lambda r: losses.append(r.get("loss")))
        ...     model = st.pretrain(x, objective="simclr", budget="2 steps", run=run)
        ...     sorted(path.name for path in run.folder.iterdir())
        ['checkpoints', 'metrics.jsonl', 'model', 'run.json']
        >>> len(losses)  # one before the first step, then one after each
        3

    Attributes:
        folder: holds ``run.json``, ``metrics.jsonl``, ``checkpoints/`` and ``model/``. Where it
            holds a run that was stopped, of the same data and settings, that run goes on.
        log: called with a record of every step.
        trackers: "tensorboard", "mlflow" or both; they receive every step too.
        how_to_resume: said to people when the run is stopped.
        resume: refuse to begin: there must be a run to go on with.
        overwrite: replace a run that stands in the folder, which stays until the new one is whole;
            files that no run writes stay for good.
        complete: adds what belongs to the run, such as a page, before it counts as finished.

    Raises:
        ValueError: a tracker that is unknown or not installed.
    """

    folder: Path
    log: Callback | None = None
    trackers: tuple[str, ...] = ()
    how_to_resume: str = "the same call goes on with it"
    resume: bool = False
    overwrite: bool = False
    complete: Complete | None = None
    _trackers: tuple["Tracker", ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", place_of(self.folder))
        object.__setattr__(self, "_trackers", tuple(Tracker(name) for name in self.trackers))

    @property
    def work(self) -> Path:
        """The folder in which the run is made: its own, or one beside it that will replace it."""
        return successor_of(self.folder) if has_successor(self.folder) else self.folder

    @property
    def checkpoints(self) -> Path:
        """Folder of the states."""
        return self.work / CHECKPOINTS

    def begin(self, facts: dict[str, Any]) -> checkpoint.State | None:
        """Make the folder, or return the state of the run of the same facts that stopped in it.

        Raises:
            RunError: the folder holds something else, a finished run, or one of other settings.
        """
        folder = begin_work(self.folder, overwrite=self.overwrite)
        if not self.resume and holds_nothing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            write_json(folder / RUN_FILE, {"status": "running"} | facts)
            return None
        self._check_same(facts)
        sweep(self.checkpoints)
        state = checkpoint.newest_checkpoint(self.checkpoints)
        step = state.facts["step"] if state else -1  # what was measured later is forgotten
        kept = [record for record in metrics_in(folder) if record["step"] <= step]
        lines = "".join(json.dumps(record) + "\n" for record in kept)
        write_text(folder / METRICS, lines)
        return state

    def check_at_once(self, facts: dict[str, Any]) -> None:
        """Check the folder before a run of one pass, which has no states to go on from.

        Raises:
            RunError: as :meth:`begin`, or the run was to go on.
        """
        if self.resume:
            raise RunError("--resume goes on with a run of steps: name its --objective")
        if self.overwrite and (self.folder / RUN_FILE).is_file():
            return
        if has_successor(self.folder) or not is_free(self.folder):
            self._check_same(facts)

    @contextmanager
    def finish(self, *, at_once: bool) -> Iterator[Path]:
        """Yield the folder to write the model and the finished record to; then all is in place.

        A run ``at_once`` fills a fresh one.
        """
        if at_once:
            with fresh_run(self.folder) as fresh:
                yield fresh
        else:
            yield self.work
            for tracker in self._trackers:
                tracker.close()  # before its folder is renamed
            put_in_place(self.folder)

    def _check_same(self, facts: dict[str, Any]) -> None:
        before = facts_in(self.work)
        if before.get("status") != "running":
            raise RunError(f"{self.folder} holds a finished run: load it, or choose another folder")
        for name, now in comparable_facts(facts).items():
            then = comparable_facts(before).get(name)
            if then != now:
                raise RunError(
                    f"{self.folder} holds a run with {name} {then}, this one has {now}: give the "
                    "same settings to go on with it, or choose another folder"
                )

    def record(self, step: StepRecord) -> None:
        """Add a step to ``metrics.jsonl`` and pass it on."""
        append_line(self.work / METRICS, json.dumps(step))
        if self.log:
            self.log(step)
        for tracker in self._trackers:
            tracker.log(step, self.work)


@contextmanager
def only_run(folder: Path, size: int = 0) -> Iterator[None]:
    """Be the only one who writes a run folder; what a killed process left there is put right.

    Args:
        folder: of the run.
        size: bytes that the run will take, about.

    Raises:
        BlockingIOError: another process writes there: which, and since when.
        OSError: it cannot be written, has too long a name, or its disk has no room.
    """
    check_place(folder, size)
    with only_writer(folder):
        restore(folder)
        put_in_place(folder)
        sweep(successor_of(folder).parent)
        for home in (folder, successor_of(folder)):
            sweep_below(home) if (home / RUN_FILE).is_file() else sweep(home)
        try:
            yield
        finally:
            put_in_place(folder)


@contextmanager
def fresh_run(folder: Path) -> Iterator[Path]:
    """Yield a fresh folder to fill, which replaces the run that stands there once it is whole."""
    with whole_folder(folder, overwrite=True, own=OWN) as fresh:
        yield fresh
        remove_folder(successor_of(folder))


def put_in_place(folder: Path) -> None:
    """Let a run that was made beside a folder, and is finished, take its place.

    One that was not begun is removed.
    """
    beside = successor_of(folder)
    if has_successor(folder) and status_in(beside) == "finished":
        install_successor(folder, OWN)
    elif has_successor(folder) and not (beside / RUN_FILE).is_file():
        remove_folder(beside)
    clear_successor(folder)


def begin_work(folder: Path, *, overwrite: bool) -> Path:
    """Return where a run is made: in its folder, or beside a run that it will replace.

    With ``overwrite`` it begins there, else it goes on where one was begun.
    """
    if overwrite and (folder / RUN_FILE).is_file():
        return begin_successor(folder)
    if overwrite:
        remove_folder(successor_of(folder))
    return successor_of(folder) if has_successor(folder) else folder


def holds_nothing(folder: Path) -> bool:
    """Return whether a run can begin in a folder."""
    return is_free(folder) or [path.name for path in folder.iterdir()] == [MARK]


def status_in(folder: Path) -> str:
    """Return how far the run of a folder is: running or finished; empty if there is none."""
    try:
        return str(facts_in(folder).get("status", ""))
    except (RunError, AttributeError, OSError):  # not a folder, or not of ours
        return ""


def run_record(card: dict[str, Any], *, command: str, source: str | None = None) -> dict[str, Any]:
    """Return the content of ``run.json`` but for its status, from the card of a model.

    ``command`` made the folder, such as "pretrain"; ``source`` names where the series came from.
    """
    settings = card.get("settings", {})
    return {
        "command": command,
        "seconds": card.get("figures", {}).get("seconds to learn"),
        "seed": settings.get("seed", {}).get("value"),
        "settings": settings,
        "data": ({"source": source} if source else {}) | card.get("data", {}),
        "versions": card.get("versions", {}),
    }


def as_finished(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a run that has just come to its end."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"status": "finished", "command": record.get("command"), "finished": now} | record


def write_finished(folder: Path, record: dict[str, Any]) -> None:
    """Write ``run.json`` of a run that has just come to its end."""
    write_json(folder / RUN_FILE, as_finished(record))


def comparable_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what must be equal for a run to go on: every setting, the data, the seed."""
    settings = {name: choice["value"] for name, choice in facts.get("settings", {}).items()}
    return {"data": facts.get("data", {}).get("fingerprint")} | settings


def facts_in(folder: Path) -> dict[str, Any]:
    """Read ``run.json``; one that is missing or cannot be read is a :class:`RunError`."""
    restore(folder)
    try:
        facts: dict[str, Any] = json.loads((folder / RUN_FILE).read_text(encoding="utf8"))
        return facts
    except FileNotFoundError:
        raise RunError(f"{folder} is not a run folder: {RUN_FILE} is missing") from None
    except ValueError as error:
        message = f"{folder / RUN_FILE} cannot be read ({error}): begin the run anew"
        raise RunError(message) from None


def metrics_in(folder: Path) -> list[StepRecord]:
    """Read every recorded step; a line that a killed process tore off is passed over."""
    path = folder / METRICS
    lines = path.read_text(encoding="utf8").splitlines() if path.is_file() else []
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


class Tracker:
    """Sends every step of a run to TensorBoard or MLflow, through accelerate.

    Events go to ``tensorboard/`` of the run; the store of "mlflow" is ``mlflow/``, or where
    MLFLOW_TRACKING_URI points.

    Raises:
        ValueError: a tracker that is unknown or not installed.
    """

    def __init__(self, name: str) -> None:
        available = {"tensorboard": is_tensorboard_available, "mlflow": is_mlflow_available}
        if name not in available:
            raise ValueError(f"got tracker {name!r}, wanted one of {', '.join(available)}")
        if not available[name]():
            raise ValueError(f"{name} is not installed: pip install 'selftime[track]'")
        self.name, self.is_local = name, "MLFLOW_TRACKING_URI" not in os.environ
        self.made: GeneralTracker | None = None

    def log(self, record: StepRecord, folder: Path) -> None:
        """Send a step; only then is there a tracker: a run begins in a folder of nothing else."""
        if self.made is None:
            self.made = start_tracker(self.name, folder)
        self.made.log(scalars(record), step=record["step"])

    def close(self) -> None:
        """Write what was sent, and end."""
        if self.made is not None:
            self.made.finish()
            self.made = None
            if self.is_local:  # the next run has a folder of its own
                os.environ.pop("MLFLOW_TRACKING_URI", None)


def start_tracker(name: str, folder: Path) -> GeneralTracker:
    """Return a tracker that writes already."""
    PartialState()  # trackers ask it whether they are the first process
    if name == "tensorboard":
        made = TensorBoardTracker(name, logging_dir=folder)
    else:
        if "MLFLOW_TRACKING_URI" not in os.environ:  # no server: files in the run folder
            os.environ["MLFLOW_TRACKING_URI"] = (folder / name).absolute().as_uri()
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        made = MLflowTracker("selftime")
    made.start()
    return made


def scalars(record: StepRecord) -> dict[str, float]:
    """Return the numbers of a step under flat names: loss, parts/instance, monitors/std."""
    flat = {name: value for name, value in record.items() if isinstance(value, float)}
    for group in ("parts", "monitors"):
        flat |= {f"{group}/{name}": value for name, value in record.get(group, {}).items()}
    return flat
