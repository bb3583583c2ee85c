"""A pretrained network as a forecaster: a head on its tokens, and some of it trained along."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from selftime.data.series import SeriesError
from selftime.encoders.base import Encoder
from selftime.encoders.normalised import InstanceNormalised
from selftime.encoders.projected import backbone
from selftime.engine.model import Model
from selftime.progress import Progress, silent
from selftime.tasks.forecasting.blocks import cut_folds, look_backs_up_to
from selftime.tasks.forecasting.cases import FittedForecaster, History, typical_season
from selftime.tasks.forecasting.intervals import recent_std
from selftime.tasks.forecasting.model_vectors import pretraining_length
from selftime.tasks.forecasting.network import (
    TrainingWindows,
    NetworkForecaster,
    TrainingSteps,
    fine_tune_forecaster,
    training_windows,
    with_head,
)
from selftime.tasks.forecasting.protocols import channel_scale
from selftime.tasks.transfer.tuning import unfrozen

FORECAST_STRATEGIES = {
    "probe": "the model stays as it is; its vectors correct the linear map, in closed form",
    "head": "the model stays as it is; a linear map of its tokens is trained to forecast",
    "partial": "the head first, then the last blocks of the model with it",
    "full": "the head first, then all of the model with it (PatchTST's fine-tuning)",
}
"""How a pretrained model is used to forecast, by the names people type."""
_LAST_BLOCKS = 2
"""Last blocks that "partial" trains."""
_MAX_LOOK_BACK = 336
"""Most past steps, where the model does not say how many it knows."""


def check_strategy(strategy: str, model: Model | None, covariates: Sequence[str]) -> None:
    """Whether a model can be used like this.

    Raises:
        ValueError: an unknown strategy, one that trains without a model of one channel, or with
            covariates.
    """
    if strategy not in FORECAST_STRATEGIES:
        raise ValueError(f"got strategy {strategy!r}, wanted one of {', '.join(FORECAST_STRATEGIES)}")
    if strategy == "probe":
        return
    if model is None or len(model.channels) != 1:
        count = "no model" if model is None else f"a model of {len(model.channels)} channels"
        raise ValueError(
            f"got strategy {strategy!r} with {count}, wanted a model of one channel, which sees "
            "each channel by itself: pretrain on single channels, or use 'probe'"
        )
    if covariates:
        raise ValueError(
            f"got strategy {strategy!r} with covariates {', '.join(covariates)}, wanted none: use "
            "'probe', which takes their effect out first"
        )


def finetune_forecaster(  # noqa: PLR0913 - all that a fit depends on
    histories: Sequence[History],
    horizon: int,
    model: Model,
    strategy: str,
    *,
    levels: Sequence[float],
    seed: int = 0,
    steps: TrainingSteps = TrainingSteps(),  # noqa: B008 - a tuple, nothing changes it
    progress: Progress = silent,
) -> FittedForecaster:
    """A head on the encoder of a model, trained on windows of all series; the ends are held out.

    The weights that err least at the ends are kept, and intervals come from what these miss there.

    Args:
        histories: series without gaps, in their own units.
        horizon: future steps.
        model: of one channel.
        strategy: a name in :data:`FORECAST_STRATEGIES` but "probe".
        levels: quantiles.
        seed: fixes the order of windows.
        steps: of training.
        progress: called after each step of each stage.

    Raises:
        SeriesError: series too short for the horizon and for what the model is shown.
    """
    scaled = [channel_scale(history).apply(history) for history in histories]
    look_back = look_back_of(model, scaled, horizon)
    on = training_windows(cut_folds(scaled, horizon, look_back=look_back))
    network = with_head(bare_encoder(model), look_back, horizon, seed)
    tell = stage_of(progress, "training a head")
    made = fine_tune_forecaster(network, on, steps.head, seed, last=0, progress=tell)
    if strategy != "head":
        last = _LAST_BLOCKS if strategy == "partial" else None
        tell = stage_of(progress, "training with the model")
        made = fine_tune_forecaster(made, on, steps.full, seed, last=last, progress=tell)
    forecaster = NetworkForecaster(made, look_back)
    reason = f"strategy {strategy}: {FORECAST_STRATEGIES[strategy]}"
    offsets = np.quantile(ratios_of(forecaster, on), levels, axis=0)
    return FittedForecaster(forecaster, offsets, typical_season(histories), reason)


def stage_of(progress: Progress, name: str) -> Progress:
    """The same under the name of one stage."""
    return lambda what, done, of, detail="": progress(name, done, of, detail)


def bare_encoder(model: Model) -> Encoder:
    """The encoder of a model for windows at mean 0 and deviation 1, ready to be trained.

    Where its tokens are patches it is taken without what makes one vector of them.
    """
    encoder = unfrozen(model.encoder)
    body = backbone(encoder)
    patches = body.stride is not None and body.stride > 1
    return InstanceNormalised(encoder=body if patches else encoder)


def look_back_of(model: Model, scaled: Sequence[History], horizon: int) -> int:
    """Steps that a window has: as many as the series that the model learned from.

    Raises:
        SeriesError: series too short for so many.
    """
    typical = int(np.median([len(history) for history in scaled]))
    steps = pretraining_length(model) or look_backs_up_to(min(_MAX_LOOK_BACK, typical // 2))[-1]
    if 2 * horizon + steps > typical:
        raise SeriesError(
            f"got series of {typical} steps, wanted at least {2 * horizon + steps} for horizon "
            f"{horizon} and a model of windows of {steps}: pretrain on shorter windows"
        )
    return steps


def ratios_of(forecaster: NetworkForecaster, on: TrainingWindows) -> Float[np.ndarray, "N C H"]:
    """Truth less forecast of what is held out, in units of the spread of the window."""
    missed = on.validation_future - forecaster.predict(on.validation_past)
    return np.asarray(missed / recent_std(on.validation_past)[:, :, None])
