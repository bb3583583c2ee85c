"""Fill values: numbers that stand where nothing was measured; they are said, never changed."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from selftime.data.arrays import SeriesError
from selftime.data.levels import EveryNth, largest_in
from selftime.data.memory import row_blocks
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
    ranges: dict[int, tuple[Any, Any]] = {}
    for c, values in _parts_of(series, range(series.n_channels)):
        low, high = ranges.get(c, (np.inf, -np.inf))
        ranges[c] = min(low, values.min()), max(high, values.max())
    tallies = {c: _Tally(*ends) for c, ends in ranges.items() if ends[0] < ends[1]}
    for c, values in _parts_of(series, tallies):
        tallies[c].count(values)
    some = {c: tally for c, tally in tallies.items() if any(map(tally.is_suspect, tally.counts))}
    samples = {c: EveryNth(max(tally.others // _SAMPLE, 1)) for c, tally in some.items()}
    for c, values in _parts_of(series, some):
        samples[c].add(some[c].without_marks(values))
    return [
        Fill(series.channels[c], float(str(mark)), tally.counts[mark])  # the shortest that means it
        for c, tally in some.items()
        for mark in tally.fills(samples[c].values)
    ]


def _parts_of(
    series: SeriesSet, channels: Iterable[int]
) -> Iterator[tuple[int, Float[np.ndarray, "n"]]]:
    """Yield the observed values of some channels, part by part."""
    wanted = list(channels)
    for rows in row_blocks(series.steps, series.observed) if wanted else ():
        for c in wanted:
            values = series.steps[rows, c]
            if series.origin is not None:
                values = _above_origin(series, rows, c)
            if series.observed is not None:
                values = values[series.observed[rows, c]]
            if len(values):
                yield c, values


def _above_origin(series: SeriesSet, rows: slice, c: int) -> Float[np.ndarray, "n"]:
    """Return values of series with a level; 32 bits hold marks above it nearly."""
    assert series.origin is not None
    owners = np.searchsorted(series.offsets, np.arange(rows.start, rows.stop), side="right") - 1
    steps = series.steps[rows, c]
    values = steps + series.origin[owners, c]
    for mark in KNOWN:
        values[np.abs(values - mark) <= 1e-7 * np.abs(steps)] = mark
    return np.asarray(values)


class _Tally:
    """Counts of the numbers that may be fills in a channel, and what else is there.

    Attributes:
        counts: of each such number.
        others: how many values are none of them; the lowest and highest of these are ``ends``.
    """

    def __init__(self, low: Any, high: Any) -> None:
        self.known = KNOWN.astype(low.dtype)
        inside = self.known[(self.known >= low) & (self.known <= high)]
        self.counts = dict.fromkeys([low, high, *inside], 0)
        self.others, self.ends = 0, (np.inf, -np.inf)

    def count(self, values: Float[np.ndarray, "n"]) -> None:
        """Count the numbers in some of the values."""
        for mark in self.counts:
            self.counts[mark] += int(np.count_nonzero(values == mark))
        if len(rest := self.without_marks(values)):
            self.others += len(rest)
            self.ends = min(self.ends[0], rest.min()), max(self.ends[1], rest.max())

    def without_marks(self, values: Float[np.ndarray, "n"]) -> Float[np.ndarray, "m"]:
        """Return the values that are none of the numbers."""
        return values[~np.isin(values, list(self.counts))]

    def is_suspect(self, mark: Any) -> bool:
        """Return whether a number stands there, and is known for it or stands there often."""
        often = self.counts[mark] >= _LEAST_TIMES and self.others >= _LEAST_OTHERS
        return self.others > 1 and self.counts[mark] > 0 and bool(often or mark in self.known)

    def fills(self, sample: Float[np.ndarray, "n"]) -> Iterator[Any]:
        """Yield the numbers that lie far beyond all else, of which there is a sample."""
        first, last = map(float, self.ends)
        a, lower, upper, b = np.quantile(sample, [0.01, 0.25, 0.75, 0.99])
        for mark in sorted(filter(self.is_suspect, self.counts)):
            beyond = max(first - float(mark), float(mark) - last)
            often = self.counts[mark] >= _LEAST_TIMES
            told = often and self.others >= _LEAST_OTHERS and b > a
            told = told and beyond > max(_SPREADS * (upper - lower), 2 * (b - a))
            if told or (mark in self.known and beyond > (0.5 if often else 1) * (b - a)):
                yield mark


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


def check_fills(series: SeriesSet, largest: float | None = None) -> None:
    """Check that no value of 1e30 or more stands beside ordinary ones; the largest may be known.

    Raises:
        SeriesError: one does, named with its place and the option that makes it missing.
    """
    if (largest_in(series) if largest is None else largest) < HUGE:
        return
    size = np.abs(series.steps)
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
