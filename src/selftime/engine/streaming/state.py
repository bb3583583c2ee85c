"""The state of a stream as one file: safetensors with its facts as JSON in the header."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors import torch as safetensors

from selftime.data.files import write_file
from selftime.data.scaling import Scaling
from selftime.encoders.base import Encoder
from selftime.encoders.registry import recipe_of
from selftime.encoders.streaming.base import Memory, StreamError

_FORMAT = 1
"""Version of the file; raised whenever an older reader would misread a newer file."""
KEY = "selftime stream"
"""The key of the facts among the metadata."""
_MAX_STEPS = 2**53  # more than any stream has seen


def save_state(target: Path, memory: Memory, facts: dict[str, Any]) -> Path:
    """Write the state in one step."""
    tensors = {name: held.contiguous() for name, held in memory.items()}
    text = json.dumps({"format": _FORMAT, **facts})
    return write_file(target, safetensors.save(tensors, metadata={KEY: text}))


def restore_state(path: Path, memory: Memory, wanted: dict[str, Any]) -> int:
    """Fill ``memory`` from a file, all or nothing, and return how many steps it had seen.

    A missing or damaged file, or one of another stream, is a :class:`StreamError`.
    """
    if not path.is_file():
        raise StreamError(f"{path} is no file, wanted the state of a stream: save one first")
    try:
        with safe_open(path, framework="pt") as file:
            steps = _read_facts(file.metadata(), wanted, path)
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except StreamError:
        raise
    except Exception as error:  # safetensors and the system raise several kinds
        raise StreamError(f"{path} is damaged ({error}): begin the stream anew") from None
    _check_tensors(found, memory, path)
    for name, held in memory.items():
        held.copy_(found[name])
    return steps


def _read_facts(metadata: dict[str, str] | None, wanted: dict[str, Any], path: Path) -> int:
    """Return how many steps the stream had seen, if it is of the same model and options."""
    if not metadata or KEY not in metadata:
        raise StreamError(f"{path} is not the state of a stream: choose another file")
    facts = json.loads(metadata[KEY])
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise StreamError(f"{path} has another format, wanted {_FORMAT}: begin the stream anew")
    steps = facts.get("steps")
    if type(steps) is not int or not 0 <= steps < _MAX_STEPS:
        raise StreamError(f"{path} says {steps!r} steps, wanted a number: begin the stream anew")
    for name, value in wanted.items():
        if facts.get(name, ...) == value:
            continue
        if name == "model":
            raise StreamError(f"{path} is of another model: load the model it was saved with")
        raise StreamError(
            f"{path} was saved with {name}={facts.get(name)!r}, this stream has {value!r}: "
            "make the stream as it was made then"
        )
    return steps


def _check_tensors(found: Memory, memory: Memory, path: Path) -> None:
    """Check that the tensors are those that the stream has, and finite."""
    if set(found) != set(memory):
        raise StreamError(f"{path} holds other tensors than the stream has: begin the stream anew")
    for name, held in memory.items():
        got = found[name]
        if got.shape != held.shape or got.dtype != held.dtype:
            raise StreamError(
                f"{path}: got {name} {tuple(got.shape)} of {got.dtype}, wanted "
                f"{tuple(held.shape)} of {held.dtype}: begin the stream anew"
            )
        if not bool(got.isfinite().all()):
            raise StreamError(f"{path}: {name} holds NaN or infinity: begin the stream anew")


def fingerprint(encoder: Encoder, scaling: Scaling, channels: tuple[str, ...]) -> str:
    """Return a hash of all that a model computes with."""
    settings = [recipe_of(encoder), scaling.to_dict(), list(channels)]
    found = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        found.update(name.encode())
        raw = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
        found.update(raw.numpy().tobytes())
    return found.hexdigest()
