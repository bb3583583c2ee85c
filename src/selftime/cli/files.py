"""Suffixes of results, and checks that results are not in the way."""

import glob
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from selftime.cli.app import Program

TABLE_SUFFIXES = (".csv", ".parquet")
VECTOR_SUFFIXES = (".npz", ".npy", *TABLE_SUFFIXES)
PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
GRAPH_SUFFIXES = (".onnx", ".pt2")
"""Suffixes of results."""
STDOUT = "-"
"""Stands for stdout, which tables are written to as csv."""


def check_file(path: str | Path, suffixes: Sequence[str], *, force: bool) -> None:
    """Before any work: the suffix is known and nothing is in the way.

    Raises:
        ValueError: a suffix that cannot be written.
        FileExistsError: something stands there and may not be replaced, or is read as well.
        OSError: its folder cannot be written.
    """
    if str(path) == STDOUT and set(suffixes) >= set(TABLE_SUFFIXES):
        if "--json" in Program.words:
            raise ValueError("got --out - and --json, which both write to stdout: leave one out")
        return
    target = Path(path).expanduser()
    if target.suffix.lower() not in suffixes:
        raise ValueError(f"{target}: wanted a name ending in {', '.join(suffixes)}")
    check_place(target)
    if target.is_dir() or (os.path.lexists(target) and not force):
        mend = "choose another --out" + ("" if target.is_dir() else ", or --force to replace it")
        raise FileExistsError(f"{target} exists: {mend}")
    if target.exists() and sum(_holds(found, target) for found in named_files()) > 1:
        raise FileExistsError(f"{target} is read by this command: choose another --out")


def named_files() -> Iterator[Path]:
    """Yield every file and folder that a word of the command line names."""
    for word in named_places():
        if os.path.lexists(word):
            yield Path(word)
        else:
            yield from map(Path, glob.glob(word, recursive=True))


def named_places() -> Iterator[str]:
    """Yield every word of the command line that may name a place."""
    for word in Program.words:
        name = word.partition("=")[2] if word.startswith("--") else word.removeprefix("-o")
        yield os.path.expanduser(name)


def remains() -> str:
    """Say what was left of the command that was ended."""
    places = sys.modules.get("selftime.report.places")
    if places is None:  # nothing is written before it is asked
        return "nothing half-written was left"
    found = [Path(word) for word in named_places() if os.path.lexists(os.path.dirname(word) or ".")]
    return str(places.remains_of(found))


def _holds(found: Path, target: Path) -> bool:
    """Return whether a file is the target, or a folder of series holds it."""
    if not found.is_dir():
        return os.path.samefile(found, target)
    own = any((found / name).exists() for name in ("run.json", "config.json"))
    return not own and found.resolve() in target.resolve().parents


def check_saved(path: str, *, force: bool, option: str = "--save") -> None:
    """Before any work: what was fitted can be saved there.

    Raises:
        FileExistsError: something stands there and may not be replaced.
        OSError: its folder cannot be written.
    """
    target = Path(path).expanduser()
    check_place(target)
    is_saved = (target / "config.json").is_file()
    if os.path.lexists(target) and not (force and is_saved):
        mend = ", or --force to replace it" if is_saved else ""
        raise FileExistsError(f"{target} exists: choose another {option}{mend}")


def check_results(out: str, picture: str | None, save: str | None, *, force: bool) -> None:
    """Before any work: table, picture and folder can be written."""
    check_file(out, TABLE_SUFFIXES, force=force)
    if picture:
        check_file(picture, PICTURE_SUFFIXES, force=force)
    if save:
        check_saved(save, force=force)


def write_out(out: str, columns: Mapping[str, Any], *, force: bool, safe_cells: bool) -> None:
    """Write a table to a file, or as csv to stdout."""
    import selftime as st

    target = sys.stdout.buffer if out == STDOUT else out
    st.write_table(target, columns, overwrite=force, safe_cells=safe_cells)
    if out == STDOUT:
        sys.stdout.flush()


def check_place(target: Path) -> None:
    """Before any work: the folder of a result can be written, or made, and its name is short.

    Raises:
        OSError: it cannot: why, and what to do.
    """
    from selftime.report.places import check_output

    check_output(target)


SAVED = 32_000_000
"""Bytes of a saved estimator with its model, about."""


def check_room(out: str, rows: int, columns: int, *, save: str | None = None) -> None:
    """Before the work: there is room for a table of numbers, and for what is saved beside it.

    Raises:
        OSError: the disk has less room.
    """
    from selftime.report.places import check_output

    if out != STDOUT:  # a csv takes a dozen bytes a number, other formats four
        check_output(out, rows * columns * (12 if Path(out).suffix.lower() == ".csv" else 4))
    if save:
        check_output(save, SAVED)


def claim_run_folder(target: Path, *, force: bool, again: str = "", resume: bool = False) -> None:
    """Before any work: nothing is in the way, and nobody else writes there until the command ends.

    Args:
        target: the folder.
        force: replace a run that stands there.
        again: a command that goes on with its own run that was stopped, and may find it there.
        resume: a run is to go on, so that it must be there.

    Raises:
        FileExistsError: something stands there and may not be replaced.
        OSError: another process writes there, or it cannot be written.
    """
    from selftime.report.places import claim_folder

    if int(os.environ.get("RANK", "0")) > 0:  # of several processes the first one writes
        return
    claim = claim_folder(target.expanduser(), overwrite=force, again=again, resume=resume)
    Program.held.enter_context(claim)
