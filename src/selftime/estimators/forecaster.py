"""A forecaster for scikit-learn: fit on histories, predict what follows them."""

import logging
import os
from collections.abc import Sequence
from typing import Any, Literal

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from selftime.data.frames import frame_head, frame_like
from selftime.data.readers import read
from selftime.engine.defaults import check_task
from selftime.engine.model import Model, model_at
from selftime.estimators.keeping import Kept
from selftime.progress import Progress, open_progress
from selftime.tasks.forecasting.fitting import FittedSeries, ForecastConfig, fit_series
from selftime.tasks.forecasting.forecasts import Forecasts

log = logging.getLogger(__name__)


class Forecaster(BaseEstimator, Kept):  # type: ignore[misc] # scikit-learn has no types
    """Forecasts series from their own past, with quantiles.

    Example:
        >>> import selftime as st
        >>> taxi = st.SeriesSet.of(st.sample("NYCTaxi").values[..., -800:])  # half-hours
        >>> forecaster = st.Forecaster(horizon=8, season=48).fit(taxi)
        >>> forecaster.predict().shape  # series, channels, steps ahead
        (1, 1, 8)
        >>> forecaster.forecasts().quantiles.shape  # series, levels, channels, steps ahead
        (1, 5, 1, 8)

    Every window of all series is learned from in closed form: a linear map whose options are chosen
    by folds of time, corrected by self-supervised features of the last steps where held-out folds
    agree that these help. Missing values are bridged, and so are rows that are absent from the
    rule of the times; where they are the last ones they are forecast too. Single wild values are
    taken as missing. Series may differ in length and in where they end. What was decided is logged.

    Args:
        model: a pretrained model whose vectors of the past become the features; one made for a
            single channel sees each channel by itself. None learns features in closed form.
        strategy: how the model is used: "probe" leaves it as it is and takes its vectors as
            features; "head", "partial" and "full" train a head on its tokens, alone or with its
            last blocks or all of it
            (:data:`selftime.tasks.forecasting.network.FORECAST_STRATEGIES`).
        horizon: how many steps are forecast.
        quantiles: levels between 0 and 1, from residuals that were held out.
        season: steps of a season; None looks for it.
        lower: the least that can be forecast; "auto" is 0 where all values are whole numbers from
            0 on, None sets no floor.
        random_state: fixes the random features, an integer.
        progress: a bar for ``fit`` where a person looks when None; else as in
            :func:`selftime.progress.open_progress`.

    Attributes:
        cases_: the fitted cases.
        channels_: names of the channels of histories.
        reason_: the features that were accepted and left out, floors, wild values, in words.
    """

    fitted_: FittedSeries
    _keeps = "The series that it was fitted on are not in this folder."

    def __init__(  # noqa: PLR0913 - each is one thing that people decide
        self,
        model: Model | str | os.PathLike[str] | None = None,
        *,
        strategy: str = "probe",
        horizon: int = 24,
        quantiles: Sequence[float] = (0.025, 0.1, 0.5, 0.9, 0.975),
        season: int | None = None,
        lower: float | Literal["auto"] | None = "auto",
        random_state: int = 0,
        progress: bool | Progress | None = None,
    ) -> None:
        self.model = model
        self.strategy = strategy
        self.horizon = horizon
        self.quantiles = quantiles
        self.season = season
        self.lower = lower
        self.random_state = random_state
        self.progress = progress

    def fit(
        self,
        X: Any,
        y: Any = None,  # noqa: ARG002
        *,
        covariates: Sequence[str] = (),
    ) -> "Forecaster":
        """Learn from histories.

        Args:
            X: whatever :func:`selftime.read` takes: frames, arrays (N,C,T), paths, a SeriesSet.
            y: not read.
            covariates: channels of ``X`` that are given, not forecast: their future is known when a
                forecast is made (weather as it is forecast, holidays, prices), or they never change
                within a series (its kind, place, size). Their effect is taken out of the others and
                added again, where held-out folds agree that this helps.

        Raises:
            ValueError: bad input, a horizon or quantiles out of range, series too short for the
                horizon, covariates that there are not, an unknown strategy, or a model made for
                other channels.
        """
        check_settings(self.horizon, self.quantiles, self.season)
        config = ForecastConfig(
            self.horizon,
            tuple(self.quantiles),
            self.season,
            None if self.model is None else model_at(self.model),
            self.strategy,
            tuple(map(str, covariates)),
            self.random_state,
            self.lower,
        )
        series = read(X)
        check_task("forecast", series.kind)
        with open_progress(self.progress) as progress:
            self.fitted_ = fit_series(series, config, progress)
        self._complete(None)
        self.fitted_on_, self.like_ = series, frame_head(X)
        for note in self.fitted_.notes:
            log.warning(note)
        return self

    @property
    def _used(self) -> Model | None:
        return self.fitted_.config.model

    def _complete(self, model: Model | None) -> None:  # noqa: ARG002
        self.cases_, self.channels_ = self.fitted_.cases, self.fitted_.channels
        self.reason_ = self.cases_.reason

    def predict(self, X: Any = None, future: Any = None) -> Any:
        """Forecast each series.

        Args:
            X: histories; those given to ``fit`` when None, which a folder does not keep.
            future: covariates of the steps to forecast, a row for each of them. They are found by
                id and time, so that other rows may be there too; without times (arrays (N,K,H))
                the first ``horizon`` count. Covariates that never change may be left out.

        Returns:
            For frames, here or in ``fit`` where X is None, a long frame of the same kind: ids and
            times under the names and in the types in which they came (else ``unique_id``, ``ds``;
            without a rule of the times the ``step``), and for each channel its forecast and
            quantiles; else an array (N,C,H).

        Raises:
            ValueError: bad input, other channels than in ``fit``, or no future of covariates for
                some series or step.
        """
        found = self.forecasts(X, future)
        like = getattr(self, "like_", None) if X is None else frame_head(X)
        return found.mean if like is None else frame_like(like, found.to_columns())

    def forecasts(self, X: Any = None, future: Any = None) -> Forecasts:
        """Forecast as arrays, with quantiles and the names and times that go with them.

        Args:
            X: histories; those given to ``fit`` when None.
            future: as :meth:`predict` takes it.

        Raises:
            ValueError: bad input, other channels than in ``fit``, or no future of covariates for
                some series or step.
        """
        check_is_fitted(self)
        if X is None and not hasattr(self, "fitted_on_"):
            raise ValueError(
                "got no histories, and this forecaster was loaded, which has none: give them as X"
            )
        series = self.fitted_on_ if X is None else read(X)
        found = self.fitted_.forecasts(series, None if future is None else read(future))
        for note in found.notes:
            if note not in self.fitted_.notes:
                log.warning(note)
        return found


def check_settings(horizon: int, quantiles: Sequence[float], season: int | None) -> None:
    """Raise a ValueError for a horizon or season below 1, or levels not between 0 and 1."""
    if horizon < 1:
        raise ValueError(f"got horizon {horizon}, wanted at least 1 step")
    if season is not None and season < 1:
        raise ValueError(f"got season {season}, wanted at least 1 step, or None to look for it")
    if (
        not quantiles
        or not all(0 < q < 1 for q in quantiles)
        or list(quantiles) != sorted(set(quantiles))
    ):
        raise ValueError(
            f"got quantiles {tuple(quantiles)}, wanted ascending levels between 0 and 1, such as "
            "(0.1, 0.5, 0.9)"
        )
