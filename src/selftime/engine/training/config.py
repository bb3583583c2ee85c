"""Length (`Budget`) and options (`TrainingConfig`) of a gradient run."""

import math
from dataclasses import dataclass
from typing import Literal

from selftime.door import option
from selftime.objectives.base import Recipe

Unit = Literal["steps", "epochs", "minutes"]
UNITS: tuple[Unit, ...] = ("steps", "epochs", "minutes")
Precision = Literal["no", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("no", "bf16", "fp16")
OnCollapse = Literal["warn", "stop"]
Negatives = Literal["gathered", "own"]
_NEGATIVES: tuple[Negatives, ...] = ("gathered", "own")
_WANTED = "wanted such as '200 steps', '10 epochs' or '2.5 minutes'"


@dataclass(frozen=True)
class Choice:
    """A setting and why it has its value."""

    value: object
    reason: str


@dataclass(frozen=True, kw_only=True)
class Budget:
    """An amount above 0 of optimisation steps, epochs (passes over all series), or minutes.

    What is learned within a number of minutes depends on the speed of the machine.
    """

    amount: float | int
    unit: Unit = "steps"

    def __post_init__(self) -> None:
        whole = self.unit == "minutes" or float(self.amount).is_integer()
        if self.unit not in UNITS or not 0 < self.amount < math.inf or not whole:
            raise ValueError(f"got a budget of {self.amount:g} {self.unit}, {_WANTED}")

    def __str__(self) -> str:
        return f"{self.amount:.12g} {self.unit}"

    def steps(self, steps_an_epoch: int) -> int | None:
        """Return the optimisation steps in all; None where the clock decides."""
        if self.unit == "minutes":
            return None
        return int(self.amount) * (steps_an_epoch if self.unit == "epochs" else 1)

    def progress(self, step: int, seconds: float, steps_an_epoch: int) -> float:
        """Return the share of the budget that is used up; 1 is the end."""
        steps = self.steps(steps_an_epoch)
        return seconds / (60 * self.amount) if steps is None else step / steps


def parse_budget(text: str | Budget) -> Budget:
    """Return the budget that people typed, such as ``200 steps`` or ``2.5 minutes``."""
    if isinstance(text, Budget):
        return text
    if not isinstance(text, str):
        raise ValueError(f"got a budget of {text!r}, {_WANTED}")
    number, _, unit = text.strip().partition(" ")
    name = unit.strip().removesuffix("s") + "s"
    try:
        if name in _MINUTES:
            return Budget(amount=float(number) * _MINUTES[name], unit="minutes")
        return Budget(amount=float(number), unit=[known for known in UNITS if known == name][0])
    except (ValueError, IndexError):
        raise ValueError(f"got a budget of {text!r}, {_WANTED}") from None


_MINUTES = {"seconds": 1 / 60, "minutes": 1, "hours": 60}
"""Units of time, in minutes."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Options of a gradient run; how long it lasts is its budget.

    Example:
        >>> import selftime as st
        >>> config = st.TrainingConfig(clip=1.0, on_collapse="stop")
        >>> x = st.sample("JapaneseVowels", "train")[:20]
        >>> st.pretrain(x, objective="simclr", budget="2 steps", config=config)
        Model(channels=12, dim=320)

    Attributes:
        recipe: batch size, rates and averaging; None takes that of the objective, or the one for
            so many labels.
        precision: "no" is float32; "bf16" and "fp16" mix, and are refused with a reason where the
            machine computes the first batch wrongly in them.
        accumulate: batches whose gradients are added up for one step.
        clip: longest gradient, over all weights together; None does not clip.
        on_collapse: "warn" only warns of a collapse, "stop" ends the run.
        stop_below: the run ends once the loss stays below this for 5 steps: nothing is left to
            learn. None stands for 0.01 where labels are learned, and for never elsewhere.
        judge_every: steps after which the loss on held-out series is measured, where some are held
            out; the weights with the lowest are kept.
        hold_out: share of the unlabelled series whose loss is measured and not learned from. None
            is 0.1 for texts, which small networks soon know by heart, and 0 for everything else.
        own_level: each series is read from its own mean in each channel, so that levels tell
            nothing: of sounds, the voice and the room that all of a recording shares
            (:class:`selftime.data.scaling.OwnLevel`). Not for pixels and symbols.
        compile: the layers of the encoder through `torch.compile`, where there is a compiler. On a
            CPU a small Transformer took 34 s to begin and gained nothing sure (8.6 ± 0.6 steps a
            second, 9.8 ± 0.9 compiled), so it is off unless given.
        gradient_checkpointing: features within a layer are computed again for its gradient instead
            of kept: the same gradients in less memory, and about a third more time.
        negatives: in runs of several processes "gathered" is the loss of one process, to which all
            send their vectors; with "own" each has the loss of its own share of a batch, sends
            nothing but gradients, and has fewer other series to compare with.

    Raises:
        ValueError: a setting out of range.
    """

    recipe: Recipe | None = None
    precision: Precision = "no"
    accumulate: int = 1
    clip: float | None = None
    on_collapse: OnCollapse = "warn"
    stop_below: float | None = None
    judge_every: int = 25
    hold_out: float | None = None
    own_level: bool = False
    compile: bool = False
    gradient_checkpointing: bool = False
    negatives: Negatives = "gathered"

    def __post_init__(self) -> None:
        for name, good, wanted in (
            ("precision", self.precision in PRECISIONS, ", ".join(PRECISIONS)),
            ("accumulate", self.accumulate >= 1, "at least 1"),
            ("clip", self.clip is None or self.clip > 0, "more than 0, or none"),
            ("on_collapse", self.on_collapse in ("warn", "stop"), "'warn' or 'stop'"),
            ("stop_below", self.stop_below is None or self.stop_below >= 0, "0 or more, or none"),
            ("judge_every", self.judge_every >= 1, "at least 1"),
            ("negatives", self.negatives in _NEGATIVES, "'gathered' or 'own'"),
            ("hold_out", 0 <= (self.hold_out or 0) < 1, "a share from 0 to below 1, or none"),
        ):
            if not good:
                raise ValueError(f"got {name} {getattr(self, name)!r}, wanted {wanted}")


def check_config(config: object) -> None:
    """Raise a ValueError for something else than a config, such as the text of a budget."""
    if config is not None and not isinstance(config, TrainingConfig):
        budget = option("budget", config if isinstance(config, str) else "200 steps")
        raise ValueError(
            f"got config {config!r}, wanted a TrainingConfig, such as TrainingConfig(clip=1.0): "
            f"how long a run lasts is another option, {budget}"
        )
