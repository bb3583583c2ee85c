"""One reader for files, folders, arrays and frames: they become a SeriesSet."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import narwhals as nw
import numpy as np

from selftime.data.arrays import SeriesError, column_of, label_column
from selftime.data.channels import mark_as_number, select_as_asked
from selftime.data.columns import Table
from selftime.data.fills import fill_notes
from selftime.data.formats.bounds import limit_memory
from selftime.data.formats.csv_parquet import table_of_frame
from selftime.data.forms import Form, Size, form_of
from selftime.data.labels import LabelTable, join_labels, label_mapping, label_table
from selftime.data.media import part_of_arrays, part_of_table, part_of_texts, series_of_parts
from selftime.data.memory import is_mapped
from selftime.data.parts import Portion, join_parts, name_part
from selftime.data.paths import FolderFiles, read_folder, read_labels, read_path, read_paths
from selftime.data.places import is_url
from selftime.data.recordings import cut_recordings
from selftime.data.remote import without_secrets
from selftime.data.schema import Asked, Layout
from selftime.data.series import SeriesSet
from selftime.data.signals import Level, Measurements, Signal
from selftime.data.tables import series_of_table
from selftime.door import option, tell


def read(  # noqa: PLR0913 - the front door: each is one thing that people know of their data
    source: Any,
    *,
    labels: Any = None,
    groups: Any = None,
    id: str | None = None,
    time: str | None = None,
    label: str | None = None,
    group: str | None = None,
    channels: Sequence[str] | None = None,
    ignore: Sequence[str] = (),
    layout: Layout | None = None,
    time_zone: str | None = None,
    missing: Any = (),
    repeated: Literal["first", "mean", "refuse"] | None = None,
    windows: int | str | None = None,
    stride: int | str | None = None,
    limit: int | str | None = None,
    kind: str | Signal | None = None,
    patch: int | None = None,
    size: Size | None = None,
    symbols: Level | None = None,
    rate: float | int | None = None,
) -> SeriesSet:
    """Read series, pictures, texts, sounds or films from files, folders, arrays or frames.

    Files go by their ending, each also packed; a folder is read with everything under it: ids are
    the paths within it, and the names of its sub-folders become labels when there are at least two
    and nothing else carries labels. Missing values become a mask.

    Tables (csv, parquet, frames) come in three layouts: "long" has a column that names the series
    of each row, "wide" has one row per series, "series" has one row per step and a column per
    channel. Layout and role of each column are recognised by names and shape; whatever was guessed
    is in ``notes``, logged, and printed by ``selftime inspect``. Rows are sorted by time.

    Pictures (png, jpeg, webp, bmp, gif, IDX), texts (txt, md), sounds (flac, ogg, mp3) and films
    (mp4, avi, mov, mkv, webm) are told by their endings and brought to one size or rate; ``kind``
    tells of what else it is one: a wav, an array, a table, a folder of frames.

    Example:
        >>> import numpy as np
        >>> import selftime as st
        >>> st.read(np.ones((3, 2, 50)), labels=["a", "b", "a"])
        SeriesSet(3 series, 2 channels, 50 steps)
        >>> st.read({"pump": np.ones(50), "fan": np.ones(40)}, labels={"fan": "broken"}).labels
        array([None, 'broken'], dtype=object)

    Args:
        source: a path, a pattern such as "data/*.csv", a bundled data set as "sample:NAME" or
            "sample:NAME:SPLIT", an array (N,C,T) or (N,T), a list of (C,T) or (T,) arrays, a
            pandas, polars or arrow frame, a pandas or polars Series, a list or dict of any of
            these, or a SeriesSet.
        labels: class labels, in place of those of the source: (N,) in the order of the series, or
            matched by id or file name: a dict, a pandas Series with an index, a frame or a file
            of ids and labels, or of ids, start, end and label. Blank, NaN, None and NA mean that
            a series is unlabelled.
        groups: (N,) subject, machine or session of each series, in place of those of the source.
        id: column that names the series of each row, or several such as "site,machine"; "none"
            if there is none.
        time: column of stamps; "none" keeps the order of the rows.
        label: column of labels; "folder" takes the names of sub-folders, "name" those of files
            without their last number (normal_001.wav), "none" takes none.
        group: column of groups; "folder" takes the names of sub-folders.
        channels: columns of values; all numeric ones that are left when None.
        ignore: columns that are left out.
        layout: "long", "wide" or "series"; recognised when None.
        time_zone: zone of stamps without one, such as "Europe/Berlin"; stamps that have one are
            shown in it.
        missing: a value or several that mean that nothing was measured, such as -9999.
        repeated: which of the rows of one stamp counts, "first", their "mean", or "refuse"; the
            first of a few when None.
        windows: steps of windows that long recordings are cut into, or a duration such as "10min".
        stride: steps from one window to the next, or a duration; the length of a window when None.
        limit: most memory that a file may take, bytes or text such as "4 GB"; when None it is 1 GB,
            or fifty times the bytes of the file, so that one that unpacks to far more is refused.
        kind: "images" (N,H,W) or (N,H,W,3) in arrays, a row each in tables; "text", strings or a
            column of a table; "sound" or "wave", samples (N,T) or a list of (T,); "film"
            (N,T,H,W) or (N,T,H,W,3); "series"; or the kind of other series, which these are then
            made like. Told by the ending, by ``patch`` or ``symbols`` when None.
        patch: of images, pixels of a side of a patch, which is a step; 2, 4 or 8 when None.
        size: of images and film, pixels of the longer side, or height and width; as large as most
            are, at most 96 or 64, when None.
        symbols: of text, "characters" (when None), "bytes", or "subwords" learned on the texts.
        rate: of sound and wave, samples a second to which they are brought, that of most files
            when None; of arrays, that which they have. Of film, frames a second.

    Returns:
        The series, values as 32-bit floats above an origin.

    Raises:
        SeriesError: the source cannot be read as it is; the message names the file, the line or
            the series, and what to do.
    """
    names = None if channels is None else tuple(map(str, channels))
    asked = Asked(
        *(id, time, label, group, names, tuple(ignore), layout, time_zone, _marks(missing)),
        repeated,
        form_of(kind, patch=patch, size=size, symbols=symbols, rate=rate),
    )
    with limit_memory(limit):
        series = _series_of(source, asked, labels)
        if labels is not None:
            series = _add_labels(series, labels, asked)
    if groups is not None:
        series = replace(series, groups=column_of(groups, "groups"))
    if windows is not None:
        if not series.kind.in_time:
            raise SeriesError(
                f"got {option('windows', windows)} for {series.kind.name}, which follow no time: "
                f"leave it out; {option('size')} and {option('patch')} change pictures"
            )
        series = cut_recordings(series, windows, stride)
    if not isinstance(source, SeriesSet):
        series = replace(series, notes=(*series.notes, *_notes_of(series, asked.form)))
        tell(series.notes, without_secrets(source) if is_url(source) else source)
    return series


def kind_for(x: Any, kind: Signal) -> Signal | None:
    """Return the kind to read ``x`` as for a model of it: its sizes, its symbols, its rate.

    None for a SeriesSet, which is read already, and for measurements, which need no form.
    """
    return None if isinstance(x, SeriesSet) or isinstance(kind, Measurements) else kind


def _series_of(source: Any, asked: Asked, labels: Any = None) -> SeriesSet:
    if isinstance(source, SeriesSet):
        return select_as_asked(source, asked)
    if isinstance(source, str | os.PathLike | FolderFiles):
        return _of_files(source, asked, labelled=labels is not None)
    if asked.form.name not in (None, "series") and not _are_paths(source, asked.form):
        return _of_media(source, str(asked.form.name), asked)
    if isinstance(source, Mapping):
        return _of_parts(list(source.values()), list(map(str, source)), asked)
    if (parts := _parts_of(source)) is not None:
        return _series_of(parts, asked)
    table = _table_of(source)
    if table is not None:
        return _read_frame(table, asked, labels)
    if isinstance(source, list | tuple) and any(not _is_numbers(part) for part in source):
        return _of_parts(source, None, asked)
    return _of_array(source, asked)


def _of_files(
    source: str | os.PathLike[str] | FolderFiles, asked: Asked, *, labelled: bool
) -> SeriesSet:
    if isinstance(source, FolderFiles):
        return read_folder(source, asked, labelled=labelled)
    return replace(read_path(source, asked, labelled=labelled), source=without_secrets(source))


def _notes_of(series: SeriesSet, form: Form) -> tuple[str, ...]:
    """Return notes on measurements: marks of missing values, and options that are not for them."""
    if series.kind != Measurements():
        return ()
    idle = [note for note in form.idle_for(Measurements.name) if note not in series.notes]
    return (*idle, *(() if is_mapped(series.steps) else fill_notes(series)))  # a store has them


def _are_paths(source: Any, form: Form) -> bool:
    """Return whether a list holds paths, which texts may be too: these are there."""
    if not isinstance(source, list | tuple) or not source:
        return False
    if not all(isinstance(part, str | os.PathLike) for part in source):
        return False
    return form.name != "text" or all(map(_is_there, source))


def _is_there(text: str | os.PathLike[str]) -> bool:
    try:
        return os.path.exists(text)
    except ValueError:  # a NUL in a text
        return False


def _of_media(source: Any, kind: str, asked: Asked) -> SeriesSet:
    """Read pictures, texts, sounds or films that are in memory."""
    names = [""]
    if isinstance(source, Mapping):
        names, source = list(map(str, source)), list(source.values())
    table = None if isinstance(source, list | tuple | np.ndarray) else _table_of(source)
    if table is not None:
        part = part_of_table(table, kind, asked)
    elif kind == "text":
        part = part_of_texts(source)
    else:
        part = part_of_arrays(source, kind, asked.form)
    if len(names) == len(part) and names != [""]:
        part = replace(part, ids=np.array(names))
    return series_of_parts([part], [""], kind, asked.form)


def _parts_of(source: Any) -> Any:
    """Return a Series whose cells are arrays as a list, by name where its index has names."""
    if not hasattr(source, "to_frame") or hasattr(source, "columns") or not len(source):
        return None
    if np.ndim(next(iter(source))) < 1:
        return None
    parts, index = [np.asarray(part) for part in source], getattr(source, "index", None)
    if index is None or callable(index) or index.dtype.kind in "iuf":
        return parts
    return dict(zip(map(str, index), parts, strict=True))


def _is_numbers(part: Any) -> bool:
    plain = isinstance(part, np.ndarray | list | tuple | float | int) or np.isscalar(part)
    tensor = hasattr(part, "detach")
    return tensor or (plain and not isinstance(part, str))


def _of_array(source: Any, asked: Asked) -> SeriesSet:
    series = SeriesSet.of(_without(source, asked.missing))
    if asked.channels is not None:
        series = replace(series, channels=tuple(asked.channels))
    series = select_as_asked(series, Asked(ignore=asked.ignore))
    N, C, T = series.shape
    if C > 16 and C > 4 * T:
        note = (
            f"{C} channels of {T} steps: if they are {T} channels of {C} steps, transpose the "
            f"array from {(N, C, T)} to {(N, T, C)}"
        )
        return replace(series, notes=(*series.notes, note))
    return series


def _marks(missing: Any) -> tuple[Any, ...]:
    """Return the values that mean that nothing was measured, also where one alone is given."""
    return (missing,) if isinstance(missing, str) or np.isscalar(missing) else tuple(missing)


def _without(source: Any, missing: Sequence[Any]) -> Any:
    """Return arrays with NaN in place of the values that mean that nothing was measured."""
    if not missing:
        return source
    if isinstance(source, list | tuple):
        return [_without(np.asarray(part), missing) for part in source]
    out = np.array(source, np.float64)
    for mark in missing:
        out[np.isclose(out, mark_as_number(mark), rtol=1e-6, atol=0)] = np.nan
    return out


def _of_parts(parts: Sequence[Any], names: list[str] | None, asked: Asked) -> SeriesSet:
    """Read the parts of a list or dict one by one: paths, frames, arrays or SeriesSets."""
    if not parts:
        return _of_array([], asked)
    if parts and names is None and all(isinstance(part, str | os.PathLike) for part in parts):
        return read_paths(parts, asked)
    names = names or [str(i) for i in range(len(parts))]
    loads = [
        Portion(name, partial(_read_part, [part] if _is_numbers(part) else part, name, asked))
        for part, name in zip(parts, names, strict=True)
    ]
    return join_parts(loads).series


def _read_part(part: Any, name: str, asked: Asked) -> SeriesSet:
    return name_part(_series_of(part, asked), name)


def _table_of(source: Any) -> Table | None:
    """Return the table of a frame or a Series of pandas or polars; the index counts as columns."""
    if hasattr(source, "to_frame") and not hasattr(source, "columns"):  # a Series
        source = source.to_frame(source.name if source.name is not None else "0")
    elif not isinstance(source, np.ndarray):
        source = nw.from_native(source, pass_through=True)
        source = source.to_native() if isinstance(source, nw.DataFrame | nw.LazyFrame) else source
    return table_of_frame(_without_periods(source))


def _without_periods(frame: Any) -> Any:
    """Return a pandas frame whose periods, such as months, are the stamps of their starts."""
    if type(getattr(frame, "index", None)).__name__ == "PeriodIndex":
        frame = frame.set_axis(frame.index.to_timestamp(), axis=0)
    if not hasattr(frame, "assign"):
        return frame
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    periods = [name for name, kind in kinds.items() if kind.startswith("period")]
    return frame.assign(**{name: frame[name].dt.to_timestamp() for name in periods})


def _read_frame(table: Table, asked: Asked, labels: Any) -> SeriesSet:
    """Read a frame; with a label for each row and fewer series its rows are series."""
    rows = table.cells.num_rows
    each = labels is not None and not isinstance(labels, str | os.PathLike | Mapping)
    each = each and hasattr(labels, "__len__") and len(labels) == rows
    if not each or asked.layout is not None:
        return series_of_table(table, asked)
    try:
        series = series_of_table(table, asked)
        if len(series) == rows:
            return series
    except SeriesError:
        pass
    return series_of_table(table, asked._replace(layout="wide"))


def _add_labels(series: SeriesSet, labels: Any, asked: Asked) -> SeriesSet:
    """Add labels by position, by id, or by file name."""
    rows, source = _label_rows(labels, asked)
    if rows is not None:
        return join_labels(series, rows, source)
    column = label_column(labels)
    if column is not None and len(column) != len(series):
        raise SeriesError(
            f"got {len(column)} labels for {len(series)} series: one each is wanted, or labels "
            "by id, as a dict or a table"
        )
    return replace(series, labels=column)


def _label_rows(labels: Any, asked: Asked) -> tuple[LabelTable | None, str]:
    """Return labels that name their series, and where they are from; None where they do not."""
    if isinstance(labels, LabelTable):
        return labels, "the labels"
    if isinstance(labels, str | os.PathLike):
        return read_labels(labels, asked), without_secrets(labels)
    if isinstance(labels, Mapping):
        return label_mapping(labels), "the labels"
    index = getattr(labels, "index", None)
    if hasattr(labels, "to_frame") and not hasattr(labels, "columns"):
        counts = index is None or callable(index) or type(index).__name__ == "RangeIndex"
        return (None if counts else label_mapping(dict(labels.items()))), "the labels"
    table = None if isinstance(labels, np.ndarray | list | tuple) else _table_of(labels)
    return (None if table is None else label_table(table, asked.id, asked.label)), "the labels"
