"""Objectives and encoders that can be chosen by name: papers, uses and benchmark results."""

import inspect
import json
import re
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from selftime.encoders.builders import BUILDERS, SIGNAL_BUILDERS
from selftime.objectives.registry import OBJECTIVES


class BenchmarkResult(NamedTuple):
    """The result of a method in the open benchmark.

    Attributes:
        rank: place among all methods of its kind, 1 is best, by the mean over label counts.
        among: how many there are.
        accuracy: percent, mean over sets and seeds, by labels per class.
        gain: points over the same encoder untrained, by labels per class; empty where there is
            none.
        step: seconds of an optimiser step as a multiple of the cheapest method's; None where
            there are none.
        encoder: the encoder in the benchmark.
    """

    rank: int
    among: int
    accuracy: dict[str, float]
    gain: dict[str, float]
    step: float | None = None
    encoder: str = ""


@cache
def benchmark_results() -> dict[str, Any]:
    """Read ``measured.json``: the rows, and how they were measured."""
    text = files("selftime.report").joinpath("measured.json").read_text(encoding="utf8")
    content: dict[str, Any] = json.loads(text)
    return content


def benchmark_result(kind: str, name: str) -> BenchmarkResult | None:
    """Return the result of an "objective" or an "encoder"; None where there is none."""
    row = benchmark_results().get(kind, {}).get(name)
    return None if row is None else BenchmarkResult(**row)


class Method(NamedTuple):
    """An objective or an encoder that can be chosen by name.

    Attributes:
        kind: "objective" or "encoder".
        name: as it is typed.
        family: of objectives, such as "contrastive"; of encoders "not trained" or "trained by
            gradient".
        about: a description in one line.
        suits: cases in which to take it.
        papers: authors and years of its papers.
        measured: its result in the open benchmark; None where it was not in it.
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
    "vit_tiny": "pictures: a token a patch, which knows its row and column",
    "bert_mini": "texts: a token a symbol, made from all others",
    "cpc_audio": "waveforms: a token for 160 samples, from the past alone",
    "frames_small": "films: a token a frame, through a small convolution",
}
"""The case for each encoder."""


def methods() -> list[Method]:
    """List every objective and every encoder that :func:`selftime.pretrain` knows by name.

    Example:
        >>> import selftime as st
        >>> ts2vec = next(method for method in st.methods() if method.name == "ts2vec")
        >>> ts2vec.kind, ts2vec.family, ts2vec.papers[0]
        ('objective', 'contrastive', 'Yue et al. 2022')
    """
    objectives = [
        _method("objective", name, part, part.family, part.suits)
        for name, part in OBJECTIVES.items()
    ]
    encoders = [
        _method("encoder", name, part, _encoder_family(name), ENCODERS_SUIT.get(name, ""))
        for name, part in (BUILDERS | SIGNAL_BUILDERS).items()
    ]
    return objectives + encoders


def _encoder_family(name: str) -> str:
    fixed = ("rocket", "minirocket", "hydra", "multirocket", "quantiles")
    return "not trained" if name in fixed else "trained by gradient"


def papers_in(text: str) -> tuple[str, ...]:
    """Return ``Authors year`` of every paper cited as (Authors year, section …), in order.

    The name of a method may stand before them: (TST, Authors year).
    """
    author = r"(?:van den )?[A-Z][^();,]*?(?:,? et al\.?)?"
    cited = re.findall(rf"[(;]\s*(?:[\w-]+, )?({author} \d{{4}})(?=[,;)])", " ".join(text.split()))
    return tuple(dict.fromkeys(cited))


def _method(kind: str, name: str, part: object, family: str, suits: str) -> Method:
    text = inspect.getdoc(part) or ""
    about = re.sub(r"\s*\([^()]*\d{4}[^()]*\)", "", text.split("\n\n")[0].replace("\n", " "))
    return Method(kind, name, family, about, suits, papers_in(text), benchmark_result(kind, name))
