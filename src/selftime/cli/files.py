"""Suffixes of results, and checks that results are not in the way."""

import glob
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from selftime.cli.app import Program
from selftime.cli.terminal import show
from selftime.door import through

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


def check_saved(path: str, *, force: bool, option: str = "--save", of: str = "config.json") -> None:
    """Before any work: what was fitted can be saved there.

    Raises:
        FileExistsError: something stands there and may not be replaced.
        OSError: its folder cannot be written.
    """
    target = Path(path).expanduser()
    check_place(target)
    is_saved = (target / of).is_file()
    if os.path.lexists(target) and not (force and is_saved):
        mend = ", or --force to replace it" if is_saved else ""
        raise FileExistsError(f"{target} exists: choose another {option}{mend}")


def check_results(
    table: "Output",
    picture: str | None,
    save: str | None,
    alarms: str | None = None,
    whole: str | None = None,
) -> bool:
    """Before any work: table, picture, folder and alarms can be written.

    Returns:
        As :meth:`Output.is_in_parts`; ``whole`` is one more option that needs all series.
    """
    in_parts = table.is_in_parts(TABLE_SUFFIXES, picture, alarms, whole)
    check_beside(picture, save, alarms, force=table.force)
    return in_parts


def check_whole(out: str, picture: str | None, save: str | None = None, *, force: bool) -> None:
    """Before any work: a table that is made at once, its picture and a folder can be written."""
    check_file(out, TABLE_SUFFIXES, force=force)
    check_beside(picture, save, force=force)


def check_beside(
    picture: str | None, save: str | None, alarms: str | None = None, *, force: bool
) -> None:
    """Before any work: what stands beside a table can be written."""
    for path, suffixes in ((picture, PICTURE_SUFFIXES), (alarms, TABLE_SUFFIXES)):
        if path:
            check_file(path, suffixes, force=force)
    if save:
        check_saved(save, force=force)


def save_fitted(
    fitted: Any, save: str | None, name: str, *, force: bool
) -> tuple[dict[str, str], list[str]]:
    """Save what was fitted, if that was asked for; return what is said of it."""
    if not save:
        return {}, []
    return {"saved": str(fitted.save(save, overwrite=force))}, [f"{name}: {save}"]


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


class Output(NamedTuple):
    """The table of a command: where it goes, who makes it, and how.

    Attributes:
        out: file, folder of parts, or ``-``.
        engine: "local", or a cluster.
        force: replace what stands there.
        safe_cells: as of :func:`selftime.write_table`.
        as_json: print the result as JSON.
    """

    out: str
    engine: Any
    force: bool
    safe_cells: bool
    as_json: bool

    def is_in_parts(self, suffixes: Sequence[str], *whole: str | None) -> bool:
        """Before any work: it can be written; return whether it is made block by block.

        So it is on a cluster, and where it is a folder, which may hold some of its parts.

        Args:
            suffixes: that a file may have.
            whole: options that need all series at once.

        Raises:
            ValueError: another suffix, or stdout or such an option where it is made in blocks.
            FileExistsError: something stands there and may not be replaced, or is read as well.
            OSError: its folder cannot be written.
        """
        is_file = bool(Path(self.out).suffix) or self.out == STDOUT
        in_parts = not is_file or bool(self.engine != "local")
        if is_file:
            check_file(self.out, suffixes, force=self.force)
        else:
            check_place(Path(self.out).expanduser())
        if in_parts and (self.out == STDOUT or any(whole)):
            wish = "--out -" if self.out == STDOUT else "--picture, --alarms or --save"
            raise ValueError(f"got {wish} of a table that is made in blocks: leave it out")
        return in_parts

    def write_parts(
        self, fitted: Any, read: Any, data: str, result: dict[str, Any], *lines: Any
    ) -> None:
        """Write the table of something fitted block by block, and show the result."""
        import selftime as st

        if data != STDOUT:
            read.check_blocks(f"--out {self.out}, a folder of parts")
        given, asked = (read(data, lenient=True), {}) if data == STDOUT else (data, read.asked)
        with through("command line", lambda _: None):
            made = st.predict(
                fitted,
                given,
                self.out,
                reading=asked,
                engine=self.engine,
                overwrite=self.force,
                safe_cells=self.safe_cells,
                progress=True,
            )
        result = {"out": self.out, "series": made.series, "rows": made.rows} | result
        line = f"{made.series:,} series, a table of {made.rows:,} rows: {self.out}"
        show(result, *lines, line, as_json=self.as_json)


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
