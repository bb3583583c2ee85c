"""Shards: the rows of a store, written one span after another while it is made, and its index."""

import json
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from zipfile import BadZipFile

import numpy as np

from selftime.data.arrays import SeriesError
from selftime.data.channels import concatenate, match_channels, notes_of_all
from selftime.data.facts import Facts
from selftime.data.files import whole_file, write_file, write_rows, write_text
from selftime.data.fills import fill_notes
from selftime.data.formats.npz import arrays_of, encode_arrays, parts_beside_values
from selftime.data.memory import BLOCK
from selftime.data.parts import Portion, Whole, check_alike, join_in_memory, number_rows
from selftime.data.schema import Column
from selftime.data.series import SeriesSet
from selftime.data.store import (
    FORMAT,
    GROWING,
    INDEX,
    SHARDS,
    TEXTS,
    Shard,
    checksum_of,
    damage_in,
    open_array,
    path_of,
)
from selftime.door import option, tell
from selftime.progress import Progress

SHARD = 8 * BLOCK
"""Bytes of values in a shard, about: lost by a kill, and held in memory while packing."""


class _Facts(NamedTuple):
    """Facts of a shard that its arrays do not say.

    Attributes:
        rows, checksums: as in the index.
        parts: name, bytes and time of change of the file of each part in it.
        sizes: series of each part.
        notes: of each part.
        columns: of the table that the first part was read from.
    """

    rows: list[int]
    checksums: dict[str, str]
    parts: list[Any]
    sizes: list[int]
    notes: list[list[str]]
    columns: list[list[str]]


class Packing:
    """A store that is being made in a folder.

    Each shard is written in two steps: its rows at the end of the arrays that grow, then, once
    these are on disk, a small file of all that is known of it. A shard is there if its file is.
    """

    def __init__(self, folder: Path, progress: Progress) -> None:
        self.folder, self.progress = folder, progress
        self.facts: list[_Facts] = []
        self.series: SeriesSet | None = None
        self.numbered = False

    def join(self, parts: Sequence[Portion]) -> Whole:
        """Write the parts that are not there yet; the series of all of them are mapped."""
        if self.series is not None:
            return join_in_memory(parts)
        stamps = [_stamp_of(part) for part in parts]
        self.numbered = parts[0].numbered
        self._resume(stamps)
        done = sum(len(facts.parts) for facts in self.facts)
        if done:
            tell([f"{done:,} of {len(parts):,} parts were packed before"], str(self.folder))
        first = self._series_of(0)[:1] if self.facts else None
        held, size = list[SeriesSet](), 0
        for number, part in enumerate(parts[done:], start=done):
            try:
                own = _read_like(part, first, parts[0].name)
            except SeriesError:
                if held:  # good ones before a bad one
                    self._write(held, stamps[number - len(held) : number])
                raise
            first = own[:1] if first is None else first
            held.append(own)
            size += own.steps.nbytes
            if size >= SHARD or number + 1 == len(parts):
                self._write(held, stamps[number + 1 - len(held) : number + 1])
                held, size = [], 0
            self.progress("packing", number + 1, len(parts))
        self.series = self._whole()
        return Whole(self.series, [size for facts in self.facts for size in facts.sizes])

    def finish(self, series: SeriesSet) -> None:
        """Write what the store holds beside its rows, and its index last."""
        if self.series is None or series.steps is not self.series.steps:
            self.series = None
            for name in GROWING:  # what they hold is mapped, and may be what is written anew
                path_of(self.folder, name).unlink(missing_ok=True)
            some = max(SHARD * len(series) // max(series.steps.nbytes, 1), 1)
            starts = range(0, len(series), some)
            self.join([Portion("", lambda i=i: series[i : i + some]) for i in starts])  # type: ignore[misc]
        rows = self.series
        assert rows is not None
        series = replace(series, steps=rows.steps, observed=rows.observed, times=rows.times)
        notes = (*series.notes, *(n for n in fill_notes(series) if n not in series.notes))
        tell(notes[len(series.notes) :], series.source)
        if len(np.unique(series.ids)) < len(series):
            raise SeriesError("series ids repeat, wanted unique ones: rename or leave them out")
        arrays = arrays_of(series) | ({} if series.rows is None else {"rows": series.rows})
        arrays = {k: v for k, v in arrays.items() if not (k.startswith("known") and v.all())}
        texts = {name: arrays.pop(name).tolist() for name in TEXTS if name in arrays}
        known = {}
        if series.origin is None:  # levels are taken out in memory
            facts = Facts(series)
            known, arrays["fingerprints"] = facts.to_dict(), facts.fingerprints
        checksums = {}
        for name in [name for name in arrays if name not in GROWING]:
            with whole_file(path_of(self.folder, name)) as file:
                np.save(file, arrays[name], allow_pickle=False)
            checksums[name] = checksum_of(arrays[name])
        shards = [{"rows": f.rows, "checksums": f.checksums} for f in self.facts]
        about = {"selftime store": "finished", "format": FORMAT, "series": len(series)}
        about |= {"steps": len(series.steps), "source": series.source, **texts, "notes": notes}
        about |= {"columns": series.columns, "facts": known}
        about |= {"checksums": checksums, "shards": shards}
        write_text(self.folder / INDEX, json.dumps(about, indent=1) + "\n")

    def _resume(self, stamps: Sequence[Any]) -> None:
        """Keep the shards of parts as they are now, if their rows are on disk; remove others."""
        self.facts, done, row = [], 0, 0
        paths = sorted((self.folder / SHARDS).glob("*.npz"))
        for number, path in enumerate(paths):
            facts = _facts_in(path)
            if facts is None or path.name != _name(number) or facts.rows[0] != row:
                break
            known = [*facts.parts] == [*stamps[done : done + len(facts.parts)]]
            if not known or None in facts.parts or _is_damaged(self.folder, facts):
                break
            self.facts.append(facts)
            done, row = done + len(facts.parts), facts.rows[1]
        for path in paths[len(self.facts) :]:
            path.unlink()

    def _write(self, parts: Sequence[SeriesSet], stamps: Sequence[Any]) -> None:
        """Write the rows of some parts, and then that they are there."""
        shard = concatenate(self._number(parts))
        first = self.facts[-1].rows[1] if self.facts else 0
        last = first + len(shard.steps)
        observed = shard.observed
        if observed is None and any("observed" in facts.checksums for facts in self.facts):
            observed = np.ones(shard.steps.shape, bool)
        elif observed is not None and not any("observed" in f.checksums for f in self.facts):
            self._fill_up(first, shard.n_channels)
        checksums = {}
        for name, rows in zip(GROWING, (shard.steps, observed, shard.times), strict=True):
            if rows is None:
                continue
            rows = self._in_type(rows, name, first)
            write_rows(path_of(self.folder, name), rows, first)
            checksums[name] = checksum_of(rows)
        columns = [list(column) for column in shard.columns]
        sizes, notes = [len(part) for part in parts], [list(part.notes) for part in parts]
        facts = _Facts([first, last], checksums, list(stamps), sizes, notes, columns)
        arrays = {k: v for k, v in arrays_of(shard).items() if k not in GROWING}
        if shard.rows is not None:
            arrays["rows"] = shard.rows
        data = encode_arrays(arrays | {"facts": np.array(json.dumps(facts))})
        write_file(self.folder / SHARDS / _name(len(self.facts)), data)
        self.facts.append(facts)

    def _number(self, parts: Sequence[SeriesSet]) -> list[SeriesSet]:
        return list(parts if self.numbered else number_rows(parts))

    def _fill_up(self, rows: int, channels: int) -> None:
        """Write that every value of the rows so far was observed."""
        some = max(BLOCK // channels, 1)
        for row in range(0, rows, some):
            seen = np.ones((min(some, rows - row), channels), bool)
            write_rows(path_of(self.folder, "observed"), seen, row)

    def _in_type(self, rows: np.ndarray, name: str, first: int) -> np.ndarray:
        """Return rows in the type of those before them."""
        if not first:
            return rows
        before = open_array(self.folder, name).dtype
        if not np.can_cast(rows.dtype, before, "safe"):
            raise SeriesError(
                f"{name} are {rows.dtype} after {before} in earlier files, wanted the same in "
                f"every file: leave them out, {option('time', 'none')}, or pack these on their own"
            )
        return rows.astype(before)

    def _series_of(self, number: int) -> SeriesSet:
        """Return the series of a shard, their rows mapped."""
        facts = self.facts[number]
        with np.load(self.folder / SHARDS / _name(number), allow_pickle=False) as file:
            arrays = dict(file)
        grown = {
            name: open_array(self.folder, name)[facts.rows[0] : facts.rows[1]]
            for name in facts.checksums
        }
        return SeriesSet(
            steps=grown["values"],
            offsets=arrays["offsets"],
            channels=tuple(arrays["channels"].tolist()),
            ids=arrays["ids"],
            observed=grown.get("observed"),
            origin=arrays.get("origin"),
            rows=arrays.get("rows"),
            columns=tuple(Column(*column) for column in facts.columns),  # type: ignore[arg-type]
            **parts_beside_values(arrays | grown),
        )

    def _whole(self) -> SeriesSet:
        """Return all series, their rows mapped."""
        shards = [self._series_of(number) for number in range(len(self.facts))]
        has = {name for facts in self.facts for name in facts.checksums}
        maps = {name: open_array(self.folder, name) if name in has else None for name in GROWING}
        series = concatenate(
            self._number(shards),
            whole={"steps": maps["values"], "observed": maps["observed"], "times": maps["times"]},
        )
        notes = notes_of_all([notes for facts in self.facts for notes in facts.notes])
        return replace(series, notes=notes)


def _read_like(part: Portion, first: SeriesSet | None, name: str) -> SeriesSet:
    """Read a part that can be joined with the first one, which has a name."""
    own = part.load()
    if first is None:
        return own
    check_alike(own, part.name, first, name)
    if own.kind != first.kind:
        raise SeriesError(
            f"{part.name}: holds {own.kind.words}, {name} {first.kind.words}: wanted the same in "
            "every file, pack others on their own"
        )
    return match_channels(own, first.channels)


def _name(number: int) -> str:
    return f"{number:06}.npz"


def _stamp_of(part: Portion) -> Any:
    """Return what tells whether the file of a part was changed; None where it has none."""
    with suppress(OSError, ValueError):
        found = os.stat(part.name)
        if stat.S_ISDIR(found.st_mode):  # its files may change without it
            return None
        return [part.name, found.st_size, found.st_mtime_ns]
    return None


def _facts_in(path: Path) -> _Facts | None:
    """Return what is known of a shard; None of a damaged file."""
    try:
        with np.load(path, allow_pickle=False) as file:
            return _Facts(*json.loads(str(file["facts"])))
    except (ValueError, TypeError, LookupError, OSError, BadZipFile):
        return None


def _is_damaged(folder: Path, facts: _Facts) -> bool:
    with suppress(ValueError, OSError):
        return damage_in(folder, Shard((facts.rows[0], facts.rows[1]), facts.checksums)) is not None
    return True
