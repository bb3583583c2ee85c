"""Run folders: the names of their files, and ``run.json``, ``metrics.jsonl`` and checkpoints."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from selftime.data.files import remove_folder, restore, sweep, write_json, write_text
from selftime.engine.training import checkpoint
from selftime.engine.training.trackers import Log as Log
from selftime.engine.training.trackers import tracker
from selftime.engine.training.trainer import StepRecord

RUN_FILE, METRICS, CHECKPOINTS, MODEL = "run.json", "metrics.jsonl", "checkpoints", "model"
"""What training writes: what the run was, a line a step, states to go on from, the model."""
RACE, CONTENDERS = "race.json", "contenders"
"""What a race adds: the ranking, and a run folder for each contender."""
COMPARISON, STRATEGIES, EVALUATION = "comparison.json", "strategies.json", "evaluation.json"
"""What a comparison adds: its figures, ways to use the model, a judged classifier."""
REPORT = "report.html"
"""The page that shows all of it."""


class RunError(ValueError):
    """A run folder that cannot be used: the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a run is kept, and who hears of its steps.

    Example:
        >>> run = st.Run(folder="my-run", trackers=("tensorboard",))
        >>> model = st.pretrain(series, objective="ts2vec", run=run)

    Attributes:
        folder: holds ``run.json``, ``metrics.jsonl``, ``checkpoints/`` and ``model/``. Where it
            holds a run that was stopped, of the same data and settings, that run goes on.
        log: called with a record of every step.
        trackers: "tensorboard", "mlflow" or both; they receive every step too.
        how_to_resume: said to people when the run is stopped.
        resume: refuse to begin: there must be a run to go on with.
        overwrite: remove a run that stands in the folder, once all settings were found good.

    Raises:
        ValueError: a tracker that is unknown or not installed.
    """

    folder: Path
    log: Log | None = None
    trackers: tuple[str, ...] = ()
    how_to_resume: str = "the same call goes on with it"
    resume: bool = False
    overwrite: bool = False
    _logs: tuple[Log, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        logs = [tracker(name, Path(self.folder)) for name in self.trackers]
        object.__setattr__(self, "folder", Path(self.folder))
        object.__setattr__(self, "_logs", (*([self.log] if self.log else []), *logs))

    @property
    def checkpoints(self) -> Path:
        """Folder of the states."""
        return self.folder / CHECKPOINTS

    def begin(self, facts: dict[str, Any]) -> checkpoint.State | None:
        """Make the folder, or take up the run that was stopped in it.

        Args:
            facts: settings, data and seed: what makes two runs the same.

        Returns:
            The state to go on from; None for a new run.

        Raises:
            RunError: the folder holds something else, a finished run, or one of other settings.
        """
        if self.overwrite and (self.folder / RUN_FILE).is_file():
            remove_folder(self.folder)
        if self._is_free() and not self.resume:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / RUN_FILE, {"status": "running"} | facts)
            return None
        self._check_same(facts)
        sweep(self.checkpoints)
        state = checkpoint.newest_checkpoint(self.checkpoints)
        self._rewind(state.facts["step"] if state else -1)
        return state

    def check_at_once(self, facts: dict[str, Any]) -> None:
        """Before a run of one pass, which has no states to go on from: nothing is in the way.

        Raises:
            RunError: as :meth:`begin`, or the run was to go on.
        """
        if self.resume:
            raise RunError("--resume goes on with a run of steps: name its --objective")
        if not self._is_free() and not (self.overwrite and (self.folder / RUN_FILE).is_file()):
            self._check_same(facts)

    def _is_free(self) -> bool:
        return not self.folder.exists() or not any(self.folder.iterdir())

    def _check_same(self, facts: dict[str, Any]) -> None:
        before = facts_in(self.folder)
        if before.get("status") != "running":
            raise RunError(f"{self.folder} holds a finished run: load it, or choose another folder")
        for name, now in comparable_facts(facts).items():
            then = comparable_facts(before).get(name)
            if then != now:
                raise RunError(
                    f"{self.folder} holds a run with {name} {then}, this one has {now}: give the "
                    "same settings to go on with it, or choose another folder"
                )

    def _rewind(self, step: int) -> None:
        """Forget what was measured after a step."""
        path = self.folder / METRICS
        kept = [record for record in metrics_in(self.folder) if record["step"] <= step]
        write_text(path, "".join(json.dumps(record) + "\n" for record in kept))

    def tell(self, record: StepRecord) -> None:
        """Add a step to ``metrics.jsonl`` and pass it on."""
        with (self.folder / METRICS).open("a", encoding="utf8") as file:
            file.write(json.dumps(record) + "\n")
        for log in self._logs:
            log(record)

    def finish(self, facts: dict[str, Any]) -> None:
        """Write what the run was, now that its model is there."""
        write_finished(self.folder, facts)


def run_record(card: dict[str, Any], *, command: str, source: str | None = None) -> dict[str, Any]:
    """Return what ``run.json`` says, whoever writes it, but for how far the run is.

    Args:
        card: of the model.
        command: that made the folder, such as "pretrain".
        source: where the series came from, if that has a name.
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
    """What must be equal for a run to go on: every setting, the data, the seed."""
    settings = {name: choice["value"] for name, choice in facts.get("settings", {}).items()}
    return {"data": facts.get("data", {}).get("fingerprint")} | settings


def facts_in(folder: Path) -> dict[str, Any]:
    """What ``run.json`` says.

    Raises:
        RunError: there is none, or it cannot be read.
    """
    restore(folder)
    try:
        facts: dict[str, Any] = json.loads((folder / RUN_FILE).read_text(encoding="utf8"))
        return facts
    except FileNotFoundError:
        raise RunError(f"{folder} is not a run folder: {RUN_FILE} is missing") from None
    except ValueError as error:
        raise RunError(
            f"{folder / RUN_FILE} cannot be read ({error}): begin the run anew"
        ) from None


def metrics_in(folder: Path) -> list[StepRecord]:
    """Every step that was measured; a line that a killed process tore off is passed over."""
    path = folder / METRICS
    lines = path.read_text(encoding="utf8").splitlines() if path.is_file() else []
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records
