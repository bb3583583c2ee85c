"""Anomalies that no channel shows by itself: `python -m benchmarks.channels`.

Forty cases for each seed: ten kinds in each of four real recordings (benchmarks/channel_cases.py);
the first half of a recording is normal. A hit: the highest score behind it lies within the anomaly,
or off it by at most half its length. The channel is right where the case is a hit and the method
names a channel that was changed. All rows are smoothed over the same window. Standard errors are
those of 2,000 bootstraps over the forty cells, each the mean of its seeds. `--part choose` measures
four other recordings, on which the method was chosen. Then SMAP and MSL with all their channels.
"""

import argparse
import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

import selftime as st
from benchmarks.anomaly import smap_msl
from benchmarks.channel_cases import Case, cases
from benchmarks.open_data import root
from selftime.data.periods import period_of
from selftime.data.principal import principal_axes
from selftime.progress import silent
from selftime.report.pictures.anomalies import anomaly_picture
from selftime.report.pictures.palette import save_picture
from selftime.tasks.anomaly.alarms import ChannelScores
from selftime.tasks.anomaly.detect import (
    DEFAULT_MEMBERS,
    Work,
    channel_scores,
    departure_scores,
    record_of,
)
from selftime.tasks.anomaly.metrics import vus_pr
from selftime.tasks.anomaly.record import ChannelRecord, over_windows, smooth_steps

RESULTS = Path(__file__).parent / "results"
SEEDS = 5
EXPLAINED = 0.9
"""Share of the variance that principal components explain, as in `benchmarks.anomaly`."""
Row = tuple[np.ndarray, np.ndarray | None]
"""Scores (T,), and of each channel (C,T) where a method names one."""


class Alone:
    """Scores of single channels, each measured once."""

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, int, bool], tuple[ChannelRecord, np.ndarray]] = {}

    def of(self, x: np.ndarray, train: int, past: bool) -> tuple[ChannelRecord, np.ndarray]:
        """The record and the scores of a channel by itself."""
        key = (x.tobytes(), train, past)
        if key not in self._known:
            record, work = record_of(x, train, past, ()), Work(silent, len(x))
            scores = channel_scores(record, DEFAULT_MEMBERS, (), work)
            self._known[key] = record, scores
        return self._known[key]


def by_selftime(values: np.ndarray, train: int, alone: Alone, *, past: bool) -> ChannelScores:
    """What `selftime detect` scores, channels by themselves from memory."""
    records, scores = zip(*(alone.of(x, train, past) for x in values), strict=True)
    return ChannelScores(np.stack(scores), departure_scores(records, np.isfinite(values)))


def by_forest(z: np.ndarray, train: int, width: int, seed: int, *, windows: bool) -> Row:
    """scikit-learn's isolation forest of steps, or of windows, of all channels, on the normal."""
    length = width if windows else 1
    starts, cut = windows_of(z, length)
    forest = IsolationForest(random_state=seed).fit(cut[starts + length <= train])
    found = over_windows(-forest.score_samples(cut), starts, length, z.shape[1])
    return smooth_steps(found, width, past_only=False), None


def by_components(z: np.ndarray, train: int, width: int, *, windows: bool) -> Row:
    """Error of reconstructing steps, or windows, of all channels from principal components."""
    length, (C, T) = width if windows else 1, z.shape
    starts, cut = windows_of(z, length)
    normal = cut[starts + length <= train]
    variances, axes = principal_axes(np.cov(normal.T, bias=True))
    kept = axes[:, : int(np.searchsorted(np.cumsum(variances), EXPLAINED * variances.sum())) + 1]
    centred = cut - normal.mean(axis=0)
    left = np.square(centred - centred @ kept @ kept.T).reshape(len(cut), C, length).mean(axis=2)
    each = [over_windows(row, starts, length, T) for row in left.T]
    each = np.sqrt([smooth_steps(row, width, past_only=False) for row in each])
    return np.sqrt(np.square(each).mean(axis=0)), each


def windows_of(z: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """First steps of windows, and all values of all channels within each."""
    starts = np.arange(0, z.shape[1] - length + 1, max(length // 8, 1))
    cut = np.lib.stride_tricks.sliding_window_view(z, length, axis=1)[:, starts]
    return starts, cut.transpose(1, 0, 2).reshape(len(starts), -1)


def rows_of(values: np.ndarray, train: int, alone: Alone, seed: int) -> dict[str, Row]:
    """Scores of every method."""
    found, past = (by_selftime(values, train, alone, past=p) for p in (False, True))
    records = [alone.of(x, train, False)[0] for x in values]
    z, width = np.stack([r.values for r in records]), int(np.median([r.width for r in records]))
    noise = np.random.default_rng(seed).random(z.shape)
    noise = np.stack([smooth_steps(row, width, past_only=False) for row in noise])
    own, before = found.alone, past.alone
    return {
        "random": (noise.mean(axis=0), noise),
        "isolation forest of steps": by_forest(z, train, width, seed, windows=False),
        "isolation forest of windows": by_forest(z, train, width, seed, windows=True),
        "PCA reconstruction of steps": by_components(z, train, width, windows=False),
        "PCA reconstruction of windows": by_components(z, train, width, windows=True),
        "each channel alone, mean": (own.mean(axis=0), own),
        "each channel alone, maximum": (own.max(axis=0), own),
        "departures alone": (found.beside.max(axis=0), found.beside),
        "selftime": (found.joined, found.each),
        "each channel alone, mean, past": (before.mean(axis=0), before),
        "selftime, past": (past.joined, past.each),
    }


def judged(case: Case, row: Row) -> dict[str, Any]:
    """Whether the highest score is at the anomaly, and its channel one that was changed."""
    scores, channels = row
    begin, end = case.span
    margin = (end - begin) // 2
    peak = case.train + int(scores[case.train :].argmax())
    hit = begin - margin <= peak < end + margin
    if channels is None:
        return {"hit": hit, "channel": None}
    return {"hit": hit, "channel": hit and int(channels[:, peak].argmax()) in case.channels}


def measured(part: str, seeds: int) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What every row found in each cell, seed by seed."""
    out: dict[str, dict[str, list[dict[str, Any]]]] = {}
    alone = Alone()
    for seed in range(seeds):
        for case in cases(part, seed):
            cell = f"{case.recording}: {case.kind}"
            for name, row in rows_of(case.values, case.train, alone, seed).items():
                out.setdefault(name, {}).setdefault(cell, []).append(judged(case, row))
        print(f"{part}, seed {seed}: {len(cases_in(out))} cells", flush=True)
    return out


def cases_in(found: dict[str, dict[str, Any]]) -> list[str]:
    """The cells."""
    return list(next(iter(found.values())))


def summary(found: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    """Shares with standard errors over cells; hits by recording and by kind."""
    rng, out = np.random.default_rng(0), {}
    for name, cells in found.items():
        row: dict[str, Any] = {}
        for key in ("hit", "channel"):
            if any(one[key] is None for seeds in cells.values() for one in seeds):
                continue
            means = np.array([np.mean([one[key] for one in seeds]) for seeds in cells.values()])
            drawn = means[rng.integers(len(means), size=(2000, len(means)))].mean(axis=1)
            row |= {key: means.mean(), f"{key}, standard error": drawn.std()}
        for place, label in ((0, "recordings"), (1, "kinds")):
            groups: dict[str, list[float]] = {}
            for cell, seeds in cells.items():
                hits = groups.setdefault(cell.split(": ")[place], [])
                hits.append(float(np.mean([one["hit"] for one in seeds])))
            row[label] = {group: float(np.mean(hits)) for group, hits in groups.items()}
        out[name] = row
    return out


def telemetry() -> dict[str, Any]:
    """VUS-PR on SMAP and MSL: the telemetry alone, and with all commands as channels."""
    folder, alone, out = root() / "anomaly" / "smap_msl", Alone(), {}
    names = [r["chan_id"] for r in csv.DictReader((folder / "labeled_anomalies.csv").open())]
    for name, series in zip(names, smap_msl(folder), strict=True):
        parts = np.load(folder / f"{name}.npz", allow_pickle=False)
        values = np.concatenate([parts["train"], parts["test"]]).T
        train, labels = series.train, series.labels[series.train :]
        found = by_selftime(values, train, alone, past=False)
        rows = {
            "telemetry alone": found.alone[0],
            "all channels, each alone, mean": found.alone.mean(axis=0),
            "all channels, each alone, maximum": found.alone.max(axis=0),
            "selftime, all channels": found.joined,
        }
        period = period_of(series.values[:train])
        for row, scores in rows.items():
            out.setdefault(row, {})[name] = vus_pr(labels, scores[train:], period)
        print(name, {row: round(cells[name], 3) for row, cells in out.items()}, flush=True)
    return out


def table(rows: dict[str, Any]) -> str:
    """The summary as text."""
    lines = []
    for name, row in rows.items():
        parts = [
            f"{row[k]:.2f} ± {row[k + ', standard error']:.2f}" if k in row else "-"
            for k in ("hit", "channel")
        ]
        parts += [
            ", ".join(f"{k} {v:.2f}" for k, v in row[part].items())
            for part in ("recordings", "kinds")
        ]
        lines.append(f"{name:34s}" + " | ".join(parts))
    return "\n".join(lines)


SHOWN = ("ERing", "swapped")
"""The case that is drawn."""


def draw_case(path: Path) -> None:
    """Draw a case as `selftime detect --picture` does."""
    case = next(c for c in cases("choose", 0) if (c.recording, c.kind) == SHOWN)
    found = st.detect(case.values[None], train_end=case.train)
    print(f"changed: channel {case.channels}, {case.span}", found.alarms)
    save_picture(anomaly_picture(found), path)


def main() -> None:
    """Read the command line, measure, save, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.channels", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS / "channels.json")
    parser.add_argument("--part", choices=("judge", "choose", "telemetry"), action="append")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--picture", type=Path, help="draw one case instead, as selftime detect")
    args = parser.parse_args()
    if args.picture:
        draw_case(args.picture)
        return
    stored = json.loads(args.out.read_text()) if args.out.exists() else {}
    for part in args.part or ("judge", "choose", "telemetry"):
        if part == "telemetry":
            found = telemetry()
            stored[part] = {
                k: {"mean": float(np.mean(list(v.values()))), **v} for k, v in found.items()
            }
            print({k: round(v["mean"], 3) for k, v in stored[part].items()})
        else:
            found = measured(part, args.seeds)
            stored[part] = {"seeds": args.seeds, "rows": summary(found)}
            print(table(stored[part]["rows"]))
        args.out.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf8")


if __name__ == "__main__":
    main()
