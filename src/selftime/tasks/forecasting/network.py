"""An encoder of one channel and a head on it as a forecaster, and how they are trained.

Every channel by itself, windows without level and scale (RevIN, Kim et al. 2022, without its
learned scale), tokens side by side, one linear map to the future (Nie et al. 2023).
"""

from copy import deepcopy
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.normalised import VARIANCE_EPS
from selftime.engine.plan import Budget, TrainingConfig
from selftime.objectives.answers import Future
from selftime.objectives.outlets import AllTokens, linear_head
from selftime.objectives.recipe import Recipe
from selftime.objectives.supervised import Supervised
from selftime.progress import Progress, silent
from selftime.tasks.forecasting.blocks import BlockedFolds
from selftime.tasks.transfer.tuning import fine_tune, train_last

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
        made = [self._outputs(rows[i : i + _ENCODE_CHUNK]) for i in range(0, len(rows), _ENCODE_CHUNK)]
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
    return TrainingWindows(past, Future(blocks.horizon).targets(targets), *blocks.windows(judged[::thin]))


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
