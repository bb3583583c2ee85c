"""Pretraining: from unlabelled series to a model, every choice made, explained and recorded."""

import platform
import time
from copy import deepcopy
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from selftime.data import scaling
from selftime.data.readers import read
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.builders import BUILDERS
from selftime.engine.model import Model
from selftime.engine.solve import Watch, generator, learn, sample_of
from selftime.objectives import OBJECTIVES
from selftime.objectives.base import ClosedForm
from selftime.objectives.choice import MEDIUM, SERIES, WEAK, Trial, chosen_strength
from selftime.objectives.spectral import Spectral
from selftime.views.mild import Mild


@dataclass(frozen=True)
class Choice:
    """A setting and why it has its value."""

    value: Any
    reason: str


def pretrain(
    x: Any,
    *,
    objective: str | ClosedForm = "auto",
    encoder: str | Encoder = "auto",
    seed: int = 0,
    watch: Watch | None = None,
) -> Model:
    """Learn a model from unlabelled series.

    Args:
        x: whatever :func:`selftime.read` takes; labels are not read.
        objective: a name in ``selftime methods``, "auto", or a ready objective with its encoder,
            which is copied.
        encoder: a name in ``selftime methods``, "auto", or an encoder, which is copied.
        seed: fixes everything random: the same data and seed give the same model.
        watch: told of progress, (series done, series in all).

    Raises:
        SeriesError: bad input, or fewer than 2 series.
        ValueError: an unknown name, or an encoder beside a ready objective.
    """
    series = read(x)
    if len(series) < 2:
        raise SeriesError(
            "got 1 series, wanted at least 2: what identifies a series shows only beside "
            "another; cut a long recording into windows (selftime.windows)"
        )
    start = time.perf_counter()
    scale = scaling.fit_channels(series)
    learner, choices = chosen(series, scale, objective, encoder, seed)
    learned = learn(learner, series, scale, seed=seed, watch=watch)
    model = Model(learned.eval(), scale, series.channels)
    cohort = model.embed(series[sample_of(len(series), seed, COHORT)])
    card = {
        "data": described(series),
        "settings": {name: vars(choice) for name, choice in choices.items()},
        "figures": {"seconds to learn": round(time.perf_counter() - start, 2)},
        "versions": versions(),
    }
    return replace(model, card=card, cohort=cohort)


COHORT = 512
"""Most unlabelled series whose embeddings are kept with the model."""


def chosen(
    series: SeriesSet,
    scale: Scaling,
    objective: str | ClosedForm,
    encoder: str | Encoder,
    seed: int,
) -> tuple[ClosedForm, dict[str, Choice]]:
    """The objective ready to learn, and all choices with their reasons.

    Raises:
        ValueError: an unknown name, or an encoder beside a ready objective.
    """
    if isinstance(objective, ClosedForm):
        if encoder != "auto":
            raise ValueError("got an objective and an encoder: give the encoder to the objective")
        return deepcopy(objective), {
            "objective": Choice(repr(objective), "given"),
            "seed": Choice(seed, "given"),
        }
    body, body_choices = chosen_encoder(series, encoder, seed)
    beside, beside_choice = chosen_beside(series, encoder)
    name = _known("objective", "spectral" if objective == "auto" else objective, OBJECTIVES)
    why = "given" if objective != "auto" else "learns in one pass on a CPU and needs no tuning"
    with torch.inference_mode():
        sample = scale.apply(batch_of(series, sample_of(len(series), seed, SERIES)))
        trial = chosen_strength(body, sample, generator(seed, 0))
    copies = copies_for(len(series), len(series.steps))
    choices = {
        "objective": Choice(name, why),
        **body_choices,
        "beside": beside_choice,
        "strength": Choice(trial.strength, reason_for(trial)),
        "penalty": Choice(trial.penalty, "of three, it tells most series apart"),
        "copies": Choice(copies, "about 3,000 copies or 600,000 steps in all, 3 to 20 of each"),
        "seed": Choice(seed, "given"),
    }
    learner = Spectral(
        encoder=body,
        beside=beside,
        view=Mild(strength=trial.strength),
        penalty=trial.penalty,
        copies=copies,
    )
    return learner, choices


def reason_for(trial: Trial) -> str:
    """Why the augmentation is as strong as it is."""
    if trial.strength == WEAK:
        return f"weak: at {MEDIUM} only {trial.found:.0%} of series are told apart"
    return f"{trial.found:.0%} of series are still told apart at it"


def chosen_encoder(
    series: SeriesSet, encoder: str | Encoder, seed: int
) -> tuple[Encoder, dict[str, Choice]]:
    """The encoder, not yet prepared, and the choices in it."""
    if isinstance(encoder, Encoder):
        return deepcopy(encoder), {"encoder": Choice(repr(encoder), "given")}
    name = _known("encoder", "rocket" if encoder == "auto" else encoder, BUILDERS)
    why = "given" if encoder != "auto" else "random convolutions: no training, strong features"
    length = int(np.median(series.lengths))
    return BUILDERS[name](channels=series.n_channels, length=length, seed=seed), {
        "encoder": Choice(name, why),
        "length": Choice(length, "median length of the series; others are encoded as well"),
    }


def chosen_beside(series: SeriesSet, encoder: str | Encoder) -> tuple[Encoder | None, Choice]:
    """What stands beside the learned part: quantiles, unless they or a ready encoder were given."""
    if isinstance(encoder, Encoder) or encoder == "quantiles":
        return None, Choice("nothing", "an encoder was given: it is used alone")
    length = int(np.median(series.lengths))
    reason = "where values lie is lost on convolutions; augmentation has nothing to teach here"
    return BUILDERS["quantiles"](channels=series.n_channels, length=length), Choice(
        "quantiles", reason
    )


def copies_for(n: int, steps: int) -> int:
    """Augmented copies of each of ``n`` series that have so many steps together.

    About 3,000 copies or 600,000 steps in all, whichever is less, and 3 to 20 of each series.
    """
    return int(np.clip(min(3000 // n, 600_000 // steps), 3, 20))


def described(series: SeriesSet) -> dict[str, Any]:
    """Size and fingerprint of the data, for the card."""
    return {
        "series": len(series),
        "channels": series.n_channels,
        "shortest": int(series.lengths.min()),
        "longest": int(series.lengths.max()),
        "missing": 0.0 if series.observed is None else round(1 - float(series.observed.mean()), 6),
        "fingerprint": series.fingerprint(),
    }


def versions() -> dict[str, str]:
    """What the model was made with."""
    made_with = {name: version(name) for name in ("selftime", "torch", "numpy", "numba")}
    return {"python": platform.python_version(), **made_with}


def _known(what: str, name: str, among: dict[str, Any]) -> str:
    if name not in among:
        raise ValueError(f"got {what} {name!r}, wanted one of {', '.join(among)}")
    return name
