"""What can be chosen by name: objectives and encoders, with papers, uses and measured figures."""

import inspect
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from selftime.encoders.builders import BUILDERS
from selftime.objectives.registry import OBJECTIVES


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


class Method(NamedTuple):
    """An objective or an encoder that can be chosen by name.

    Attributes:
        kind: "objective" or "encoder".
        name: what people type.
        family: what an objective learns from, or how an encoder is made ready.
        about: what it is, in one line.
        suits: when to take it.
        papers: authors and years of the papers it is made from.
        measured: how it did in the open benchmark; None where it was not in it.
    """

    kind: str
    name: str
    family: str
    about: str
    suits: str
    papers: tuple[str, ...]
    measured: BenchmarkResult | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        figures = None if self.measured is None else self.measured._asdict()
        return self._asdict() | {"measured": figures}


ENCODERS_SUIT = {
    "rocket": "closed form: the strongest features without training",
    "minirocket": "closed form: fewer features, faster",
    "hydra": "closed form: counts of which pattern fits best",
    "multirocket": "closed form: four poolings, more memory",
    "quantiles": "closed form: where values lie matters more than their order",
    "dilated": "the first choice by gradient; a vector a step",
    "dilated_causal": "streams: no vector changes when more arrives",
    "resnet": "patterns of about 20 steps wherever they are",
    "inception": "patterns of several lengths at once",
    "tstcc_cnn": "long series, little time: three pooled blocks",
    "lstm": "order over long stretches; slow on long series",
    "gru": "as lstm, lighter",
    "transformer": "masked objectives; long series, since cost goes by patches",
    "patchtst_42": "forecasting with a look-back of 336, as published",
    "patchtst_64": "forecasting with a look-back of 512, as published",
    "patchtst_masked": "masked patches, as published",
}
"""When to take which encoder."""


def methods() -> list[Method]:
    """Every objective and every encoder that :func:`selftime.pretrain` knows by name."""
    objectives = [
        _method("objective", name, part, part.family, part.suits)
        for name, part in OBJECTIVES.items()
    ]
    encoders = [
        _method("encoder", name, part, _way(name), ENCODERS_SUIT.get(name, ""))
        for name, part in BUILDERS.items()
    ]
    return objectives + encoders


def _way(name: str) -> str:
    """How an encoder gets ready for use."""
    fixed = ("rocket", "minirocket", "hydra", "multirocket", "quantiles")
    return "not trained" if name in fixed else "trained by gradient"


def papers_in(text: str) -> tuple[str, ...]:
    """``Authors year`` of every paper cited as (Authors year, section …), in order.

    The name of a method may stand before them: (TST, Authors year).
    """
    author = r"(?:van den )?[A-Z][^();,]*?(?:,? et al\.?)?"
    cited = re.findall(rf"[(;]\s*(?:[\w-]+, )?({author} \d{{4}})(?=[,;)])", " ".join(text.split()))
    return tuple(dict.fromkeys(cited))


def _method(kind: str, name: str, part: object, family: str, suits: str) -> Method:
    text = inspect.getdoc(part) or ""
    about = re.sub(r"\s*\([^()]*\d{4}[^()]*\)", "", text.split("\n\n")[0].replace("\n", " "))
    return Method(kind, name, family, about, suits, papers_in(text), benchmark_result(kind, name))
