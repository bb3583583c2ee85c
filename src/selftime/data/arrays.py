"""Arrays of users, joined end to end: one row per step, one column per channel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64


class SeriesError(ValueError):
    """Bad input series: the message says what came, what was wanted and what to do.

    Example:
        >>> import selftime as st
        >>> st.read([[1.0, float("inf")]])
        Traceback (most recent call last):
        selftime.data.arrays.SeriesError: series 0, channel 0, step 1 is inf, wanted ...
    """


def concatenate_steps(x: Any) -> tuple[Float32[np.ndarray, "S C"], Int64[np.ndarray, "N"]]:
    """Return the steps of all series end to end, and the length of each; NaN is missing."""
    if isinstance(x, np.ndarray) and x.dtype != object:
        return _from_array(x)
    if not isinstance(x, list | tuple | np.ndarray):
        raise SeriesError(
            f"got {type(x).__name__}, wanted an array, a list of arrays or a SeriesSet: "
            "files and frames go through selftime.read"
        )
    parts = [_channels_by_steps(part, i) for i, part in enumerate(x)]
    _check_same_channels(parts)
    steps = np.concatenate([part.T for part in parts]) if parts else np.empty((0, 1), np.float32)
    return steps, np.array([part.shape[1] for part in parts], np.int64)


def trim_rows(
    matrix: Float32[np.ndarray, "N T"],
) -> tuple[Float32[np.ndarray, "S 1"], Int64[np.ndarray, "N"]]:
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


def column_of(values: Any, name: str) -> np.ndarray:
    """Return one value per series (labels, groups, ids) as a plain array of one type."""
    try:
        column = np.asarray(values)
    except ValueError:
        raise SeriesError(f"{name} are nested unevenly, wanted one value a series") from None
    if column.ndim != 1:
        raise SeriesError(f"{name} have shape {column.shape}, wanted one value a series")
    if column.dtype.kind not in "OT":
        return column
    kinds = {type(value).__name__ for value in column}
    plain = np.array(column.tolist())
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
    cube = _float32(x[:, None] if x.ndim == 2 else x, "the array")  # (N,C,T)
    _check_finite(cube, 0)
    N, C, T = cube.shape
    return cube.transpose(0, 2, 1).reshape(N * T, C), np.full(N, T, np.int64)


def _channels_by_steps(part: Any, i: int) -> Float32[np.ndarray, "C T"]:
    values = _float32(part, f"series {i}")
    if values.ndim == 1:
        values = values[None]
    if values.ndim != 2:
        raise SeriesError(f"series {i} has shape {values.shape}, wanted (channels, steps)")
    _check_finite(values[None], i)
    return values


def _float32(values: Any, name: str) -> np.ndarray:
    try:
        array = np.asanyarray(values)
        if array.dtype == object:
            array = array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise SeriesError(f"{name} is not numbers ({error}): wanted (channels, steps)") from None
    if array.dtype.kind not in "biuf":
        raise SeriesError(f"{name} holds {array.dtype}, wanted real numbers: convert it first")
    with np.errstate(over="ignore"):
        plain = array.astype(np.float32)
    if isinstance(plain, np.ma.MaskedArray):
        return np.asarray(plain.filled(np.nan))
    return np.asarray(plain)


def _check_finite(cube: np.ndarray, first: int) -> None:
    if not np.isinf(cube).any():
        return
    i, channel, step = np.argwhere(np.isinf(cube))[0]
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
