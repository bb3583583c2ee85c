"""Plain values as JSON and tensors beside them: read within bounds, damage found by a checksum."""

import json
import os
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from selftime.data.files import place_of, restore
from selftime.data.records import read_values

_CHECKSUM = "crc32"
"""The key under which plain values hold the checksum of themselves and of the tensors."""
_FOR_PEOPLE = "card"
"""The key of what may be changed by hand: nothing is computed from it."""


def folder_at(path: str | os.PathLike[str]) -> Path:
    """Return the folder at a path, put back where a killed writer moved it away.

    Raises:
        OSError: it cannot be reached; one that is not there is no error yet.
        ValueError: what is no path.
    """
    folder = place_of(path)
    restore(folder)
    with suppress(FileNotFoundError, NotADirectoryError):
        os.stat(folder)
    return folder


def with_checksum(values: dict[str, Any], tensors: Path) -> dict[str, Any]:
    """Return plain values with a checksum of them (but the card) and of the file of tensors."""
    return values | {_CHECKSUM: _checksum_of(values, tensors)}


def read_stored(values: Path, tensors: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read plain values and the tensors beside them; those without a checksum are read as well.

    Raises:
        ValueError: a file that cannot be read, or that is not as it was written.
    """
    try:
        found = read_values(values)
        if not isinstance(found, dict):
            raise ValueError(f"{values.name} holds {type(found).__name__}, wanted names and values")
        checksum = found.pop(_CHECKSUM, None)
        if checksum not in (None, _checksum_of(found, tensors)):
            raise ValueError(f"{values.name} or {tensors.name} is not as it was written")
        return found, load_file(tensors)
    except Exception as error:  # json and safetensors raise several kinds
        raise ValueError(str(error) or type(error).__name__) from None


def _checksum_of(values: dict[str, Any], tensors: Path) -> str:
    counted = {k: v for k, v in values.items() if k not in (_CHECKSUM, _FOR_PEOPLE)}
    plain = json.loads(json.dumps(counted))
    found = zlib.crc32(json.dumps(plain, sort_keys=True).encode())
    with tensors.open("rb") as file:
        while block := file.read(1 << 20):
            found = zlib.crc32(block, found)
    return f"{found:08x}"
