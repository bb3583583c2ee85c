"""What a model has seen: fingerprints of the series it was pretrained on, kept in its folder.

They stand in a file of their own, which readers that do not know it pass over; a folder without
it was made before there were fingerprints, or somebody took it out.
"""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from selftime.data.fingerprints import Fingerprints

SEEN = "seen.safetensors"
"""The file in a model folder."""


def write_seen(folder: Path, fingerprints: Fingerprints | None) -> None:
    """Add the file to a model folder, if anything is known."""
    if fingerprints is not None:
        save_file({"fingerprints": np.ascontiguousarray(fingerprints)}, folder / SEEN)


def read_seen(folder: Path) -> Fingerprints | None:
    """The fingerprints in a model folder; None where it has none.

    Raises:
        ValueError: a damaged file, or one that holds something else.
    """
    path = folder / SEEN
    if not path.is_file():
        return None
    try:
        held = load_file(path)
    except Exception as error:  # safetensors raises several kinds
        raise ValueError(f"{SEEN} is damaged: {error}") from None
    found = held.get("fingerprints")
    if len(held) != 1 or found is None or found.dtype != np.int64 or found.ndim != 1:
        raise ValueError(f"{SEEN} holds {sorted(held)}, wanted fingerprints (any number,) of int64")
    return np.unique(found)
