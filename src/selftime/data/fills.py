"""Fill values: numbers that stand where nothing was measured; they are said, never changed."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.arrays import SeriesError
from selftime.data.schema import list_names
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements
from selftime.door import option

_ROUND = [float(f"{k}{digits}") for k in "-+" for digits in ("99.9", "999", "9999", "99999")]
_SIGNED = (*(9.96921e36, 1e20, 1e30, 1e35, 1e36, 1e37, 3.4028235e38, 999.9, 999999.0), 2.0**31 - 1)
KNOWN = np.array(
    [*_ROUND, *_SIGNED, *(-v for v in _SIGNED), -7777, -8888, 32767, -32768, 65535, -(2.0**31)]
)
"""What netCDF, GDAL, loggers and instruments write where they have no value."""
_LEAST_TIMES, _LEAST_OTHERS = 3, 20
"""Others are told by repetition, beside so many values of another kind."""
_SPREADS = 20
"""They lie more than so many quartile distances beyond all else."""
_SAMPLE = 20_000
"""About how many values spreads are taken from."""
HUGE, ORDINARY = 1e30, 1e20
"""Values beyond the first are not learned from beside some below the second."""


class Fill(NamedTuple):
    """A number that seems to mean that nothing was measured."""

    channel: str
    value: float
    times: int


def fills_in(series: SeriesSet) -> list[Fill]:
    """Return numbers that seem to stand where nothing was measured.

    They lie far beyond all else, and are known for it, or stand there three times or more.

    Example:
        >>> import numpy as np
        >>> x = np.random.default_rng(0).normal(size=(1, 50))
        >>> x[0, ::10] = -9999
        >>> fills_in(SeriesSet.of(x))
        [Fill(channel='0', value=-9999.0, times=5)]
    """
    found = []
    for c, name in enumerate(series.channels):
        values = series.steps[:, c]
        if series.origin is not None:
            values = values + np.repeat(series.origin[:, c], series.lengths)
            for mark in KNOWN:  # above a level 32 bits hold them nearly
                values[np.abs(values - mark) <= 1e-7 * np.abs(series.steps[:, c])] = mark
        if series.observed is not None:
            values = values[series.observed[:, c]]
        found += [Fill(name, value, count) for value, count in _fills_of(values)]
    return found


def _fills_of(values: Float[np.ndarray, "S"]) -> Iterator[tuple[float, int]]:
    if not len(values):
        return
    low, high = values.min(), values.max()
    known = KNOWN.astype(values.dtype)
    marks = {low, high, *known[(known >= low) & (known <= high)]}
    counts = {mark: int(np.count_nonzero(values == mark)) for mark in marks}
    rest = values[~np.isin(values, [m for m, n in counts.items() if n])] if low < high else values
    if len(rest) < 2 or low == high:
        return
    first, last = float(rest.min()), float(rest.max())
    some = rest[:: max(len(rest) // _SAMPLE, 1)].astype(np.float64)
    a, lower, upper, b = np.quantile(some, [0.01, 0.25, 0.75, 0.99])
    for mark in sorted(m for m, n in counts.items() if n):
        count, beyond = counts[mark], max(first - float(mark), float(mark) - last)
        often = count >= _LEAST_TIMES
        told = often and len(rest) >= _LEAST_OTHERS and b > a
        told = told and beyond > max(_SPREADS * (upper - lower), 2 * (b - a))
        is_known = mark in known and beyond > (0.5 if often else 1) * (b - a)
        if told or is_known:
            yield float(str(mark)), count  # the shortest number that means it


def describe_fills(series: SeriesSet) -> list[tuple[str, str]]:
    """Return what was found, a sentence for each number, and the option that makes it missing."""
    by_value = defaultdict[float, list[Fill]](list)
    for fill in fills_in(series):
        by_value[fill.value].append(fill)
    out = []
    for value, fills in by_value.items():
        times, names = sum(fill.times for fill in fills), list_names([f.channel for f in fills])
        count = f"{times:,} times" if times > 1 else "once"
        plain = int(value) if value.is_integer() and abs(value) < 1e15 else value
        what = f"{plain:.9g} stands {count} in {names}, far from all else"
        out.append((what, f"if nothing was measured there, {option('missing', [plain])}"))
    return out


def fill_notes(series: SeriesSet) -> tuple[str, ...]:
    """Return a note for each number that seems to stand where nothing was measured.

    Only measurements have such numbers: pixels are often alike, and symbols nearly always.
    """
    if series.kind != Measurements():
        return ()
    return tuple(f"{what}: {remedy}" for what, remedy in describe_fills(series))


def check_fills(series: SeriesSet) -> None:
    """Check that no value of 1e30 or more stands beside ordinary ones.

    Raises:
        SeriesError: one does, named with its place and the option that makes it missing.
    """
    size = np.abs(series.steps)
    if size.max(initial=0.0) < HUGE:
        return
    seen = np.ones(size.shape, bool) if series.observed is None else series.observed
    ordinary = ((size < ORDINARY) & seen).any(axis=0)
    places = np.argwhere((size >= HUGE) & seen & ordinary)
    if not len(places):
        return
    row, c = places[0]
    i = int(np.searchsorted(series.offsets, row, side="right")) - 1
    value = float(str(series.steps[row, c]))
    raise SeriesError(
        f"series {str(series.ids[i])!r}, channel {series.channels[c]!r}, step "
        f"{row - series.offsets[i]} is {value:.9g} beside ordinary values, wanted one scale: "
        f"if nothing was measured there, {option('missing', [value])}; else rescale"
    )
