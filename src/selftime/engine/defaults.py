"""Defaults of every kind of signal, which "auto" stands for, with reasons; tasks of each kind."""

from dataclasses import dataclass

import numpy as np

from selftime.data.series import SeriesSet
from selftime.data.signals import SIGNALS, Signal
from selftime.engine.training.config import Budget, Choice
from selftime.objectives.base import Objective

TASKS = ("classify", "search", "cluster", "forecast", "detect")
STEP_BY_STEP = ("forecast", "detect", "impute")
"""Tasks that read a vector for every step, not one for the whole series."""
BEST = "vicreg"
"""The best gradient objective of the open benchmark (results/roster.json)."""
LONG = 2000
"""Median length from which patches are cheaper than a token a step."""

ROCKET = Choice("rocket", "random convolutions: no training, strong features")
DILATED = Choice("dilated", "one token a step, fast to train; the encoder of TS2Vec")
WIDTH = 1024
"""Most numbers of an embedding."""
CAUSAL = Choice("dilated_causal", "next_step may not see what it predicts")
HOLD_OUT = 0.1
"""Share of the windows of a text that is held out, as small networks soon know it by heart."""


@dataclass(frozen=True, kw_only=True)
class Usual:
    """Objective, encoder and layer that "auto" stands for on one kind of signal.

    Attributes:
        objective: where nothing is asked.
        gradient: the objective where steps are asked for.
        encoder: of objectives that are learned by gradient.
        steps: of a gradient run of enough series, some minutes on two cores; None goes by their
            size.
        layer: share of the depth from which vectors are read after masked learning, whose last
            layers serve the decoder; None reads the last layer.
    """

    objective: Choice
    gradient: Choice
    encoder: Choice
    steps: int | None = None
    layer: float | None = None


_MAE = Choice("mae", "hidden patches of pictures are guessed from a few, and few are encoded")
_BERT = Choice("bert", "hidden symbols are guessed from those around, and which segment follows")
_CPC = Choice("cpc", "what follows in a sound is told from what follows in others")
_ORDER = Choice("right_order", "frames in order are told from the same in another order")
USUAL: dict[str, Usual] = {
    "series": Usual(
        objective=Choice(
            "spectral", "learns in one pass on a CPU, and was best at every number of labels"
        ),
        gradient=Choice(BEST, "steps were asked for: the best measured of those that take them"),
        encoder=DILATED,
    ),
    "images": Usual(
        objective=Choice(
            "spectral",
            "learns in one pass on a CPU; mae gets ahead with thousands of pictures and minutes",
        ),
        gradient=_MAE,
        encoder=Choice("vit_tiny", "a token a patch, which knows its row and column"),
        steps=4000,
    ),
    "text": Usual(
        objective=_BERT,
        gradient=_BERT,
        encoder=Choice("bert_mini", "a token a symbol, each made from all others"),
        steps=1000,
    ),
    "sound": Usual(
        objective=Choice("spectral", "learns in one pass on a CPU"),
        gradient=_CPC,
        encoder=DILATED,
    ),
    "wave": Usual(
        objective=_CPC,
        gradient=_CPC,
        encoder=Choice("cpc_audio", "strided convolutions make a token of 160 samples"),
        steps=1000,
    ),
    "film": Usual(
        objective=_ORDER,
        gradient=_ORDER,
        encoder=Choice("frames_small", "a token a frame, through a small convolution"),
    ),
}
"""What "auto" stands for, by the name of the kind."""
_INSTEAD = {
    "images": "pictures can be classified, searched and clustered",
    "text": "texts are continued by selftime.continue_text and judged by selftime.perplexity",
    "film": "films can be classified, searched and clustered",
}


def check_task(task: str, kind: Signal) -> None:
    """Raise a ValueError for a task that makes no sense for a kind of signal; it says what does."""
    if task in STEP_BY_STEP and not kind.in_rows:
        curves = ", ".join(name for name, other in SIGNALS.items() if other.in_rows)
        raise ValueError(
            f"got {kind.name} to {task}, wanted one of {curves}: {_INSTEAD[kind.name]}"
        )


def step_objective(task: str, kind: Signal) -> Choice:
    """Return the objective for a task that reads a vector for every step."""
    if USUAL[kind.name].encoder.value == "cpc_audio":
        return Choice("cpc", f"to {task} takes vectors along time, here one for 160 samples")
    return Choice("ts2vec", f"to {task} takes a vector for every step")


def default_budget(values: int, kind: Signal) -> tuple[Budget, str]:
    """Return 200 steps for up to 100,000 values (Yue et al. 2022, authors' code), and why.

    For more it is 600, or as many as the kind says.
    """
    many = USUAL[kind.name].steps
    if many is None:
        most, why = 600, "200 steps for up to 100,000 values, 600 for more"
    else:
        most, why = many, f"200 steps for up to 100,000 values, {many:,} for more {kind.name}"
    return Budget(amount=200.0 if values <= 100_000 else float(most)), why


def default_encoder(objective: str, series: SeriesSet) -> Choice:
    """Return the encoder for an objective that is learned by gradient."""
    if "next_step" in objective:
        return CAUSAL
    length, usual = int(np.median(series.lengths)), USUAL[series.kind.name].encoder
    if usual is DILATED and length >= LONG and "ts2vec" not in objective:
        return Choice("transformer", f"{length:,} steps: a token for every 8 of them costs less")
    return usual


def layer_for(learner: Objective, kind: Signal) -> Choice | None:
    """Return the layer from which vectors are read, counted from 0; None is the last one."""
    share = USUAL[kind.name].layer
    if share is None or learner.family != "masked":
        return None
    depth = len(learner.encoder.layer_shapes())
    why = f"of {depth}: the last layers of masked learning serve its decoder"
    return Choice(min(int(share * depth), depth - 1), why)
