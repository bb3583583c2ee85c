"""Roles: what each column of a table is, decided in one place for every reader, with reasons."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selftime.data.arrays import LabelsError, SeriesError
from selftime.data.cells import Evidence, dates_of_names, holds_dates, is_text, known_in
from selftime.data.schema import (
    ID_NAMES,
    LABEL_NAMES,
    TIME_NAMES,
    Asked,
    Column,
    Layout,
    Role,
    Schema,
    list_names,
    plain_name,
)
from selftime.door import option

GROUP_NAMES = ("group",)
COUNTER_NAMES = ("t", "step", "cycle", "tick", "frame", "seconds", "minutes", "row", "sample")
CALENDAR_NAMES = ("hour", "minute", "second", "day", "weekday", "week", "month", "year")
"""Names of columns that repeat as the clock does, and name no series."""
INDEX_NAME = re.compile(r"(unnamed: ?\d+|__index_level_\d+__|index|level_\d+)?", re.IGNORECASE)
NUMBERED = re.compile(r"(.*?)[ _.-]*(\d+(?:\.\d+)?)\D{0,3}")
FEW = 20
"""Most different texts of a column that is guessed to hold labels."""


def decide_roles(
    cells: Any, asked: Asked, *, typed: bool = True, marks: Sequence[str] = ("",)
) -> Schema:
    """Decide what each column of an arrow table is.

    Evidence counts in this order: what was asked for; well-known names, in any case; shape, such
    as texts that repeat while time begins anew; else numbers are measurements, and texts are left
    out with a note.

    Args:
        cells: the table.
        asked: roles that are given.
        typed: cells have types, as in frames; else all are texts, as in csv.
        marks: texts that mean that nothing was measured.

    Raises:
        SeriesError: names that there are not or occur twice, or columns that can be read two ways.
    """
    return _Decision(cells, asked, typed, marks).schema()


class _Decision:
    """The columns of one table while their roles are decided; each role is given once."""

    def __init__(self, cells: Any, asked: Asked, typed: bool, marks: Sequence[str]) -> None:
        self.cells, self.asked, self.kinds = cells, asked, (typed, marks)
        self.names = [str(name) for name in cells.column_names]
        self.roles: dict[str, tuple[Role, str]] = {}
        self.notes: list[str] = []
        self.layout: Layout = "series"

    def schema(self) -> Schema:
        self._check_names()
        self.seen = Evidence(self.cells, *self.kinds)
        self._take_asked()
        self._leave_out_index()
        self._find_time()
        self.wide = self._is_wide()
        self._find_id()
        self._find_counter()
        self._find_layout()
        self._find_group()
        self._find_label()
        self._take_measurements()
        columns = (
            Column(n, *self.roles[n][:1], self.seen.kind_in_words(n), self.roles[n][1])
            for n in self.names
        )
        return Schema(self.layout, tuple(columns), tuple(self.notes))

    def _check_names(self) -> None:
        twice = next((name for name, times in Counter(self.names).items() if times > 1), None)
        if twice is not None:
            raise SeriesError(f"has two columns named {twice!r}, wanted each once: rename one")
        single = [getattr(self.asked, role) for role in ("id", "time", "label", "group")]
        given = [name for name in single if name not in (None, "none")]
        for name in [*given, *(self.asked.channels or ()), *self.asked.ignore]:
            if name not in self.names:
                kind = LabelsError if name == self.asked.label else SeriesError
                raise kind(f"has no column {name!r}, only {list_names(self.names)}: check the name")

    def _take_asked(self) -> None:
        for name in self.asked.ignore:
            self._give("ignored", name, "as asked")
        for name in self.asked.channels or ():
            self._give("measurement", str(name), "as asked")
        for role in ("id", "time", "label", "group"):
            name = getattr(self.asked, role)
            if name not in (None, "none"):
                self._give(role, name, "as asked")

    def _give(self, role: Role, name: str, reason: str, note: str = "") -> None:
        self.roles[name] = (role, reason)
        if note:
            self.notes.append(note)

    def _free(self) -> list[str]:
        return [name for name in self.names if name not in self.roles]

    def _seeks(self, role: Role) -> bool:
        wanted = getattr(self.asked, role)
        return wanted is None and role not in {given for given, _ in self.roles.values()}

    def _leave_out_index(self) -> None:
        for name in self._free():
            if not name and self.cells.num_rows and self.seen.is_empty(name):
                self._give("ignored", name, "neither a name nor values")
        first = self.names[0]
        if first in self.roles or not INDEX_NAME.fullmatch(first) or len(self.names) == 1:
            return
        numbers = self.seen.numbers(first)
        if numbers is None or len(numbers) < 2 or (np.diff(numbers) != 1).any():
            return
        if not first or numbers[0] in (0, 1):
            self._give(
                "ignored",
                first,
                "an index that counts rows",
                f"column {first!r} only counts rows and is left out; to keep it, name it in "
                f"{option('channels')}",
            )

    def _find_time(self) -> None:
        if not self._seeks("time"):
            return
        named = self._find_named(TIME_NAMES)
        for name in named[:1]:
            self._give("time", name, "its name")
            return
        dated = [name for name in self._free() if holds_dates(self.cells.column(name))]
        dated = [name for name in dated if self.seen.tells_rows_apart(name, self._free())]
        for name in dated[:1]:
            self._give("time", name, "it holds times")
            if is_text(self.seen.kind(name)) or not self.seen.typed:
                self._say("time", name, "it holds times")

    def _is_wide(self) -> bool:
        """Return whether rows look like series: numbered columns, no times, a label or texts."""
        if self.asked.layout:
            return self.asked.layout == "wide"
        numbered = len(self._numbered_columns())
        texts = [name for name in self._free() if not self.seen.numeric[name]]
        if numbered < 3 or self.asked.channels is not None:
            return False
        if self._name_of("time") is not None:  # of production, where each row has a name
            named = self.asked.id or any(not self.seen.repeats(name) for name in texts)
            return bool(self.asked.time is None and named and numbered >= FEW)
        known = [name for name in self._find_named(ID_NAMES) if self.seen.repeats(name)]
        if self._name_of("label") or self._find_named(LABEL_NAMES):
            return True
        counters = [n for n in self._free() if plain_name(n) in COUNTER_NAMES]
        if known and not any(self.seen.counts(name, known[0], 2) for name in counters):
            series = self.seen.count(known[0])
            return bool(numbered >= FEW and numbered > self.cells.num_rows / series)
        return not known and (bool(texts) or numbered > 4 * self.cells.num_rows)

    def _find_id(self) -> None:
        if not self._seeks("id") or self.asked.layout == "series":
            return
        for name in self._find_named(ID_NAMES):
            if self.wide and self.seen.repeats(name):
                continue  # a group
            usual = plain_name(name) == "unique_id"
            if usual or self.wide or self.seen.repeats(name):
                self._give("id", name, "its name")
                if not usual:
                    self._say("id", name, "its name says so")
                return
        if self.asked.channels is None and not self.wide:
            self._guess_id()

    def _guess_id(self) -> None:
        """Guess a column of texts or whole numbers that repeats, while time begins anew."""
        time = self._name_of("time")
        if time is None or not self.seen.repeats(time):
            return
        free = sorted(self._free(), key=lambda name: self.seen.numeric[name])  # texts first
        for name in free:
            if self.seen.is_measured(name) or plain_name(name) in CALENDAR_NAMES:
                continue
            if self.seen.begins_anew(time, name):
                self._give("id", name, "its values repeat while time begins anew")
                self._say("id", name, "its values repeat while time begins anew")
                return

    def _find_counter(self) -> None:
        """Take a column that counts rows for the time: anew in each series, or by its name."""
        if not self._seeks("time") or self.wide or self.asked.channels is not None:
            return
        for name, id_ in self._counters():
            if id_ is not None and self._name_of("id") is None:
                self._give("id", id_, f"{name!r} counts anew in each")
                self._say("id", id_, f"{name!r} counts anew in each of its values")
            self._give("time", name, "it counts rows")
            self._say("time", name, "it counts rows")
            return

    def _counters(self) -> Iterator[tuple[str, str | None]]:
        """Yield columns that count rows, each with the column in whose values it begins anew."""
        free = [name for name in self._free() if self.seen.numeric[name]]
        own = self._name_of("id")
        few = [n for n in self._free() if not self.seen.is_measured(n) and self.seen.repeats(n)]
        ids = [own] if own is not None else few if self._seeks("id") else []
        known = {name: plain_name(name) in COUNTER_NAMES for name in free}
        for name in sorted(reversed(free), key=lambda name: not known[name]):
            for id_ in ids:
                values = {*free} - {name, id_}  # some must be left
                least = 2 if known[name] else 5
                if id_ != name and values and self.seen.counts(name, id_, least):
                    yield name, id_
            if known[name] and own is None and len(free) > 1 and self.seen.counts(name):
                yield name, None

    def _find_layout(self) -> None:
        self.layout, why = (self.asked.layout, "as asked") if self.asked.layout else self._shape()
        id_ = self._name_of("id")
        if self.layout == "long" and id_ is None:
            raise SeriesError(
                f"has columns {list_names(self.names)}, wanted one that names the series of each "
                f"row: say which, {option('id')}, or another {option('layout')}"
            )
        time = self._name_of("time")
        if self.layout == "wide" and time is not None and self.asked.time is None:
            del self.roles[time]
        if why and self.asked.layout is None:
            self.notes.append(why)

    def _shape(self) -> tuple[Layout, str]:
        """Recognise the layout, and say it in words where it can be read another way."""
        id_, time = self._name_of("id"), self._name_of("time")
        other = f"one series: {option('layout', 'series')}"
        if self.wide:
            n = len(self._numbered_columns())
            return "wide", f"each row is a series of {n} numbered steps; if all are {other}"
        usual = id_ is not None and plain_name(id_) == "unique_id"
        if id_ is not None and (usual or time is not None or self.seen.repeats(id_)):
            return "long", ""
        if time is not None:
            return "series", ""
        if self._name_of("label") or self._has_target():
            return "wide", f"each row is a series with a label; if all are {other}"
        if len(self.names) == 1 or self.asked.channels is not None:
            return "series", ""
        if id_ is not None:
            return "wide", f"each row is a series, named by column {id_!r}; if all are {other}"
        if all(name.isdecimal() for name in self.names):
            raise SeriesError(
                f"has {len(self.names)} columns without names, so rows may be series or steps: say "
                f"{option('layout', 'wide')} for a series a row (and {option('label')} for a "
                f'label column, here "0" to "{len(self.names) - 1}"), or '
                f"{option('layout', 'series')} for a channel a column"
            )
        rows = f"a series a row: {option('layout', 'wide')}"
        return "series", f"rows are steps and columns are channels of one series; {rows}"

    def _numbered_columns(self) -> list[str]:
        """Columns of numbers whose names are dates, or one stem and numbers, that rise."""
        dated = [
            n for n in self._free() if self.seen.numeric[n] and dates_of_names([n]) is not None
        ]
        if len(dated) > 2 and dates_of_names(dated) is not None:
            return dated
        stems: dict[str, list[tuple[float, str]]] = {}
        for name in self._free():
            found = NUMBERED.fullmatch(name)
            if found and self.seen.numeric[name]:
                stems.setdefault(found[1].lower(), []).append((float(found[2]), name))
        best = max(stems.values(), key=len, default=[])
        rises = [number for number, _ in best] == sorted({number for number, _ in best})
        return [name for _, name in best] if rises else []

    def _has_target(self) -> bool:
        """Return whether a column has the name of a label, ``target`` only as first or last."""
        if self.asked.channels is not None or self.asked.label == "none":
            return False
        ends = {plain_name(self.names[0]), plain_name(self.names[-1])}
        return bool(self._find_named(LABEL_NAMES)) or "target" in ends

    def _find_label(self) -> None:
        if self.asked.channels is not None:
            return
        if self._seeks("label"):
            named = self._find_named(LABEL_NAMES)
            if self.layout == "wide" and self._has_target():
                named += self._find_named(("target",))
            for name in named[:1]:
                self._give("label", name, "its name")
        if self.layout == "wide":
            self._guess_wide_roles()

    def _guess_wide_roles(self) -> None:
        """Of the columns of texts in a table of rows, one that repeats is a label, else an id."""
        numbered = set(self._numbered_columns())
        for name in self._free():
            if name in numbered or (self.seen.numeric[name] and len(numbered) < 3):
                continue
            few = pc.count_distinct(known_in(self.cells.column(name))).as_py()
            own = few == self.cells.num_rows and not self.seen.is_measured(name, few)
            if own and self._seeks("id"):
                self._give("id", name, "each row has its own")
                self._say("id", name, "each row has its own")
            elif 2 <= few <= FEW and few <= self.cells.num_rows / 2 and self._seeks("label"):
                self._give("label", name, f"{few} different values")
                self._say("label", name, f"it holds {few} different values")
            else:
                self._give("ignored", name, "neither a step nor a label")
                self.notes.append(f"column {name!r} is left out; {option('label', name)} uses it")

    def _find_group(self) -> None:
        if self._seeks("group") and self.asked.channels is None:
            known = (*GROUP_NAMES, *ID_NAMES) if self.layout == "wide" else GROUP_NAMES
            for name in self._find_named(known)[:1]:
                self._give("group", name, "its name")

    def _take_measurements(self) -> None:
        named = self.asked.channels is not None
        for name in self._free():
            if named:
                self._give("ignored", name, "channels are named")
            elif self.seen.numeric[name]:
                self._give("measurement", name, "numbers")
            else:
                self._leave_out_text(name)
        if "measurement" not in {role for role, _ in self.roles.values()}:
            raise SeriesError(
                f"has columns {list_names(self.names)} and none of them holds values: name those "
                f"that do, {option('channels')}"
            )

    def _leave_out_text(self, name: str) -> None:
        kind = self.seen.kind(name)
        if not is_text(kind) and not pa.types.is_temporal(kind):
            raise SeriesError(
                f"column {name!r} holds {kind}, wanted numbers: leave it out, "
                f"{option('ignore', name)}"
            )
        id_ = self._name_of("id")
        few = self.seen.count(name)
        static = (
            id_ is not None and self.layout == "long" and self.seen.is_constant_within(id_, name)
        )
        role: Role = "static" if static else "ignored"
        uses = f"; {option('label', name)} if it is a label" if few <= FEW else ""
        self._give(role, name, "text" + (" that is constant within each series" if static else ""))
        self.notes.append(f"column {name!r} holds text and is left out{uses}")

    def _say(self, role: str, name: str, why: str) -> None:
        self.notes.append(
            f"column {name!r} is taken for the {role}, since {why}; if it is not: "
            f"{option(role, 'none')}"
        )

    def _name_of(self, role: Role) -> str | None:
        return next((name for name, (given, _) in self.roles.items() if given == role), None)

    def _find_named(self, wanted: Sequence[str]) -> list[str]:
        """Free columns with these names, in the order of ``wanted``."""
        free = {plain_name(name): name for name in reversed(self._free())}
        return [free[name] for name in wanted if name in free]
