"""Choice of a strategy: a rule of thumb by number of labels, and a race on held-out series."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from selftime.data.arrays import are_known
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.networks.attention import TransformerLayer
from selftime.engine.model import Model, ModelOrFolder, model_at
from selftime.objectives.supervised.heads import NETWORK_HEADS
from selftime.objectives.supervised.targets import Amount, TargetType
from selftime.progress import Progress, silent
from selftime.tasks.transfer.solution import Solution
from selftime.tasks.transfer.strategies import TransferConfig, split_holdout, take_rows, transfer

FEW, MANY = 1_000, 10_000
"""Labels up to which the probe, and then partial fine-tuning, is usually best."""
RACED = 200
"""Labels from which a network takes part in a race: on the open sets its probe was then up to 3
points behind fine-tuning (benchmarks/results/strategies.json)."""
_VALIDATION_SHARE = 0.25
"""Share of the labelled series that is held out for a race."""
_CLEAR_ERRORS = 1.0
"""Standard errors that a costlier strategy has to be ahead of the probe by."""


@dataclass(frozen=True, kw_only=True)
class Advice:
    """The strategy to use for a number of labels, and the reason."""

    labels: int
    strategy: str  # the usual one
    contenders: tuple[str, ...]  # worth a race, the cheapest first; a single one needs no race
    why: str


class Selection(NamedTuple):
    """A chosen strategy, the reason, and the mean credit of each contender (see ``credit_of``)."""

    strategy: str
    why: str
    credit: dict[str, float]


def rule_of_thumb(labels: int) -> str:
    """Return "probe" below 1,000 labels, "partial" up to 10,000, and "full" above."""
    if labels < FEW:
        return "probe"
    return "partial" if labels <= MANY else "full"


def advise(labels: int, model: ModelOrFolder | None = None) -> Advice:
    """Recommend a strategy for a number of labels, before anything is trained.

    Below 1,000 labels a head on frozen vectors is usually best, up to 10,000 partial fine-tuning,
    above that full fine-tuning (measured in benchmarks/strategies.py).

    Args:
        labels: number of labelled series.
        model: or its folder, leaves the strategies that are possible with it; without one all
            networks' are.

    Example:
        >>> import selftime as st
        >>> st.advise(40).strategy
        'probe'
        >>> st.advise(5_000).contenders
        ('probe', 'partial', 'full', 'staged')
    """
    strategy = rule_of_thumb(labels)
    contenders = contenders_for(None if model is None else model_at(model).encoder)
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
"""Contenders where only linear maps of fixed features were learned: there are no last blocks."""


def contenders_for(encoder: Encoder | None) -> tuple[str, ...]:
    """Return the strategies worth a race for an encoder, the cheapest first."""
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
    """Choose the strategy for labels y: the rule of thumb, checked by a race where it may err.

    The probe stays unless another, with the same config, is ahead by more than a standard error.
    """
    if config.head not in NETWORK_HEADS:
        return Selection("probe", f"head '{config.head}' is fitted on frozen vectors", {})
    advice = advise(len(series), model)
    if len(advice.contenders) == 1:
        return Selection(advice.contenders[0], advice.why, {})
    fitted, held_out = split_holdout(series, y, target_type, _VALIDATION_SHARE, config.seed)
    credits = {}
    for name in advice.contenders:
        own = config._replace(strategy=name)
        solution = transfer(model, series[fitted], take_rows(y, fitted), target_type, own, progress)
        credits[name] = credit_of(solution, series[held_out], take_rows(y, held_out))
    return best_of(credits)


class TransferResult(NamedTuple):
    """The strategy that was given or chosen, the reason, and the fitted solution."""

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
    """Learn from labels as :func:`transfer` does, with "auto" replaced by a chosen strategy."""
    strategy, why = config.strategy, "given"
    if strategy == "auto":
        strategy, why, _ = choose(model, series, y, target_type, config, progress)
    own = config._replace(strategy=strategy)
    return TransferResult(strategy, why, transfer(model, series, y, target_type, own, progress))


def best_of(credits: dict[str, np.ndarray]) -> Selection:
    """Return the best contender, or the first (the cheapest) unless another is clearly ahead."""
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
    """Return the credit of each series (M,): share right, or −squared error over the variance."""
    predicted = solution.predict(series)
    if isinstance(solution.target_type, Amount):
        errors = (np.asarray(predicted) - np.asarray(y)) / solution.target_type.std
        return np.asarray(-np.square(errors).mean(axis=1))
    if isinstance(predicted, list):
        pairs = zip(predicted, y, strict=True)
        return np.array([np.mean((own == wanted)[are_known(wanted)]) for own, wanted in pairs])
    right = np.asarray(predicted) == np.asarray(y)
    return np.asarray(right.reshape(len(right), -1).mean(axis=1))
