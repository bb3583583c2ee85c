"""Choosing a strategy: the rule of thumb by number of labels, and a race on held-out series."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.networks.attention import TransformerLayer
from selftime.engine.model import Model
from selftime.objectives.supervised.heads import NETWORK_HEADS
from selftime.objectives.supervised.targets import Amount, TargetType
from selftime.progress import Progress, silent
from selftime.tasks.transfer.holdout import split_holdout, take_rows
from selftime.tasks.transfer.solution import Outputs, Solution
from selftime.tasks.transfer.strategies import TransferConfig, transfer

FEW, MANY = 1_000, 10_000
"""Labels up to which the probe, and up to which partial fine-tuning, is usually best."""
RACED = 200
"""Labels from which a network is raced all the same: on the open sets its probe was then up to 3
points behind fine-tuning (benchmarks/results/strategies.json)."""
_VALIDATION_SHARE = 0.25
"""Share of the labelled series that a race is judged by."""
_CLEAR_ERRORS = 1.0
"""Standard errors that a costlier strategy has to be ahead of the probe by."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Which strategy to use for so many labels, and why.

    Attributes:
        labels: how many there are.
        strategy: the rule of thumb says.
        contenders: that are worth a race on held-out series, the cheapest first; one where there
            is nothing to race.
        why: in words.
    """

    labels: int
    strategy: str
    contenders: tuple[str, ...]
    why: str


class Selection(NamedTuple):
    """What was chosen.

    Attributes:
        strategy: a name in :data:`selftime.tasks.transfer.strategies.STRATEGIES`.
        why: in words.
        credit: by contender, mean credit on held-out series (share right, or −squared error in
            units of the spread); empty without a race.
    """

    strategy: str
    why: str
    credit: dict[str, float]


def rule_of_thumb(labels: int) -> str:
    """Below 1,000 labels probe, to 10,000 partial, above full."""
    if labels < FEW:
        return "probe"
    return "partial" if labels <= MANY else "full"


def advise(labels: int, model: Model | None = None) -> Advice:
    """What to do with so many labels, before anything is trained.

    Args:
        labels: how many labelled series there are.
        model: narrows down what is possible with it; None knows of none.
    """
    strategy = rule_of_thumb(labels)
    contenders = contenders_for(model.encoder if model else None)
    least = FEW if contenders == LINEAR_MAPS or model is None else RACED
    if labels < least:
        why = (
            f"{labels:,} labels are below {least:,}: a head on frozen vectors is as accurate as "
            "fine-tuning, often more so, and takes seconds"
        )
        return Advice(labels=labels, strategy="probe", contenders=("probe",), why=why)
    usual = strategy if strategy in contenders else contenders[-1]
    why = (
        f"with {labels:,} labels '{usual}' is usually best; whether it is here, a race on held-out "
        f"series tells: {', '.join(contenders)}"
    )
    return Advice(labels=labels, strategy=usual, contenders=contenders, why=why)


LINEAR_MAPS = ("probe", "staged")
"""Contenders where linear maps of fixed features are all that was learned: there are no last
blocks."""


def contenders_for(encoder: Encoder | None) -> tuple[str, ...]:
    """Strategies worth a race for an encoder, the cheapest first."""
    if encoder is not None and not any(True for _ in encoder.parameters()):
        return LINEAR_MAPS
    if encoder is not None and any(isinstance(p, TransformerLayer) for p in encoder.modules()):
        return ("probe", "adapter", "partial", "full", "staged")
    return ("probe", "partial", "full", "staged")


def choose(
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    config: TransferConfig = TransferConfig(),  # noqa: B008 - a tuple, nothing changes it
    progress: Progress = silent,
) -> Selection:
    """The strategy for these labels: the rule of thumb, checked by a race where it may err.

    The probe stays unless another is ahead of it by more than a standard error.

    Args:
        model: pretrained.
        series: labelled ones.
        y: what is known of each.
        target_type: what is asked.
        config: head, budget, config and seed of all contenders.
        progress: called after each step of training.
    """
    if config.head not in NETWORK_HEADS:
        return Selection("probe", f"head '{config.head}' is fitted on frozen vectors", {})
    advice = advise(len(series), model)
    if len(advice.contenders) == 1:
        return Selection(advice.contenders[0], advice.why, {})
    fitted, judged = split_holdout(series, y, target_type, _VALIDATION_SHARE, config.seed)
    credits = {}
    for name in advice.contenders:
        own = config._replace(strategy=name)
        solution = transfer(model, series[fitted], take_rows(y, fitted), target_type, own, progress)
        credits[name] = credit_of(solution, series[judged], take_rows(y, judged))
    return best_of(credits)


class TransferResult(NamedTuple):
    """What came of labels.

    Attributes:
        strategy: that was given or chosen.
        why: it was chosen.
        solution: what answers.
    """

    strategy: str
    why: str
    solution: Solution


def fit_strategy(
    model: Model,
    series: SeriesSet,
    y: Any,
    target_type: TargetType,
    config: TransferConfig,
    progress: Progress = silent,
) -> TransferResult:
    """Learn from labels as :func:`transfer` does; the strategy "auto" is chosen first."""
    strategy, why = config.strategy, "given"
    if strategy == "auto":
        strategy, why, _ = choose(model, series, y, target_type, config, progress)
    own = config._replace(strategy=strategy)
    return TransferResult(strategy, why, transfer(model, series, y, target_type, own, progress))


def best_of(credits: dict[str, np.ndarray]) -> Selection:
    """The best contender; the first, which is the cheapest, unless another is clearly ahead."""
    means = {name: float(credit.mean()) for name, credit in credits.items()}
    first = next(iter(credits))
    best = max(means, key=lambda name: means[name])
    ahead = credits[best] - credits[first]
    error = float(ahead.std(ddof=1)) / len(ahead) ** 0.5
    shown = ", ".join(f"{name} {mean:.3f}" for name, mean in means.items())
    if best == first or ahead.mean() <= _CLEAR_ERRORS * error:
        why = f"no strategy is clearly ahead of '{first}' on {len(ahead):,} held-out series"
        return Selection(first, f"{why} ({shown})", means)
    why = f"'{best}' is ahead of '{first}' on {len(ahead):,} held-out series ({shown})"
    return Selection(best, why, means)


def credit_of(solution: Solution, series: SeriesSet, y: Any) -> np.ndarray:
    """How good the answer for each series is (M,): share right, or −squared error over spread."""
    said: Outputs = solution.predict(series)
    if isinstance(solution.target_type, Amount):
        errors = (np.asarray(said) - np.asarray(y)) / solution.target_type.std
        return np.asarray(-np.square(errors).mean(axis=1))
    if isinstance(said, list):
        return np.array([np.mean(own == wanted) for own, wanted in zip(said, y, strict=True)])
    right = np.asarray(said) == np.asarray(y)
    return np.asarray(right.reshape(len(right), -1).mean(axis=1))
