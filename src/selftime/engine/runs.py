"""Run folders: what a run was told, what it measured, its states and its model."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selftime.data.files import remove_folder, restore, sweep, write_json, write_text
from selftime.engine import checkpoint
from selftime.engine.training import Record

RUN, METRICS, CHECKPOINTS, MODEL = "run.json", "metrics.jsonl", "checkpoints", "model"

Log = Callable[[Record], None]
"""Told of every step of a gradient run, what is known of it."""


class RunError(ValueError):
    """A run folder that cannot be used: the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """Where a run is kept and who is told of it.

    Attributes:
        folder: holds ``run.json``, ``metrics.jsonl``, ``checkpoints/`` and ``model/``. Where it
            holds a run that was stopped, of the same data and settings, that run goes on.
        log: told of every step.
        how_to_resume: said to people when the run is stopped.
        anew: remove a run that stands in the folder, once all settings were found good.
    """

    folder: Path
    log: Log | None = None
    how_to_resume: str = "the same call goes on with it"
    anew: bool = False

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
        if self.anew and (self.folder / RUN).is_file():
            remove_folder(self.folder)
        if not self.folder.exists() or not any(self.folder.iterdir()):
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / RUN, {"status": "running"} | facts)
            return None
        self._check_same(facts)
        sweep(self.checkpoints)
        state = checkpoint.newest(self.checkpoints)
        self._rewind(state.facts["step"] if state else -1)
        return state

    def _check_same(self, facts: dict[str, Any]) -> None:
        before = facts_in(self.folder)
        if before.get("status") != "running":
            raise RunError(f"{self.folder} holds a finished run: load it, or choose another folder")
        for name, now in compared(facts).items():
            then = compared(before).get(name)
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

    def tell(self, record: Record) -> None:
        """Add a step to ``metrics.jsonl`` and pass it on."""
        with (self.folder / METRICS).open("a", encoding="utf8") as file:
            file.write(json.dumps(record) + "\n")
        if self.log:
            self.log(record)

    def finish(self, facts: dict[str, Any]) -> None:
        """Write what the run was, now that its model is there."""
        write_json(self.folder / RUN, {"status": "finished"} | facts)


def compared(facts: dict[str, Any]) -> dict[str, Any]:
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
        facts: dict[str, Any] = json.loads((folder / RUN).read_text(encoding="utf8"))
        return facts
    except FileNotFoundError:
        raise RunError(f"{folder} is not a run folder: {RUN} is missing") from None
    except ValueError as error:
        raise RunError(f"{folder / RUN} cannot be read ({error}): begin the run anew") from None


def metrics_in(folder: Path) -> list[Record]:
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
