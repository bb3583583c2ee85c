"""Arrays of users, joined end to end: one row per step, one column per channel."""

from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64, Int64


class SeriesError(ValueError):
    """Bad input series: the message says what came, what was wanted and what to do.

    ``lacks`` is the option that asked for labels where these are not there, else None.

    Example:
        >>> import selftime as st
        >>> st.read([[1.0, float("inf")]])
        Traceback (most recent call last):
        selftime.data.arrays.SeriesError: series 0, channel 0, step 1 is inf, wanted ...
    """

    lacks: ClassVar[str | None] = None


class LabelsError(SeriesError):
    """The labels that were asked for are not there."""

    lacks = "label"


class TextsWanted(SeriesError):
    """A large table came without the texts of its cells, and is to be read as a whole."""


class CellError(SeriesError, TypeError):
    """Cells of an array are no numbers, for which scikit-learn asks for a TypeError."""


class LabelFileError(SeriesError):
    """No row of a file of labels is for a series."""

    lacks = "labels"


Steps = Float[np.ndarray, "S C"]
"""Values of all series end to end as they came in, 32 or 64 bits; NaN is missing."""


def concatenate_steps(x: Any) -> tuple[Steps, Int64[np.ndarray, "N"]]:
    """Return the steps of all series end to end, and the length of each; NaN is missing."""
    if hasattr(x, "detach"):
        x = real_array(x, "the array")
    elif not isinstance(x, list | tuple | np.ndarray) and hasattr(x, "__array__"):
        x = np.asarray(x)
    if isinstance(x, np.ndarray) and x.dtype != object:
        return _from_array(x)
    if not isinstance(x, list | tuple | np.ndarray):
        raise SeriesError(
            f"got {type(x).__name__}, wanted a path, a frame, an array, a list or dict of arrays, "
            "or a SeriesSet"
        )
    parts = [_channels_by_steps(part, i) for i, part in enumerate(x)]
    _check_same_channels(parts)
    steps = np.concatenate([part.T for part in parts]) if parts else np.empty((0, 1), np.float32)
    return steps, np.array([part.shape[1] for part in parts], np.int64)


_DIGITS = 14
"""Binary digits that a typical value may be larger than a typical change: 24 less 14 are left."""
_ALL_DIGITS = 24
"""Values of series that never change may have so many: 32 bits hold them as they do others."""


def split_origins(
    columns: Iterable[Float[np.ndarray, "S"]], C: int, offsets: Int64[np.ndarray, "N1"]
) -> tuple[Float32[np.ndarray, "S C"], Bool[np.ndarray, "S C"] | None, np.ndarray | None]:
    """Return 32-bit steps, a mask of what is there, and the origin taken out of each series.

    An origin, the lower median, is taken only where 32 bits would lose what changes from step to
    step: where a typical value (geometric mean) is 2¹⁴ times a typical change. None where nothing
    was taken. Origin plus steps is again the 64-bit value, to 24 digits of the difference.

    Args:
        columns: (S,) values of each channel, NaN where missing; each is let go before the next.
        C: number of channels.
        offsets: the row at which each series begins, then S.
    """
    rows, source = int(offsets[-1]), iter(columns)
    plain = np.empty((C, rows), np.float32)  # by channel, so that 64 bits go one after the other
    origin, gaps = np.zeros((len(offsets) - 1, C)), {}
    some = max(_BLOCK // max(rows, 1), 1)
    for c in range(0, C, some):
        values = _stack(islice(source, some))
        own = plain[c : c + some]
        with np.errstate(over="ignore"):
            own[:] = values
        found = _origins_of(values, own, offsets)
        if found is not None:
            origin[:, c : c + some] = found.T
            own[:] = values - np.repeat(found, np.diff(offsets), axis=1)
        lost = np.isnan(values)
        del values
        if lost.any():
            own[lost] = 0
            gaps[c] = lost
    steps = np.empty((rows, C), np.float32)
    for first in range(0, rows, _BLOCK):
        steps[first : first + _BLOCK] = plain[:, first : first + _BLOCK].T
    observed = np.ones((rows, C), bool) if gaps else None
    for c, lost in gaps.items():
        observed[:, c : c + some] = ~lost.T  # type: ignore[index]
    return steps, observed, origin if origin.any() else None


def _stack(columns: Iterable[np.ndarray]) -> Float[np.ndarray, "C S"]:
    """Return columns as the rows of one array; of a single one a view."""
    first, *others = columns
    return np.stack([first, *others]) if others else first[None]


def _origins_of(
    values: Float[np.ndarray, "C S"],
    plain: Float32[np.ndarray, "C S"],
    offsets: Int64[np.ndarray, "N1"],
) -> Float64[np.ndarray, "C N"] | None:
    """Return the origin of each series in some channels, 0 where 32 bits hold it; None for none."""
    lengths = np.diff(offsets)
    if values.dtype == np.float32 or not len(lengths) or (lengths < 1).any():
        return None
    far = np.zeros((len(values), len(lengths)), bool)
    group = np.cumsum(np.minimum(lengths, _ROWS)) // _BLOCK  # of series, so that little is copied
    for first, last in pairwise([0, *1 + np.flatnonzero(np.diff(group)), len(group)]):
        far[:, first:last] = _are_far(values, offsets[first : last + 1])
    for c, i in np.argwhere(far):  # 32 bits may hold all of a series
        own, short = (part[c, offsets[i] : offsets[i + 1]] for part in (values, plain))
        far[c, i] = ((short != own) & ~np.isnan(own)).any()
    if not far.any():
        return None
    medians = np.zeros(far.shape)
    for c in np.flatnonzero(far.any(axis=1)):
        medians[c] = lower_medians(values[c], offsets)
    return np.where(far, medians, 0.0)


def _are_far(
    values: Float64[np.ndarray, "C S"], offsets: Int64[np.ndarray, "N1"]
) -> Bool[np.ndarray, "C N"]:
    """Return for each series whether values are so large that 32 bits would hide changes."""
    rows, first = _some_rows(offsets)
    some = values[:, rows]
    change = np.abs(some - values[:, rows - 1])
    change[:, first] = np.nan
    size, move = _log_mean(np.abs(some), first), _log_mean(change, first)
    thin = np.diff(offsets) > np.diff(first, append=len(rows))
    for c, i in np.argwhere(thin & np.isnan(move)):  # what changes seldom is looked for
        own = values[c : c + 1, offsets[i] : offsets[i + 1]]
        move[c, i] = _log_mean(np.abs(np.diff(own, prepend=np.nan)), np.zeros(1, np.int64))[0, 0]
    digits = np.where(np.isnan(move), _ALL_DIGITS * np.log(2), move + _DIGITS * np.log(2))
    return np.asarray(size > digits)


_ROWS, _BLOCK = 4096, 1 << 16
"""About how many steps of a series say how large its values and changes are; of all at a time."""


def _some_rows(
    offsets: Int64[np.ndarray, "N1"],
) -> tuple[Int64[np.ndarray, "R"], Int64[np.ndarray, "N"]]:
    """Return rows spread evenly over each series, and where those of each series begin."""
    lengths = np.diff(offsets)
    stride = np.maximum(lengths // _ROWS, 1)
    counts = -(-lengths // stride)
    first = np.cumsum(counts) - counts
    nth = np.arange(int(counts.sum())) - np.repeat(first, counts)
    return np.repeat(offsets[:-1], counts) + nth * np.repeat(stride, counts), first


def _log_mean(x: Float64[np.ndarray, "C S"], first: Int64[np.ndarray, "N"]) -> np.ndarray:
    """Mean logarithm over the values of each series above 0; NaN where there are none."""
    counts = (x > 0).astype(np.float64)
    logs = np.log(x, out=np.zeros_like(x), where=x > 0)
    total, number = (np.add.reduceat(part, first, axis=1) for part in (logs, counts))
    mean: np.ndarray = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0)
    return mean


def lower_medians(
    x: Float64[np.ndarray, "S"], offsets: Int64[np.ndarray, "N1"]
) -> Float64[np.ndarray, "N"]:
    """Return the lower median of each series; NaN is left out, and 0 where nothing else is."""
    codes = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    order = np.lexsort((x, codes))  # NaN last
    valid = np.add.reduceat((~np.isnan(x)).astype(np.int64), offsets[:-1])
    found = x[order][offsets[:-1] + np.maximum(valid - 1, 0) // 2]
    return np.where(valid > 0, found, 0.0)


MISSING_LABELS = ("", "nan", "NaN", "NA", "<NA>", "N/A", "#N/A", "null", "NULL", "None", "NaT", "?")
"""Texts that mark a series without a label."""


def are_known(column: np.ndarray) -> np.ndarray:
    """Return True for each label that is there: None marks those that are not."""
    if column.dtype != object:
        return np.ones(len(column), bool)
    return np.array([value is not None for value in column], bool)


def number_classes(labels: np.ndarray) -> tuple[np.ndarray, Int64[np.ndarray, "N"]]:
    """Return the classes (K,) in order, and the number of each label's; -1 where there is none."""
    known = are_known(labels)
    codes = np.full(len(labels), -1, np.int64)
    typed = labels if known.all() else np.array(labels[known].tolist())
    classes, codes[known] = np.unique(typed, return_inverse=True)
    return classes, codes


def label_column(values: Any, name: str = "labels") -> np.ndarray | None:
    """Return labels in their own type; None stands where there is none, and for none at all.

    Blank, NaN, None, NA and NaT mean that a series is unlabelled.
    """
    try:
        column = np.asarray(as_array(values, name))
    except ValueError:
        return column_of(values, name)
    if column.ndim != 1 or column.dtype.kind in "biu":
        return column_of(values, name)
    lost = _is_lost(column)
    if not lost.any():
        return column_of(values, name)
    if lost.all():
        return None
    out = np.full(len(column), None, object)
    given = column if hasattr(values, "detach") else values
    kept = [value for value, gone in zip(given, lost, strict=True) if not gone]
    out[~lost] = column_of(kept, name).tolist()
    return out


def _is_lost(column: np.ndarray) -> np.ndarray:
    if column.dtype.kind == "f":
        return np.asarray(np.isnan(column))
    if column.dtype.kind in "mM":
        return np.asarray(np.isnat(column))
    if column.dtype.kind == "U":
        return np.isin(np.strings.strip(column), MISSING_LABELS)
    return np.array([str(value).strip() in MISSING_LABELS for value in column], bool)


def trim_rows(
    matrix: Float[np.ndarray, "N T"],
) -> tuple[Float[np.ndarray, "S 1"], Int64[np.ndarray, "N"]]:
    """Return rows as one-channel series end to end; NaN at the end of a row is no step."""
    N, T = matrix.shape
    valid = ~np.isnan(matrix)
    lengths = np.where(valid.any(axis=1), T - np.argmax(valid[:, ::-1], axis=1), 1)
    return matrix[np.arange(T) < lengths[:, None]][:, None], lengths.astype(np.int64)


def spans(
    starts: Int64[np.ndarray, "N"], lengths: Int64[np.ndarray, "N"]
) -> Int64[np.ndarray, "S"]:
    """Return the row numbers of several spans end to end, without a loop."""
    ends = np.cumsum(lengths)
    shifts = np.repeat(starts - ends + lengths, lengths)
    return np.asarray(np.arange(len(shifts)) + shifts)


def as_array(values: Any, name: str) -> np.ndarray:
    """Return an array of what holds values; a tensor may be on any device and have a gradient.

    Raises:
        SeriesError: a tensor without values, or one that numpy cannot hold.
        ValueError: unevenly nested values.
    """
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            short = values.is_floating_point() and values.dtype.itemsize < 4
            values = values.float() if short else values  # numpy has not all of these
        return np.asanyarray(values)
    except (TypeError, RuntimeError) as error:
        raise SeriesError(
            f"{name} cannot be read as an array ({error}), wanted numbers in memory: give dense "
            "arrays without gradients"
        ) from None


def column_of(values: Any, name: str) -> np.ndarray:
    """Return one value per series (labels, groups, ids) as a plain array of one type."""
    try:
        column = np.asarray(as_array(values, name))
        plain = np.array(column.tolist()) if column.dtype.kind in "OT" else column
    except SeriesError:
        raise
    except ValueError:
        raise SeriesError(f"{name} are nested unevenly, wanted one value a series") from None
    if column.ndim != 1:
        raise SeriesError(f"{name} have shape {column.shape}, wanted one value a series")
    if column.dtype.kind not in "OT":
        return column
    kinds = {type(value).__name__ for value in column}
    if plain.dtype == object and kinds <= {"int", "float"}:
        raise SeriesError(f"{name} hold a number beyond 64 bits: rescale, or write them as text")
    if len(kinds) > 1 or plain.dtype == object:
        raise SeriesError(
            f"{name} mix {', '.join(sorted(kinds))}, wanted one type: write all of them as text"
        )
    return np.asarray(plain)


def _from_array(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if x.ndim not in (2, 3):
        raise SeriesError(
            f"got an array of shape {x.shape}, wanted (series, channels, steps) or "
            "(series, steps): a single series is x[None]"
        )
    cube = real_array(x[:, None] if x.ndim == 2 else x, "the array")  # (N,C,T)
    _check_finite(cube, 0)
    N, C, T = cube.shape
    return cube.transpose(0, 2, 1).reshape(N * T, C), np.full(N, T, np.int64)


def _channels_by_steps(part: Any, i: int) -> Float[np.ndarray, "C T"]:
    values = real_array(part, f"series {i}")
    if values.ndim == 1:
        values = values[None]
    if values.ndim != 2:
        raise SeriesError(f"series {i} has shape {values.shape}, wanted (channels, steps)")
    _check_finite(values[None], i)
    return values


def real_array(values: Any, name: str) -> np.ndarray:
    """Return real numbers in 32 or 64 bits, NaN where masked, of whatever holds them.

    Raises:
        SeriesError: they are complex, no numbers, beyond 64 bits, or unevenly nested.
    """
    try:
        array = as_array(values, name)
        if array.dtype == object:
            array = array.astype(np.float64)
    except SeriesError:
        raise
    except OverflowError:
        raise SeriesError(
            f"{name} holds a number beyond 64 bits, wanted finite 32-bit numbers: mark missing "
            "values as NaN or rescale"
        ) from None
    except (TypeError, ValueError) as error:
        kind = CellError if isinstance(error, TypeError) else SeriesError
        raise kind(f"{name} is not numbers ({error}): wanted (channels, steps)") from None
    if array.dtype.kind not in "biuf":
        raise SeriesError(f"{name} holds {array.dtype}, wanted real numbers: convert it first")
    keeps = array.dtype.kind == "f" and array.dtype.itemsize <= 4 or array.dtype.itemsize <= 2
    plain = array.astype(np.float32 if keeps else np.float64)
    if isinstance(plain, np.ma.MaskedArray):
        return np.asarray(plain.filled(np.nan))
    return np.asarray(plain)


def _in_32_bits(values: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return values.astype(np.float32)


def _check_finite(cube: np.ndarray, first: int) -> None:
    far = np.isinf(_in_32_bits(cube))  # what rounds to the largest of them is one of them
    if not far.any():
        return
    i, channel, step = np.argwhere(far)[0]
    raise SeriesError(
        f"series {first + i}, channel {channel}, step {step} is {cube[i, channel, step]}, wanted "
        "finite 32-bit numbers: mark missing values as NaN or rescale"
    )


def _check_same_channels(parts: Sequence[np.ndarray]) -> None:
    for i, part in enumerate(parts):
        if part.shape[0] != parts[0].shape[0]:
            raise SeriesError(
                f"series {i} has {part.shape[0]} channels, series 0 has {parts[0].shape[0]}: "
                "wanted the same channels in every series, as (channels, steps)"
            )


def names_of_channels(n: int) -> tuple[str, ...]:
    """Return names for channels that came without any."""
    return tuple(str(i) for i in range(n))
