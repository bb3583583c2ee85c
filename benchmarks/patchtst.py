"""PatchTST four ways: a patch Transformer, pretrained on hidden patches or not, and a head.

Nie et al. 2023: every channel by itself, tokens side by side, one linear map to the future.
"""

from typing import NamedTuple

from selftime.encoders.base import Encoder
from selftime.encoders.networks.patching import PatchEmbedder
from selftime.encoders.networks.transformer import Transformer
from selftime.encoders.wrappers.normalised import InstanceNormalised
from selftime.encoders.wrappers.projected import backbone
from selftime.engine.pretrain import pretrain
from selftime.engine.training.config import Budget
from selftime.objectives.masked_patches import MaskedPatches
from selftime.tasks.forecasting.folds import cut_folds
from selftime.tasks.forecasting.network import (
    CONFIG,
    THIN,
    NetworkForecaster,
    TrainingSteps,
    TrainingWindows,
    fine_tune_forecaster,
    training_windows,
    with_head,
)
from selftime.tasks.forecasting.protocols import Setting


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


def material_in(setting: Setting, horizon: int, look_back: int) -> TrainingWindows:
    """Windows of the training part, and of the validation part to judge by."""
    train, validation, _ = setting.borders
    learnable = setting.values[:validation]
    return training_windows(cut_folds([learnable], horizon, fit_end=[train], look_back=look_back))


def pretrained(material: TrainingWindows, size: NetworkSize, steps: int, seed: int) -> Encoder:
    """The encoder after learning to fill in hidden patches of the training part."""
    objective = MaskedPatches(encoder=patch_network(size, seed), patch=size.patch, seed=seed)
    budget = Budget(amount=steps)
    past = material.past[::THIN]
    model = pretrain(past, objective=objective, budget=budget, config=CONFIG, seed=seed)
    return backbone(model.encoder)


def gradient_rows(
    setting: Setting,
    horizon: int,
    *,
    size: NetworkSize = NetworkSize(),  # noqa: B008 - a tuple, nothing changes it
    steps: TrainingSteps = TrainingSteps(),  # noqa: B008
    seed: int = 0,
    source: Setting | None = None,
) -> dict[str, NetworkForecaster]:
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
        source: on whose training part the encoder is pretrained; None for the series itself.
    """
    on = material_in(setting, horizon, size.look_back)
    first = with_head(patch_network(size, seed), size.look_back, horizon, seed)
    seen = on if source is None else material_in(source, horizon, size.look_back)
    encoder = pretrained(seen, size, steps.pretraining, seed)
    learned = with_head(encoder, size.look_back, horizon, seed)
    frozen = fine_tune_forecaster(learned, on, steps.head, seed, last=0)
    rows = {
        "PatchTST frozen": frozen,
        "PatchTST fine-tuned": fine_tune_forecaster(frozen, on, steps.full, seed, last=None),
        "PatchTST supervised": fine_tune_forecaster(
            first, on, steps.head + steps.full, seed, last=None
        ),
        "PatchTST untrained": fine_tune_forecaster(first, on, steps.head, seed, last=0),
    }
    return {name: NetworkForecaster(network, size.look_back) for name, network in rows.items()}
