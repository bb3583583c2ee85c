"""The shelf: saved folders by name, opened anew where one was replaced."""

import time
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from selftime.data.files import place_of
from selftime.data.signals import Measurements, Signal
from selftime.engine.model import Model
from selftime.estimators.keeping import Kept
from selftime.estimators.loading import load
from selftime.texts import visible
from selftime.web.replies import Refusal

_CONFIGS = ("config.json", "model/config.json", "index.json")
"""Files that say what is in a folder: of a saved one, of a run, and of an index."""
Stamp = tuple[tuple[int, int, int] | None, ...]
"""When, where and how large the files that say what is in a folder are."""


@dataclass(frozen=True, eq=False)
class Served:
    """A saved folder that was opened.

    Attributes:
        name: by which requests ask for it.
        found: what it holds, a model or a fitted estimator.
        version: changes with the folder.
        since: when it was opened, seconds since 1970.
    """

    name: str
    found: Any
    version: str
    since: float = field(default_factory=time.time)

    @property
    def class_name(self) -> str:
        """The class of what it holds."""
        return type(self.found).__name__

    @property
    def model(self) -> Model | None:
        """The model in use, if there is one."""
        if isinstance(self.found, Model):
            return self.found
        name = "_used" if isinstance(self.found, Kept) else "model"  # of an index
        found: Model | None = getattr(self.found, name, None)
        return found

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels of series."""
        own = getattr(self.found, "channels_", None)
        return own if own is not None else () if self.model is None else self.model.channels

    @property
    def kind(self) -> Signal:
        """The kind of series that it reads."""
        return Measurements() if self.model is None else self.model.kind

    def facts(self) -> dict[str, Any]:
        """Return what it is, as plain values."""
        dim = None if self.model is None else self.model.dim
        facts = {"kind": self.class_name, "reads": self.kind.name, "channels": list(self.channels)}
        return facts | {"dim": dim, "version": self.version, "since": self.since}


class Shelf:
    """Folders by name. A folder that was replaced is opened by :meth:`refresh`.

    What was opened before serves until the new folder is open, and goes on where that cannot be.

    Args:
        folders: each a path, or ``name=path``; without a name that of the folder.

    Attributes:
        served: what is open, by name.
        errors: why the newest folder of a name is not open, by name.

    Raises:
        ValueError: no folder, two of one name, or one that cannot be opened.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        if not folders:
            raise ValueError("got no folder, wanted at least one that was saved")
        self.folders: dict[str, Path] = {}
        for given in folders:
            name, folder = name_and_folder(given)
            if name in self.folders:
                raise ValueError(f"got two folders named {name!r}: name them, such as b={folder}")
            self.folders[name] = folder
        self.served: dict[str, Served] = {}
        self.errors: dict[str, str] = {}
        self._stamps: dict[str, Stamp] = {}
        for name, folder in self.folders.items():
            self._stamps[name] = stamp_of(folder)
            self.served[name] = open_folder(name, folder)

    def get(self, name: str | None) -> Served:
        """Return what is open under a name; the only one there is where no name is given.

        Raises:
            Refusal: there is none of this name, or several to choose from.
        """
        names = ", ".join(list(self.served)[:20])
        if name is None and len(self.served) > 1:
            raise Refusal(422, f"got no model and several are here, wanted ?model= of: {names}")
        found = self.served.get(next(iter(self.served)) if name is None else name)
        if found is None:
            raise Refusal(404, f"got model {visible(str(name)[:60])!r}, wanted one of: {names}")
        return found

    def refresh(self) -> list[str]:
        """Open folders that were replaced; return the names of those that are open anew."""
        fresh = []
        for name, folder in self.folders.items():
            stamp = stamp_of(folder)
            if stamp == self._stamps[name]:
                continue
            self._stamps[name] = stamp
            try:
                self.served[name] = open_folder(name, folder)
            except (ValueError, OSError) as error:
                self.errors[name] = f"the folder was replaced, and the new one is not open: {error}"
            else:
                self.errors.pop(name, None)
                fresh.append(name)
        return fresh


def name_and_folder(given: str) -> tuple[str, Path]:
    """Return the name and the path of ``name=path``, or of a path alone.

    Example:
        >>> name_and_folder("words=runs/text")[0], name_and_folder("runs/speakers")[0]
        ('words', 'speakers')

    Raises:
        ValueError: a name with anything but letters, digits, dots, dashes and underscores.
    """
    name, mark, rest = given.partition("=")
    if not mark or place_of(given).exists():
        folder = place_of(given)
        return folder.resolve().name or "model", folder
    if not name or not all(letter.isalnum() or letter in "._-" for letter in name):
        raise ValueError(f"got the name {visible(name)!r}, wanted letters, digits, dots and dashes")
    return name, place_of(rest)


def open_folder(name: str, folder: Path) -> Served:
    """Open a saved folder."""
    version = version_of(folder)
    return Served(name, load(folder), version)


def version_of(folder: Path) -> str:
    """Return a short checksum of what the folder says is in it, tensors too."""
    found = 0
    for config in _CONFIGS:
        with suppress(OSError):
            found = zlib.crc32((folder / config).read_bytes(), found)
    return f"{found:08x}"


def stamp_of(folder: Path) -> Stamp:
    """Return when the files that say what is in a folder were written, None for each not there."""
    found: list[tuple[int, int, int] | None] = []
    for config in _CONFIGS:
        try:
            facts = (folder / config).stat()
        except OSError:
            found.append(None)
        else:
            found.append((facts.st_mtime_ns, facts.st_ino, facts.st_size))
    return tuple(found)
