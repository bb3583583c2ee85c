"""What docs/forecasting.md says was measured is what the result files hold; options are there."""

import json
import re
from pathlib import Path

import pytest

import selftime as st

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "forecasting.md").read_text(encoding="utf8")
RESULTS = ROOT / "benchmarks" / "results"
FOUND = json.loads((RESULTS / "forecast.json").read_text())
COLUMNS = (
    "linear",
    "features",
    "untrained features",
    "refitted on training and validation",
    "repeat-last",
    "seasonal naive",
    "NLinear",
    "DLinear",
)
PLACES = [(name, horizon) for name, by_horizon in FOUND.items() for horizon in by_horizon]


@pytest.mark.parametrize("name, horizon", PLACES)
def test_errors_and_intervals_are_as_measured(name, horizon):
    one = FOUND[name][horizon]
    errors = [f"{one['rows'][row]['mse']:.3f}" for row in COLUMNS]
    assert f"| {name} | {horizon} | {' | '.join(errors)} |" in TEXT
    held, cells = one["intervals"], "– | – | – | –"  # not measured
    if held:
        shares = f"{100 * held['0.8']:.1f} | {100 * held['0.95']:.1f}"
        cells = f"{shares} | {held['weighted quantile loss']:.3f} | {held['MASE']:.3f}"
    assert f"| {name} | {horizon} | {cells} |" in TEXT


def test_means_over_horizons_are_those_of_the_rows():
    means = re.findall(r"^\| (\w+) \| mean of ([\d/]+) \| (.*) \|$", TEXT, re.MULTILINE)
    assert len(means) == 5
    for name, horizons, cells in means:
        rows = [FOUND[name][horizon]["rows"] for horizon in horizons.split("/")]
        for row, cell in zip(COLUMNS, cells.split(" | "), strict=True):
            mean = sum(one[row]["mse"] for one in rows) / len(rows)
            assert float(cell) == pytest.approx(mean, abs=5.1e-5)


def test_gradient_rows_are_as_measured():
    found = json.loads((RESULTS / "forecast_gradient.json").read_text())["ETTh1"]
    for horizon, seeds in found.items():
        errors = [f"{row['mse']:.3f}" for row in seeds["0"]["rows"].values()]
        assert f"| {horizon} | {' | '.join(errors)} |" in TEXT


def test_per_step_rows_are_as_measured():
    found = json.loads((RESULTS / "forecast_steps.json").read_text())["ETTh1"]
    for row, seeds in found.items():
        errors = [f"{one['mse']:.3f}" for one in seeds["0"]["errors"].values()]
        assert f"| {row} | {' | '.join(errors)} |" in TEXT


@pytest.mark.slow
def test_examples_run(monkeypatch):
    whole = st.sample("NYCTaxi").series(0)
    monkeypatch.setattr(st, "sample", lambda name: st.SeriesSet.of(whole[None, :, -1500:]))
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL):
        exec(block, names)  # noqa: S102 - the page's own words
    assert "the effect of covariates is taken out" in names["forecaster"].reason_


def test_names_on_the_page_are_options():
    words = set(re.findall(r"(?<!-)--[a-z][a-z-]*", TEXT)) - {"--thousand", "--source"}
    folder = Path(st.__file__).parent / "cli"
    files = [folder / f"{name}.py" for name in ("forecast", "backtest", "options")]
    page = "".join(path.read_text(encoding="utf8") for path in files)
    assert words and all(re.search(rf'["/]{word}["/]', page) for word in words)


@pytest.mark.parametrize("target", re.findall(r"!\[[^\]]*\]\(([^)]+)\)", TEXT))
def test_pictures_are_there(target):
    assert (ROOT / "docs" / target).stat().st_size < 150_000


def test_tables_of_short_series_are_as_measured():
    found = json.loads((RESULTS / "short_series.json").read_text())
    readme = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf8")
    for name, one in found["tables"].items():
        cells = " | ".join(f"{r['mase']:.3f} ± {r['error']:.3f}" for r in one["rows"].values())
        assert (
            f"| {name} | {one['series']} × {one['steps']}, {one['horizon']} | {cells} |" in readme
        )
    for group in ("generated", "open", "folder"):
        several = [gains[group] for gains in found["means in percent"].values()]
        cells = " | ".join(f"{mean:+.1f} ± {error:.1f} %" for mean, error in several)
        assert f"| {cells} |".replace("-", "−") in TEXT
