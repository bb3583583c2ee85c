"""Checkpoints: the whole state of a run, written whole or not at all, without pickle."""

import json
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

from safetensors.torch import load_file, save_file
from torch import Tensor

KEPT = 2
"""Newest checkpoints that are kept."""
NAME, DRAFT = "step-", ".draft-"


class State(NamedTuple):
    """What a run is after a step.

    Attributes:
        tensors: weights, their averages, moments of the optimiser; by name.
        facts: step, seconds, steps in the averages; plain values.
    """

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: the message says why and what to do."""


def save(folder: Path, state: State) -> Path:
    """Write a checkpoint beside the others, then remove all but the newest :data:`KEPT`.

    It is written to a draft folder, brought to disk, and renamed: a process or machine that dies
    at any moment leaves either the whole checkpoint or none, and the one before untouched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{NAME}{state.facts['step']:09d}"
    draft = Path(mkdtemp(prefix=DRAFT, dir=folder))
    try:
        save_file(
            {k: t.contiguous() for k, t in state.tensors.items()}, draft / "state.safetensors"
        )
        (draft / "state.json").write_text(json.dumps(state.facts, indent=1) + "\n")
        for path in (*draft.iterdir(), draft):
            _to_disk(path)
        _remove(target)
        draft.rename(target)
        _to_disk(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    for old in finished(folder)[:-KEPT]:
        _remove(old)
    return target


def _remove(path: Path) -> None:
    """Renamed to a draft first: one that is half removed is never taken for a whole one."""
    draft = path.with_name(f"{DRAFT}{path.name}")
    shutil.rmtree(draft, ignore_errors=True)
    if path.exists():
        path.rename(draft)
        shutil.rmtree(draft, ignore_errors=True)


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def finished(folder: Path) -> list[Path]:
    """Whole checkpoints, oldest first."""
    return sorted(path for path in folder.glob(f"{NAME}*") if (path / "state.json").is_file())


def sweep(folder: Path) -> None:
    """Remove drafts that a killed process left."""
    for draft in folder.glob(f"{DRAFT}*"):
        shutil.rmtree(draft, ignore_errors=True)


def newest(folder: Path) -> State | None:
    """The newest checkpoint that can be read, or None where there is none.

    Raises:
        CheckpointError: there are some, but none can be read.
    """
    found = finished(folder)
    for path in reversed(found):
        try:
            facts = json.loads((path / "state.json").read_text())
            return State(load_file(path / "state.safetensors"), facts)
        except Exception:  # noqa: BLE001, S112 - a damaged disk: try the one before
            continue
    if found:
        raise CheckpointError(f"{folder}: none of {len(found)} checkpoints can be read: begin anew")
    return None
