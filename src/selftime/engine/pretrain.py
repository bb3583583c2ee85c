"""Pretraining: from unlabelled series to a model, every choice made, explained and recorded."""

import platform
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftime.data import scaling
from selftime.data.files import whole_folder
from selftime.data.fingerprints import Fingerprints, fingerprints_of, merge_fingerprints
from selftime.data.readers import read
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.builders import BUILDERS
from selftime.encoders.wrappers.projected import Standardised, UnitLength
from selftime.engine.choices import Goal, Start, resolve
from selftime.engine.model import Model, load
from selftime.engine.monitoring.monitors import monitor_of
from selftime.engine.precision import warn_of
from selftime.engine.solve import fit_closed_form, generator, sample_of
from selftime.engine.training.checkpoint import State, newest_checkpoint
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.loop import progress_callback, run_training
from selftime.engine.training.run_folder import MODEL, Run, metrics_in, run_record, write_finished
from selftime.engine.training.trainer import Trainer, is_first_process
from selftime.objectives.base import ClosedForm
from selftime.progress import Progress, open_progress


def pretrain(  # noqa: PLR0913 - the front door: each is one thing that people decide
    x: Any,
    *,
    objective: Goal = "auto",
    encoder: Start = "auto",
    budget: Budget | str | None = None,
    config: TrainingConfig | None = None,
    run: Run | str | Path | None = None,
    seed: int = 0,
    progress: bool | Progress | None = None,
) -> Model:
    """Learn a model from unlabelled series.

    Args:
        x: whatever :func:`selftime.read` takes; labels are not learned from.
        objective: a name in ``selftime methods``, a weighted sum of some that take steps, such as
            "simclr + 0.5*masked_patches", "auto", ``Auto(task="detect")``, or a ready objective
            with its encoder, which is copied.
        encoder: a name in ``selftime methods``, "auto", an encoder, which is copied, or a model
            (its folder will do), whose network learning goes on from.
        budget: how long a gradient run lasts, such as "200 steps", "10 epochs" or "5 minutes".
        config: how it is carried out: recipe, precision, clipping and so on.
        run: folder that keeps the run: settings, metrics, states and model. A run that was
            stopped goes on when it is called again in the same way.
        seed: fixes everything random: the same data and seed give the same model.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        SeriesError: bad input, or fewer than 2 series.
        ValueError: an unknown name, an encoder beside a ready objective, a budget or config
            for an objective that is solved in closed form, or a folder that holds another run.
        Stopped: Ctrl-C or SIGTERM during a gradient run, after its state was saved.
    """
    series = read(x)
    _check_enough(series)
    start = time.perf_counter()
    encoder = load_start(encoder)
    scale = encoder.scaling if isinstance(encoder, Model) else scaling.fit_channels(series)
    learner, how, choices = resolve(series, scale, objective, encoder, budget, config, seed)
    kept = Run(folder=Path(run)) if isinstance(run, str | Path) else run
    card = card_of(series, choices)
    if isinstance(learner, ClosedForm):
        if kept:
            kept.check_at_once(card)
        with open_progress(progress) as tell:
            learned = fit_closed_form(learner, series, scale, seed=seed, progress=tell)
    elif how is not None:
        training = Trainer(learner, series, scale, *how, seed)
        if training.refused:
            card["settings"]["precision"] = vars(training.refused)
        with open_progress(progress) as tell:
            train(training, kept, run_record(card, command="pretrain", source=series.source), tell)
        learned = with_standard_vectors(learner.encoder, series, scale, seed)
    card["figures"] = {"seconds to learn": round(time.perf_counter() - start, 2)}
    model = Model(
        learned.eval(), scale, series.channels, card, None, training_fingerprints(encoder, series)
    )
    model = with_reference_bank(model, series, seed)
    if kept and is_first_process():
        write_run(kept.folder, model, series.source, at_once=isinstance(learner, ClosedForm))
    return model


def write_run(folder: Path, model: Model, source: str | None, *, at_once: bool) -> None:
    """Add the model and the end of a run to its folder, or make all of that at once."""
    if at_once:
        with whole_folder(folder, overwrite=True) as fresh:
            write_run(fresh, model, source, at_once=False)
        return
    model.save(folder / MODEL, overwrite=True)
    write_finished(folder, run_record(model.card, command="pretrain", source=source))


def train(training: Trainer, run: Run | None, facts: dict[str, Any], progress: Progress) -> None:
    """Train to the end of the budget, from the last state of the run folder if it has one.

    Args:
        training: what is trained.
        run: where states and metrics are kept, if anywhere.
        facts: settings, data and seed, which the states of the run must have been made with.
        progress: called after each step.
    """
    if training.is_main_process and not (run and run.log):
        warn_of(training.refused)
    monitor = monitor_of(training.series, training.scaling, training.seed)
    callbacks = [progress_callback(training, progress, "training")]
    if run is None:
        run_training(training, monitor=monitor, callbacks=callbacks)
    else:
        state = begin(training, run, facts)
        if state is not None:
            monitor.recall([r["monitors"] for r in metrics_in(run.folder) if "monitors" in r])
        run_training(
            training,
            state=state,
            monitor=monitor,
            callbacks=[run.tell, *callbacks],
            checkpoints=run.checkpoints,
            how_to_resume=run.how_to_resume,
        )
    training.finish()


def begin(training: Trainer, run: Run, facts: dict[str, Any]) -> State | None:
    """The state to go on from; the first process makes the folder, the others read from it."""
    first = training.is_main_process
    state = run.begin(facts) if first else None
    training.accelerator.wait_for_everyone()
    return state if first else newest_checkpoint(run.checkpoints)


@torch.no_grad()
def with_standard_vectors(
    encoder: Encoder, series: SeriesSet, scale: Scaling, seed: int
) -> Encoder:
    """The encoder with features standardised on a sample of the series, and of length 1.

    Trained features share a large mean and differ in size by orders of magnitude; a probe with
    few labels would see little else.
    """
    ready = UnitLength(encoder=Standardised(encoder=encoder))
    ready.prepare(scale.apply(batch_of(series, sample_of(len(series), seed))), generator(seed, 0))
    return ready


def with_reference_bank(model: Model, series: SeriesSet, seed: int) -> Model:
    """The model with embeddings of some of the series, with which probes compare their scores."""
    reference_bank = model.embed(series[sample_of(len(series), seed, BANK_SIZE)], progress=False)
    return replace(model, reference_bank=reference_bank)


def training_fingerprints(start: Start, series: SeriesSet) -> Fingerprints | None:
    """Fingerprints of the series, and of those that the model it goes on from had learned from."""
    before = start.fingerprints if isinstance(start, Model) else None
    return merge_fingerprints(np.unique(fingerprints_of(series)), before)


def load_start(encoder: Start) -> Start:
    """The model, where the folder of one was given."""
    is_folder = isinstance(encoder, str) and encoder not in BUILDERS and Path(encoder).is_dir()
    return load(str(encoder)) if is_folder else encoder


BANK_SIZE = 512
"""Most unlabelled series whose embeddings are kept with the model."""


def _check_enough(series: SeriesSet) -> None:
    """There is something to tell apart.

    Raises:
        SeriesError: fewer than 2 series.
    """
    if len(series) < 2:
        raise SeriesError(
            "got 1 series, wanted at least 2: what identifies a series shows only beside "
            "another; cut a long recording into windows (selftime.windows)"
        )


def card_of(series: SeriesSet, choices: dict[str, Any]) -> dict[str, Any]:
    """What a run is: data, settings with their reasons, versions."""
    return {
        "data": describe_data(series),
        "settings": {name: vars(choice) for name, choice in choices.items()},
        "figures": {},
        "versions": versions(),
    }


def describe_data(series: SeriesSet) -> dict[str, Any]:
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
