"""Alarms, not scores, on three open collections: `python -m benchmarks.alarms`.

Every row raises alarms after the normal part of a series, which alone sets its threshold at first;
alarms with less than a window between them are one, for all rows alike. An alarm is right if it
comes within 100 steps of an anomaly (the rule of the UCR archive), an anomaly is found if some
alarm does. Recall is the share of anomalies found, precision the share of alarms that are right,
over all series of a collection; standard errors are those of 2,000 bootstraps over series. Delay is
the median number of steps from the first of an anomaly to the first in alarm, of those found from
then on. False alarms a week: by the times of NAB, else at a step a minute.
Scores are kept in a folder (--cache): they do not depend on thresholds.
"""

import argparse
import csv
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.anomaly import COLLECTIONS, Labelled, all_series
from benchmarks.open_data import root
from selftime.tasks.anomaly.alarms import bridge_gaps, judge_steps
from selftime.tasks.anomaly.detect import DEFAULT_MEMBERS, combine_scores, record_of
from selftime.tasks.anomaly.metrics import spans_of
from selftime.tasks.anomaly.oddness import odd_steps
from selftime.tasks.anomaly.record import mean_between
from selftime.tasks.anomaly.scores import SCORES

RESULTS = Path(__file__).parent / "results"
RATES = (0.01, 0.001)
"""Promised shares of normal steps in alarm."""
SLACK = 100
"""Steps by which an alarm may miss an anomaly (Wu & Keogh 2021)."""
Inside = Callable[[Labelled, dict[str, Any], float], np.ndarray]
"""Which steps of a series are in alarm, from its scores and a rate."""


def scored(series: Labelled, cache: Path) -> dict[str, Any]:
    """Scores and steps that are odd by themselves, offline and past only; from the cache."""
    path = cache / (series.name.replace("/", "_").replace(": ", "_") + ".npz")
    if not path.exists():
        out: dict[str, Any] = {}
        for past, suffix in ((False, ""), (True, ", past")):
            record = record_of(series.values, series.train, past, ())
            found = [SCORES[name](record) for name in DEFAULT_MEMBERS]
            out["scores" + suffix] = combine_scores(record, found)
            out["odd" + suffix] = odd_steps(record).alone
            out["width"] = record.width
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(path, **out)
    with np.load(path, allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def by_selftime(suffix: str) -> Inside:
    """The alarms of `selftime detect`."""

    def inside(series: Labelled, found: dict[str, Any], rate: float) -> np.ndarray:
        alarming = np.where(found["odd" + suffix], found["scores" + suffix], 0.0)
        seen = np.ones(len(series.values), bool)
        wait = int(found["width"])
        how = {"train": series.train, "rate": rate, "cool_down": wait}
        return judge_steps(alarming, alarming[None], seen, **how).inside

    return inside


def by_three_sigma(series: Labelled, found: dict[str, Any], rate: float) -> np.ndarray:
    """Values more than three std of the normal part from its mean."""
    normal = series.values[: series.train]
    above = np.abs(series.values - normal.mean()) > 3 * normal.std()
    return joined(above, found)


def by_quantiles(series: Labelled, found: dict[str, Any], rate: float) -> np.ndarray:
    """Values beyond what a share of the normal ones is."""
    low, high = np.quantile(series.values[: series.train], [rate / 2, 1 - rate / 2])
    return joined((series.values < low) | (series.values > high), found)


def by_rolling_z(series: Labelled, found: dict[str, Any], rate: float) -> np.ndarray:
    """Values farther from the mean of the window before, in its std, than normal ones."""
    x, width, steps = series.values, int(found["width"]), np.arange(1, len(series.values))
    first = np.maximum(steps - width, 0)
    mean = mean_between(x, first, steps - 1)
    square = mean_between(np.square(x - x.mean()), first, steps - 1)
    std = np.sqrt(np.maximum(square - np.square(mean - x.mean()), 0))
    z = np.append(
        0.0, np.abs(x[1:] - mean) / np.maximum(std, 1e-3 * x[: series.train].std() + 1e-9)
    )
    return joined(z > np.quantile(z[: series.train], 1 - rate), found)


def joined(above: np.ndarray, found: dict[str, Any]) -> np.ndarray:
    """Steps in alarm, and those of breaks of less than a window."""
    return bridge_gaps(above.astype(float), int(found["width"])) > 0


ROWS: dict[str, Inside] = {
    "three sigma of values": by_three_sigma,
    "quantile of values": by_quantiles,
    "quantile of rolling z": by_rolling_z,
    "selftime, past": by_selftime(", past"),
    "selftime": by_selftime(""),
}


def counted(series: Labelled, inside: np.ndarray, width: int) -> dict[str, Any]:
    """Anomalies, alarms and what is right of them, after the normal part of one series."""
    train, T = series.train, len(inside)
    inside = inside & (np.arange(T) >= train)
    events = [(max(a, train), b) for a, b in spans_of(series.labels).tolist() if b > train]
    alarms = spans_of(inside).tolist()

    def meet(alarm: list[int], event: tuple[int, int]) -> bool:
        return alarm[0] < event[1] + SLACK and alarm[1] > event[0] - SLACK

    delays = [np.flatnonzero(inside[a : b + SLACK])[:1].tolist() for a, b in events]
    normal = inside[train : max(events[0][0] - 2 * width, train)]
    return {
        "events": len(events),
        "found": sum(any(meet(alarm, event) for alarm in alarms) for event in events),
        "alarms": len(alarms),
        "right": sum(any(meet(alarm, event) for event in events) for alarm in alarms),
        "steps": T - train,
        "delays": [delay for found in delays for delay in found],
        "lengths": [stop - start for start, stop in alarms],
        "normal": [int(normal.sum()), len(normal)],
    }


def summary(parts: list[dict[str, Any]], weeks: float) -> dict[str, Any]:
    """Figures of a row on a collection of so many weeks, with standard errors over series."""
    keys = ("events", "found", "alarms", "right", "steps")
    table = np.array([[part[key] for key in keys] for part in parts], float)
    drawn = np.random.default_rng(0).integers(len(table), size=(2000, len(table)))
    every, sums = figures_of(table.sum(axis=0)), figures_of(table[drawn].sum(axis=1).T)
    out: dict[str, Any] = {name: float(value) for name, value in every.items()}
    out |= {f"{name}, standard error": float(np.std(value)) for name, value in sums.items()}
    delays = [delay for part in parts for delay in part["delays"]]
    lengths = [length for part in parts for length in part["lengths"]]
    inside, normal = np.sum([part["normal"] for part in parts], axis=0)
    false = table[:, 2].sum() - table[:, 3].sum()
    return out | {
        "delay": float(np.median(delays)) if delays else None,
        "length": float(np.median(lengths)) if lengths else None,
        "share of normal steps": float(inside / max(normal, 1)),
        "false alarms a week": float(false / weeks),
    }


def figures_of(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Recall, precision and false alarms in 10,000 steps from sums of the counts."""
    events, found, alarms, right, steps = sums
    return {
        "recall": found / np.maximum(events, 1),
        "precision": right / np.maximum(alarms, 1),
        "false alarms in 10,000": 1e4 * (alarms - right) / steps,
    }


WEEK = 10_080
"""Steps of a week, one a minute: as the lengths of the SMAP channels suggest, 2,880 and 8,640 being
two and six days, and what stands for a week of UCR, whose series tell no clock."""


def weeks_of(series: Labelled) -> float:
    """Weeks after the normal part: by the times of NAB, else at a step a minute."""
    if series.collection != "NAB":
        return (len(series.values) - series.train) / WEEK
    path = root() / "anomaly" / "nab" / "data" / series.name.partition(": ")[2]
    times = [row[0] for row in csv.reader(path.read_text().splitlines())][1:]
    span = np.datetime64(times[-1]) - np.datetime64(times[series.train])
    return float(span / np.timedelta64(7, "D"))


HEADS = (
    *("promised", "series of", "row", "recall", "precision", "false alarms in 10,000", "a week"),
    *("delay", "length", "share of normal steps"),
)


def table(found: dict[str, Any]) -> str:
    """The summary as Markdown."""
    lines = ["| " + " | ".join(HEADS) + " |", "|" + "---|" * len(HEADS)]
    for rate, rows in found.items():
        for collection in COLLECTIONS:
            for name, cells in rows.items():
                words = f"**{name}**" if name.startswith("selftime") else name
                cell = " | ".join(words_of(cells[collection]))
                lines.append(f"| {rate} | {collection} | {words} | {cell} |")
    return "\n".join(lines)


def words_of(c: dict[str, Any]) -> list[str]:
    """The figures of a row."""
    parts = [f"{c[k]:.2f} ± {c[k + ', standard error']:.2f}" for k in ("recall", "precision")]
    false = c["false alarms in 10,000"]
    error = c["false alarms in 10,000, standard error"]
    parts += [f"{false:.1f} ± {error:.1f}", f"{c['false alarms a week']:.1f}"]
    parts += ["-" if c[k] is None else f"{c[k]:.0f}" for k in ("delay", "length")]
    return [*parts, f"{100 * c['share of normal steps']:.1f} %"]


def counts_of(every: list[Labelled], cache: Path) -> dict[str, Any]:
    """Counts of every rate, row and series."""
    counts: dict[str, Any] = {}
    for series in every:
        found = scored(series, cache)
        for rate in RATES:
            for name, inside in ROWS.items():
                cell = counts.setdefault(str(rate), {}).setdefault(name, {})
                cell[series.name] = counted(
                    series, inside(series, found, rate), int(found["width"])
                )
        print(f"{series.name}: {len(series.values):,} steps", flush=True)
    return counts


def main() -> None:
    """Read the command line, score what is not in the cache, judge, save and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarms", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS / "alarms.json")
    parser.add_argument(
        "--cache", type=Path, default=Path(tempfile.gettempdir()) / "selftime-alarms"
    )
    parser.add_argument("--stored", action="store_true", help="sum up what --out holds already")
    args = parser.parse_args()
    every = all_series()
    if args.stored:
        counts = json.loads(args.out.read_text())["series"]
    else:
        counts = counts_of(every, args.cache)
    weeks = dict.fromkeys(COLLECTIONS, 0.0)
    for series in every:
        weeks[series.collection] += weeks_of(series)
    rows: dict[str, Any] = {}
    for rate, names in counts.items():
        for name, cells in names.items():
            for collection in COLLECTIONS:
                parts = [part for key, part in cells.items() if key.startswith(collection + ":")]
                found = summary(parts, weeks[collection])
                rows.setdefault(rate, {}).setdefault(name, {})[collection] = found
    stored = {"rates": rows, "series": counts, "weeks": weeks}
    args.out.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf8")
    print(table(rows))


if __name__ == "__main__":
    main()
