"""Pretraining: from unlabelled series to a model, every choice made, explained and recorded."""

import platform
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from selftime.data import scaling
from selftime.data.fingerprints import Fingerprints, fingerprints_of, joined
from selftime.data.readers import read
from selftime.data.series import SeriesError, SeriesSet
from selftime.encoders.builders import BUILDERS
from selftime.engine.choices import Goal, Start, chosen
from selftime.engine.descent import descended
from selftime.engine.model import Model, load
from selftime.engine.plan import Plan
from selftime.engine.plan_choices import chosen_plan
from selftime.engine.runs import MODEL, Run
from selftime.engine.solve import Watch, learn, sample_of
from selftime.engine.training import Training, is_first_process
from selftime.objectives.base import ClosedForm


def pretrain(  # noqa: PLR0913 - the front door: each is one thing that people decide
    x: Any,
    *,
    objective: Goal = "auto",
    encoder: Start = "auto",
    plan: Plan | str | None = None,
    run: Run | str | Path | None = None,
    seed: int = 0,
    watch: Watch | None = None,
) -> Model:
    """Learn a model from unlabelled series.

    Args:
        x: whatever :func:`selftime.read` takes; labels are not learned from.
        objective: a name in ``selftime methods``, a weighted sum of some that take steps, such as
            "simclr + 0.5*masked_patches", "auto", ``Auto(task="detect")``, or a ready objective
            with its encoder, which is copied.
        encoder: a name in ``selftime methods``, "auto", an encoder, which is copied, or a model
            (its folder will do), whose network learning goes on from.
        plan: how a gradient run is carried out; a budget such as "200 steps", "10 epochs" or
            "5 minutes" is enough.
        run: folder that keeps the run: settings, metrics, states and model. A run that was
            stopped goes on when it is called again in the same way.
        seed: fixes everything random: the same data and seed give the same model.
        watch: told of progress, (done, in all): series, or steps of a gradient run.

    Raises:
        SeriesError: bad input, or fewer than 2 series.
        ValueError: an unknown name, an encoder beside a ready objective, a plan for an objective
            that is solved in closed form, or a folder that holds another run.
        Stopped: Ctrl-C or SIGTERM during a gradient run, after its state was saved.
    """
    series = read(x)
    check_enough(series)
    start = time.perf_counter()
    encoder = loaded(encoder)
    scale = encoder.scaling if isinstance(encoder, Model) else scaling.fit_channels(series)
    learner, choices = chosen(series, scale, objective, encoder, seed, plan)
    kept = Run(folder=Path(run)) if isinstance(run, str | Path) else run
    if isinstance(learner, ClosedForm):
        check_no_plan(learner, plan)
        card = card_of(series, choices)
        if kept:
            kept.begin(card)
        learned = learn(learner, series, scale, seed=seed, watch=watch)
    else:
        plan, plan_choices = chosen_plan(learner, series, plan)
        training = Training(learner, series, scale, plan, seed)
        refused = {"precision": training.refused} if training.refused else {}
        card = card_of(series, choices | plan_choices | refused)
        learned = descended(training, kept, card, watch)
    card["figures"] = {"seconds to learn": round(time.perf_counter() - start, 2)}
    model = Model(learned.eval(), scale, series.channels, card, None, seen_by(encoder, series))
    model = with_cohort(model, series, seed)
    if kept and is_first_process():
        model.save(kept.folder / MODEL, overwrite=True)
        kept.finish(card)
    return model


def with_cohort(model: Model, series: SeriesSet, seed: int) -> Model:
    """The model with embeddings of some of the series, with which probes compare their scores."""
    cohort = model.embed(series[sample_of(len(series), seed, COHORT)])
    return replace(model, cohort=cohort)


def seen_by(start: Start, series: SeriesSet) -> Fingerprints | None:
    """Fingerprints of the series, and of those that the model it goes on from had learned from."""
    before = start.fingerprints if isinstance(start, Model) else None
    return joined(np.unique(fingerprints_of(series)), before)


def loaded(encoder: Start) -> Start:
    """The model, where the folder of one was given."""
    is_folder = isinstance(encoder, str) and encoder not in BUILDERS and Path(encoder).is_dir()
    return load(str(encoder)) if is_folder else encoder


COHORT = 512
"""Most unlabelled series whose embeddings are kept with the model."""


def check_enough(series: SeriesSet) -> None:
    """There is something to tell apart.

    Raises:
        SeriesError: fewer than 2 series.
    """
    if len(series) < 2:
        raise SeriesError(
            "got 1 series, wanted at least 2: what identifies a series shows only beside "
            "another; cut a long recording into windows (selftime.windows)"
        )


def check_no_plan(learner: ClosedForm, plan: Plan | str | None) -> None:
    """A closed form takes no steps.

    Raises:
        ValueError: a plan was given.
    """
    if plan is not None:
        raise ValueError(
            f"got a plan for {type(learner).__name__}, which is solved in one pass: leave it out, "
            "or choose an objective that is learned by gradient, such as 'ts2vec'"
        )


def card_of(series: SeriesSet, choices: dict[str, Any]) -> dict[str, Any]:
    """What a run is: data, settings with their reasons, versions."""
    return {
        "data": described(series),
        "settings": {name: vars(choice) for name, choice in choices.items()},
        "figures": {},
        "versions": versions(),
    }


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
