"""The ``.ts`` format of the UEA archive: ``@`` headers, then one case per line."""

from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int64

from selftime.data.arrays import SeriesError
from selftime.data.formats.text import numbers, shortened, text_lines, whole_labels_of
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements

Header = dict[str, list[str]]
"""The words after each ``@word``, which is in lower case."""


def read_ts(data: bytes) -> SeriesSet:
    """Read series from ``.ts`` text: channels between colons, values between commas, label last.

    Class labels stay text (``@classLabel true``), targets become numbers (``@targetLabel true``).
    ``?`` and ``NaN`` mean missing. Lengths may differ between cases, not within one. Source:
    Bagnall et al. 2018, "The UEA multivariate time series classification archive".
    """
    lines = text_lines(data)
    start = next((i for i, line in enumerate(lines) if line.strip().lower() == "@data"), None)
    if start is None:
        raise SeriesError("has no @data line, wanted headers, @data, then one case a line")
    header = _header(lines[:start])
    at = [i for i in range(start + 1, len(lines)) if lines[i].strip() and lines[i][0] not in "#%"]
    if not at:
        raise SeriesError("has no case after @data, wanted at least one: is the file cut?")
    cases = pa.array([lines[i].strip() for i in at], pa.large_string())
    return _series(cases, header, np.array(at) + 1)


def encode_ts(x: SeriesSet) -> bytes:
    """Return values, gaps and labels (as text) in ``.ts`` form, which has no room for the rest."""
    if x.kind != Measurements():
        raise SeriesError(f"got {x.kind.name}, which a .ts does not hold: write .npz")
    C, lengths = x.n_channels, x.lengths
    rows = _channel_by_channel(lengths, C)
    flat, gaps = np.empty(x.steps.size, np.float32), np.zeros(x.steps.size, bool)
    flat[rows] = x.steps
    if x.observed is not None:
        gaps[rows] = ~x.observed
    cells = pa.array(flat, mask=gaps).cast(pa.string()).fill_null("NaN").to_pylist()
    cases = _join_cells(_join_cells(cells, np.repeat(lengths, C), ","), np.full(len(x), C), ":")
    labels = _format_labels(x)
    if labels is not None:
        cases = [f"{case}:{label}" for case, label in zip(cases, labels, strict=True)]
    return "\n".join([*_header_lines(x, labels), *cases, ""]).encode()


def _header(lines: list[str]) -> Header:
    words = [line.split() for line in lines if line.startswith("@")]
    header = {word.lower(): rest for word, *rest in words}
    if _is_true(header, "@timestamps"):
        raise SeriesError(
            "has @timeStamps true, wanted values without times: write the values alone, or a "
            ".csv with the columns unique_id, ds and one for each channel"
        )
    return header


def _is_true(header: Header, word: str) -> bool:
    return header.get(word, ["false"])[:1] in (["true"], ["True"], ["TRUE"])


def _series(cases: Any, header: Header, line: np.ndarray) -> SeriesSet:
    parts, C, labels = _fields(cases, header, line)
    values = pc.split_pattern(parts, ",")
    counts = pc.list_value_length(values).to_numpy().reshape(-1, C)
    lengths = counts[:, 0].astype(np.int64)
    if (counts != lengths[:, None]).any():
        i, c = np.argwhere(counts != lengths[:, None])[0]
        raise SeriesError(
            f"line {line[i]}: channel {c} has {counts[i, c]} values, channel 0 has {lengths[i]}: "
            "fill the shorter one up with NaN"
        )
    ends = np.cumsum(lengths * C)
    flat = numbers(
        values.flatten(),
        lambda k: f"line {line[np.searchsorted(ends, k, 'right')]}",
        kind=pa.float32(),
    )
    return SeriesSet.from_steps(flat[_channel_by_channel(lengths, C)], lengths, labels=labels)


def _fields(cases: Any, header: Header, line: np.ndarray) -> tuple[Any, int, np.ndarray | None]:
    """Split cases into the text of each channel, the number of channels, and the labels."""
    labelled = _is_true(header, "@classlabel") or _is_true(header, "@targetlabel")
    fields = pc.split_pattern(cases, ":")
    widths = pc.list_value_length(fields).to_numpy()
    _check_widths(widths - labelled, header, line)
    cells = fields.flatten()
    table = np.arange(len(cells)).reshape(len(cases), widths[0])
    if not labelled:
        return cells, int(widths[0]), None
    labels = pc.utf8_trim_whitespace(cells.take(pa.array(table[:, -1])))
    channels = cells.take(pa.array(table[:, :-1].ravel()))
    return channels, int(widths[0]) - 1, _parse_labels(labels, header, line)


def _check_widths(counts: np.ndarray, header: Header, line: np.ndarray) -> None:
    declared = (header.get("@dimensions") or header.get("@dimension") or [""])[0]
    wanted = int(declared[:18]) if declared.isdecimal() else int(counts[0])
    if wanted < 1 or (counts != wanted).any():
        i = int(np.argmax(counts != wanted))
        whose = "@dimensions says" if declared.isdecimal() else f"line {line[0]} has"
        raise SeriesError(
            f"line {line[i]}: got {counts[i]} channels, {whose} {wanted}: channels stand between "
            "colons, the label last if @classLabel is true"
        )


def _parse_labels(cells: Any, header: Header, line: np.ndarray) -> np.ndarray:
    if _is_true(header, "@targetlabel"):
        return whole_labels_of(cells)
    labels = np.array(cells.to_pylist(), dtype=str)
    declared = header["@classlabel"][1:]
    unknown = ~np.isin(labels, declared) if declared else labels == ""
    if unknown.any():
        i = int(np.argmax(unknown))
        raise SeriesError(
            f"line {line[i]}: got the label {shortened(str(labels[i]))}, wanted one that "
            "@classLabel lists: is the line cut, or the header incomplete?"
        )
    return labels


def _channel_by_channel(lengths: Int64[np.ndarray, "N"], C: int) -> Int64[np.ndarray, "S C"]:
    """Return the position of each (step, channel) in text, where channels follow one another."""
    offsets = np.cumsum(lengths) - lengths
    first = np.repeat((C - 1) * offsets, lengths) + np.arange(lengths.sum())
    return np.asarray(first[:, None] + np.repeat(lengths, lengths)[:, None] * np.arange(C))


def _join_cells(cells: list[str], counts: np.ndarray, separator: str) -> list[str]:
    ends = np.cumsum([0, *counts]).tolist()
    return [separator.join(cells[a:b]) for a, b in pairwise(ends)]


def _format_labels(x: SeriesSet) -> np.ndarray | None:
    if x.labels is None:
        return None
    labels = np.where(x.labelled, x.labels, "?").astype(str)
    for label in np.unique(labels).tolist():
        if not label or not label.isprintable() or set(label) & set(" :"):
            raise SeriesError(
                f"got the label {label!r}, wanted text without spaces and colons, which separate "
                "labels in .ts: rename it or write .npz"
            )
    return labels


def _header_lines(x: SeriesSet, labels: np.ndarray | None) -> list[str]:
    classes = "false" if labels is None else " ".join(["true", *np.unique(labels).tolist()])
    return [
        "@problemName selftime",
        "@timeStamps false",
        f"@missing {str(x.observed is not None).lower()}",
        f"@univariate {str(x.n_channels == 1).lower()}",
        f"@dimensions {x.n_channels}",
        f"@equalLength {str(not x.is_ragged).lower()}",
        f"@classLabel {classes}",
        "@data",
    ]
