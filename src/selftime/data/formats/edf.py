"""Recordings of the clinic (``.edf``, ``.bdf``), read by the optional package edfio."""

import io
from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from selftime.data.arrays import SeriesError
from selftime.data.columns import Table
from selftime.data.formats.text import count_of, decoding


def read_edf(data: bytes) -> Table:
    """Read one recording: a column ``time`` of stamps, and one for each signal, in its own units.

    Only signals of the rate that most of them have are read, and the notes name the others.

    Raises:
        SeriesError: edfio is not installed, it is no such file, or it holds no signal.
    """
    return _recording(data, "edf")


def read_bdf(data: bytes) -> Table:
    """Read one recording with 24 bits a value, as :func:`read_edf` does.

    Raises:
        SeriesError: edfio is not installed, it is no such file, or it holds no signal.
    """
    return _recording(data, "bdf")


def _recording(data: bytes, kind: str) -> Table:
    try:
        import edfio
    except ImportError:
        raise SeriesError(
            "needs the package edfio: pip install 'selftime[edf]', or save it as .csv"
        ) from None
    with decoding(kind):
        file = (edfio.read_bdf if kind == "bdf" else edfio.read_edf)(io.BytesIO(data))
        signals = [(s.label, s.sampling_frequency, np.asarray(s.data)) for s in file.signals]
        start = _start(file)
    rates = Counter(rate for _, rate, _ in signals)
    if not rates:
        raise SeriesError("holds no signal, wanted at least one")
    rate = max(rates, key=lambda each: (rates[each], each))
    columns: dict[str, Any] = {}
    for label, own, values in signals:
        if own == rate:
            name = label or f"signal {len(columns)}"
            columns[name if name not in columns else f"{name} {len(columns)}"] = values
    steps = np.arange(len(next(iter(columns.values()))))
    times = np.datetime64(start, "ns") + np.rint(steps / rate * 1e9).astype("m8[ns]")
    left = [f"{label} ({own:g} Hz)" for label, own, _ in signals if own != rate]
    note = f"{count_of(len(left), 'signal')} of another rate than {rate:g} Hz left out: "
    notes = (f"{note}{', '.join(left)}.",) if left else ()
    return Table(pa.table({"time": times, **columns}), notes=notes)


def _start(file: Any) -> Any:
    try:
        return file.startdatetime
    except ValueError:  # the date is withheld
        return np.datetime64(f"1985-01-01T{file.starttime}")
