"""Pretraining: from unlabelled series to a model, with every choice explained and recorded."""

import time
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from selftime import door
from selftime.data import scaling
from selftime.data.blocks import portable
from selftime.data.facts import Facts, count_wild
from selftime.data.files import place_of, restore
from selftime.data.fills import check_fills, fill_notes
from selftime.data.fingerprints import merge_fingerprints
from selftime.data.memory import bytes_held, memory_note
from selftime.data.places import check_place
from selftime.data.readers import read
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesError, SeriesSet
from selftime.data.splits import hold_out_unlabelled
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder
from selftime.encoders.builders import ENCODER_NAMES
from selftime.encoders.wrappers.layered import Layered
from selftime.encoders.wrappers.projected import Projected, Standardised, UnitLength, embed_in_parts
from selftime.engine.choices import Goal, Start, resolve
from selftime.engine.guesses import Guesses, guesses_of
from selftime.engine.model import Model, current_versions, load
from selftime.engine.monitoring.monitors import monitor_of
from selftime.engine.ray_cluster import Engine, cluster_of
from selftime.engine.ray_group import learn_together
from selftime.engine.solve import fit_closed_form, generator, sample_for, sample_of
from selftime.engine.symbol_head import head_of
from selftime.engine.training.checkpoint import newest_checkpoint
from selftime.engine.training.config import (
    Budget,
    Choice,
    TrainingConfig,
    check_config,
    parse_budget,
)
from selftime.engine.training.loop import progress_callback, run_training
from selftime.engine.training.precision import warn_of
from selftime.engine.training.processes import is_first_process
from selftime.engine.training.run_folder import (
    GUESSES,
    MODEL,
    ROOM,
    Run,
    as_finished,
    metrics_in,
    only_run,
    run_record,
    write_finished,
)
from selftime.engine.training.trainer import Trainer, loss_on
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.spectral import leading_axes
from selftime.progress import Progress, open_progress

STATE_SIZES = 4
"""Sizes of the weights in a state: themselves, their average, two moments."""
BANK_SIZE = 512
"""Most unlabelled series whose embeddings are kept with the model."""


def pretrain(  # noqa: PLR0913 - the front door: each is one thing that people decide
    x: Any,
    *,
    objective: Goal = "auto",
    encoder: Start = "auto",
    budget: Budget | str | None = None,
    config: TrainingConfig | None = None,
    run: Run | str | Path | None = None,
    dim: int | None = None,
    seed: int = 0,
    engine: Engine = "local",
    progress: bool | Progress | None = None,
) -> Model:
    """Learn a model from unlabelled series.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> st.pretrain(x, objective="simclr", budget="2 steps").embed(x).shape
        (20, 320)

    Args:
        x: whatever :func:`selftime.read` takes; labels are not learned from.
        objective: a name in ``selftime methods``, a weighted sum of some that take steps, such as
            "simclr + 0.5*masked_patches", "auto", ``Auto(task="detect")``, or a ready objective
            with its encoder, which is copied.
        encoder: a name in ``selftime methods``, "auto", an encoder, which is copied, or a model
            (its folder will do), whose network learning goes on from.
        budget: how long learning lasts at most, such as "5 minutes"; of gradient runs also
            "200 steps" or "10 epochs".
        config: recipe, precision, clipping and so on of a gradient run.
        run: folder of settings, metrics, states and model; the same call goes on with it.
        dim: most numbers of an embedding; 1,024 when None, for trained networks their own.
        seed: fixes everything random: the same data and seed give the same model.
        engine: "ray" shares the work out to the processes of a cluster, which read ``x`` and
            write ``run``; :class:`selftime.Ray` says which one.
        progress: a bar where a person looks when None; see :func:`selftime.progress.open_progress`.

    Raises:
        ValueError: bad input, one series, an unknown name, an encoder or dim beside a ready
            objective, a dim below 1, steps or config for a closed form, or a folder that holds
            another run.
        OSError: the folder of the run cannot be written, its disk has no room, or another process
            writes there.
        Stopped: Ctrl-C or SIGTERM during a gradient run, after its state was saved.
    """
    if dim is not None and dim < 1:
        raise ValueError(f"got {door.option('dim', dim)}, wanted at least 1 number an embedding")
    kept = Run(folder=Path(run)) if isinstance(run, str | Path) else run
    cluster = cluster_of(engine)
    with only_run(kept.folder) if kept and is_first_process() else nullcontext():
        if cluster is None:
            return _pretrain(x, objective, encoder, budget, config, kept, dim, seed, progress)
        source = portable(x)
        if not isinstance(source, str):  # held here: refused here, before a cluster is started
            source = read_enough(source).series
        call = partial(
            pretrain,
            source,
            objective=objective,
            encoder=encoder,
            budget=budget,
            config=config,
            dim=dim,
            seed=seed,
        )
        with open_progress(progress) as tell:
            return learn_together(call, cluster, kept, tell)


def _pretrain(  # noqa: PLR0913 - as the front door
    x: Any,
    objective: Goal,
    encoder: Start,
    budget: Budget | str | None,
    config: TrainingConfig | None,
    kept: Run | None,
    dim: int | None,
    seed: int,
    progress: bool | Progress | None,
) -> Model:
    """Learn a model while nobody else writes the folder of the run."""
    facts, start, encoder = read_enough(x), time.perf_counter(), load_start(encoder)
    given = facts.series
    before = encoder if isinstance(encoder, Model) else None
    scale = before.scaling if before else fit_scaling(facts, config)
    series = (before.check if before else scale.measure)(given)
    learner, how, choices = resolve(series, scale, objective, encoder, budget, config, seed, dim)
    card = card_of(facts, choices, scale)
    if kept:
        check_place(kept.folder, room_for(learner, len(series)))
        if isinstance(learner, ClosedForm):
            kept.check_at_once(card)
    needed = _COPIES_OF_VALUES * bytes_held(series.steps) + _LEARNING
    door.tell(memory_note("pretraining", needed))
    figures = dict[str, Any]()
    with open_progress(progress) as tell:
        if isinstance(learner, ClosedForm):
            until = start + 60 * parse_budget(budget).amount if budget else None
            learned = fit_closed_form(learner, series, scale, seed=seed, until=until, progress=tell)
        elif how is not None:
            training = trainer_of(learner, series, scale, *how, seed)
            train(training, kept, card, tell)
            layer = choices["layer"].value if "layer" in choices else None
            body = read_from(learner.encoder, layer)
            learned = with_standard_vectors(body, series, scale, seed, dim)
            figures = training_figures(training)
    card["figures"] = {"seconds to learn": round(time.perf_counter() - start, 2)} | figures
    known = merge_fingerprints(facts.fingerprints, before.fingerprints if before else None)
    head = head_of(learner)
    bare = Model(learned.eval(), scale, series.channels, card, None, known, series.kind, head)
    model = with_reference_bank(bare, series, seed)
    if kept and is_first_process():
        guesses = guesses_of(learner, series, scale, seed)
        record = run_record(card, command="pretrain", source=series.source)
        write_run(kept, model, record, guesses, at_once=isinstance(learner, ClosedForm))
    return model


def fit_scaling(facts: Facts, config: TrainingConfig | None) -> Scaling:
    """Fit the scaling that suits what series are, or the one that a config asks for."""
    check_config(config)
    asked = config is not None and config.own_level
    return scaling.fit_own_level(facts.series) if asked else facts.scaling


def trainer_of(  # noqa: PLR0913 - all that a run depends on
    learner: Objective,
    series: SeriesSet,
    scale: Scaling,
    budget: Budget,
    config: TrainingConfig,
    seed: int,
) -> Trainer:
    """Return a run that learns from all of the series, or from those that are not held out."""
    share = config.hold_out or 0.0
    if share * len(series) < _FEWEST_HELD_OUT:
        if share:
            door.tell([f"{len(series)} series are too few to hold some out: all are learned from"])
        return Trainer(learner, series, scale, budget, config, seed)
    rest, judged = hold_out_unlabelled(series, share, np.random.default_rng([seed, 3]))
    loss = partial(loss_on, learner, judged, scale, seed)
    return Trainer(learner, rest, scale, budget, config, seed, held_out_loss=loss)


_FEWEST_HELD_OUT = 2
"""Objectives that compare series need two."""


def training_figures(training: Trainer) -> dict[str, Any]:
    """Return the lowest loss on series that were held out, and its step; nothing without them."""
    if training.held_out_loss is None:
        return {}
    return {"held-out loss": round(training.lowest, 4), "step of it": training.best_step}


def read_from(encoder: Encoder, layer: object) -> Encoder:
    """Return an encoder of mean tokens of a layer; of None, the encoder itself."""
    if not isinstance(layer, int):
        return encoder
    return Layered(encoder=encoder, layer=layer, pooling="mean")


_COPIES_OF_VALUES, _LEARNING = 10, 350e6
"""Times the series that learning takes in memory, and bytes beside them (measured)."""


def room_for(learner: ClosedForm | Objective, series: int) -> int:
    """Return the bytes that a run takes on disk, about: three states, and the model."""
    tensors = () if isinstance(learner, ClosedForm) else learner.state_dict().values()
    weights: int = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return ROOM + 8 * series + (3 * STATE_SIZES + 1) * weights


def write_run(
    run: Run, model: Model, record: dict[str, Any], guesses: Guesses | None, *, at_once: bool
) -> None:
    """Write the model, guesses and the record of a finished run to its folder, the record last."""
    with run.finish(at_once=at_once) as folder:
        model.save(folder / MODEL, overwrite=True)
        if guesses:
            guesses.save(folder / GUESSES)
        finished = as_finished(record)  # once: the page and the record name the same second
        if run.complete:
            run.complete(folder, model, finished)
        write_finished(folder, finished)


def load_start(encoder: Start) -> Start:
    """Return the model, where the folder of one was given."""
    if not isinstance(encoder, str) or encoder in ENCODER_NAMES:
        return encoder
    restore(place_of(encoder))
    return load(encoder) if place_of(encoder).is_dir() else encoder


def read_enough(x: Any) -> Facts:
    """Read series, at least 2, and no fill values of 1e30 among them."""
    series = read(x)
    if isinstance(x, SeriesSet):
        notes = [note for note in fill_notes(series) if note not in series.notes]
        door.tell(notes)
        series = replace(series, notes=(*series.notes, *notes)) if notes else series
    facts = Facts(series)
    check_fills(series, facts.largest)
    if len(series) < 2:
        raise SeriesError(
            "got 1 series, wanted at least 2: what identifies a series shows only beside "
            f"another; cut a long recording into windows, {door.option('windows', 500)}"
        )
    return facts


def tell_wild(wild: int) -> None:
    """Say how many values a scaling takes for wild."""
    if wild:
        values, them = ("value lies", "it") if wild == 1 else ("values lie", "them")
        note = (
            f"{wild:,} {values} far beyond all others: learning and embedding take {them} as five "
            "times the usual range away from it"
        )
        door.tell([note])


def card_of(facts: Facts, choices: dict[str, Choice], scale: Scaling) -> dict[str, Any]:
    """Return the card of a run: size and fingerprint of the data, settings, versions."""
    series = facts.series
    wild = facts.wild if scale is facts.scaling else count_wild(series, scale)
    tell_wild(wild)
    return {
        "data": {
            "series": len(series),
            "channels": series.n_channels,
            "shortest": int(series.lengths.min()),
            "longest": int(series.lengths.max()),
            "missing": round(facts.missing, 6),
            "wild": wild,
            "fingerprint": facts.digest,
        },
        "settings": {name: vars(choice) for name, choice in choices.items()},
        "figures": {},
        "versions": current_versions(),
    }


def train(training: Trainer, run: Run | None, card: dict[str, Any], progress: Progress) -> None:
    """Train to the end of the budget, from the last state of the run folder if it has one.

    The states of the run must have been made with the settings and data of the card.
    """
    series, refused = training.series, training.refused
    if refused:
        card["settings"]["precision"] = vars(refused)
    if training.is_main_process and not (run and run.log):
        warn_of(refused)
    monitor = monitor_of(series, training.scaling, training.seed)
    callbacks = [progress_callback(training, progress, "training")]
    if run is None:
        run_training(training, monitor=monitor, callbacks=callbacks)
    else:
        state = None
        if training.is_main_process:  # makes the folder, which the others read from
            state = run.begin(run_record(card, command="pretrain", source=series.source))
        training.accelerator.wait_for_everyone()
        if not training.is_main_process:
            state = newest_checkpoint(run.checkpoints)
        if state is not None:
            monitor.recall([r["monitors"] for r in metrics_in(run.work) if "monitors" in r])
        run_training(
            training,
            state=state,
            monitor=monitor,
            callbacks=[run.record, *callbacks],
            checkpoints=run.checkpoints,
            how_to_resume=run.how_to_resume,
        )
    training.finish()


@torch.no_grad()
def with_standard_vectors(
    encoder: Encoder, series: SeriesSet, scale: Scaling, seed: int, dim: int | None = None
) -> Encoder:
    """Return the encoder with features standardised on a sample of the series, and of length 1.

    Trained features share a large mean and differ in size by orders of magnitude; a probe with
    few labels would see little else. Of more than ``dim`` features the principal axes are kept.
    """
    sample = scale.apply(batch_of(series, sample_for(series, seed)))
    ready = Standardised(encoder=encoder)
    ready.prepare(sample, generator(seed, 0))
    if dim is None or dim >= ready.dim:
        return UnitLength(encoder=ready)
    axes = leading_axes(embed_in_parts(ready, sample), dim)
    narrow = ready if axes is None else Projected.of(ready, torch.zeros(ready.dim), axes)
    return UnitLength(encoder=narrow)


def with_reference_bank(model: Model, series: SeriesSet, seed: int) -> Model:
    """Return the model with embeddings of some series, with which probes compare their scores."""
    bank = model.embed(series[sample_of(len(series), seed, BANK_SIZE)], progress=False)
    half = bank.astype(np.float16).astype(np.float32)  # as precise as neighbours need it
    return replace(model, reference_bank=half)
