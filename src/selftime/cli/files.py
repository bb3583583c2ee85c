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
    if target.is_dir() or (os.path.lexists(target) and not force):
        mend = "choose another --out" + ("" if target.is_dir() else ", or --force to replace it")
        raise FileExistsError(f"{target} exists: {mend}")
    if target.exists() and sum(_holds(found, target) for found in named_files()) > 1:
        raise FileExistsError(f"{target} is read by this command: choose another --out")
    check_place(target)


def named_files() -> Iterator[Path]:
    """Yield every file and folder that a word of the command line names."""
    for word in Program.words:
        name = word.partition("=")[2] if word.startswith("--") else word.removeprefix("-o")
        whole = os.path.expanduser(name)
        if os.path.lexists(whole):
            yield Path(whole)
        else:
            yield from map(Path, glob.glob(whole, recursive=True))


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
    is_saved = (target / "config.json").is_file()
    if os.path.lexists(target) and not (force and is_saved):
        mend = ", or --force to replace it" if is_saved else ""
        raise FileExistsError(f"{target} exists: choose another {option}{mend}")
    check_place(target)


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
    """Before any work: the folder of a result can be written, or made.

    Raises:
        PermissionError: it may not be written.
        NotADirectoryError: it is a file.
    """
    folder = next(parent for parent in target.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is a file, wanted a folder: choose another --out")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{folder} may not be written to: choose another --out")


def check_run_folder(target: Path, *, force: bool, again: str = "") -> None:
    """Before any work: nothing is in the way.

    Args:
        target: the folder.
        force: replace a run that stands there.
        again: a command that goes on with its own run that was stopped, and may find it there.

    Raises:
        FileExistsError: something stands there and may not be replaced.
    """
    from selftime.report.folder import check_folder, record_in

    check_place(target)
    found = record_in(target) if target.is_dir() and not force else {}
    stopped = found.get("status") == "running"
    if stopped and again and found.get("command") == again:
        return
    if stopped:
        raise FileExistsError(
            f"{target} holds a run that was stopped: --resume goes on with it, --force begins anew"
        )
    check_folder(target, overwrite=force)
