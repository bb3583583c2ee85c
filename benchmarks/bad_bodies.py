"""More than 200 requests that a server of models must refuse, each for a reason in words."""

import io
import json
from typing import Any, NamedTuple

import pyarrow as pa

JSON, ARROW = "application/json", "application/vnd.apache.arrow.stream"


def arrow_of(table: Any, compression: str | None = None) -> bytes:
    """A table as an IPC stream."""
    table = table if isinstance(table, pa.Table) else pa.table(table)
    sink = io.BytesIO()
    how = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, table.schema, options=how) as writer:
        writer.write_table(table)
    return sink.getvalue()


class Bad(NamedTuple):
    """A request that must be refused: its body and type, and what stands after ``?``."""

    body: bytes
    media: str = JSON
    query: str = ""


def bad_bodies() -> list[Bad]:
    """More than 200 different requests to /classify of two channels, none of which is good."""
    return [
        *(Bad(text) for text in BAD_TEXTS),
        *(Bad(json.dumps(value).encode()) for value in bad_values()),
        *bad_tables(),
        *bad_headers(),
    ]


GOOD = {"series": [[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]}
_OPEN = b'{"series": [[[1, 2], [3, '
BAD_TEXTS = [
    *(b"", b" ", b"{", b"[", b'{"series"', b'{"series": ', b"nonsense", b"null null", b"\xff\xfe"),
    *(b"{'series': []}", b'{"series": [[[1,2],[3,4]]],}', b'{"series": [[[1,2,],[3,4]]]}'),
    *(_OPEN + word + b"]]]}" for word in (b"NaN", b"Infinity", b"-Infinity", b"nan", b"None")),
    *(_OPEN + word + b"]]]}" for word in (b"0x10", b"1_000", b"1,5.", b"+1", b".5", b"01", b"1e")),
    *(_OPEN + word + b"]]]}" for word in (b"1e999", b"-1e999", b"1e39", b"9" * 400, b"9" * 6000)),
    *(b"[" * depth + b"]" * depth for depth in (10, 1_000, 100_000)),
    *(b'{"series":' * depth + b"1" + b"}" * depth for depth in (3, 1_000, 50_000)),
    b'{"series": [[[1],[2]]], "series": [[[1],[2]]]}',
    b'{"series": [[[1],[2]]], "ids": ["\xff"]}',
    b'\xef\xbb\xbf{"series": [[[1],[2]]]}',
    json.dumps(GOOD).encode("utf16"),
    json.dumps(GOOD).encode("utf32"),
    b'{"series": [[[1],[2]]], "ids": ["a\x01"]}',
    b'{"series": [[[1],[2]]]}{"series": [[[1],[2]]]}',
    b'{"series": [[[1],[2]]]} trailing',
    b"<series>1</series>",
    b"unique_id,heat,force\na,1,2\n",
    b"--boundary\r\nContent-Disposition: form-data\r\n\r\n1\r\n--boundary--",
    b"series=1&channels=2",
    b"\x80\x04\x95.",
    b"\x00" * 50,
]
"""Bodies that are no JSON, or whose numbers are none."""


def bad_values() -> list[Any]:
    """Plain values that are JSON and no series of the two channels."""
    odd: list[Any] = [None, True, False, 0, -1, 1.5, "", "text", [], {}, [[]], [{}], [None], [True]]
    series = [*odd, ["a"], [1], [1, 2], [[1, 2]], [[[]]], [[[], []]], [[[1], []]], [[[1, 2], [3]]]]
    series += [[[[1], [2]], [[1]]], [[[1], [2], [3]]], [[[1, [2]], [3, 4]]], [[[[1]], [[2]]]]]
    series += [[[[1], "2"]], [[[1], None]], [[[1], {}]], [[{"heat": [1], "force": [2]}]]]
    series += [[[[cell], [2]]] for cell in (True, False, "1", "NaN", "", [], {}, [1], "2024-01-01")]
    series += [[[[None], [None]]], [[[None, None], [None, None]]], [[[10**400], [1]]]]
    series += [[[[1], [2]]] * 1_001, [[[0] * 100_001, [0] * 100_001]], [[[1e300], [2]]]]
    values = [*odd, *({"series": own} for own in series)]
    names: list[Any] = [None, *odd[1:], ["a"], ["heat"], ["heat", "heat"], ["heat", "other"]]
    names += [["heat", "force", "more"], ["heat", ""], ["heat", "x" * 2_000], ["heat", None]]
    names += [["heat", 1], ["heat", True], ["he\0at", "force"], [["heat"], ["force"]]]
    values += [GOOD | {"channels": own} for own in names[1:]]
    ids: list[Any] = [*odd[1:], ["a", "b"], ["x" * 2_000], [""], [1.5], [["a"]], ["a\0"], [10**30]]
    values += [GOOD | {"ids": own} for own in ids]
    two = {"series": GOOD["series"] * 2}
    values += [two | {"ids": own} for own in (["a", "a"], [1, 1], ["a", 1], ["a"], [True, False])]
    times: list[Any] = [*odd[1:], [[1, 2]], [[1, 2, 3, 4]], [["a", "b", "c"]], [[1, 1, 2]]]
    times += [[["2024-01-01", 2, 3]], [[None, 1, 2]], [[True, False, True]], [["", "", ""]]]
    times += [[["2024-01-01", "2024-01-01", "2024-01-02"]], [[1, 2, [3]]], [[1e400, 2, 3]]]
    times += [[["2024-13-01", "2024-13-02", "2024-13-03"]], [[10**30, 1, 2]], [["1", "2", "x"]]]
    values += [GOOD | {"times": own} for own in times]
    more = ("model", "Series", "serie", "values", "data", "__class__", "labels", "\u202e", "ids ")
    values += [GOOD | {name: 1} for name in more]
    return [*values, GOOD | {"future": GOOD}, GOOD | {"future": 1}, {"future": GOOD}]


def bad_tables() -> list[Bad]:
    """Streams of arrow that are damaged, or hold no series of the two channels."""
    good = {"heat": [1.0, 2.0], "force": [3.0, 4.0]}
    whole = arrow_of(good)
    damaged = [whole[:k] for k in (0, 1, 4, 8, 50, 200, len(whole) // 2)]
    damaged += [b"ARROW1\0\0" + whole, b"\xff" * 100, b"\0" * 100, b"PAR1" + whole[:40]]
    damaged += [whole[:k] + b"\xff\xff\xff\x7f" + whole[k + 4 :] for k in (0, 4, 8, 16, 24, 40, 64)]
    tables: list[Any] = [
        {"heat": [1.0, 2.0]},
        {"heat": ["a", "b"], "force": ["c", "d"]},
        {"heat": [[1.0], [2.0]], "force": [[1.0], [2.0]]},
        {"heat": [{"a": 1}], "force": [{"a": 1}]},
        {"heat": [b"a"], "force": [b"b"]},
        {"heat": pa.nulls(2), "force": pa.nulls(2)},
        {"heat": [1.0, float("inf")], "force": [1.0, 2.0]},
        {"heat": [1e300], "force": [1.0]},
        {"heat": [None, None], "force": pa.array([None, None], pa.float64())},
        {**good, "extra": [1.0, 2.0]},
        {"a": [1.0], "b": [2.0]},
        {"heat": pa.array([], pa.float64()), "force": pa.array([], pa.float64())},
        {},
        pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["heat", "heat"]),
        {"heat": pa.RunEndEncodedArray.from_arrays([2**30], [1.0]), "force": pa.nulls(2**30)},
        {"heat": pa.array([1], pa.duration("s")), "force": pa.array([1], pa.duration("s"))},
        {"unique_id": ["a", None], **good},
        {"ds": ["x", "y"], **good},
        {"unique_id": ["a", "a"], "ds": ["2024-01-01", None], **good},
        {"unique_id": pa.DictionaryArray.from_arrays([0, 0], ["x" * 5_000]), **good},
        {"heat": pa.array([1.0] * 100_001), "force": pa.array([1.0] * 100_001)},
        {
            "unique_id": [str(i) for i in range(1_001)],
            "heat": [1.0] * 1_001,
            "force": [1.0] * 1_001,
        },
    ]
    packed = [Bad(arrow_of(good, how), ARROW) for how in ("lz4", "zstd")]
    asked = [f"{name}=nowhere" for name in ("id", "time", "label", "group", "channels")]
    asked += ["layout=tall", "limit=1", "kind=images", "windows=2"]
    return [
        *(Bad(body, ARROW) for body in damaged),
        *(Bad(arrow_of(table), ARROW) for table in tables),
        *packed,
        *(Bad(whole, ARROW, query) for query in asked),
        Bad(json.dumps(GOOD).encode(), ARROW),
    ]


def bad_headers() -> list[Bad]:
    """Good bodies that are called something else, or asked for with odd words."""
    good = json.dumps(GOOD).encode()
    media = ["", "text/plain", "text/csv", "application/x-www-form-urlencoded", "image/png"]
    media += ["multipart/form-data; boundary=x", "application/xml", "application/jsonp", "json"]
    media += [
        "application/octet-stream",
        "application/vnd.apache.arrow.file",
        "*/*",
        "\t",
        "a" * 900,
    ]
    queries = ["model=nobody", "model=", "model=..%2F..%2Fetc", "model=%00", "model=a&model=b"]
    queries += ["Model=speakers", "batch=1", "id=unique_id", "model=%F0%9F%90%8D", "=", "x"]
    return [
        *(Bad(good, own) for own in media),
        *(Bad(good, JSON, own) for own in queries),
        Bad(arrow_of({"heat": [1.0], "force": [2.0]}), JSON),
    ]
