"""How a gradient run is carried out: what was given, what was chosen instead, and why."""

from dataclasses import asdict, replace

from selftime.data.series import SeriesSet
from selftime.engine.automatic import Choice
from selftime.engine.plan import Plan, budget_in, usual_budget
from selftime.objectives.base import Objective


def chosen_plan(
    learner: Objective, series: SeriesSet, plan: Plan | str | None
) -> tuple[Plan, dict[str, Choice]]:
    """How a gradient run is carried out, nothing left open.

    Args:
        learner: what is trained.
        series: what it learns from.
        plan: what was given: a whole plan, a budget such as "10 epochs", or nothing.
    """
    given = Plan(budget=budget_in(plan)) if isinstance(plan, str) else plan or Plan()
    usual = Plan()
    budget = given.budget or usual_budget(series.steps.size)
    recipe = given.recipe or learner.recipe
    why_budget = "given" if given.budget else "200 steps for up to 100,000 values, 600 for more"
    why_recipe = "given" if given.recipe else f"recipe of {type(learner).__name__}"
    named = {name.replace("_", " "): value for name, value in asdict(recipe).items()}
    choices = {"budget": Choice(str(budget), why_budget)}
    choices |= {name: Choice(value, why_recipe) for name, value in named.items()}
    for name in ("precision", "accumulate", "clip", "on_collapse"):
        value = getattr(given, name)
        why = "the usual" if value == getattr(usual, name) else "given"
        choices[name.replace("_", " ")] = Choice(value, why)
    return replace(given, budget=budget, recipe=recipe), choices
