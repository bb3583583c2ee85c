"""Anomaly detection on three open collections: `python -m benchmarks.anomaly`.

Every method scores every series with the same settings; labels are read for judging alone, on the
part after the normal one. UCR: share of series whose highest score is at the anomaly; NAB and
SMAP/MSL: VUS-PR with the period of the normal part as buffer, telemetry alone. "past" rows use no
later step for any score. Then the NAB score of all NAB files (benchmarks/nab.py). Series that are
in the results already are not measured again.
"""

import argparse
import csv
import gzip
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import selftime as st
from benchmarks.nab import FUSED, nab_rows, nab_table
from benchmarks.open_data import root
from selftime.data.periods import period_of
from selftime.data.scaling import Unscaled
from selftime.encoders.networks.dilated import Dilated
from selftime.tasks.anomaly.detect import DEFAULT_MEMBERS, combine_scores, record_of
from selftime.tasks.anomaly.metrics import ucr_hit, vus_pr
from selftime.tasks.anomaly.scores import REFERENCE_SCORES, SCORES
from selftime.tasks.anomaly.scores.learned import hidden_step

RESULTS = Path(__file__).parent / "results"
COLLECTIONS = {"UCR": "accuracy", "NAB": "VUS-PR", "SMAP/MSL": "VUS-PR"}
NORMAL = 0.15
"""Share of a NAB series that is taken to be normal (Lavin & Ahmad 2015); others say themselves."""
NETWORK = Dilated(channels=1, hidden=32, depth=6, dim=64, causal=True)
UNTRAINED = st.Model(NETWORK, Unscaled(), ("0",))
METHODS = SCORES | {"hidden step, untrained": lambda record: hidden_step([record], UNTRAINED)}
MODES = ((False, "", REFERENCE_SCORES | METHODS), (True, ", past", METHODS))
"""Whether later steps may count, what is added to the names of rows, and the rows."""


class Labelled(NamedTuple):
    """A series with its anomalies.

    Attributes:
        name: collection and name.
        values: (T,) of one channel.
        train: how many of its first steps are normal.
        labels: (T,) True where anomalous.
    """

    name: str
    values: np.ndarray
    train: int
    labels: np.ndarray

    @property
    def collection(self) -> str:
        """What it is from."""
        return self.name.partition(": ")[0]


def ucr(folder: Path) -> Iterator[Labelled]:
    """Series whose names end in TRAIN_BEGIN_END, the latter two counted from 1."""
    for path in sorted(folder.glob("*.txt*")):
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        values = np.array(data.split(), np.float64)
        name = path.name.split(".")[0]
        train, begin, end = map(int, name.split("_")[-3:])
        steps = np.arange(1, len(values) + 1)
        yield Labelled(f"UCR: {name}", values, train, (steps >= begin) & (steps <= end))


def nab(folder: Path) -> Iterator[Labelled]:
    """Series with windows of times around what is anomalous."""
    windows = json.loads((folder / "labels" / "combined_windows.json").read_text())
    for name in sorted(windows):
        rows = list(csv.reader((folder / "data" / name).read_text().splitlines()))[1:]
        times = np.array([row[0] for row in rows], "datetime64[ms]")
        labels = np.zeros(len(rows), bool)
        for start, stop in np.array(windows[name], "datetime64[ms]").reshape(-1, 2):
            labels |= (times >= start) & (times <= stop)
        values = np.array([float(row[1]) for row in rows])
        yield Labelled(f"NAB: {name}", values, int(NORMAL * len(rows)), labels)


def smap_msl(folder: Path) -> Iterator[Labelled]:
    """Telemetry of channels, training part before test part; ranges are of the test part."""
    for row in csv.DictReader((folder / "labeled_anomalies.csv").read_text().splitlines()):
        parts = np.load(folder / f"{row['chan_id']}.npz", allow_pickle=False)
        train, test = parts["train"][:, 0], parts["test"][:, 0]
        labels = np.zeros(len(train) + len(test), bool)
        for first, last in json.loads(row["anomaly_sequences"]):
            labels[len(train) + first : len(train) + last + 1] = True
        values = np.concatenate([train, test])
        yield Labelled(f"SMAP/MSL: {row['chan_id']}", values, len(train), labels)


def all_series() -> list[Labelled]:
    """Every series of the three collections that has anomalies, short ones first."""
    folder = root() / "anomaly"
    found = [*ucr(folder / "ucr_anomaly"), *nab(folder / "nab"), *smap_msl(folder / "smap_msl")]
    return sorted((s for s in found if s.labels.any()), key=lambda series: len(series.values))


def judged(series: Labelled, scores: np.ndarray) -> float:
    """What scores are worth after the normal part."""
    labels, after = series.labels[series.train :], scores[series.train :]
    if series.collection == "UCR":
        return float(ucr_hit(labels, after))
    return vus_pr(labels, after, period_of(series.values[: series.train]))


def measured(series: Labelled) -> dict[str, Any]:
    """Figures and seconds of every method on one series."""
    out: dict[str, Any] = {"figure": {}, "seconds": {}}
    for past_only, suffix, methods in MODES:
        record = record_of(series.values, series.train, past_only, ())
        found, seconds = {}, {}
        for name, score in methods.items():
            start = time.process_time()
            found[name] = score(record)
            seconds[name] = time.process_time() - start
        found[FUSED] = combine_scores(record, [found[name] for name in DEFAULT_MEMBERS])
        seconds[FUSED] = sum(seconds[name] for name in DEFAULT_MEMBERS)
        out["figure"] |= {name + suffix: judged(series, found[name]) for name in found}
        out["seconds"] |= {name + suffix: round(value, 3) for name, value in seconds.items()}
    return out


def summary(results: dict[str, Any]) -> dict[str, Any]:
    """Means, intervals and pairs for each method and collection."""
    names = list(next(iter(results.values()))["figure"])
    out: dict[str, Any] = {"methods": {name: {} for name in names}}
    for collection in COLLECTIONS:
        rows = [r for key, r in results.items() if key.startswith(collection + ":")]
        if not rows:
            continue
        table = {name: np.array([r["figure"][name] for r in rows]) for name in names}
        for name in names:
            base = table[FUSED + (", past" if name.endswith(", past") else "")]
            seconds = [r["seconds"][name] for r in rows]
            out["methods"][name][collection] = row_of(table[name], base, seconds)
    return out


def row_of(figures: np.ndarray, base: np.ndarray, seconds: list[float]) -> dict[str, Any]:
    """Mean with its 95 % interval over series, and how the fused score does beside it."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(figures), size=(2000, len(figures)))
    gain = base - figures
    return {
        "mean": figures.mean(),
        "interval": np.quantile(figures[drawn].mean(axis=1), [0.025, 0.975]).tolist(),
        "fused ahead": gain.mean(),
        "fused ahead, interval": np.quantile(gain[drawn].mean(axis=1), [0.025, 0.975]).tolist(),
        "fused wins": int((gain > 1e-9).sum()),
        "fused losses": int((gain < -1e-9).sum()),
        "seconds": float(np.mean(seconds)),
        "seconds, most": float(np.max(seconds)),
    }


def table(found: dict[str, Any], results: dict[str, Any]) -> str:
    """The summary as text: mean, interval, wins-losses of the fused score, seconds a series."""
    heads = {
        name: f"{name} {kind} of {sum(key.startswith(name + ':') for key in results)}"
        for name, kind in COLLECTIONS.items()
    }
    lines = [f"{'':34s}" + "".join(f"{head:>34s}" for head in heads.values())]
    for name, cells in found["methods"].items():
        texts = []
        for collection in COLLECTIONS:
            c = cells.get(collection)
            pairs = f"{c['fused wins']}-{c['fused losses']}" if c else ""
            low, high = c["interval"] if c else (0, 0)
            texts.append(
                f"{c['mean']:.3f} ({low:.2f}-{high:.2f}) {pairs:>6s} {c['seconds']:.1f} s"
                if c
                else "-"
            )
        lines.append(f"{name:34s}" + "".join(f"{text:>34s}" for text in texts))
    return "\n".join(lines)


def main() -> None:
    """Read the command line, measure what is missing, save after each series, print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.anomaly", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULTS / "anomaly.json")
    parser.add_argument("--longest", type=int, help="leave out series of more steps")
    args = parser.parse_args()
    stored = json.loads(args.out.read_text()) if args.out.exists() else {}
    kept = stored.get("series", {})
    for series in all_series():
        if series.name in kept or len(series.values) > (args.longest or len(series.values)):
            continue
        kept[series.name] = measured(series)
        line = kept[series.name]["figure"]
        print(f"{series.name:70s} {line[FUSED]:.3f} past {line[FUSED + ', past']:.3f}", flush=True)
        stored = {**stored, "summary": summary(kept), "series": kept}
        args.out.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf8")
    if "NAB score" not in stored:
        files = list(nab(root() / "anomaly" / "nab"))
        values, labels = [f.values for f in files], [f.labels for f in files]
        stored["NAB score"] = nab_rows(values, labels, REFERENCE_SCORES | METHODS)
        args.out.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf8")
    print(table(summary(kept), kept))
    print(nab_table(stored["NAB score"]))


if __name__ == "__main__":
    main()
