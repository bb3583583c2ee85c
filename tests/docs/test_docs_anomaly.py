"""What docs/anomaly-detection.md says was measured is what the result file holds."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "anomaly-detection.md").read_text(encoding="utf8")
FOUND = json.loads((ROOT / "benchmarks" / "results" / "anomaly.json").read_text())
ALARMS = json.loads((ROOT / "benchmarks" / "results" / "alarms.json").read_text())["rates"]
EVENTS = ("recall", "precision")
CALLED = {"selftime": "**selftime, all six**"}
COLLECTIONS = ("UCR", "NAB", "SMAP/MSL")


def called(row: str) -> str:
    """The name of a row on the page."""
    name, past = row.removesuffix(", past"), row.endswith(", past")
    return CALLED.get(name, name).strip("*" if past else "") + ", past" * past


def line_of(row: str) -> str:
    """A row of the table as it must stand there."""
    cells = [FOUND["summary"]["methods"][row][name] for name in COLLECTIONS]
    means = [f"{c['mean']:.3f} ({c['interval'][0]:.2f}–{c['interval'][1]:.2f})" for c in cells]
    pairs = [f"{c['fused wins']}–{c['fused losses']}" for c in cells]
    ahead = "" if row.startswith("selftime") else ", ".join(pairs)
    return " | ".join([f"| {called(row)}", *means, ahead, f"{cells[0]['seconds']:.1f} |"])


@pytest.mark.parametrize("row", FOUND["summary"]["methods"])
def test_figures_are_as_measured(row):
    assert line_of(row) in TEXT


@pytest.mark.parametrize("row", [row for row in FOUND["NAB score"] if row.endswith(", past")])
def test_nab_scores_are_as_measured(row):
    profiles = FOUND["NAB score"][row].values()
    name = called(row).removesuffix(", past")
    assert " | ".join([f"| {name}", *(f"{score:.1f}" for score in profiles)]) + " |" in TEXT


def test_shares_in_alarm_are_as_measured():
    for name in COLLECTIONS:
        share = ALARMS["0.01"]["selftime, past"][name]["share of normal steps"]
        assert f"{100 * share:.2f} % on {name}" in TEXT


@pytest.mark.parametrize("rate", ALARMS)
@pytest.mark.parametrize("row", ALARMS["0.01"])
def test_alarms_are_as_measured(rate, row):
    name = f"**{row}**" if row.startswith("selftime") else row
    for collection in COLLECTIONS:
        found = ALARMS[rate][row][collection]
        errors = [f"{found[k]:.2f} ± {found[k + ', standard error']:.2f}" for k in EVENTS]
        assert f"| {rate} | {collection} | {name} | {' | '.join(errors)} |" in TEXT


def test_every_series_was_measured():
    names = [name.partition(": ")[0] for name in FOUND["series"]]
    assert [names.count(name) for name in COLLECTIONS] == [26, 17, 10]
    assert all(
        row["figure"].keys() == FOUND["summary"]["methods"].keys()
        for row in FOUND["series"].values()
    )


LONG = json.loads((ROOT / "benchmarks" / "results" / "long_recordings.json").read_text())


def test_long_recordings_are_as_measured():
    rows, whole = LONG["rows"]["st.detect"], LONG["rows"]["selftime detect"]["1000000"]
    past, most = LONG["rows"]["st.detect, past"]["1000000"], rows["1000000"]
    assert f"| st.detect | {rows['30000']['cpu']:.1f} s | {rows['240000']['cpu']:.1f} s |" in TEXT
    for row in (most, past, whole):
        assert f"| {row['cpu']:.0f} s, {row['peak_mib']:,.0f} MiB |" in TEXT
        assert row["cpu"] < 120 and row["peak_mib"] < 2048
    for name, slope in LONG["exponents"].items():
        assert slope <= 1.1 and f"| {name} |" in TEXT and f"| {slope:.2f} |" in TEXT
    for error in LONG["errors"].values():
        assert error["least excess"] > -1e-9
        middle, high = 100 * error["median excess"], 100 * error["excess of 1 in 20"]
        assert f"{middle:.1f} % in the median and {high:.0f} % in 1 of 20" in TEXT
        same = 100 * error["same of the farthest thousandth"]
        assert f"{same:.0f} % of the farthest\nthousandth" in TEXT
    assert f"Of {most['faults']} faults in the million {most['found']} are found" in TEXT
