"""Settings of a run: what was given, what was chosen instead, and why."""

from copy import deepcopy
from typing import Any

import numpy as np
import torch

from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.data.windows import batch_of
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.builders import BUILDERS, HALF
from selftime.encoders.projected import Standardised, trunk
from selftime.engine.automatic import ROCKET, Auto, Choice, usual_encoder
from selftime.engine.model import Model
from selftime.engine.plan import Plan
from selftime.engine.solve import generator, sample_of
from selftime.objectives import OBJECTIVES
from selftime.objectives.base import ClosedForm, Objective
from selftime.objectives.naming import made_from, takes_steps
from selftime.objectives.spectral import Spectral
from selftime.objectives.strength import MEDIUM, SERIES, WEAK, Trial, chosen_strength
from selftime.settings import settings_of
from selftime.views.mild import Mild

Goal = str | Auto | ClosedForm | Objective
"""An objective by name, a wish, or a ready one."""
Start = str | Encoder | Model
"""An encoder by name, as it is, or a model that learning goes on from."""


def chosen(  # noqa: PLR0913 - all that choices depend on
    series: SeriesSet,
    scale: Scaling,
    objective: Goal,
    encoder: Start,
    seed: int,
    plan: Plan | str | None = None,
) -> tuple[ClosedForm | Objective, dict[str, Choice]]:
    """The objective ready to learn, and all choices with their reasons.

    Raises:
        ValueError: an unknown name, an encoder beside a ready objective, or a gradient objective
            without anything to train.
    """
    if not isinstance(objective, str | Auto):
        if encoder != "auto":
            raise ValueError("got an objective and an encoder: give the encoder to the objective")
        given = trained_by(objective) if isinstance(objective, Objective) else objective
        return deepcopy(given), {
            "objective": Choice(repr(objective), "given"),
            "seed": Choice(seed, "given"),
        }
    wish = Auto() if objective == "auto" else objective
    choice = wish.objective(plan) if isinstance(wish, Auto) else Choice(wish, "given")
    name = str(choice.value)
    learner: ClosedForm | Objective
    if takes_steps(name):
        learner, choices = chosen_stepwise(name, series, encoder, seed)
    else:
        learner, choices = chosen_closed(OBJECTIVES[name], series, scale, encoder, seed)
    return learner, {"objective": choice, "seed": Choice(seed, "given"), **choices}


def chosen_stepwise(
    name: str, series: SeriesSet, encoder: Start, seed: int
) -> tuple[Objective, dict[str, Choice]]:
    """An objective, or a sum of several, that is learned by gradient."""
    body, choices = chosen_encoder(series, encoder, seed, usual_encoder(name, series))
    length = int(np.median(series.lengths))
    made = trained_by(made_from(name, body, seed=seed, length=length))
    return made, {**choices, "method": Choice(described_without_encoder(made), "as in its paper")}


def chosen_closed(
    kind: type[ClosedForm] | type[Objective],
    series: SeriesSet,
    scale: Scaling,
    encoder: Start,
    seed: int,
) -> tuple[ClosedForm, dict[str, Choice]]:
    """An objective that is solved in closed form."""
    if kind is Spectral:
        return chosen_spectral(series, scale, encoder, seed)
    body, body_choices = chosen_encoder(series, encoder, seed, ROCKET)
    beside, beside_choice = chosen_beside(series, encoder)
    copies = copies_for(len(series), len(series.steps))
    choices = {**body_choices, "beside": beside_choice, "copies": Choice(copies, WHY_COPIES)}
    made: ClosedForm = kind(encoder=body, beside=beside, copies=copies)  # type: ignore
    return made, choices


WHY_COPIES = "about 3,000 copies or 600,000 steps in all, 3 to 20 of each"


def chosen_spectral(
    series: SeriesSet, scale: Scaling, encoder: Start, seed: int
) -> tuple[Spectral, dict[str, Choice]]:
    """The closed-form objective, its strength and penalty chosen without labels."""
    body, body_choices = chosen_encoder(series, encoder, seed, ROCKET)
    beside, beside_choice = chosen_beside(series, encoder)
    with torch.inference_mode():
        sample = scale.apply(batch_of(series, sample_of(len(series), seed, SERIES)))
        trial = chosen_strength(body, sample, generator(seed, 0))
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


def chosen_encoder(
    series: SeriesSet, encoder: Start, seed: int, usual: Choice
) -> tuple[Encoder, dict[str, Choice]]:
    """The encoder, not yet prepared, and the choices in it; ``usual`` is what "auto" means."""
    if isinstance(encoder, Model):
        return going_on_from(encoder, series, seed, beside_rocket=usual is ROCKET)
    if isinstance(encoder, Encoder):
        return deepcopy(encoder), {"encoder": Choice(repr(encoder), "given")}
    name = known("encoder", str(usual.value) if encoder == "auto" else encoder, BUILDERS)
    why = "given" if encoder != "auto" else usual.reason
    length = int(np.median(series.lengths))
    return BUILDERS[name](channels=series.n_channels, length=length, seed=seed), {
        "encoder": Choice(name, why),
        "length": Choice(length, "median length of the series; others are encoded as well"),
    }


def going_on_from(
    model: Model, series: SeriesSet, seed: int, *, beside_rocket: bool
) -> tuple[Encoder, dict[str, Choice]]:
    """The network of a model; before a closed-form solve random convolutions stand beside it."""
    model.check(series)
    body = deepcopy(trunk(model.encoder)).train()
    choice = Choice(repr(body), "of the model that was given, with its weights")
    if not beside_rocket:
        return body, {"encoder": choice}
    length = int(np.median(series.lengths))
    rocket = BUILDERS["rocket"](channels=series.n_channels, length=length, seed=seed)
    both = Joined(encoders=[rocket, Standardised(encoder=body)], weights=[HALF, HALF])
    return both, {"encoder": choice, "joined with": ROCKET}


def chosen_beside(series: SeriesSet, encoder: Start) -> tuple[Encoder | None, Choice]:
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


def trained_by(learner: Objective) -> Objective:
    """The objective, if there is anything in its encoder to train.

    Raises:
        ValueError: there is not.
    """
    if not any(weight.requires_grad for weight in learner.encoder.parameters()):
        raise ValueError(
            f"{type(learner).__name__} trains its encoder by gradient, and "
            f"{type(learner.encoder).__name__} has no weights to train: use encoder='dilated', "
            "or objective='spectral'"
        )
    return learner


def described_without_encoder(learner: Objective) -> str:
    """The settings of an objective as people would type them."""
    settings = {name: value for name, value in settings_of(learner).items() if name != "encoder"}
    inside = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return f"{type(learner).__name__}({inside})"


def known(what: str, name: str, among: dict[str, Any]) -> str:
    """The name, if it is one of those.

    Raises:
        ValueError: it is not.
    """
    if name not in among:
        raise ValueError(f"got {what} {name!r}, wanted one of {', '.join(among)}")
    return name
