"""Checkpoints: the whole state of a run, written whole or not at all, without pickle."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save_file
from torch import Tensor

from selftime.data.files import remove_folder, whole_folder
from selftime.data.storage import read_stored, with_checksum
from selftime.door import tell

_KEPT = 2
"""Newest checkpoints that are kept."""
NAME = "step-"


class State(NamedTuple):
    """A run after a step: named weights, averages and moments; plain values such as the step."""

    tensors: dict[str, Tensor]
    facts: dict[str, Any]


class CheckpointError(ValueError):
    """A checkpoint that cannot be used: the message says why and what to do."""


def save_checkpoint(folder: Path, state: State) -> Path:
    """Write a checkpoint beside the others, then remove all but the newest :data:`_KEPT`.

    A process that dies at any moment leaves the whole checkpoint or none, and those before it.
    """
    target = folder / f"{NAME}{state.facts['step']:09d}"
    tensors = {name: tensor.contiguous() for name, tensor in state.tensors.items()}
    with whole_folder(target, overwrite=True) as draft:
        save_file(tensors, draft / "state.safetensors")
        facts = with_checksum(state.facts, draft / "state.safetensors")
        (draft / "state.json").write_text(json.dumps(facts, indent=1) + "\n")
    for old in complete_checkpoints(folder)[:-_KEPT]:
        remove_folder(old)
    return target


def complete_checkpoints(folder: Path) -> list[Path]:
    """Return whole checkpoints, oldest first."""
    return sorted(path for path in folder.glob(f"{NAME}*") if (path / "state.json").is_file())


def newest_checkpoint(folder: Path) -> State | None:
    """Return the newest checkpoint that is as it was written, or None where there is none.

    Those that are not are passed over, which is said. Where that is so of all of them it is a
    :class:`CheckpointError`.
    """
    found, notes = complete_checkpoints(folder), list[str]()
    for path in reversed(found):
        try:
            facts, tensors = read_stored(path / "state.json", path / "state.safetensors")
            if path.name != f"{NAME}{facts.get('step'):09d}":
                raise ValueError(f"it says step {facts.get('step')}")
        except (ValueError, TypeError) as error:
            notes.append(f"{path} is damaged ({error}): the checkpoint before it is used")
            continue
        tell(notes)
        return State(tensors, facts)
    if found:
        raise CheckpointError(f"{folder}: none of {len(found)} checkpoints can be read: begin anew")
    return None
