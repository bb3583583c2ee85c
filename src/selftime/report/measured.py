"""What the open benchmark measured of each method, as it ships with the package."""

import json
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple


class BenchmarkResult(NamedTuple):
    """How a method did in the open benchmark.

    Attributes:
        rank: place among all methods of its kind, 1 is best, by the mean over label counts.
        among: how many there are.
        accuracy: percent, mean over sets and seeds, by labels per class.
        gain: points over the same encoder untrained, by labels per class; empty where that is not
            what it stands beside.
        step: seconds of a step as a multiple of the cheapest method's; None where none are taken.
        encoder: that it was measured on.
    """

    rank: int
    among: int
    accuracy: dict[str, float]
    gain: dict[str, float]
    step: float | None = None
    encoder: str = ""


@cache
def benchmark_results() -> dict[str, Any]:
    """The whole of ``measured.json``: what was measured, how, and the rows."""
    text = files("selftime.report").joinpath("measured.json").read_text(encoding="utf8")
    content: dict[str, Any] = json.loads(text)
    return content


def benchmark_result(kind: str, name: str) -> BenchmarkResult | None:
    """How a method did; None where it has not been measured.

    Args:
        kind: "objective" or "encoder".
        name: as people type it.
    """
    row = benchmark_results().get(kind, {}).get(name)
    return None if row is None else BenchmarkResult(**row)
