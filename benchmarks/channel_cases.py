"""Anomalies that no channel shows by itself, made in real open recordings of several channels.

Ten kinds in each of eight recordings, four of which served choices and four of which judge. The
first half of a recording is normal; one span behind it is changed, from 1/80 to 1/25 of the whole.
Recordings, spans, channels and what else is drawn follow from the seed of a case.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pyarrow.csv as pc

from benchmarks.open_data import load, root

STEPS = 8000
"""Steps of a recording, at most."""
SHORTEST, LONGEST = 1 / 80, 1 / 25
"""Steps of an anomaly, as a share of those of the recording."""
Span = slice


class Case(NamedTuple):
    """A recording with an anomaly.

    Attributes:
        recording: its name.
        kind: of the anomaly.
        values: (C,T).
        train: how many of its first steps are normal.
        span: first step of the anomaly, and one after its last.
        channels: those that were changed.
    """

    recording: str
    kind: str
    values: np.ndarray
    train: int
    span: tuple[int, int]
    channels: tuple[int, ...]


def etth1() -> np.ndarray:
    """Hours of a transformer: six loads and the temperature of its oil."""
    return _csv("ETTh1.csv.gz")


def exchange_rate() -> np.ndarray:
    """Days of the rates of eight currencies."""
    return _csv("exchange_rate.csv")


def illness() -> np.ndarray:
    """Weeks of reports of influenza, in seven channels."""
    return _csv("national_illness.csv")


def _csv(name: str) -> np.ndarray:
    table = pc.read_csv(root() / "forecasting" / name)
    return np.stack([column.to_numpy() for column in table.columns[1:]])[:, :STEPS].astype(float)


def daphnet() -> np.ndarray:
    """Three accelerometers on a walking person."""
    table = pc.read_csv(root() / "streams" / "daphnet" / "S06R02E0.csv")
    names = [name for name in table.column_names if name not in ("timestamp", "is_anomaly")]
    return np.stack([table[name].to_numpy() for name in names])[:, :STEPS].astype(float)


def shoulder_watch() -> np.ndarray:
    """A watch on an arm, seven exercises: the first half of each, then the second halves."""
    with np.load(root() / "streams" / "shoulder_watch" / "watch.npz") as held:
        values, offsets, subjects, y = (held[k] for k in ("values", "offsets", "subject", "y"))
    own = np.flatnonzero(subjects == subjects[0])
    first = [own[y[own] == exercise][0] for exercise in np.unique(y[own])]
    each = STEPS // (2 * len(first))
    parts = [values[offsets[i] : offsets[i + 1]][: 2 * each] for i in first]
    halves = [p[: len(p) // 2] for p in parts] + [p[len(p) // 2 :] for p in parts]
    return np.concatenate(halves).T.astype(float)


def end_to_end(name: str) -> Callable[[], np.ndarray]:
    """Gestures one after another, in an order that is drawn once."""

    def joined() -> np.ndarray:
        found = load(name)
        series = [part.series(i) for part in found for i in range(len(part))]
        order = np.random.default_rng(0).permutation(len(series))
        return np.concatenate([series[i] for i in order], axis=1)[:, :STEPS].astype(float)

    return joined


RECORDINGS: dict[str, dict[str, Callable[[], np.ndarray]]] = {
    "choose": {
        "ETTh1": etth1,
        "shoulder watch": shoulder_watch,
        "NATOPS": end_to_end("NATOPS"),
        "ERing": end_to_end("ERing"),
    },
    "judge": {
        "exchange rate": exchange_rate,
        "Daphnet": daphnet,
        "illness": illness,
        "BasicMotions": end_to_end("BasicMotions"),
    },
}
"""Recordings that served choices, and others that judge them."""


def another_time(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """The channel as it was at another time, its ends bent to where they should be."""
    L = span.stop - span.start
    begin = int(rng.integers(0, x.shape[1] // 2 - L))
    found, own = x[c, begin : begin + L].copy(), x[c, span]
    slope = np.linspace(0, 1, L)
    gap = own[[0, -1]] - found[[0, -1]]
    x[c, span] = found + (1 - slope) * gap[0] + slope * gap[1]


def delayed(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """The channel comes too late, by 1/20 to 1/5 of the anomaly."""
    L = span.stop - span.start
    late = max(int(rng.uniform(0.05, 0.2) * L), 1)
    x[c, span] = x[c, span.start - late : span.stop - late].copy()


def frozen(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """The channel stays at its value."""
    x[c, span] = x[c, span.start]


def flipped(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """The channel is turned over around its mean."""
    x[c, span] = 2 * x[c, span].mean() - x[c, span]


def backwards(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """The channel runs backwards."""
    x[c, span] = x[c, span][::-1].copy()


def gain(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """The channel moves half as much again, or two thirds as much."""
    mean = x[c, span].mean()
    x[c, span] = mean + rng.choice([1.5, 1 / 1.5]) * (x[c, span] - mean)


def drift(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """The channel wanders off by its deviation, and back."""
    bump = np.sin(np.linspace(0, np.pi, span.stop - span.start))
    x[c, span] += rng.choice([-1, 1]) * bump * _scaled(x)[2][c]


def common_mode(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """The channel lacks what all channels have in common, their first principal component."""
    z, _, std = _scaled(x)
    normal = z[:, : x.shape[1] // 2]
    axis = np.linalg.eigh(normal @ normal.T)[1][:, -1]
    common = axis @ z[:, span]
    x[c, span] -= std[c] * axis[c] * (common - common.mean())


def crosstalk(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> None:
    """Half of another channel leaks into the channel."""
    z, _, std = _scaled(x)
    other = z[_other(x, c, rng), span]
    x[c, span] += 0.5 * std[c] * (other - other.mean())


def swapped(x: np.ndarray, span: Span, c: int, rng: np.random.Generator) -> int:
    """The channel is exchanged with another one, each in the units of the other."""
    z, mean, std = _scaled(x)
    other = _other(x, c, rng)
    x[c, span] = mean[c] + std[c] * z[other, span]
    x[other, span] = mean[other] + std[other] * z[c, span]
    return other


def _scaled(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Channels in units of their normal part, its mean and std."""
    normal = x[:, : x.shape[1] // 2]
    mean, std = normal.mean(axis=1), normal.std(axis=1)
    return (x - mean[:, None]) / std[:, None], mean, std


def _other(x: np.ndarray, c: int, rng: np.random.Generator) -> int:
    return int((c + rng.integers(1, len(x))) % len(x))


KINDS: dict[str, Callable[[np.ndarray, Span, int, np.random.Generator], int | None]] = {
    "another time": another_time,
    "delayed": delayed,
    "frozen": frozen,
    "flipped": flipped,
    "backwards": backwards,
    "gain": gain,
    "drift": drift,
    "common mode missing": common_mode,
    "crosstalk": crosstalk,
    "swapped": swapped,
}
"""What is done to a channel; some change another one too, and return which."""


def cases(part: str, seed: int) -> Iterator[Case]:
    """The forty cases of a part."""
    for r, (recording, make) in enumerate(RECORDINGS[part].items()):
        whole = make()
        for k, (kind, change) in enumerate(KINDS.items()):
            rng = np.random.default_rng([seed, r, k])
            yield _case(recording, kind, whole.copy(), change, rng)


def _case(
    recording: str, kind: str, x: np.ndarray, change: Callable, rng: np.random.Generator
) -> Case:
    C, T = x.shape
    train = T // 2
    L = int(T * np.exp(rng.uniform(np.log(SHORTEST), np.log(LONGEST))))
    start, c = int(rng.integers(train + L, T - 2 * L)), int(rng.integers(C))
    other = change(x, slice(start, start + L), c, rng)
    channels = (c,) if other is None else (c, other)
    return Case(recording, kind, x, train, (start, start + L), channels)
