"""SeriesSets to files, whole or not at all."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

from selftime.data.arrays import SeriesError
from selftime.data.decoding import suffix_of
from selftime.data.files import write_file
from selftime.data.npz_format import encode_npz
from selftime.data.series import SeriesSet
from selftime.data.table_files import encode_csv
from selftime.data.ts_format import encode_ts

ENCODERS: dict[str, Callable[[SeriesSet], bytes]] = {
    ".npz": encode_npz,
    ".ts": encode_ts,
    ".csv": encode_csv,
}


def write(series: SeriesSet, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write series to a file; what stood there before stays until the new file is complete.

    ``.npz`` keeps everything. ``.csv`` is a long table and keeps everything that text can tell
    apart: labels that look like numbers come back as numbers. ``.ts`` keeps values, gaps and
    labels (as text). ``.gz`` may follow each.

    Args:
        series: what to write.
        path: where to; its ending tells the format.
        overwrite: whether a file that is there already is replaced.

    Returns:
        The path.

    Raises:
        SeriesError: unknown ending, a file in the way, no such folder, or something in the series
            that the format cannot hold.
    """
    target = Path(path)
    encode = ENCODERS.get(suffix_of(target))
    if encode is None:
        raise SeriesError(f"{target}: wanted a name ending in {', '.join(ENCODERS)} to write to")
    if target.exists() and not overwrite:
        raise SeriesError(f"{target}: is there already: choose another name or overwrite=True")
    if not target.parent.is_dir():
        raise SeriesError(f"{target}: no folder {target.parent}, wanted one to write in: make it")
    try:
        data = encode(series)
    except SeriesError as error:
        raise SeriesError(f"{target}: {error}") from None
    is_packed = target.suffix.lower() == ".gz"
    return write_file(target, gzip.compress(data, mtime=0) if is_packed else data)
