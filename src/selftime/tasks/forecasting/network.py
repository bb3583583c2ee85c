"""An encoder of one channel and a head as a forecaster: its training and its strategies."""

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
from selftime.tasks.forecasting.features import pretraining_length
from selftime.tasks.forecasting.folds import BlockedFolds, cut_folds, look_backs_up_to
from selftime.tasks.forecasting.forecasters import FittedForecaster, Values, typical_season
from selftime.tasks.forecasting.intervals import recent_std
from selftime.tasks.forecasting.protocols import channel_scale
from selftime.tasks.transfer.tune import fine_tune, train_last, unfrozen

CONFIG = TrainingConfig(
    recipe=Recipe(batch_size=128, rate=1e-3, weight_decay=0.01, warmup=0.1), clip=1.0
)
"""Training of every network; batches of 128 as in the paper's scripts for small sets."""
THIN = 4
"""Steps between windows of pretraining and validation: neighbours share all steps but a few."""
_MAX_TRAINING_WINDOWS = 100_000
"""Windows of single channels that are trained on at most."""
_ENCODE_CHUNK = 1024
"""Windows that are encoded at a time."""


class TrainingSteps(NamedTuple):
    """Steps of training of each part of a row."""

    pretraining: int = 600
    head: int = 400
    full: int = 400


class NetworkForecaster(NamedTuple):
    """A network of windows of one channel as a forecaster, its outputs in units of the window."""

    network: Supervised
    look_back: int

    @property
    def horizon(self) -> int:
        """Future steps that are forecast."""
        return self.network.target_type.size

    def predict(self, past: Float[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C H"]:
        """Forecast from windows of at least ``look_back`` steps."""
        N, C, _ = past.shape
        rows = np.asarray(past[..., -self.look_back :], np.float32).reshape(N * C, 1, -1)
        mean, std = mean_and_std(rows)
        made = [
            self._outputs(rows[i : i + _ENCODE_CHUNK]) for i in range(0, len(rows), _ENCODE_CHUNK)
        ]
        return np.asarray((mean + std * np.concatenate(made)).reshape(N, C, -1))

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
        validation_past: (N,C,L) of the validation part.
        validation_future: (N,C,H) what follows them.
    """

    past: Float32[np.ndarray, "R 1 L"]
    targets: Float32[Tensor, "R H1"]
    validation_past: Float32[np.ndarray, "N C L"]
    validation_future: Float32[np.ndarray, "N C H"]


def training_windows(folds: BlockedFolds) -> TrainingWindows:
    """Return windows that may be fitted on, a channel a row, and some of the last fold.

    Where there are more than :data:`_MAX_TRAINING_WINDOWS` they are taken evenly over all.
    """
    origins = folds.origins(folds.training_spans())
    origins = origins[:: max(1, -(-len(origins) * folds.n_channels // _MAX_TRAINING_WINDOWS))]
    windows, following = folds.windows(origins)
    past = windows.reshape(-1, 1, folds.look_back)
    mean, std = mean_and_std(past)
    future = following.reshape(-1, folds.horizon)
    targets = np.concatenate([(future - mean) / std, std], axis=1)
    judged = folds.origins(folds.fold_spans(folds.count - 1))
    thin = max(THIN, len(judged) * folds.n_channels // _MAX_TRAINING_WINDOWS)
    return TrainingWindows(
        past, Future(folds.horizon).targets(targets), *folds.windows(judged[::thin])
    )


def with_head(encoder: Encoder, look_back: int, horizon: int, seed: int) -> Supervised:
    """Copy an encoder of one channel and add a linear map to the future, 0 at first.

    The map is of all tokens where they are patches, as in PatchTST, else of the one vector.
    """
    patches = _has_patches(encoder)
    tokens = -(-look_back // encoder.stride) if encoder.stride and patches else 1
    return Supervised(
        encoder=deepcopy(encoder),
        head=linear_head(tokens * encoder.dim, horizon, seed=seed),
        target_type=Future(horizon),
        pool=AllTokens() if patches else None,
        learned=True,
    )


def _has_patches(encoder: Encoder) -> bool:
    return encoder.stride is not None and encoder.stride > 1


def fine_tune_forecaster(  # noqa: PLR0913 - all that training depends on
    network: Supervised,
    on: TrainingWindows,
    steps: int,
    seed: int,
    *,
    last: int | None,
    progress: Progress = silent,
) -> Supervised:
    """Train a copy to forecast, and keep the weights that err least on the validation part.

    The ``last`` blocks of the encoder are trained with the head; None trains all.
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
    """Return the mean squared error on the validation part."""
    forecast = NetworkForecaster(network, on.past.shape[2]).predict(on.validation_past)
    return float(np.mean((forecast - on.validation_future) ** 2, dtype=np.float64))


def mean_and_std(
    past: Float32[np.ndarray, "R 1 L"],
) -> tuple[Float32[np.ndarray, "R 1"], Float32[np.ndarray, "R 1"]]:
    """Return mean and deviation of each window, as its encoder is shown it."""
    return past.mean(axis=2), np.sqrt(past.var(axis=2) + np.float32(VARIANCE_EPS))


FORECAST_STRATEGIES = {
    "probe": "the model stays as it is; its vectors correct the linear map, in closed form",
    "head": "the model stays as it is; a linear map of its tokens is trained to forecast",
    "partial": "the head first, then the last blocks of the model with it",
    "full": "the head first, then all of the model with it (PatchTST's fine-tuning)",
}
"""Uses of a pretrained model to forecast, by the names people type."""
_LAST_BLOCKS = 2
"""Last blocks that "partial" trains."""
_MAX_LOOK_BACK = 336
"""Most past steps, where the model does not say how many it knows."""


def check_strategy(strategy: str, model: Model | None, covariates: Sequence[str]) -> None:
    """Check that a model can be used like this."""
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
    histories: Sequence[Values],
    horizon: int,
    model: Model,
    strategy: str,
    *,
    levels: Sequence[float],
    seed: int = 0,
    steps: TrainingSteps = TrainingSteps(),  # noqa: B008 - a tuple, nothing changes it
    progress: Progress = silent,
) -> FittedForecaster:
    """Train a head on the encoder of a model on windows of all series; the ends are held out.

    The weights that err least at the ends are kept, and intervals come from their residuals there.
    The strategy is a name in :data:`FORECAST_STRATEGIES` but "probe".
    """
    scaled = [channel_scale(history).apply(history) for history in histories]
    look_back = look_back_of(model, scaled, horizon)
    on = training_windows(cut_folds(scaled, horizon, look_back=look_back))
    network = with_head(bare_encoder(model), look_back, horizon, seed)
    report = stage_of(progress, "training a head")
    made = fine_tune_forecaster(network, on, steps.head, seed, last=0, progress=report)
    if strategy != "head":
        last = _LAST_BLOCKS if strategy == "partial" else None
        report = stage_of(progress, "training with the model")
        made = fine_tune_forecaster(made, on, steps.full, seed, last=last, progress=report)
    forecaster = NetworkForecaster(made, look_back)
    reason = f"strategy {strategy}: {FORECAST_STRATEGIES[strategy]}"
    residuals = on.validation_future - forecaster.predict(on.validation_past)
    ratios = residuals / recent_std(on.validation_past)[:, :, None]
    offsets = np.quantile(ratios, levels, axis=0)
    return FittedForecaster(forecaster, offsets, typical_season(histories), reason)


def stage_of(progress: Progress, name: str) -> Progress:
    """Return the same progress under the name of one stage."""
    return lambda what, done, of, detail="": progress(name, done, of, detail)


def bare_encoder(model: Model) -> Encoder:
    """Return the encoder of a model for windows at mean 0 and deviation 1, ready to be trained.

    Where its tokens are patches it comes without the pooling to one vector.
    """
    encoder = unfrozen(model.encoder)
    body = backbone(encoder)
    return InstanceNormalised(encoder=body if _has_patches(body) else encoder)


def look_back_of(model: Model, scaled: Sequence[Values], horizon: int) -> int:
    """Return the steps of a window: as many as the series that the model learned from."""
    typical = int(np.median([len(history) for history in scaled]))
    steps = pretraining_length(model) or look_backs_up_to(min(_MAX_LOOK_BACK, typical // 2))[-1]
    if 2 * horizon + steps > typical:
        raise SeriesError(
            f"got series of {typical} steps, wanted at least {2 * horizon + steps} for horizon "
            f"{horizon} and a model of windows of {steps}: pretrain on shorter windows"
        )
    return steps
