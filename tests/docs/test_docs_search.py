"""Figures of the pages of search and clusters are those of the benchmarks."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
SEARCH = json.loads((RESULTS / "search.json").read_text())
CLUSTERS = json.loads((RESULTS / "clusters_of_series.json").read_text())
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text() for name in ("search", "clustering")}


def test_a_million_vectors_are_searched_as_the_page_says():
    for breadth in (64, 128, 256, 512):
        cell = SEARCH["million"]["1,000,000"][f"breadth {breadth}"]
        recall = f"{cell['recall']:.3f} ± {cell['standard_error']:.3f}"
        assert f"| {recall} | {cell['ms']:.1f} | {cell['times_as_fast']:.0f} |" in PAGES["search"]
    usual = SEARCH["million"]["1,000,000"]["breadth 128"]
    assert usual["recall"] >= 0.95 and usual["times_as_fast"] >= 20
    assert all(SEARCH["windows"][dim]["processor_ms"] < 50 for dim in ("256", "1024"))


@pytest.mark.parametrize("name", SEARCH["neighbours"])
def test_neighbours_are_as_the_page_says(name):
    cell = SEARCH["neighbours"][name]
    row = f"| {name} | {100 * cell['index']:.1f} | {100 * cell['dtw']:.1f} |"
    assert row in PAGES["search"] and cell["index"] >= cell["dtw"]


@pytest.mark.parametrize("name", CLUSTERS["sets"])
def test_clusters_are_as_the_page_says(name):
    found = CLUSTERS["sets"][name]
    row = f"| {name} | {found['classes']} | {found['chosen']['k']} |"
    cells = [
        f"{found[row]['ari']:.2f} / {found[row]['nmi']:.2f}" for row in ("raw values", "catch22")
    ]
    (line,) = [line for line in PAGES["clustering"].splitlines() if line.startswith(row)]
    assert all(cell.replace("-0.00", "0.00") in line for cell in cells)
