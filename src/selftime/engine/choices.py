"""Settings of a run, given or chosen for "auto", each with its reason."""

import time
from copy import deepcopy
from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch

from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.signals import Measurements, Signal
from selftime.data.windows import batch_of
from selftime.door import option, tell
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.builders import (
    BUILDERS,
    ENCODER_NAMES,
    EQUAL_WEIGHT,
    SPELLINGS,
    build_encoder,
)
from selftime.encoders.wrappers.layered import network_of
from selftime.encoders.wrappers.projected import Standardised
from selftime.engine.defaults import (
    HOLD_OUT,
    ROCKET,
    STEP_BY_STEP,
    TASKS,
    USUAL,
    WIDTH,
    check_task,
    default_budget,
    default_encoder,
    layer_for,
    step_objective,
)
from selftime.engine.model import Model
from selftime.engine.solve import generator, sample_of, sample_size
from selftime.engine.training.config import (
    Budget,
    Choice,
    TrainingConfig,
    check_config,
    parse_budget,
)
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.formula import (
    build_objective,
    check_learner,
    check_signal,
    settings_for,
    takes_steps,
    terms_in,
)
from selftime.objectives.registry import OBJECTIVES
from selftime.objectives.spectral import (
    MEDIUM,
    NEAR_FROM,
    NEAR_FULL,
    TRIAL_SERIES,
    WEAK,
    Spectral,
    basis_copies,
    choose_strength,
    near_weight,
    trial_copies,
)
from selftime.progress import LONG as LONG_WORK
from selftime.progress import duration_in_words
from selftime.settings import find_name, settings_of
from selftime.views.mild import View
from selftime.views.registry import view_of


@dataclass(frozen=True, kw_only=True)
class Auto:
    """An objective chosen for a task; ``objective="auto"`` stands for ``Auto()``.

    Example:
        >>> import selftime as st
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> model = st.pretrain(x, objective=st.Auto(task="detect"), budget="2 steps")
        >>> model.card["settings"]["objective"]
        {'value': 'ts2vec', 'reason': 'to detect takes a vector for every step'}

    Attributes:
        task: the use of the model: "classify", "search", "cluster", "forecast" or "detect".

    Raises:
        ValueError: another task.
    """

    task: str = "classify"

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"got task {self.task!r}, wanted one of {', '.join(TASKS)}")

    def objective(self, *, takes_steps: bool, kind: Signal = Measurements()) -> Choice:  # noqa: B008
        """Return the objective: the usual of the kind, unless vectors of steps are asked for.

        A task that makes no sense for the kind raises a ValueError.
        """
        check_task(self.task, kind)
        if self.task in STEP_BY_STEP:
            return step_objective(self.task, kind)
        usual = USUAL[kind.name]
        return usual.gradient if takes_steps else usual.objective


Goal = str | Auto | ClosedForm | Objective
"""An objective by name, for a task, or a ready one."""
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
    dim: int | None = None,
) -> tuple[ClosedForm | Objective, tuple[Budget, TrainingConfig] | None, dict[str, Choice]]:
    """Return the objective ready to learn, its budget and config, and all settings with reasons.

    Budget and config are None where the objective is solved in closed form, which takes no steps.
    """
    check_config(config)
    if not isinstance(objective, str | Auto):
        if encoder != "auto":
            raise ValueError("got an objective and an encoder: give the encoder to the objective")
        if dim is not None and isinstance(objective, ClosedForm):
            raise ValueError(f"got an objective and dim={dim}: give the dim to the objective")
        check_learner(objective, series.kind)
        learner = deepcopy(objective)
        choices = {"objective": Choice(repr(objective), "given"), "seed": Choice(seed, "given")}
    else:
        choice = resolve_objective(objective, budget, config, series.kind)
        name = str(choice.value)
        check_signal(terms_in(name), series.kind)
        if takes_steps(name):
            body, choices = resolve_encoder(series, encoder, seed, default_encoder(name, series))
            length = int(np.median(series.lengths))
            learner = build_objective(name, body, kind=series.kind, seed=seed, length=length)
            choices["method"] = Choice(describe_objective(learner), "as in its paper")
        else:
            learner, choices = resolve_closed(name, series, scale, encoder, seed, dim)
        choices = {"objective": choice, "seed": Choice(seed, "given"), **choices}
    if isinstance(learner, ClosedForm):
        if config is not None or takes_gradient(budget):
            raise ValueError(
                f"got a {'config' if budget is None else 'budget'} for {type(learner).__name__}, "
                "which is solved in one pass: leave it out, give a time such as '5 minutes', or "
                "choose an objective that is learned by gradient, such as 'ts2vec'"
            )
        if budget is not None:
            choices["budget"] = Choice(
                str(budget), "a limit: the pass over the series ends with it"
            )
        return learner, None, choices
    check_trainable(learner)
    budget, config, more = resolve_training(learner, series, budget, config)
    return learner, (budget, config), choices | more


def resolve_objective(
    objective: str | Auto,
    budget: Budget | str | None,
    config: TrainingConfig | None,
    kind: Signal = Measurements(),  # noqa: B008
) -> Choice:
    """Return the name of the objective, and why it is this one."""
    wish = Auto() if objective == "auto" else objective
    if isinstance(wish, Auto):
        steps = config is not None or takes_gradient(budget)
        return wish.objective(takes_steps=steps, kind=kind)
    return Choice(" + ".join(map(str, terms_in(wish))), "given")


def takes_gradient(budget: Budget | str | None) -> bool:
    """Return whether a budget counts steps or epochs; a time is a limit for every objective."""
    return budget is not None and parse_budget(budget).unit != "minutes"


def resolve_training(
    learner: Objective,
    series: SeriesSet,
    budget: Budget | str | None,
    config: TrainingConfig | None,
) -> tuple[Budget, TrainingConfig, dict[str, Choice]]:
    """Return budget and config of a gradient run, nothing left open."""
    given, usual = config or TrainingConfig(), TrainingConfig()
    length, why_budget = (
        default_budget(series.steps.size, series.kind)
        if budget is None
        else (parse_budget(budget), "given")
    )
    recipe = given.recipe or learner.recipe
    why_recipe = "given" if given.recipe else f"recipe of {type(learner).__name__}"
    choices = {"budget": Choice(str(length), why_budget)}
    settings = {name: Choice(value, why_recipe) for name, value in asdict(recipe).items()}
    for name in ("precision", "accumulate", "clip", "on_collapse", "stop_below"):
        value = getattr(given, name)
        why = "the usual" if value == getattr(usual, name) else "given"
        settings[name] = Choice(value, why)
    if given.stop_below is None:
        del settings["stop_below"]
    share, why = given.hold_out, "given"
    if share is None:
        share = 0.0 if series.kind.symbols is None else HOLD_OUT
        why = "small networks soon know a text by heart: the weights that read others best are kept"
    if share:
        settings["hold_out"] = Choice(share, why)
    for name in ("own_level", "compile", "gradient_checkpointing", "negatives"):
        if (value := getattr(given, name)) != getattr(usual, name):
            settings[name] = Choice(value, "given")
    if layer := layer_for(learner, series.kind):
        settings["layer"] = layer
    choices |= {name.replace("_", " "): choice for name, choice in settings.items()}
    return length, replace(given, recipe=recipe, hold_out=share or given.hold_out), choices


def resolve_closed(  # noqa: PLR0913 - all that choices depend on
    name: str, series: SeriesSet, scale: Scaling, encoder: Start, seed: int, dim: int | None
) -> tuple[ClosedForm, dict[str, Choice]]:
    """Return a closed-form objective; "spectral" chooses strength and penalty without labels."""
    body, choices = resolve_encoder(series, encoder, seed, ROCKET)
    beside, choices["beside"] = resolve_beside(series, encoder)
    why_dim = "at most: models stay small, and a search quick, at no loss measured"
    choices["dim"] = Choice(dim or WIDTH, "given" if dim else why_dim)
    dim = dim or WIDTH
    copies = copies_for(len(series), len(series.steps))
    why = "about 3,000 copies or 600,000 steps in all, 3 to 20 of each"
    if weight := near_weight(sample_size(series)):
        rise = f"beside copies: near series are positives, from {NEAR_FROM} to {NEAR_FULL:,} more"
        choices["near series"] = Choice(f"weight {weight:.1f}", rise)
    if OBJECTIVES[name] is not Spectral:
        choices["copies"] = Choice(copies, why)
        views = settings_for(OBJECTIVES[name], series.kind)
        made: ClosedForm = OBJECTIVES[name](  # type: ignore
            encoder=body, beside=beside, copies=copies, dim=dim, **views
        )
        return made, choices
    with torch.inference_mode():
        sample = scale.apply(batch_of(series, sample_of(len(series), seed, TRIAL_SERIES)))
        begin = time.perf_counter()
        view_at = partial(_view_at, series.kind)
        trial = choose_strength(body, sample, generator(seed, 0), view_at)
    trials = (1 if trial.strength == WEAK else 2) * trial_copies(len(sample.values))
    seconds = (time.perf_counter() - begin) / trials
    tell(time_note(seconds * (trials + learning_copies(series, dim, copies))))
    known = f"{trial.found:.0%} of series are"
    weak, strong = f"weak: at {MEDIUM} only {known} told apart", f"{known} still told apart at it"
    choices["strength"] = Choice(trial.strength, weak if trial.strength == WEAK else strong)
    choices["penalty"] = Choice(trial.penalty, "of three, it tells most series apart")
    choices["copies"] = Choice(copies, why)
    view = view_of(series.kind, strength=trial.strength)
    learner = Spectral(
        encoder=body,
        beside=beside,
        view=view,
        penalty=trial.penalty,
        copies=copies,
        dim=dim,
    )
    return learner, choices


def _view_at(kind: Signal, strength: float) -> View:
    return view_of(kind, strength=strength)


def learning_copies(series: SeriesSet, dim: int, copies: int) -> int:
    """Return how many copies of series learning from them encodes, the series themselves too.

    Those of a sample fix statistics and the basis; then all of each series pass by.
    """
    sample = sample_size(series)
    read = 1 + bool(near_weight(sample))  # to standardise features, then to find near series
    return sample * (read + basis_copies(dim, sample, copies)) + len(series) * copies


def time_note(seconds: float) -> list[str]:
    """Say how long learning takes, about, where that is more than a minute."""
    return [f"learning takes about {duration_in_words(seconds)}"] if seconds > LONG_WORK else []


def resolve_encoder(
    series: SeriesSet, encoder: Start, seed: int, usual: Choice
) -> tuple[Encoder, dict[str, Choice]]:
    """Return the encoder, not yet prepared, and its choices; ``usual`` stands for "auto"."""
    if isinstance(encoder, Model):
        return continue_from(encoder, series, seed, beside_rocket=usual is ROCKET)
    if isinstance(encoder, Encoder):
        return deepcopy(encoder), {"encoder": Choice(repr(encoder), "given")}
    typed = str(usual.value) if encoder == "auto" else encoder
    name = find_name("encoder", typed, ENCODER_NAMES, SPELLINGS)
    why = "given" if encoder != "auto" else usual.reason
    length, kind = int(np.median(series.lengths)), series.kind
    body = build_encoder(name, kind=kind, channels=series.n_channels, length=length, seed=seed)
    return body, {
        "encoder": Choice(name, why),
        "length": Choice(length, "median length of the series; others are encoded as well"),
    }


def continue_from(
    model: Model, series: SeriesSet, seed: int, *, beside_rocket: bool
) -> tuple[Encoder, dict[str, Choice]]:
    """Return the network of a model; a closed form joins it with random convolutions."""
    model.check(series)
    body = deepcopy(network_of(model.encoder)).train()
    choice = Choice(repr(body), "of the model that was given, with its weights")
    if not beside_rocket:
        return body, {"encoder": choice}
    length = int(np.median(series.lengths))
    rocket = BUILDERS["rocket"](channels=series.n_channels, length=length, seed=seed)
    parts = [rocket, Standardised(encoder=body)]
    both = Joined(encoders=parts, weights=[EQUAL_WEIGHT, EQUAL_WEIGHT])
    return both, {"encoder": choice, "joined with": ROCKET}


def resolve_beside(series: SeriesSet, encoder: Start) -> tuple[Encoder | None, Choice]:
    """Return the features beside the learned part: quantiles, unless an encoder makes that void."""
    if isinstance(encoder, Encoder) or encoder == "quantiles":
        return None, Choice("nothing", "an encoder was given: it is used alone")
    length = int(np.median(series.lengths))
    why = "convolutions do not see the distribution of values, and views do not change it"
    made = BUILDERS["quantiles"](channels=series.n_channels, length=length)
    return made, Choice("quantiles", why)


def copies_for(n: int, steps: int) -> int:
    """Return the augmented copies of each of ``n`` series of ``steps`` timepoints in all."""
    return int(np.clip(min(3000 // n, 600_000 // steps), 3, 20))


def check_trainable(learner: Objective) -> None:
    """Refuse an objective whose encoder has no weights to train."""
    if not any(weight.requires_grad for weight in learner.encoder.parameters()):
        raise ValueError(
            f"{type(learner).__name__} trains its encoder by gradient, and "
            f"{type(learner.encoder).__name__} has no weights to train: use "
            f"{option('encoder', 'dilated')}, or {option('objective', 'spectral')}"
        )


def describe_objective(learner: Objective) -> str:
    """Return the settings of an objective as people would type them."""
    settings = {name: value for name, value in settings_of(learner).items() if name != "encoder"}
    inside = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return f"{type(learner).__name__}({inside})"
