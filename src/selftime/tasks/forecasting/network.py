"""An encoder of one channel and a head on it as a forecaster: trained anew, or on a pretrained model."""

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.series import SeriesError, SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.wrappers.normalised import VARIANCE_EPS, InstanceNormalised
from selftime.encoders.wrappers.projected import backbone
from selftime.engine.model import Model
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.objectives.base import Recipe
from selftime.objectives.supervised.heads import AllTokens, linear_head
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import Future
from selftime.progress import Progress, silent
from selftime.tasks.forecasting.cases import FittedForecaster, History, typical_season
from selftime.tasks.forecasting.features import pretraining_length
from selftime.tasks.forecasting.folds import BlockedFolds, cut_folds, look_backs_up_to
from selftime.tasks.forecasting.intervals import recent_std
from selftime.tasks.forecasting.protocols import channel_scale
from selftime.tasks.transfer.tune import fine_tune, train_last, unfrozen

CONFIG = TrainingConfig(
    recipe=Recipe(batch_size=128, rate=1e-3, weight_decay=0.01, warmup=0.1), clip=1.0
)
"""How every network is trained; batch of 128 as in the paper's scripts for small sets."""
THIN = 4
"""Every so-many-th window is pretrained on, and judged on: neighbours share all steps but a few."""
_MAX_TRAINING_WINDOWS = 100_000
"""Windows of single channels that are trained on at most."""
_ENCODE_CHUNK = 1024
"""Windows that are encoded at a time."""


class TrainingSteps(NamedTuple):
    """How many steps of training each part of a row takes."""

    pretraining: int = 600
    head: int = 400
    full: int = 400


class NetworkForecaster(NamedTuple):
    """A trained network as a forecaster of windows.

    Attributes:
        network: from normalised windows of one channel to what follows, in units of the window.
        look_back: past steps that are used.
    """

    network: Supervised
    look_back: int

    @property
    def horizon(self) -> int:
        """Future steps that are forecast."""
        return self.network.target_type.size

    def predict(self, past: Float[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C H"]:
        """Forecasts from windows of at least ``look_back`` steps."""
        N, C, _ = past.shape
        rows = np.asarray(past[..., -self.look_back :], np.float32).reshape(N * C, 1, -1)
        level, spread = mean_and_std(rows)
        made = [
            self._outputs(rows[i : i + _ENCODE_CHUNK]) for i in range(0, len(rows), _ENCODE_CHUNK)
        ]
        return np.asarray((level + spread * np.concatenate(made)).reshape(N, C, -1))

    def _outputs(self, rows: Float32[np.ndarray, "R 1 L"]) -> Float32[np.ndarray, "R H"]:
        x = torch.from_numpy(np.ascontiguousarray(rows))
        batch = Batch(x, torch.ones_like(x, dtype=torch.bool))
        device = next(self.network.parameters()).device  # while it is trained, perhaps a GPU
        with torch.inference_mode():
            outputs: Tensor = self.network.outputs(batch.to(device))
        return outputs.cpu().numpy()


class TrainingWindows(NamedTuple):
    """Windows of single channels.

    Attributes:
        past: (R,1,L) of the training part.
        targets: (R,H + 1) what follows in units of the window, then that unit.
        judged_past: (N,C,L) of the validation part.
        judged_future: (N,C,H) what follows them.
    """

    past: Float32[np.ndarray, "R 1 L"]
    targets: Float32[Tensor, "R H1"]
    validation_past: Float32[np.ndarray, "N C L"]
    validation_future: Float32[np.ndarray, "N C H"]


def training_windows(blocks: BlockedFolds) -> TrainingWindows:
    """Windows that may be fitted on, a channel a row, and some of the last block.

    Where there are more than :data:`_MAX_TRAINING_WINDOWS` they are taken evenly over all.
    """
    origins = blocks.origins(blocks.fitted())
    origins = origins[:: max(1, -(-len(origins) * blocks.n_channels // _MAX_TRAINING_WINDOWS))]
    windows, following = blocks.windows(origins)
    past = windows.reshape(-1, 1, blocks.look_back)
    level, spread = mean_and_std(past)
    future = following.reshape(-1, blocks.horizon)
    targets = np.concatenate([(future - level) / spread, spread], axis=1)
    judged = blocks.origins(blocks.held(blocks.count - 1))
    thin = max(THIN, len(judged) * blocks.n_channels // _MAX_TRAINING_WINDOWS)
    return TrainingWindows(
        past, Future(blocks.horizon).targets(targets), *blocks.windows(judged[::thin])
    )


def with_head(encoder: Encoder, look_back: int, horizon: int, seed: int) -> Supervised:
    """A copy of the encoder with a linear map to the future, 0 at first.

    The map is of all tokens where they are patches, as in PatchTST, else of the one vector.

    Args:
        encoder: of one channel.
        look_back: steps of the windows.
        horizon: future steps.
        seed: of the map.
    """
    patches = encoder.stride is not None and encoder.stride > 1
    tokens = -(-look_back // encoder.stride) if encoder.stride and patches else 1
    return Supervised(
        encoder=deepcopy(encoder),
        head=linear_head(tokens * encoder.dim, horizon, seed=seed),
        target_type=Future(horizon),
        pool=AllTokens() if patches else None,
        learned=True,
    )


def fine_tune_forecaster(  # noqa: PLR0913 - all that training depends on
    network: Supervised,
    on: TrainingWindows,
    steps: int,
    seed: int,
    *,
    last: int | None,
    progress: Progress = silent,
) -> Supervised:
    """A copy trained to forecast, with the weights that erred least on what is held out.

    Args:
        network: encoder and head, as they stand.
        on: windows.
        steps: of training.
        seed: fixes the order of windows.
        last: how many of the last blocks of the encoder are trained with the head; None for all.
        progress: called after each step.
    """
    own = deepcopy(network)
    own.encoder.requires_grad_(last != 0)
    if last:
        train_last(own.encoder, last)
    return fine_tune(
        own,
        SeriesSet.of(on.past),
        on.targets,
        scaling.none(),
        budget=Budget(amount=steps),
        config=CONFIG,
        seed=seed,
        held_out_loss=partial(validation_error, own, on),
        progress=progress,
    )


def validation_error(network: Supervised, on: TrainingWindows) -> float:
    """Mean squared error on the validation part."""
    forecast = NetworkForecaster(network, on.past.shape[2]).predict(on.validation_past)
    return float(np.mean((forecast - on.validation_future) ** 2, dtype=np.float64))


def mean_and_std(
    past: Float32[np.ndarray, "R 1 L"],
) -> tuple[Float32[np.ndarray, "R 1"], Float32[np.ndarray, "R 1"]]:
    """Mean and deviation of each window, as its encoder is shown it."""
    return past.mean(axis=2), np.sqrt(past.var(axis=2) + np.float32(VARIANCE_EPS))


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
        raise ValueError(
            f"got strategy {strategy!r}, wanted one of {', '.join(FORECAST_STRATEGIES)}"
        )
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
