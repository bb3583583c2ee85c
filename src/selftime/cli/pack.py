"""``selftime pack``: series as a store, a folder that is read without being loaded."""

from pathlib import Path
from typing import Annotated

import typer

from selftime.cli import files, options, terminal
from selftime.cli.app import app
from selftime.door import through


@app.command()
@options.with_tables
def pack(
    read: options.Reader,
    data: options.DataArgument,
    out: Annotated[str | None, typer.Option("--out", "-o", help="Folder of the store.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check the store DATA instead.")] = False,
    force: options.ForceOption = False,
    as_json: options.JsonOption = False,
) -> None:
    """Pack series into a store, which every command takes where it takes a file.

    A store need not fit in memory. The same command goes on where an earlier one ended.

    Example: selftime pack recordings --out store

    Example: selftime pack store --verify
    """
    import selftime as st

    if verify == (out is not None):
        raise ValueError("wanted a folder, --out, or a store to --verify")
    if verify:
        shards = st.verify_store(data)
        line = f"{shards:,} shard{'s' * (shards != 1)} as written: {data}"
        terminal.show({"store": data, "shards": shards}, line, as_json=as_json)
        return
    files.check_place(Path(str(out)).expanduser())
    given, asked = (read(data), {}) if data == "-" or read.impute else (data, read.asked)
    st.pack(given, str(out), reading=asked, overwrite=force, progress=True)
    with through("command line", lambda _: None):  # notes were said in packing
        series = st.read(str(out))
    result = {"store": out, "series": len(series), "steps": len(series.steps)}
    line = f"{len(series):,} series of {len(series.steps):,} steps in all: {out}"
    terminal.show(result, line, as_json=as_json)
