"""NumPy files: ``.npy`` for one array, ``.npz`` for a complete SeriesSet."""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy

from selftime.data.arrays import SeriesError, are_known, column_of, concatenate_steps
from selftime.data.clock import Stamps
from selftime.data.formats.bounds import check_memory, size_in_words
from selftime.data.formats.text import decoding
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements, Signal, signal_from

NAMES = {
    "values": ("x", "X", "values"),
    "labels": ("y", "labels"),
    "step_labels": ("step_labels",),
    "groups": ("groups", "subject"),
    "channels": ("channels", "channel_names"),
    "ids": ("ids",),
    "times": ("times",),
    "origin": ("origin",),
    "starts": ("starts",),
    "recordings": ("recordings",),
}
"""Names of the parts of a SeriesSet in an ``.npz``."""

_KNOWN = {
    *(name for names in NAMES.values() for name in names),
    *("offsets", "observed", "stamps", "known_labels", "known_step_labels", "kind"),
}
"""Names of arrays that are read where there are several."""
MEND = "write plain numbers with numpy.save or numpy.savez (pickled objects are never loaded)"


def read_npy(data: bytes) -> SeriesSet:
    """Read series from one array: (N,C,T), (N,T) for one channel, or (T,) for one series."""
    array = read_arrays(data, ".npy")["x"]
    return SeriesSet.of(array[None] if array.ndim == 1 else array)


def read_arrays(data: bytes, suffix: str) -> dict[str, np.ndarray]:
    """Return the arrays of a ``.npz`` by name; that of a ``.npy`` is ``x``."""
    if suffix != ".npy":
        return _read_members(data)
    with decoding("npy", MEND):
        if data.startswith(b"PK"):
            raise SeriesError("holds several arrays, wanted one: call it .npz")
        return {"x": _read_array(io.BytesIO(data), len(data), len(data))}


def read_npz(data: bytes) -> SeriesSet:
    """Read series from named arrays.

    ``x``, ``X`` or ``values`` is (N,C,T), (N,T) or (T,); with ``offsets`` it is (S,C) or (S,), all
    series end to end. ``y`` or ``labels``, ``groups`` or ``subject``, ``channels`` or
    ``channel_names``, ``ids``, ``times`` and ``observed`` are optional. A single array
    may have any name.
    """
    return series_of_arrays(_read_members(data))


def _read_members(data: bytes) -> dict[str, np.ndarray]:
    with decoding("npz", MEND), zipfile.ZipFile(io.BytesIO(data)) as file:
        found = {Path(part.filename): part for part in file.infolist()}
        members = {name.stem: part for name, part in found.items() if name.suffix == ".npy"}
        if len(members) > 1:
            members = {name: part for name, part in members.items() if name in _KNOWN} or members
        size = sum(part.file_size for part in members.values())
        check_memory(2 * size, len(data), f"unpacks to {size_in_words(size)}")
        arrays = {}
        for name, part in members.items():
            opened: Any = file.open(part)
            with opened as member:
                if member.peek(6).startswith(b"\x93NUMPY"):  # others are no arrays
                    arrays[name] = _read_array(member, part.file_size, len(data))
    return arrays


_HEADERS = {(1, 0): npy.read_array_header_1_0}


def _read_array(file: Any, size: int, stored: int) -> np.ndarray:
    """Read an array of a file of so many bytes, which its header has to agree with."""
    read_header = _HEADERS.get(npy.read_magic(file), npy.read_array_header_2_0)
    shape, _, kind = read_header(file)
    if kind.hasobject:
        raise SeriesError(f"holds pickled objects, wanted plain numbers: {MEND}")
    if (wanted := kind.itemsize * math.prod(shape)) > size:
        raise SeriesError(
            f"says that it holds {shape} numbers of {wanted:,} bytes, but has {size:,}: is it cut?"
        )
    check_memory(2 * wanted, stored, f"holds an array of shape {shape}")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def series_of_arrays(arrays: Mapping[str, np.ndarray]) -> SeriesSet:
    """Build series from arrays by the names that :func:`read_npz` knows.

    Raises:
        SeriesError: no array of a known name, and not a single one either; or parts that do not
            match.
    """
    values = _part(arrays, "values")
    if values is None and len(arrays) == 1:
        values = next(iter(arrays.values()))
    if values is None:
        raise SeriesError(
            f"holds {', '.join(arrays) or 'nothing'}, wanted an array named x (or values with "
            "offsets): rename it, or hand the array itself to selftime.read"
        )
    return _series(values, arrays)


def encode_npz(x: SeriesSet) -> bytes:
    """Return all parts of the series in the form that :func:`read_npz` reads."""
    return encode_arrays(arrays_of(x))


def encode_arrays(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return arrays in the form that :func:`read_arrays` reads."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # typeshed takes the names for options
    return buffer.getvalue()


def arrays_of(x: SeriesSet) -> dict[str, np.ndarray]:
    """Return all parts of the series as arrays by name, none of objects."""
    arrays = {"values": x.steps, "offsets": x.offsets, "channels": np.array(x.channels)}
    if x.observed is not None:
        arrays["observed"] = x.observed
    for name in ("ids", "groups", "times", "origin", "starts", "recordings"):
        if getattr(x, name) is not None:
            arrays[name] = getattr(x, name)
    for name in ("labels", "step_labels"):
        column = getattr(x, name)
        if column is not None:  # never an object array: no pickle
            known = are_known(column)
            arrays[name] = column_of(np.where(known, column, column[known][0]), name)
            arrays[f"known_{name}"] = known
    if x.times is not None:
        arrays["stamps"] = np.array([x.stamps.zone or "", x.stamps.kind])
    if x.kind != Measurements():
        arrays["kind"] = np.array(json.dumps(x.kind.to_dict()))
    return arrays


def _part(arrays: Mapping[str, np.ndarray], part: str) -> np.ndarray | None:
    return next((arrays[name] for name in NAMES[part] if name in arrays), None)


def _series(values: np.ndarray, arrays: Mapping[str, np.ndarray]) -> SeriesSet:
    steps, lengths = _steps_and_lengths(values, arrays.get("offsets"))
    if "observed" in arrays:
        steps = np.where(_mask(arrays["observed"], steps.shape), steps, np.float32("nan"))
    ids, channels = _column(arrays, "ids"), _column(arrays, "channels")
    names = None if channels is None else channels.astype(str).tolist()
    series = SeriesSet.from_steps(steps, lengths, ids=ids, channels=names)
    if "origin" in arrays:
        series = replace(series, origin=arrays["origin"])
    return replace(series, **parts_beside_values(arrays))


def parts_beside_values(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return what arrays say of series beside their values, by the names of a SeriesSet."""
    zone, kind = arrays["stamps"].astype(str).tolist() if "stamps" in arrays else ("", "time")
    times = _column(arrays, "times")
    if times is not None and times.dtype.kind not in "mM" and "stamps" not in arrays:
        kind = "number"
    return {
        "labels": _labels(arrays, "labels"),
        "step_labels": _labels(arrays, "step_labels"),
        "groups": _column(arrays, "groups"),
        "times": times,
        "stamps": Stamps(zone or None, kind),  # type: ignore[arg-type]
        "starts": _column(arrays, "starts"),
        "recordings": _column(arrays, "recordings"),
        "kind": kind_in(arrays),
    }


def kind_in(arrays: Mapping[str, np.ndarray]) -> Signal:
    """Return the kind of the series in arrays: measurements where none is said."""
    if "kind" not in arrays:
        return Measurements()
    try:
        return signal_from(json.loads(str(arrays["kind"])))
    except (ValueError, RecursionError) as error:
        raise SeriesError(f"says nothing that is a kind of signal ({error})") from None


def _labels(arrays: Mapping[str, np.ndarray], part: str) -> np.ndarray | None:
    column = _column(arrays, part)
    known = arrays.get(f"known_{part}")
    if column is None or known is None or known.all():
        return column
    out = column.astype(object)
    out[~known] = None
    return out


def _steps_and_lengths(
    values: np.ndarray, offsets: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return steps (S,C), NaN where missing, and lengths (N,)."""
    if offsets is None:
        return concatenate_steps(values[None] if values.ndim == 1 else values)
    columns = values[:, None] if values.ndim == 1 else values
    if columns.ndim != 2:
        raise SeriesError(f"values have shape {values.shape}, wanted (steps, channels) by offsets")
    steps, _ = concatenate_steps(columns.T[None])
    ends = offsets[[0, -1]].tolist() if offsets.ndim == 1 and offsets.size else None
    if offsets.dtype.kind not in "iu" or ends != [0, len(steps)]:
        raise SeriesError(
            f"offsets of type {offsets.dtype} run from and to {ends}, wanted integers from 0 to "
            f"{len(steps)}: where each series begins, then where the last one ends"
        )
    return steps, np.diff(offsets.astype(np.int64))


def _mask(observed: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    mask = observed[:, None] if observed.ndim == 1 else observed
    if mask.dtype != bool or mask.shape != shape:
        raise SeriesError(
            f"observed is {mask.dtype} of shape {mask.shape}, wanted bool of shape {shape}: "
            "one entry for each step and channel, True where a value was measured"
        )
    return mask


def _column(arrays: Mapping[str, np.ndarray], part: str) -> np.ndarray | None:
    found = _part(arrays, part)
    return None if found is None else column_of(found, part)
