"""Bodies of requests as series: JSON, and arrow tables, both judged before they are used."""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from selftime.data.frames import free_name
from selftime.data.readers import kind_for, read
from selftime.data.schema import Layout
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements, Signal
from selftime.serving.limits import Limits
from selftime.web.replies import Refusal
from selftime.web.requests import SHOWN, object_of, parse_json, short

ARROW = "application/vnd.apache.arrow.stream"
SERIES_KEYS = ("series", "channels", "ids", "times")
_LONGEST_NAME = 1_000
"""Letters of an id or the name of a channel."""


class Payload(NamedTuple):
    """The series of a request, and the future of covariates where it holds one."""

    series: SeriesSet
    future: SeriesSet | None = None


class Readable(NamedTuple):
    """The way in which bodies are read.

    Attributes:
        kind: what the model reads.
        limits: of the server.
        asked: options of :func:`selftime.read` for tables.
    """

    kind: Signal
    limits: Limits
    asked: Mapping[str, str]


def payload_of(body: bytes, media: str, how: Readable) -> Payload:
    """Return the series of a body.

    Raises:
        Refusal: a body that cannot be read, or is beyond the limits.
        SeriesError: series that cannot be read.
    """
    if media == ARROW:
        series = read_table(table_of_arrow(body), how)
        return Payload(_within(series, how.limits))
    if how.asked:
        raise Refusal(
            422, f"got ?{next(iter(how.asked))}= with JSON, wanted it with a table of arrow alone"
        )
    found = object_of(parse_json(body), (*SERIES_KEYS, "future"))
    future = found.pop("future", None)
    series = _within(series_of_json(found, how), how.limits)
    if future is None:
        return Payload(series)
    ahead = Readable(Measurements(), how.limits, {})
    return Payload(series, series_of_json(object_of(future, SERIES_KEYS, "future"), ahead))


def series_of_json(found: dict[str, Any], how: Readable) -> SeriesSet:
    """Return the series of an object with ``series``, ``channels``, ``ids`` and ``times``.

    Raises:
        Refusal: lists that are no series, or beyond the limits.
        SeriesError: values that no series may have.
    """
    rows = found.get("series")
    if not isinstance(rows, list) or not rows:
        raise Refusal(422, f'"series" is {short(rows)}, wanted a list of at least one series')
    if len(rows) > how.limits.max_series:
        raise Refusal(413, f"got {len(rows):,} series, wanted at most {how.limits.max_series:,}")
    ids = names_of_list(found.get("ids"), len(rows), "ids")
    if how.kind.name != Measurements.name:
        if found.get("channels") is not None or found.get("times") is not None:
            raise Refusal(422, f'got "channels" or "times" of {how.kind.name}, wanted "series"')
        series = read([_signal(i, row) for i, row in enumerate(rows)], kind=how.kind)
        return series if ids is None else SeriesSet.of(series, ids=ids)
    parts = [matrix_of(i, row, how.limits.max_length) for i, row in enumerate(rows)]
    names = names_of_list(found.get("channels"), len(parts[0]), "channels")
    channels = None if names is None else [str(name) for name in names]
    times = found.get("times")
    if times is None:
        return SeriesSet.of(parts, ids=ids, channels=channels)
    return _with_times(parts, times, ids, channels)


def matrix_of(i: int, row: Any, longest: int) -> np.ndarray:
    """Return a series of JSON as numbers (C,T), NaN where there is null.

    Raises:
        Refusal: no numbers, channels of unequal length, or too many timepoints.
    """
    if not isinstance(row, list) or not row:
        raise Refusal(422, f"series {i} is {short(row)}, wanted a list of channels")
    channels = row if isinstance(row[0], list) else [row]
    for c, channel in enumerate(channels):
        where = f"series {i}, channel {c}"
        if not isinstance(channel, list) or not channel:
            raise Refusal(422, f"{where} is {short(channel)}, wanted a list of numbers and null")
        if len(channel) > longest:
            raise Refusal(413, f"{where} has {len(channel):,} steps, wanted at most {longest:,}")
        if len(channel) != len(channels[0]):
            raise Refusal(
                422,
                f"{where} has {len(channel)} steps, channel 0 has {len(channels[0])}: wanted "
                "equally many, null where a value is missing",
            )
        check_numbers(channel, where)
    try:
        return np.array(channels, np.float64)
    except OverflowError:
        raise Refusal(422, f"series {i} holds a number beyond 64 bits: rescale") from None


def check_numbers(values: list[Any], where: str) -> None:
    """Check that a list of JSON holds numbers and null alone.

    Raises:
        Refusal: it holds something else, named with its place.
    """
    if set(map(type, values)) <= {int, float, type(None)}:
        return
    step = next(k for k, value in enumerate(values) if type(value) not in (int, float, type(None)))
    raise Refusal(422, f"{where}, step {step} is {short(values[step])}, wanted a number or null")


def names_of_list(given: Any, count: int, what: str) -> list[Any] | None:
    """Return names of JSON, texts or whole numbers, each once; None where none are given.

    Raises:
        Refusal: another number of them, some that repeat, or no names.
    """
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != count:
        raise Refusal(422, f'"{what}" is {short(given)}, wanted a list of {count} names')
    kinds = set(map(type, given))
    if kinds not in ({str}, {int}):
        raise Refusal(422, f'"{what}" is {short(given)}, wanted texts, or whole numbers alone')
    bad = [x for x in given if x == "" or len(str(x)) > _LONGEST_NAME or "\0" in str(x)]
    if bad:
        raise Refusal(
            422, f'"{what}" holds {short(bad[0])}, wanted 1 to {_LONGEST_NAME:,} letters each'
        )
    if len(set(given)) < count:
        twice = next(x for x in given if given.count(x) > 1)
        raise Refusal(422, f'"{what}" holds {short(twice)} twice, wanted each once')
    if kinds == {int} and max(map(abs, given)) >= 2**63:
        raise Refusal(422, f'"{what}" holds a number beyond 64 bits, wanted it as text')
    return given


def _signal(i: int, row: Any) -> Any:
    """Return a picture, sound, film or text of JSON: nested numbers as an array, or the text."""
    if isinstance(row, str):
        return row
    try:
        found = np.array(row)
    except ValueError:
        raise Refusal(422, f"series {i} is nested unevenly, wanted numbers") from None
    if found.dtype.kind not in "iuf" or not found.size:
        raise Refusal(422, f"series {i} is {short(row)}, wanted a text or numbers")
    return found


def _with_times(
    parts: list[np.ndarray], times: Any, ids: list[Any] | None, channels: list[str] | None
) -> SeriesSet:
    """Return series with stamps, read as the long table that they are."""
    if not isinstance(times, list) or len(times) != len(parts):
        raise Refusal(422, f'"times" is {short(times)}, wanted a list for each of the series')
    for i, (own, part) in enumerate(zip(times, parts, strict=True)):
        if not isinstance(own, list) or len(own) != part.shape[1]:
            raise Refusal(422, f"times of series {i} are {short(own)}, wanted {part.shape[1]}")
        if len(part) != len(parts[0]):
            raise Refusal(422, f"series {i} has {len(part)} channels, series 0 {len(parts[0])}")
    stamps = [stamp for own in times for stamp in own]
    kinds = set(map(type, stamps))
    if kinds != {str} and not kinds <= {int, float}:
        raise Refusal(422, f'"times" hold {short(stamps[:3])}, wanted texts such as "2024-01-31"')
    names = channels or [str(c) for c in range(len(parts[0]))]
    id_, time = free_name("unique_id", names), free_name("ds", names)
    lengths = [part.shape[1] for part in parts]
    owners = np.repeat([str(i) for i in range(len(parts))] if ids is None else ids, lengths)
    try:
        columns = {id_: owners, time: pa.array(stamps)}
    except (pa.ArrowException, OverflowError) as error:
        raise Refusal(422, f'"times" cannot be read ({error}), wanted texts or numbers') from None
    steps = np.concatenate(parts, axis=1)
    columns |= {
        name: pa.array(own, mask=np.isnan(own)) for name, own in zip(names, steps, strict=True)
    }
    return read(
        pa.table(columns), id=id_, time=time, channels=names, layout="long", repeated="refuse"
    )


def _within(series: SeriesSet, limits: Limits) -> SeriesSet:
    """Return series that are within the limits."""
    if len(series) > limits.max_series:
        raise Refusal(413, f"got {len(series):,} series, wanted at most {limits.max_series:,}")
    if (longest := int(series.lengths.max())) > limits.max_length:
        raise Refusal(
            413, f"got a series of {longest:,} steps, wanted at most {limits.max_length:,}: cut it"
        )
    return series


def read_table(table: pa.Table, how: Readable) -> SeriesSet:
    """Return the series of a table, long or wide, as :func:`selftime.read` takes it."""
    asked: dict[str, Any] = dict(how.asked)
    if "channels" in asked:
        asked["channels"] = [name.strip() for name in asked["channels"].split(",")]
    if "layout" in asked and (layout := asked["layout"]) not in get_args(Layout):
        raise Refusal(422, f"got ?layout={layout[:SHOWN]}, wanted {', '.join(get_args(Layout))}")
    return read(table, kind=kind_for(table, how.kind), **asked)


def table_of_arrow(body: bytes) -> pa.Table:
    """Return the table of an IPC stream, in which nothing is larger than what came.

    Raises:
        Refusal: a damaged or packed stream, or columns that are no numbers, texts or times.
    """
    try:
        refuse_packed(body)
        with pa.ipc.open_stream(body) as stream:
            _check_columns(stream.schema)
            table = stream.read_all()
        table.validate(full=True)
    except (pa.ArrowException, ValueError, OSError, struct.error, IndexError) as error:
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise Refusal(400, f"got a body that is no arrow stream ({first}), wanted one") from None
    if table.num_rows * max(table.num_columns, 1) > 8 * len(body):
        raise Refusal(422, f"got {table.num_rows:,} rows without values, wanted numbers")
    if not table.num_rows or not table.num_columns:
        raise Refusal(422, "got a table without rows or columns, wanted at least one of each")
    return _without_dictionaries(table)


def _check_columns(schema: pa.Schema) -> None:
    if len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise Refusal(422, f"got two columns named {short(twice)}, wanted each name once")
    for field in schema:
        _check_type(field)


def _check_type(field: pa.Field) -> None:
    kind, types = field.type, pa.types
    kind = kind.value_type if types.is_dictionary(kind) else kind
    good = types.is_floating(kind) or types.is_integer(kind) or types.is_boolean(kind)
    good = good or types.is_string(kind) or types.is_large_string(kind)
    if not (good or types.is_timestamp(kind) or types.is_date(kind) or types.is_decimal(kind)):
        raise Refusal(
            422,
            f"column {short(field.name)} holds {str(field.type)[:SHOWN]}, wanted numbers, "
            "texts or times: convert it or leave it out",
        )


def _without_dictionaries(table: pa.Table) -> pa.Table:
    """Return a table whose texts stand in full, once it is clear that they are short."""
    for i, field in enumerate(table.schema):
        if not pa.types.is_dictionary(field.type):
            continue
        column = table.column(i)
        longest = 0
        for chunk in column.chunks:
            if pa.types.is_string(field.type.value_type) and len(chunk.dictionary):
                longest = max(longest, pc.max(pc.binary_length(chunk.dictionary)).as_py() or 0)
        if longest > _LONGEST_NAME:
            raise Refusal(
                422,
                f"column {short(field.name)} holds texts of {longest:,} bytes, "
                f"wanted at most {_LONGEST_NAME:,}",
            )
        table = table.set_column(i, field.name, column.cast(field.type.value_type))
    return table


_MESSAGE_HEADER, _DICTIONARY_DATA, _COMPRESSION, _RECORDS, _DICTIONARY = 2, 1, 3, 3, 2


def refuse_packed(body: bytes) -> None:
    """Refuse a stream whose buffers are compressed: they may unpack to any size.

    Places of fields are those of Message.fbs of arrow: the header of a message is field 2, of a
    batch of dictionaries its data is field 1, and the compression of records is field 3.

    Raises:
        Refusal: it is.
    """
    for message in pa.ipc.MessageReader.open_stream(body):
        raw = message.metadata.to_pybytes()
        if message.type not in ("record batch", "dictionary"):
            continue
        header = _table_at(raw, _field(raw, struct.unpack_from("<I", raw)[0], _MESSAGE_HEADER))
        if message.type == "dictionary":
            header = _table_at(raw, _field(raw, header, _DICTIONARY_DATA))
        if _field(raw, header, _COMPRESSION):
            raise Refusal(422, "got an arrow stream that is compressed, wanted it as it is")


def _field(raw: bytes, table: int, number: int) -> int:
    """Return the place of a field of a flatbuffer's table; 0 where it is left out."""
    vtable = table - struct.unpack_from("<i", raw, table)[0]
    at = 4 + 2 * number
    if at >= struct.unpack_from("<H", raw, vtable)[0]:
        return 0
    offset = int(struct.unpack_from("<H", raw, vtable + at)[0])
    return table + offset if offset else 0


def _table_at(raw: bytes, place: int) -> int:
    return place + int(struct.unpack_from("<I", raw, place)[0])
