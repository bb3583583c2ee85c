"""What ``selftime pretrain`` was asked for, and where the run goes."""

from pathlib import Path
from typing import NamedTuple

from selftime.engine.choices import Auto, resolve_objective
from selftime.engine.plan import OnCollapse, Precision, TrainingConfig
from selftime.objectives.naming import takes_steps


class Lesson(NamedTuple):
    """What is to be learned, and from what.

    Attributes:
        data: where the series are.
        objective: a name, or "auto".
        encoder: a name, or "auto".
        seed: fixes everything random.
        budget: how long a gradient run lasts, such as "200 steps"; None for the usual.
        config: what else is wanted of a gradient run; None where nothing is.
        task: what the model is for, where the objective is to be chosen.
    """

    data: str
    objective: str = "auto"
    encoder: str = "auto"
    seed: int = 0
    budget: str | None = None
    config: TrainingConfig | None = None
    task: str = "classify"

    @property
    def goal(self) -> str | Auto:
        """The objective, or what it is to be chosen for."""
        return Auto(task=self.task) if self.objective == "auto" else self.objective

    @property
    def is_gradient(self) -> bool:
        """Whether the objective is learned step by step."""
        goal = resolve_objective(self.goal, self.budget, self.config)
        return takes_steps(str(goal.value))

    def carried_out(
        self, precision: Precision, accumulate: int, clip: float | None, stop_on_collapse: bool
    ) -> "Lesson":
        """The same order with a config."""
        on_collapse: OnCollapse = "stop" if stop_on_collapse else "warn"
        config = TrainingConfig(
            precision=precision, accumulate=accumulate, clip=clip, on_collapse=on_collapse
        )
        return self._replace(config=None if config == TrainingConfig() else config)


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
