"""Series in, forecasts out: channels told apart, the way chosen, names and times put back."""

from dataclasses import dataclass
from typing import NamedTuple

from selftime.data.series import SeriesError, SeriesSet
from selftime.engine.model import Model
from selftime.progress import Progress, silent
from selftime.tasks.forecasting.cases import FittedForecaster, fit_histories
from selftime.tasks.forecasting.given import KnownChannels, histories_of
from selftime.tasks.forecasting.model_vectors import ModelVectors
from selftime.tasks.forecasting.outlook import Forecasts
from selftime.tasks.forecasting.tuning import check_strategy, finetune_forecaster


class ForecastConfig(NamedTuple):
    """What is asked of a forecaster.

    Attributes:
        horizon: future steps.
        levels: quantiles, ascending.
        season: steps of a season; None to look for it.
        model: pretrained, or None.
        strategy: how the model is used.
        covariates: names of channels that are given, not forecast.
        seed: fixes everything random.
    """

    horizon: int
    levels: tuple[float, ...]
    season: int | None = None
    model: Model | None = None
    strategy: str = "probe"
    covariates: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, eq=False)
class FittedSeries:
    """A forecaster of series like those it was fitted on.

    Attributes:
        order: what was asked.
        cases: what forecasts.
        channels: names of the channels of histories, covariates included.
    """

    order: ForecastConfig
    cases: FittedForecaster
    channels: tuple[str, ...]

    def targets(self, series: SeriesSet) -> SeriesSet:
        """The channels that are forecast."""
        return KnownChannels(self.order.covariates).targets(series)

    def forecasts(self, series: SeriesSet, future: SeriesSet | None = None) -> Forecasts:
        """What follows each series, with quantiles.

        Args:
            series: histories.
            future: covariates of the steps to forecast.

        Raises:
            SeriesError: other channels than it was fitted on, or no future of covariates.
        """
        if series.n_channels != len(self.channels):
            raise SeriesError(
                f"got series of {series.n_channels} channels, wanted {len(self.channels)} "
                f"({', '.join(self.channels)}): give the same channels as in fit"
            )
        given, known = KnownChannels(self.order.covariates), None
        targets, past = given.targets(series), given.past(series)
        if past is not None:
            ahead = given.ahead(past, future, series.ids, self.order.horizon)
            known = list(zip(past, ahead, strict=True))
        every = self.cases.predict(histories_of(targets), known)  # (N,1+Q,C,H)
        return Forecasts.of(targets, every, self.order.levels)


def fit_series(
    series: SeriesSet, order: ForecastConfig, progress: Progress = silent
) -> FittedSeries:
    """Learn from histories.

    Args:
        series: histories.
        order: what is asked.
        progress: called after each step where a network is trained, else before and after.

    Raises:
        SeriesError: series too short for the horizon, covariates that there are not, or a model
            made for other channels.
        ValueError: an unknown strategy, or one that cannot be.
    """
    given, model = KnownChannels(order.covariates), order.model
    targets, past = given.targets(series), given.past(series)
    check_strategy(order.strategy, model, order.covariates)
    histories = histories_of(targets)
    if model is not None and order.strategy != "probe":
        cases = finetune_forecaster(
            histories,
            order.horizon,
            model,
            order.strategy,
            levels=order.levels,
            seed=order.seed,
            progress=progress,
        )
        return FittedSeries(order, cases, series.channels)
    progress("fitting", 0, 1)
    cases = fit_histories(
        histories,
        order.horizon,
        levels=order.levels,
        season=order.season,
        seed=order.seed,
        features=None if model is None else ModelVectors(model, targets.n_channels).of,
        known=past,
    )
    progress("fitting", 1, 1)
    return FittedSeries(order, cases, series.channels)
