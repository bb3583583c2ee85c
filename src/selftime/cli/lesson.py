"""What ``selftime pretrain`` was asked for, and where the run goes."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from selftime.engine.automatic import Auto
from selftime.engine.plan import OnCollapse, Plan, Precision, budget_in
from selftime.objectives.naming import takes_steps


class Lesson(NamedTuple):
    """What is to be learned, and from what.

    Attributes:
        data: where the series are.
        objective: a name, or "auto".
        encoder: a name, or "auto".
        seed: fixes everything random.
        budget: how long a gradient run lasts, such as "200 steps"; None for the usual.
        plan: what else is wanted of a gradient run.
        task: what the model is for, where the objective is to be chosen.
    """

    data: str
    objective: str = "auto"
    encoder: str = "auto"
    seed: int = 0
    budget: str | None = None
    plan: Plan = Plan()
    task: str = "classify"

    @property
    def goal(self) -> str | Auto:
        """The objective, or what it is to be chosen for."""
        return Auto(task=self.task) if self.objective == "auto" else self.objective

    @property
    def is_gradient(self) -> bool:
        """Whether the objective is learned step by step."""
        goal = self.goal
        name = goal.objective(self.whole_plan).value if isinstance(goal, Auto) else goal
        return takes_steps(str(name))

    @property
    def whole_plan(self) -> Plan | None:
        """The plan with its budget; None where nothing was asked for."""
        budget = budget_in(self.budget) if self.budget else None
        asked = replace(self.plan, budget=budget)
        return None if asked == Plan() else asked

    def carried_out(
        self, precision: Precision, accumulate: int, clip: float | None, stop_on_collapse: bool
    ) -> "Lesson":
        """The same order with a plan."""
        on_collapse: OnCollapse = "stop" if stop_on_collapse else "warn"
        plan = Plan(precision=precision, accumulate=accumulate, clip=clip, on_collapse=on_collapse)
        return self._replace(plan=plan)


class Place(NamedTuple):
    """Where a run goes.

    Attributes:
        out: its folder.
        force: replace what stands there.
        resume: go on with the run that was stopped there.
        track: names of trackers that are told of every step.
    """

    out: Path
    force: bool = False
    resume: bool = False
    track: tuple[str, ...] = ()
