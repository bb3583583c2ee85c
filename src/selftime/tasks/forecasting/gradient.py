"""Forecasts by gradient: a patch Transformer, pretrained on hidden patches or not, and a head.

PatchTST (Nie et al. 2023): every channel by itself, windows without level and scale (RevIN, Kim et
al. 2022, without its learned scale), tokens side by side, one linear map to the future.
"""

from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder
from selftime.encoders.normalised import LEAST, InstanceNormalised
from selftime.encoders.patching import PatchEmbedder
from selftime.encoders.projected import trunk
from selftime.encoders.transformer import Transformer
from selftime.engine.plan import Budget, Plan
from selftime.engine.pretrain import pretrain
from selftime.objectives.answers import Future
from selftime.objectives.masked_patches import MaskedPatches
from selftime.objectives.outlets import AllTokens, linear_outlet
from selftime.objectives.recipe import Recipe
from selftime.objectives.supervised import Supervised
from selftime.tasks.forecasting.setting import Setting, windows_between
from selftime.tasks.transfer.training import Course, trained

RECIPE = Recipe(batch_size=128, rate=1e-3, weight_decay=0.01, warmup=0.1)
"""How every row is trained; batch of 128 as in the paper's scripts for small sets."""
JUDGED = 25
"""Steps after which the error on the validation part is looked at; the best weights are kept."""
THIN = 4
"""Every so-many-th window is pretrained on, and judged on: neighbours share all steps but a few."""
AT_ONCE = 1024
"""Windows that are encoded at a time."""


class NetworkSize(NamedTuple):
    """A patch Transformer, small by default: 0.02 million weights.

    Attributes:
        look_back: past steps.
        patch: steps of a patch; patches do not overlap.
        dim: of a token.
        depth: layers.
        heads: of the attention.
    """

    look_back: int = 336
    patch: int = 16
    dim: int = 32
    depth: int = 2
    heads: int = 4


class TrainingSteps(NamedTuple):
    """How many steps of training each part of a row takes."""

    pretraining: int = 600
    head: int = 400
    full: int = 400


class PatchForecaster(NamedTuple):
    """A trained network as a forecaster of windows.

    Attributes:
        network: from normalised windows of one channel to what follows, in units of the window.
        look_back: past steps that are used.
    """

    network: Supervised
    look_back: int

    def predict(self, past: Float[np.ndarray, "N C L"]) -> Float32[np.ndarray, "N C H"]:
        """Forecasts from windows of at least ``look_back`` steps."""
        N, C, _ = past.shape
        rows = np.asarray(past[..., -self.look_back :], np.float32).reshape(N * C, 1, -1)
        level, spread = level_and_spread(rows)
        made = [self._outputs(rows[i : i + AT_ONCE]) for i in range(0, len(rows), AT_ONCE)]
        return np.asarray((level + spread * np.concatenate(made)).reshape(N, C, -1))

    def _outputs(self, rows: Float32[np.ndarray, "R 1 L"]) -> Float32[np.ndarray, "R H"]:
        x = torch.from_numpy(np.ascontiguousarray(rows))
        with torch.inference_mode():
            outputs: Tensor = self.network.outputs(Batch(x, torch.ones_like(x, dtype=torch.bool)))
        return outputs.numpy()


class Material(NamedTuple):
    """Windows of single channels.

    Attributes:
        past: (R,1,L) of the training part.
        targets: (R,H + 1) what follows in units of the window, then that unit.
        judged_past: (N,C,L) of the validation part.
        judged_future: (N,C,H) what follows them.
    """

    past: Float32[np.ndarray, "R 1 L"]
    targets: Float32[Tensor, "R H1"]
    judged_past: Float32[np.ndarray, "N C L"]
    judged_future: Float32[np.ndarray, "N C H"]


def patch_network(size: NetworkSize, seed: int) -> Encoder:
    """The encoder of one channel, without level and scale, as it is before learning."""
    embedder = PatchEmbedder(
        channels=1,
        length=size.look_back,
        patch=size.patch,
        stride=size.patch,
        dim=size.dim,
        seed=seed,
    )
    network = Transformer(
        embedder=embedder, positions="learned", depth=size.depth, heads=size.heads, seed=seed
    )
    return InstanceNormalised(encoder=network)


def material_of(setting: Setting, horizon: int, look_back: int) -> Material:
    """Every window of the training part, a channel a row, and some of the validation part."""
    train, validation, _ = setting.borders
    parts = list(windows_between(setting, look_back, train, look_back, horizon))
    past = np.concatenate([past for past, _ in parts]).reshape(-1, 1, look_back)
    future = np.concatenate([future for _, future in parts]).reshape(-1, horizon)
    level, spread = level_and_spread(past)
    targets = np.concatenate([(future - level) / spread, spread], axis=1)
    judged = list(windows_between(setting, train, validation, look_back, horizon))
    return Material(
        past,
        Future(horizon).targets(targets),
        np.concatenate([past for past, _ in judged])[::THIN],
        np.concatenate([future for _, future in judged])[::THIN],
    )


def pretrained(material: Material, size: NetworkSize, steps: int, seed: int) -> Encoder:
    """The encoder after learning to fill in hidden patches of the training part."""
    objective = MaskedPatches(encoder=patch_network(size, seed), patch=size.patch, seed=seed)
    plan = Plan(budget=Budget(amount=steps), recipe=RECIPE, clip=1.0)
    return trunk(pretrain(material.past[::THIN], objective=objective, plan=plan, seed=seed).encoder)


def with_head(encoder: Encoder, size: NetworkSize, horizon: int, seed: int) -> Supervised:
    """A copy of the encoder with a linear map of all its tokens, 0 at first."""
    tokens = -(-size.look_back // size.patch)
    return Supervised(
        encoder=deepcopy(encoder),
        outlet=linear_outlet(tokens * size.dim, horizon, seed=seed),
        answer=Future(horizon),
        pool=AllTokens(),
        learned=True,
    )


def taught(network: Supervised, on: Material, steps: int, seed: int, *, full: bool) -> Supervised:
    """A copy trained to forecast, with the weights that erred least on the validation part.

    Args:
        network: encoder and head, as they stand.
        on: windows.
        steps: of training.
        seed: fixes the order of windows.
        full: whether the encoder is trained too, or the head alone.
    """
    own = deepcopy(network)
    own.encoder.requires_grad_(full)
    best = validation_error(own, on), deepcopy(own.state_dict())

    def watch(done: int, of: int) -> None:
        nonlocal best
        if done % JUDGED and done < of:
            return
        error = validation_error(own.eval(), on)
        if error < best[0]:
            best = error, deepcopy(own.state_dict())
        own.train()

    plan = Plan(budget=Budget(amount=steps), recipe=RECIPE, clip=1.0)
    course = Course(SeriesSet.of(on.past), on.targets, scaling.none(), plan, seed)
    trained(own, course, watch)
    own.load_state_dict(best[1])
    return own.eval()


def validation_error(network: Supervised, on: Material) -> float:
    """Mean squared error on the validation part."""
    forecast = PatchForecaster(network, on.past.shape[2]).predict(on.judged_past)
    return float(np.mean((forecast - on.judged_future) ** 2, dtype=np.float64))


def gradient_rows(
    setting: Setting,
    horizon: int,
    *,
    size: NetworkSize = NetworkSize(),  # noqa: B008 - a tuple, nothing changes it
    steps: TrainingSteps = TrainingSteps(),  # noqa: B008
    seed: int = 0,
) -> dict[str, PatchForecaster]:
    """The four rows of PatchTST, all of one size; no row sees the test part.

    "frozen" trains a head on the pretrained encoder, "fine-tuned" goes on from there with all
    weights, "supervised" takes as many steps from first weights, and "untrained" is a head on an
    encoder that learned nothing.

    Args:
        setting: a series, cut and scaled.
        horizon: future steps.
        size: of the encoder.
        steps: of training.
        seed: draws first weights, hidden patches and the order of windows.
    """
    on = material_of(setting, horizon, size.look_back)
    first = with_head(patch_network(size, seed), size, horizon, seed)
    learned = with_head(pretrained(on, size, steps.pretraining, seed), size, horizon, seed)
    frozen = taught(learned, on, steps.head, seed, full=False)
    rows = {
        "PatchTST frozen": frozen,
        "PatchTST fine-tuned": taught(frozen, on, steps.full, seed, full=True),
        "PatchTST supervised": taught(first, on, steps.head + steps.full, seed, full=True),
        "PatchTST untrained": taught(first, on, steps.head, seed, full=False),
    }
    return {name: PatchForecaster(network, size.look_back) for name, network in rows.items()}


def level_and_spread(
    past: Float32[np.ndarray, "R 1 L"],
) -> tuple[Float32[np.ndarray, "R 1"], Float32[np.ndarray, "R 1"]]:
    """Mean and deviation of each window, as its encoder is shown it."""
    return past.mean(axis=2), np.sqrt(past.var(axis=2) + np.float32(LEAST))
