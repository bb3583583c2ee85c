"""Settings of a run: what was given, what "auto" stands for, and why."""

from copy import deepcopy
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.builders import BUILDERS, EQUAL_WEIGHT, SPELLINGS
from selftime.encoders.wrappers.projected import Standardised, backbone
from selftime.engine.model import Model
from selftime.engine.solve import generator, sample_of
from selftime.engine.training.config import Budget, TrainingConfig, parse_budget
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.formula import build_objective, takes_steps, terms_in
from selftime.objectives.registry import OBJECTIVES
from selftime.objectives.spectral import (
    MEDIUM,
    TRIAL_SERIES,
    WEAK,
    Spectral,
    Trial,
    choose_strength,
)
from selftime.settings import find_name, settings_of
from selftime.views.mild import Mild

TASKS = ("classify", "search", "cluster", "forecast", "detect")
STEP_BY_STEP = ("forecast", "detect")
"""Tasks that read a vector for every step, not one for the whole series."""
BEST = "vicreg"
"""The objective learned by gradient that did best in the open benchmark (results/roster.json)."""
LONG = 2000
"""Median length from which patches are cheaper than a token a step."""


@dataclass(frozen=True)
class Choice:
    """A setting and why it has its value."""

    value: object
    reason: str


ROCKET = Choice("rocket", "random convolutions: no training, strong features")
DILATED = Choice("dilated", "one token a step, fast to train; the encoder of TS2Vec")
CAUSAL = Choice("dilated_causal", "next_step may not see what it predicts")


@dataclass(frozen=True, kw_only=True)
class Auto:
    """Choose for me: what ``objective="auto"`` stands for.

    Attributes:
        task: what the model is for, one of :data:`TASKS`.

    Raises:
        ValueError: another task.
    """

    task: str = "classify"

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"got task {self.task!r}, wanted one of {', '.join(TASKS)}")

    def objective(self, *, takes_steps: bool) -> Choice:
        """The objective: closed form, unless steps of learning or of series are asked for."""
        if self.task in STEP_BY_STEP:
            return Choice("ts2vec", f"to {self.task} takes a vector for every step")
        if takes_steps:
            return Choice(BEST, "a budget was given: the best measured of those that take steps")
        return Choice(
            "spectral", "learns in one pass on a CPU, and was best at every number of labels"
        )


Goal = str | Auto | ClosedForm | Objective
"""An objective by name, a wish, or a ready one."""
Start = str | Encoder | Model
"""An encoder by name, as it is, or a model that learning goes on from."""


def resolve(  # noqa: PLR0913 - all that choices depend on
    series: SeriesSet,
    scale: Scaling,
    objective: Goal,
    encoder: Start,
    budget: Budget | str | None,
    config: TrainingConfig | None,
    seed: int,
) -> tuple[ClosedForm | Objective, tuple[Budget, TrainingConfig] | None, dict[str, Choice]]:
    """Settle everything that was left open.

    Returns:
        The objective ready to learn; its budget and config, None where it is solved in closed
        form; every setting with its reason.

    Raises:
        ValueError: an unknown name, an encoder beside a ready objective, a gradient objective
            without anything to train, or a budget or config for a closed form.
    """
    if not isinstance(objective, str | Auto):
        if encoder != "auto":
            raise ValueError("got an objective and an encoder: give the encoder to the objective")
        learner = deepcopy(objective)
        choices = {"objective": Choice(repr(objective), "given"), "seed": Choice(seed, "given")}
    else:
        choice = resolve_objective(objective, budget, config)
        name = str(choice.value)
        make = resolve_stepwise if takes_steps(name) else resolve_closed
        learner, choices = make(name, series, scale, encoder, seed)
        choices = {"objective": choice, "seed": Choice(seed, "given"), **choices}
    if isinstance(learner, ClosedForm):
        check_no_training(learner, budget, config)
        return learner, None, choices
    check_trainable(learner)
    budget, config, more = resolve_training(learner, series, budget, config)
    return learner, (budget, config), choices | more


def resolve_objective(
    objective: str | Auto, budget: Budget | str | None, config: TrainingConfig | None
) -> Choice:
    """The name of the objective, and why it is this one."""
    wish = Auto() if objective == "auto" else objective
    if isinstance(wish, Auto):
        return wish.objective(takes_steps=(budget, config) != (None, None))
    return Choice(" + ".join(map(str, terms_in(wish))), "given")


def resolve_training(
    learner: Objective,
    series: SeriesSet,
    budget: Budget | str | None,
    config: TrainingConfig | None,
) -> tuple[Budget, TrainingConfig, dict[str, Choice]]:
    """How a gradient run is carried out, nothing left open."""
    given, usual = config or TrainingConfig(), TrainingConfig()
    length = default_budget(series.steps.size) if budget is None else parse_budget(budget)
    recipe = given.recipe or learner.recipe
    why_budget = "200 steps for up to 100,000 values, 600 for more" if budget is None else "given"
    why_recipe = "given" if given.recipe else f"recipe of {type(learner).__name__}"
    choices = {"budget": Choice(str(length), why_budget)}
    choices |= {named(name): Choice(value, why_recipe) for name, value in asdict(recipe).items()}
    for name in ("precision", "accumulate", "clip", "on_collapse", "stop_below"):
        value = getattr(given, name)
        why = "the usual" if value == getattr(usual, name) else "given"
        choices[named(name)] = Choice(value, why)
    if given.stop_below is None:
        del choices["stop below"]
    return length, replace(given, recipe=recipe), choices


def default_budget(values: int) -> Budget:
    """200 steps for up to 100,000 values, 600 for more (Yue et al. 2022, authors' code)."""
    return Budget(amount=200.0 if values <= 100_000 else 600.0)


def named(setting: str) -> str:
    """A setting as people read it."""
    return setting.replace("_", " ")


def check_no_training(
    learner: ClosedForm, budget: Budget | str | None, config: TrainingConfig | None
) -> None:
    """A closed form takes no steps.

    Raises:
        ValueError: a budget or a config was given.
    """
    if (budget, config) != (None, None):
        what = "config" if budget is None else "budget"
        raise ValueError(
            f"got a {what} for {type(learner).__name__}, which is solved in one pass: leave it "
            "out, or choose an objective that is learned by gradient, such as 'ts2vec'"
        )


def default_encoder(objective: str, series: SeriesSet) -> Choice:
    """The encoder for an objective that is learned by gradient."""
    if "next_step" in objective:
        return CAUSAL
    length = int(np.median(series.lengths))
    if length >= LONG and "ts2vec" not in objective:
        return Choice("transformer", f"{length:,} steps: a token for every 8 of them costs less")
    return DILATED


def resolve_stepwise(
    name: str,
    series: SeriesSet,
    scale: Scaling,  # noqa: ARG001 - as resolve_closed
    encoder: Start,
    seed: int,
) -> tuple[Objective, dict[str, Choice]]:
    """An objective, or a sum of several, that is learned by gradient."""
    body, choices = resolve_encoder(series, encoder, seed, default_encoder(name, series))
    length = int(np.median(series.lengths))
    made = build_objective(name, body, seed=seed, length=length)
    check_trainable(made)
    return made, {**choices, "method": Choice(describe_objective(made), "as in its paper")}


def resolve_closed(
    name: str,
    series: SeriesSet,
    scale: Scaling,
    encoder: Start,
    seed: int,
) -> tuple[ClosedForm, dict[str, Choice]]:
    """An objective that is solved in closed form."""
    kind = OBJECTIVES[name]
    if kind is Spectral:
        return resolve_spectral(series, scale, encoder, seed)
    body, body_choices = resolve_encoder(series, encoder, seed, ROCKET)
    beside, beside_choice = resolve_beside(series, encoder)
    copies = copies_for(len(series), len(series.steps))
    choices = {**body_choices, "beside": beside_choice, "copies": Choice(copies, WHY_COPIES)}
    made: ClosedForm = kind(encoder=body, beside=beside, copies=copies)  # type: ignore
    return made, choices


WHY_COPIES = "about 3,000 copies or 600,000 steps in all, 3 to 20 of each"


def resolve_spectral(
    series: SeriesSet, scale: Scaling, encoder: Start, seed: int
) -> tuple[Spectral, dict[str, Choice]]:
    """The closed-form objective, its strength and penalty chosen without labels."""
    body, body_choices = resolve_encoder(series, encoder, seed, ROCKET)
    beside, beside_choice = resolve_beside(series, encoder)
    with torch.inference_mode():
        sample = scale.apply(batch_of(series, sample_of(len(series), seed, TRIAL_SERIES)))
        trial = choose_strength(body, sample, generator(seed, 0))
    copies = copies_for(len(series), len(series.steps))
    choices = {
        **body_choices,
        "beside": beside_choice,
        "strength": Choice(trial.strength, reason_for(trial)),
        "penalty": Choice(trial.penalty, "of three, it tells most series apart"),
        "copies": Choice(copies, WHY_COPIES),
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


def resolve_encoder(
    series: SeriesSet, encoder: Start, seed: int, usual: Choice
) -> tuple[Encoder, dict[str, Choice]]:
    """The encoder, not yet prepared, and the choices in it; ``usual`` is what "auto" means."""
    if isinstance(encoder, Model):
        return continue_from(encoder, series, seed, beside_rocket=usual is ROCKET)
    if isinstance(encoder, Encoder):
        return deepcopy(encoder), {"encoder": Choice(repr(encoder), "given")}
    typed = str(usual.value) if encoder == "auto" else encoder
    name = find_name("encoder", typed, BUILDERS, SPELLINGS)
    why = "given" if encoder != "auto" else usual.reason
    length = int(np.median(series.lengths))
    return BUILDERS[name](channels=series.n_channels, length=length, seed=seed), {
        "encoder": Choice(name, why),
        "length": Choice(length, "median length of the series; others are encoded as well"),
    }


def continue_from(
    model: Model, series: SeriesSet, seed: int, *, beside_rocket: bool
) -> tuple[Encoder, dict[str, Choice]]:
    """The network of a model; before a closed-form solve random convolutions stand beside it."""
    model.check(series)
    body = deepcopy(backbone(model.encoder)).train()
    choice = Choice(repr(body), "of the model that was given, with its weights")
    if not beside_rocket:
        return body, {"encoder": choice}
    length = int(np.median(series.lengths))
    rocket = BUILDERS["rocket"](channels=series.n_channels, length=length, seed=seed)
    both = Joined(
        encoders=[rocket, Standardised(encoder=body)], weights=[EQUAL_WEIGHT, EQUAL_WEIGHT]
    )
    return both, {"encoder": choice, "joined with": ROCKET}


def resolve_beside(series: SeriesSet, encoder: Start) -> tuple[Encoder | None, Choice]:
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


def check_trainable(learner: Objective) -> None:
    """There is something in the encoder of the objective to train.

    Raises:
        ValueError: there is not.
    """
    if not any(weight.requires_grad for weight in learner.encoder.parameters()):
        raise ValueError(
            f"{type(learner).__name__} trains its encoder by gradient, and "
            f"{type(learner.encoder).__name__} has no weights to train: use encoder='dilated', "
            "or objective='spectral'"
        )


def describe_objective(learner: Objective) -> str:
    """The settings of an objective as people would type them."""
    settings = {name: value for name, value in settings_of(learner).items() if name != "encoder"}
    inside = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return f"{type(learner).__name__}({inside})"
