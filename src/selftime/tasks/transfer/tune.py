"""Fine-tuning: trains a pretrained encoder, in whole or in part, with a head on labels."""

from collections.abc import Callable
from copy import copy, deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from selftime.data import scaling
from selftime.data.batch import Batch
from selftime.data.scaling import Scaling
from selftime.data.series import SeriesSet
from selftime.encoders.base import Encoder, Joined
from selftime.encoders.wrappers.low_rank import add_low_rank, merged
from selftime.encoders.wrappers.projected import Projected, Standardised, UnitLength
from selftime.engine.model import Model
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.loop import progress_callback, run_training
from selftime.engine.training.precision import warn_of
from selftime.engine.training.trainer import Trainer
from selftime.objectives.base import Recipe
from selftime.objectives.supervised.heads import NETWORK_HEADS, AttentionPool
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import OneClass, TargetType
from selftime.progress import Progress, silent
from selftime.shapes import Tokens
from selftime.tasks.probing.probe import Probe
from selftime.tasks.transfer.solution import TunedSolution, with_tokens

RATE, LAST_BLOCK_RATE = 5e-3, 0.1
"""Learning rate of the head, and of the last block of the encoder in units of it: pretrained
features are to change little (Kumar et al. 2022, section 3)."""
DECAY = 0.8
"""Learning rate of each block in units of the one above it (ULMFiT's discriminative rates, Howard &
Ruder 2018, section 3.2; layer-wise decay of BEiT, Bao et al. 2022, appendix)."""
RANK = 8
"""Rank of adapters (Hu et al. 2022, table 6: 1 to 8 do as well as 64)."""
EPOCHS, FEWEST, _MAX_FINETUNE_STEPS = 30, 100, 1500
"""Passes over the labelled series, and limits of the resulting steps."""
STOP_LOSS = 0.01
"""Training on labels ends early once the loss stays below this."""
MAX_CACHED_BYTES = 2 << 30
"""Most bytes of cached vectors, with which frozen parts of an encoder run only once."""


def usual_training(count: int) -> tuple[Budget, TrainingConfig]:
    """Return budget and config for a number of labelled series: about :data:`EPOCHS` passes."""
    batch = int(np.clip(2 ** np.ceil(np.log2(max(count, 1) / 16)), 8, 64))
    steps = int(np.clip(EPOCHS * count / batch, FEWEST, _MAX_FINETUNE_STEPS))
    recipe = Recipe(batch_size=batch, rate=RATE, weight_decay=0.01, warmup=0.1, cosine=True)
    return Budget(amount=steps), TrainingConfig(recipe=recipe, clip=1.0)


def fine_tune(  # noqa: PLR0913 - all that training depends on
    network: Supervised,
    series: SeriesSet,
    targets: Tensor,
    scale: Scaling,
    *,
    budget: Budget,
    config: TrainingConfig,
    seed: int,
    held_out_loss: Callable[[], float] | None = None,
    progress: Progress = silent,
) -> Supervised:
    """Train the network itself on targets, a row per series; end early where the loss is low.

    The weights of the lowest ``held_out_loss``, if there is such a function, are kept.
    """
    if config.stop_below is None:
        config = replace(config, stop_below=STOP_LOSS)
    training = Trainer(
        network, series, scale, budget, config, seed, targets=targets, held_out_loss=held_out_loss
    )
    warn_of(training.refused)
    network.train()
    run_training(training, callbacks=[progress_callback(training, progress, "training on labels")])
    training.finish()
    return network


def network_with_head(
    encoder: Encoder, target_type: TargetType, head: str, seed: int
) -> Supervised:
    """Put a new head on a pretrained encoder."""
    attends = head == "attention"
    body = with_tokens(encoder) if attends or target_type.by_step else encoder
    return Supervised(
        encoder=body,
        head=NETWORK_HEADS[head](encoder.dim, target_type.size, seed=seed),
        target_type=target_type,
        pool=AttentionPool(encoder.dim, seed=seed) if attends else None,
        learned=True,
    )


def select_trainable(encoder: Encoder, strategy: str, blocks: int, seed: int) -> Encoder:
    """Return a copy of the encoder in which the weights that a strategy trains need gradients."""
    if strategy == "adapter":
        return add_low_rank(encoder, rank=RANK, seed=seed)
    own = unfrozen(encoder)
    if strategy == "probe":
        return own.requires_grad_(False)
    return train_last(own, blocks) if strategy == "partial" else own


def fine_tune_model(  # noqa: PLR0913 - all that training depends on
    model: Model,
    network: Supervised,
    series: SeriesSet,
    y: Any,
    *,
    budget: Budget,
    config: TrainingConfig,
    seed: int,
    progress: Progress = silent,
) -> TunedSolution:
    """Train the network; frozen parts run once where nothing but linear maps of them is trained."""
    encoder, needs_tokens = network.encoder, network.target_type.by_step or network.pool is not None
    targets, scale, series = network.target_type.targets(y), model.scaling, model.check(series)
    if not needs_tokens and is_linear(encoder):
        slim, frozen = cache_frozen(encoder)
        if frozen and 4 * len(series) * sum(part.dim for part in frozen) <= MAX_CACHED_BYTES:
            network.encoder = slim
            models = [Model(p, scale, series.channels, kind=series.kind) for p in frozen]
            made = [model.embed(series, progress=False) for model in models]
            series, scale = SeriesSet.of(np.concatenate(made, axis=1)[:, :, None]), scaling.none()
    fine_tune(
        network, series, targets, scale, budget=budget, config=config, seed=seed, progress=progress
    )
    network.encoder = freeze(merged(encoder))
    network.eval()
    tuned = replace(model, encoder=network.encoder, reference_bank=None, head=None)
    return TunedSolution(tuned, network)


def set_to_probe(network: Supervised, model: Model, series: SeriesSet, y: Any) -> None:
    """Set a linear head to the probe of the labels; other heads stay as they are."""
    head, target_type = network.head, network.target_type
    if not isinstance(head, nn.Linear) or not isinstance(target_type, OneClass) or network.pool:
        return
    probe = Probe().fit(model.embed(series, progress=False), y)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.coef_ / probe.temperature_))
        head.bias.copy_(torch.from_numpy(probe.intercept_ / probe.temperature_))


def rates_of(encoder: Encoder, strategy: str) -> dict[str, float]:
    """Return the learning rate of each weight in units of the head's; adapters have the same."""
    if strategy == "scratch":
        return {"encoder.": 2 * LAST_BLOCK_RATE}  # 1e-3, the usual one of Adam
    return {} if strategy == "adapter" else layer_rates(encoder, LAST_BLOCK_RATE)


def unfrozen(encoder: Encoder) -> Encoder:
    """Return a copy in which all learned weights can be trained, those of linear maps too."""
    own = deepcopy(encoder)
    for part in own.modules():
        if isinstance(part, Projected):
            weight: Tensor = part.weight
            del part.weight
            part.weight = nn.Parameter(weight)
    return own.requires_grad_(True)


def freeze(encoder: Encoder) -> Encoder:
    """Return the encoder itself, its linear maps buffers again, so that it can be saved."""
    for part in encoder.modules():
        if isinstance(part, Projected):
            weight: Tensor = part.weight.detach()
            del part.weight
            part.register_buffer("weight", weight)
    return encoder.eval()


def train_last(encoder: Encoder, count: int) -> Encoder:
    """Return the encoder itself, all but its last blocks frozen."""
    if count < 1:
        raise ValueError(f"got {count} blocks to train, wanted at least 1: or choose 'probe'")
    for block in encoder.blocks()[:-count]:
        for weight in block.parameters():
            weight.requires_grad_(False)
    return encoder


def layer_rates(encoder: Encoder, rate: float) -> dict[str, float]:
    """Return the rate of each weight: ``rate`` in the last block, times DECAY per block below."""
    names = {id(weight): f"encoder.{name}" for name, weight in encoder.named_parameters()}
    return {
        names[id(weight)]: rate * DECAY**depth
        for depth, block in enumerate(reversed(encoder.blocks()))
        for weight in block.parameters()
    }


class CachedVectors(Encoder):
    """The vectors of a frozen part of an encoder, which so runs once and not at every step.

    They come as series of one timepoint; this returns ``dim`` of their channels from ``start`` on.
    """

    def __init__(self, *, start: int, dim: int) -> None:
        super().__init__()
        self.start, self.dim = start, dim

    def forward(self, x: Batch) -> Tokens:
        """Return one token per series (B,1,D)."""
        return x.values[:, None, self.start : self.start + self.dim, 0]


def cache_frozen(encoder: Encoder) -> tuple[Encoder, list[Encoder]]:
    """Return the encoder, its weights shared and frozen parts cached vectors, and these parts."""
    frozen: list[Encoder] = []
    return _cache_frozen(encoder, frozen), frozen


def is_linear(encoder: Encoder) -> bool:
    """Return whether nothing but linear maps of vectors is trained."""
    maps = {id(part.weight) for part in encoder.modules() if isinstance(part, Projected)}
    return all(id(w) in maps for w in encoder.parameters() if w.requires_grad)


def _cache_frozen(encoder: Encoder, frozen: list[Encoder]) -> Encoder:
    if not any(weight.requires_grad for weight in encoder.parameters()):
        stored = CachedVectors(start=sum(part.dim for part in frozen), dim=encoder.dim)
        frozen.append(encoder)
        return stored
    if isinstance(encoder, Joined):
        parts = [_cache_frozen(part, frozen) for part in encoder.encoders]
        return Joined(encoders=parts, weights=encoder.weights)
    if isinstance(encoder, Projected | Standardised | UnitLength):
        own = copy(encoder)
        own._modules = dict(encoder._modules)
        own.encoder = _cache_frozen(encoder.encoder, frozen)
        return own
    raise ValueError(f"got {type(encoder).__name__}, which is trained on series: it stays whole")
