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
from concurrent.futures import ProcessPoolExecutor
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
LONGEST = 120
"""Seconds that a cell may take."""
LONGEST_MESSAGE = 600
"""Letters: a message that quotes more of the input is none that people read."""
HOUSE = str(Path(st.__file__).parent)
CHECKS = ("sklearn/utils/validation.py", "sklearn/utils/multiclass.py")
"""Whose words scikit-learn wants of its estimators."""


class Cell(NamedTuple):
    """How a door answered an input: a letter, and what it said."""

    letter: str
    detail: str = ""


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
        signal.setitimer(signal.ITIMER_REAL, LONGEST)
        try:
            cells.append(judge(DOORS[name], INPUTS[title]))
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    return cells, time.perf_counter() - start


def table(doors: list[str], titles: list[str], workers: int) -> dict[str, list[Cell]]:
    """All cells of each door, printed as they come."""
    found: dict[str, list[Cell]] = {}
    width, context = max(map(len, doors)), multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, begin_worker) as pool:
        rows = pool.map(row_of, doors, [titles] * len(doors))
        for name, (cells, seconds) in zip(doors, rows, strict=True):
            found[name] = cells
            print(f"{name:{width}} {''.join(c.letter for c in cells)} {seconds:6.1f} s", flush=True)
            for title, cell in zip(titles, cells, strict=True):
                if cell.letter not in (RESULT, REFUSAL):
                    print(f"  {cell.letter} {title}: {cell.detail}", flush=True)
    return found


def begin_worker() -> None:
    """Hear no notes of doors, and stop cells that take too long."""
    logging.disable(logging.WARNING)
    signal.signal(signal.SIGALRM, stop_cell)
    torch.set_num_threads(1)


def stop_cell(number: int, frame: FrameType | None) -> None:
    raise TooSlowError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--doors", nargs="+", default=[], help="parts of names of doors")
    parser.add_argument("--inputs", nargs="+", default=[], help="parts of names of inputs")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="processes")
    options = parser.parse_args()
    doors, inputs = some_of(DOORS, options.doors), some_of(INPUTS, options.inputs)
    start, found = time.perf_counter(), table(doors, inputs, options.workers)
    seconds = time.perf_counter() - start
    print("\ncolumns: " + ", ".join(f"{i} {name}" for i, name in enumerate(inputs, 1)))
    counts = Counter(cell.letter for row in found.values() for cell in row)
    print("letters: " + ", ".join(f"{letter} {name}" for letter, name in LETTERS.items()))
    words = ", ".join(f"{counts[letter]:,} {name}" for letter, name in LETTERS.items())
    print(f"{len(doors)} doors × {len(inputs)} inputs in {seconds:.0f} s: {words}")
    if not options.doors and not options.inputs:
        write(found, inputs, seconds, counts)
    raise SystemExit(sum(counts.values()) > counts[RESULT] + counts[REFUSAL])


def write(
    found: dict[str, list[Cell]], inputs: list[str], seconds: float, counts: Counter[str]
) -> None:
    """Write the table, and every refusal once with the number of its cells."""
    said = Counter(c.detail for row in found.values() for c in row if c.letter == REFUSAL)
    wrong = {
        f"{name} × {title}": cell.detail
        for name, row in found.items()
        for title, cell in zip(inputs, row, strict=True)
        if cell.letter not in (RESULT, REFUSAL)
    }
    content = {
        "inputs": inputs,
        "doors": {name: "".join(cell.letter for cell in row) for name, row in found.items()},
        "letters": LETTERS,
        "counts": {name: counts[letter] for letter, name in LETTERS.items()},
        "seconds": round(seconds, 1),
        "wrong": wrong,
        "refusals": dict(said.most_common()),
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
