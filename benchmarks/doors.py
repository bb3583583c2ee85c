"""Every public door beside every wild input: a result, a refusal, or something that must not be.

A result holds no NaN where the input is finite and whole, and comes without a warning. A refusal is
an error that the package raised itself and that says what came and what was wanted. All else is
wrong. ``--doors`` and ``--inputs`` take some by a part of their names.

    python -m benchmarks.doors
"""

import argparse
import json
import logging
import math
import multiprocessing
import os
import signal
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NamedTuple

import numpy as np
import torch

import selftime as st
from benchmarks.public_doors import DOORS, Door
from benchmarks.wild_inputs import INPUTS, Input

RESULTS = Path(__file__).parent / "results" / "doors.json"
RESULT, REFUSAL, INTERNAL, NOT_A_NUMBER, WARNING, SLOW = ".", "r", "E", "N", "W", "S"
LETTERS = {
    RESULT: "results",
    REFUSAL: "refusals",
    INTERNAL: "internal errors",
    NOT_A_NUMBER: "silent NaN",
    WARNING: "warnings",
    SLOW: "slow",
}
LONGEST = 60
"""Seconds of work that a cell may take."""
LONGEST_MESSAGE = 600
"""Letters: a message that quotes more of the input is none that people read."""
HOUSE = str(Path(st.__file__).parent)
CHECKS = ("sklearn/utils/validation.py", "sklearn/utils/multiclass.py")
"""Whose words scikit-learn wants of its estimators."""


class Cell(NamedTuple):
    """How a door answered an input: a letter, and what it said."""

    letter: str
    detail: str = ""


class Table(NamedTuple):
    """Letters of each door in the order of the inputs, what is wrong, and what refusals say."""

    inputs: list[str]
    doors: dict[str, str]
    wrong: dict[str, str]
    refusals: dict[str, int]
    seconds: float


class TooSlowError(BaseException):
    """A cell took too long; no ``except Exception`` takes it for something else."""


def judge(door: Door, input: Input) -> Cell:
    """Call a door with an input."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            found = door.call(input.make())
            bad = next(not_numbers(found), None)
        except TooSlowError:
            return Cell(SLOW, f"more than {LONGEST} seconds")
        except Exception as error:
            if why := why_no_refusal(error):
                return Cell(INTERNAL, why)
            cell = Cell(REFUSAL, f"{type(error).__name__}: {error}")
        else:
            cell = Cell(RESULT)
            if bad and (input.is_finite or not door.gives_back):
                return Cell(NOT_A_NUMBER, bad)
    if warned:
        return Cell(WARNING, f"{warned[0].category.__name__}: {warned[0].message}")
    return cell


def why_no_refusal(error: Exception) -> str:
    """Why an error is none that the package raised itself in words for people; "" where it is."""
    frames = traceback.extract_tb(error.__traceback__)
    last, text = frames[-1], str(error)
    where = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}: {text[:300]}"
    ours = last.filename.startswith(HOUSE) and (last.line or "").startswith("raise")
    if last.filename.endswith(CHECKS) and isinstance(error, ValueError | TypeError):
        return ""
    if not ours or isinstance(error, AssertionError | RuntimeError | ArithmeticError):
        return where
    unreadable = "object at 0x" in text or "Traceback" in text or not text
    return f"unreadable: {where}" if unreadable or len(text) > LONGEST_MESSAGE else ""


def not_numbers(found: Any, name: str = "result") -> Iterator[str]:
    """Every place of a result at which there is no finite number."""
    if found is None or isinstance(found, str | bytes | bool | int):
        return
    if isinstance(found, float):
        if not math.isfinite(found):
            yield f"{name} is {found}"
        return
    if isinstance(found, torch.Tensor):
        found = found.detach().numpy()
    if isinstance(found, np.ndarray) and found.dtype.kind == "f":
        if not np.isfinite(found).all():
            yield f"{name} has {int((~np.isfinite(found)).sum())} of {found.size} not finite"
        return
    for part, value in parts_of(found):
        yield from not_numbers(value, f"{name}.{part}")


def parts_of(found: Any) -> Iterator[tuple[Any, Any]]:
    """Parts of a result by name."""
    if isinstance(found, st.Model):
        tensors = found.encoder.state_dict().items()
        yield from ((name, t) for name, t in tensors if t.is_floating_point())
        yield from (("bank", found.reference_bank), ("scaling", found.scaling.to_dict()))
    elif isinstance(found, st.SeriesSet):
        yield from (("steps", found.steps), ("origin", found.origin))
        yield "gaps", 0.0 if found.observed is None or found.observed.all() else math.nan
    elif hasattr(found, "columns") and hasattr(found, "dtypes"):  # a frame
        yield from ((c, np.asarray(found[c])) for c in found.columns)
    elif is_dataclass(found):
        yield from ((part.name, getattr(found, part.name)) for part in fields(found))
    elif hasattr(found, "_asdict"):
        yield from found._asdict().items()
    elif isinstance(found, dict):
        yield from found.items()
    elif isinstance(found, list | tuple) or (
        isinstance(found, np.ndarray) and found.dtype == object
    ):
        yield from enumerate(found)


def some_of(known: Iterable[str], asked: list[str]) -> list[str]:
    """Names that hold one of the texts; all where none is asked for."""
    return [name for name in known if not asked or any(part in name for part in asked)]


def row_of(name: str, titles: list[str]) -> tuple[list[Cell], float]:
    """All cells of a door, and the seconds that they took."""
    cells, start = [], time.perf_counter()
    for title in titles:
        signal.setitimer(signal.ITIMER_PROF, LONGEST)
        try:
            cells.append(judge(DOORS[name], INPUTS[title]))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    return cells, time.perf_counter() - start


def judge_doors(doors: list[str], titles: list[str], workers: int, known: Table) -> Iterator[Table]:
    """The table with one door more at a time, each printed as it comes."""
    left = [name for name in doors if name not in known.doors]
    width, context = max(map(len, doors)), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, begin_worker) as pool:
        rows = {pool.submit(row_of, name, titles): name for name in left}
        for row in as_completed(rows):
            name, (cells, seconds) = rows[row], row.result()
            letters = "".join(cell.letter for cell in cells)
            print(f"{name:{width}} {letters} {seconds:6.1f} s", flush=True)
            known.doors[name] = letters
            for title, (letter, detail) in zip(titles, cells, strict=True):
                if letter == REFUSAL:
                    known.refusals[detail] = known.refusals.get(detail, 0) + 1
                elif letter != RESULT:
                    known.wrong[f"{name} × {title}"] = detail
                    print(f"  {letter} {title}: {detail}", flush=True)
            yield known


def begin_worker() -> None:
    """Hear no notes of doors, and stop cells that take too long."""
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGPROF, stop_cell)
    torch.set_num_threads(1)


def stop_cell(number: int, frame: FrameType | None) -> None:
    raise TooSlowError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--doors", nargs="+", default=[], help="parts of names of doors")
    parser.add_argument("--inputs", nargs="+", default=[], help="parts of names of inputs")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--resume", action="store_true", help="keep what is right in --out")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    doors, titles = some_of(DOORS, options.doors), some_of(INPUTS, options.inputs)
    found, start = Table(titles, {}, {}, {}, 0.0), time.perf_counter()
    if options.resume and options.out.exists():
        stored = json.loads(options.out.read_text(encoding="utf8"))
        found = Table(**{name: stored[name] for name in Table._fields})
        if found.inputs != titles:
            parser.error(f"{options.out} has other inputs: leave out --resume")
        sound = {name: row for name, row in found.doors.items() if set(row) <= {RESULT, REFUSAL}}
        found = found._replace(doors=sound, wrong={})
    before = found.seconds
    for table in judge_doors(doors, titles, options.workers, found):
        rows = {name: table.doors[name] for name in DOORS if name in table.doors}
        seconds = round(before + time.perf_counter() - start, 1)
        found = table._replace(doors=rows, seconds=seconds)
        content = {**found._asdict(), "letters": LETTERS, "counts": counts_of(found)}
        options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf8")
    print("\ncolumns: " + ", ".join(f"{i} {name}" for i, name in enumerate(titles, 1)))
    print("letters: " + ", ".join(f"{letter} {name}" for letter, name in LETTERS.items()))
    words = ", ".join(f"{number:,} {name}" for name, number in counts_of(found).items())
    print(f"{len(found.doors)} doors × {len(titles)} inputs in {found.seconds:.0f} s: {words}")
    raise SystemExit(bool(found.wrong))


def counts_of(table: Table) -> dict[str, int]:
    """How many cells of the table have each letter, in words."""
    letters = Counter("".join(table.doors.values()))
    return {name: letters[letter] for letter, name in LETTERS.items()}


if __name__ == "__main__":
    main()
