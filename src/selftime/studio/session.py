"""The session: labels of one data set in a folder, each on disk before it is acknowledged.

What was done is a log in SQLite that only grows: labels, skips, and what was undone, with their
times. The log is replayed when the session is opened, so that another start goes on where the
last one ended, however it ended.
"""

import io
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int16, Int64

from selftime.data.arrays import MISSING_LABELS
from selftime.data.files import write_file
from selftime.data.frames import join_columns
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.writers import write_csv
from selftime.door import option, through
from selftime.texts import safe_cell, visible

LOG, TABLE = "labels.sqlite", "labels.csv"
"""Files of a session: the log, and the labels as every command reads them."""
LOG_FORMAT = "1"
MOST_NAMES = 1_000
"""Classes of a session; more are no classes that people would name."""
LONGEST_LABEL = 80
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE acts (number INTEGER PRIMARY KEY, key TEXT UNIQUE, time TEXT NOT NULL,
                   kind TEXT NOT NULL, label TEXT);
CREATE TABLE marks (act INTEGER NOT NULL REFERENCES acts, row INTEGER NOT NULL, id TEXT NOT NULL);
CREATE TABLE accuracies (time TEXT NOT NULL, labels INTEGER NOT NULL, accuracy REAL NOT NULL,
                         low REAL NOT NULL, high REAL NOT NULL);
"""


class Accuracy(NamedTuple):
    """Share of held-out labels that a probe got right, with its interval."""

    labels: int
    accuracy: float
    low: float
    high: float


@dataclass
class Act:
    """Something that was done to some series, and what they were before."""

    kind: str  # "label", "clear" or "skip"
    rows: Int64[np.ndarray, "M"]
    label: str | None = None
    codes: Int16[np.ndarray, "M"] = field(default_factory=lambda: np.zeros(0, np.int16))
    skips: Bool[np.ndarray, "M"] = field(default_factory=lambda: np.zeros(0, bool))

    @property
    def words(self) -> str:
        """The act in words, for the page."""
        count = "1 series" if len(self.rows) == 1 else f"{len(self.rows):,} series"
        shown = {"label": f"label {count} {self.label}", "clear": f"clear the label of {count}"}
        return shown.get(self.kind, f"skip {count}")


class LabelSession:
    """Labels of N series, kept in a folder.

    Args:
        folder: made where there is none.
        series: what is labelled.
        empty: begin without the labels that the series have.

    Attributes:
        names: the classes, in the order in which they first came.
        codes: (N,) the class of each series, -1 without one.
        skips: (N,) True for series that were skipped.
        version: changes with every act.
        notes: what was found in opening it, a sentence each.

    Raises:
        SeriesError: the folder holds labels of other data, or something else.
    """

    def __init__(self, folder: Path, series: SeriesSet, *, empty: bool = False) -> None:
        self.folder, self.series = folder, series
        self.lock = RLock()
        self.ids = [visible(str(name)) for name in series.ids.tolist()]
        self.names: list[str] = []
        self.codes = np.full(len(series), -1, np.int16)
        self.skips = np.zeros(len(series), bool)
        self.done: list[Act] = []
        self.undone: list[Act] = []
        self.version, self.notes = 0, list[str]()
        folder.mkdir(parents=True, exist_ok=True)
        self._written = -1
        self.log = self._open()
        self._replay()
        if not empty:
            self._take_given()
        self.write_table()

    def _open(self) -> sqlite3.Connection:
        """Open the log, or begin one; refuse that of other data."""
        path = self.folder / LOG
        try:
            log = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            log.execute("PRAGMA journal_mode = WAL")
            log.execute("PRAGMA synchronous = FULL")  # acknowledged labels survive a power cut too
            tables = {name for (name,) in log.execute("SELECT name FROM sqlite_master")}
            own = fingerprint_of(self.series)
            if "facts" not in tables and not tables:
                facts = {"format": LOG_FORMAT, "fingerprint": own, "series": str(len(self.series))}
                facts |= {"source": visible(self.series.source or "arrays"), "begun": now()}
                log.execute("BEGIN IMMEDIATE")
                for statement in _SCHEMA.split(";"):
                    log.execute(statement)
                log.executemany("INSERT INTO facts VALUES (?, ?)", facts.items())
                log.execute("COMMIT")
                return log
            found = dict(log.execute("SELECT name, value FROM facts"))
        except sqlite3.Error as error:
            raise SeriesError(
                f"{path}: is no log of labels ({error}): choose another folder, {option('session')}"
            ) from None
        if found.get("format") != LOG_FORMAT:
            raise SeriesError(
                f"{path}: has format {found.get('format')}, wanted {LOG_FORMAT}: open it with the "
                f"version of selftime that wrote it, or choose another folder, {option('session')}"
            )
        if found.get("fingerprint") != own:
            raise SeriesError(
                f"{self.folder} holds labels of other data: of {found.get('series')} series from "
                f"{found.get('source')}, begun {found.get('begun')}; got {len(self.series)} series "
                f"from {visible(self.series.source or 'arrays')}, which are not the same or are "
                f"cut otherwise: choose another folder, {option('session')}"
            )
        return log

    def _replay(self) -> None:
        """Do again what the log says."""
        marks: dict[int, list[int]] = {}
        for act, row in self.log.execute("SELECT act, row FROM marks ORDER BY rowid"):
            marks.setdefault(act, []).append(row)
        for number, kind, label in self.log.execute("SELECT number, kind, label FROM acts"):
            self._do(kind, marks.get(number, []), label)
        every = [self.codes, *(act.codes for act in (*self.done, *self.undone))]
        used = np.unique(np.concatenate(every))
        used = used[used >= 0]
        renumbered = np.full(len(self.names) + 1, -1, np.int16)  # the last one is for -1
        renumbered[used] = np.arange(len(used))
        for codes in every:
            codes[:] = renumbered[codes]
        self.names = [self.names[code] for code in used]

    def _take_given(self) -> None:
        """Begin with labels of the data, where the session says nothing of these series."""
        labels = self.series.labels
        if labels is None:
            if self.series.step_labels is not None:
                windows = option("windows")
                self.notes.append(f"labels are of steps, so no series has one: cut it, {windows}")
            return
        touched = {row for (row,) in self.log.execute("SELECT DISTINCT row FROM marks")}
        rows = np.flatnonzero(self.series.labelled)
        free = np.array([row for row in rows.tolist() if row not in touched], np.int64)
        if len(rows) == len(self.codes) and not self.done:
            self.notes.append(f"every series has a label: {option('empty', True)} begins with none")
        if len(free) < len(rows):
            kept = len(rows) - len(free)
            self.notes.append(f"{kept:,} series keep what this session says of them")
        texts = np.array([checked_label(str(label)) for label in labels[free].tolist()], object)
        for label in dict.fromkeys(texts.tolist()):
            self._record(None, "given", free[texts == label].tolist(), label)
            self._do("given", free[texts == label].tolist(), label)

    def act(
        self, key: str, kind: str, rows: Sequence[int] = (), label: str | None = None
    ) -> list[int]:
        """Do something and keep it: it is on disk when this returns.

        Args:
            key: of the request; one that came before is not done again.
            kind: "label", "clear" or "skip" some series, or "undo" or "redo" the last of these.
            rows: numbers of the series.
            label: of "label".

        Returns:
            The series that changed; none where the key came before.

        Raises:
            ValueError: a label that could not be read back, rows that are not there, or nothing to
                undo.
            sqlite3.Error: the disk is full.
        """
        with self.lock:
            if self.log.execute("SELECT 1 FROM acts WHERE key = ?", (key,)).fetchone():
                return []
            own = [*dict.fromkeys(rows)]
            self._check(kind, own, label)
            text = checked_label(label) if label is not None else None
            self._record(key, kind, own, text)
            return self._do(kind, own, text)

    def _check(self, kind: str, rows: list[int], label: str | None) -> None:
        if kind in ("undo", "redo"):
            if not (self.done if kind == "undo" else self.undone):
                raise ValueError(f"there is nothing to {kind}")
            return
        if not rows or min(rows) < 0 or max(rows) >= len(self.codes):
            raise ValueError(f"got rows {rows[:3]}, wanted some of 0 to {len(self.codes) - 1}")
        if kind == "label" and label not in self.names and len(self.names) >= MOST_NAMES:
            raise ValueError(f"got class number {MOST_NAMES + 1:,}, wanted no more: use others")

    def _record(self, key: str | None, kind: str, rows: Iterable[int], label: str | None) -> None:
        """Write an act into the log, in one transaction that is on disk when this returns."""
        try:
            self.log.execute("BEGIN IMMEDIATE")
            values = (key, now(), kind, label)
            with closing(
                self.log.execute(
                    "INSERT INTO acts (key, time, kind, label) VALUES (?, ?, ?, ?)", values
                )
            ) as made:
                number = made.lastrowid
            marks = [(number, row, self.ids[row]) for row in rows]
            self.log.executemany("INSERT INTO marks VALUES (?, ?, ?)", marks)
            self.log.execute("COMMIT")
        except BaseException:
            if self.log.in_transaction:
                self.log.execute("ROLLBACK")
            raise

    def _do(self, kind: str, rows: Sequence[int], label: str | None) -> list[int]:
        """Change what is in memory as an act says; return the series that changed."""
        self.version += 1
        if kind == "undo":
            act = self.done.pop()
            self.codes[act.rows], self.skips[act.rows] = act.codes, act.skips
            self.undone.append(act)
            return list(act.rows.tolist())
        if kind == "redo":
            act = self.undone.pop()
        else:
            at = np.array(rows, np.int64)
            act = Act(kind, at, label, self.codes[at], self.skips[at])
            self.undone.clear()
        if act.kind == "skip":
            self.skips[act.rows] = True
        else:
            self.codes[act.rows] = -1 if act.label is None else self._code_of(act.label)
            self.skips[act.rows] = False
        if kind != "given":
            self.done.append(act)
        return list(act.rows.tolist())

    def _code_of(self, label: str) -> int:
        if label not in self.names:
            self.names.append(label)
        return self.names.index(label)

    def note_accuracy(self, found: Accuracy) -> None:
        """Keep an accuracy, so that the curve is there after another start."""
        with self.lock:
            self.log.execute("INSERT INTO accuracies VALUES (?, ?, ?, ?, ?)", (now(), *found))

    def accuracies(self) -> list[Accuracy]:
        """Return the last accuracy at each number of labels, the fewest first."""
        with self.lock:
            rows = self.log.execute("SELECT labels, accuracy, low, high FROM accuracies")
            found = {row[0]: Accuracy(*row) for row in rows}
        return [found[labels] for labels in sorted(found)]

    def state(self) -> dict[str, Any]:
        """Return counts, classes, and what can be undone, as plain values."""
        with self.lock:
            counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names))
            pairs = zip(self.names, counts.tolist(), strict=True)
            return {
                "version": self.version,
                "labelled": int((self.codes >= 0).sum()),
                "skipped": int(self.skips.sum()),
                "classes": [{"name": name, "count": count} for name, count in pairs],
                "undo": self.done[-1].words if self.done else None,
                "redo": self.undone[-1].words if self.undone else None,
            }

    def snapshot(self) -> tuple[int, list[str], np.ndarray, np.ndarray]:
        """Return the version, the classes, the code of each series, and which are skipped."""
        with self.lock:
            return self.version, [*self.names], self.codes.copy(), self.skips.copy()

    def table(self) -> bytes:
        """Return the labels as csv: a row for each labelled series, or window with its ends."""
        _, names, codes, _ = self.snapshot()
        rows = np.flatnonzero(codes >= 0)
        if not len(rows):
            return b""
        columns = join_columns(self.series[rows].keys(), {"label": np.array(names)[codes[rows]]})
        buffer = io.BytesIO()
        with through("python", lambda _: None):  # names that begin as formulas are read as well
            write_csv(columns, buffer)
        return buffer.getvalue()

    def write_table(self) -> Path:
        """Bring ``labels.csv`` up to date, if it is not; nothing is written without a label."""
        path = self.folder / TABLE
        version, table = self.version, self.table()
        if version != self._written and (table or path.exists()):
            write_file(path, table)
        self._written = version
        return path

    def close(self) -> None:
        """Write ``labels.csv`` and close the log."""
        self.write_table()
        with self.lock:
            self.log.close()


def checked_label(label: str) -> str:
    """Return a label without blanks around it.

    Raises:
        ValueError: one that a file of labels would not give back.
    """
    found = " ".join(label.split())
    if found != visible(found) or not 1 <= len(found) <= LONGEST_LABEL:
        raise ValueError(f"got a label of {len(found)} letters, wanted 1 to {LONGEST_LABEL}")
    if found in MISSING_LABELS:
        raise ValueError(f"got the label {found!r}, which files take for none: choose another")
    if safe_cell(found) != found:
        raise ValueError(f"got the label {found!r}, which begins as a formula: choose another")
    return found


def fingerprint_of(series: SeriesSet) -> str:
    """Return a text that is equal for the same values under the same names in the same order."""
    names = "\n".join(map(str, series.ids.tolist()))
    return sha256(f"{series.fingerprint()}\n{names}".encode("utf8", "replace")).hexdigest()


def now() -> str:
    """Return the time of an act."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
