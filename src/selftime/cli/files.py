"""Suffixes of results, and checks that results are not in the way."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from selftime.cli.app import Program

TABLE_SUFFIXES = (".csv", ".parquet")
VECTOR_SUFFIXES = (".npz", ".npy", *TABLE_SUFFIXES)
PICTURE_SUFFIXES = (".png", ".svg", ".pdf")
"""Suffixes of results."""


def check_file(path: str | Path, suffixes: Sequence[str], *, force: bool) -> None:
    """Before any work: the suffix is known and nothing is in the way.

    Raises:
        ValueError: a suffix that cannot be written.
        FileExistsError: something stands there and may not be replaced, or is read as well.
        OSError: its folder cannot be written.
    """
    target = Path(path)
    if target.suffix.lower() not in suffixes:
        raise ValueError(f"{target}: wanted a name ending in {', '.join(suffixes)}")
    if target.is_dir() or (os.path.lexists(target) and not force):
        mend = "choose another --out" + ("" if target.is_dir() else ", or --force to replace it")
        raise FileExistsError(f"{target} exists: {mend}")
    given = [word.partition("=")[2] if word.startswith("--") else word for word in Program.words]
    read = [found for word in given for found in glob.glob(word, recursive=True)]
    if target.exists() and sum(os.path.samefile(found, target) for found in read) > 1:
        raise FileExistsError(f"{target} is read by this command: choose another --out")
    check_place(target)


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
