"""Fine-tuning: a pretrained encoder and a head are trained on labels together, in whole or in part."""

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
from selftime.engine.training.precision import warn_of
from selftime.engine.training.config import Budget, TrainingConfig
from selftime.engine.training.loop import progress_callback, run_training
from selftime.engine.training.trainer import Trainer
from selftime.objectives.base import Recipe
from selftime.objectives.supervised.heads import NETWORK_HEADS, AttentionPool
from selftime.objectives.supervised.network import Supervised
from selftime.objectives.supervised.targets import OneClass, TargetType
from selftime.progress import Progress, silent
from selftime.shapes import Tokens
from selftime.tasks.probing.probe import Probe
from selftime.tasks.transfer.solution import TunedSolution, with_tokens

RATE, SLOWER = 5e-3, 0.1
"""Learning rate of the head, and of the last block of the encoder in units of it: what was
learned before is to change little (Kumar et al. 2022, section 3)."""
DECAY = 0.8
"""Each block learns so many times as fast as the one above it (ULMFiT's discriminative rates,
Howard & Ruder 2018, section 3.2; layer-wise decay of BEiT, Bao et al. 2022, appendix)."""
RANK = 8
"""Rank of adapters (Hu et al. 2022, table 6: 1 to 8 do as well as 64)."""
EPOCHS, FEWEST, _MAX_FINETUNE_STEPS = 30, 100, 1500
"""Passes over the labelled series, and limits to the steps they come to."""
LEARNED = 0.01
"""Training on labels ends earlier once the loss stays below this: nothing is left to learn."""
STORED = 2 << 30
"""Most bytes of vectors that are kept so that fixed parts of an encoder run only once."""


def usual_training(count: int) -> tuple[Budget, TrainingConfig]:
    """How so many labelled series are trained on: about :data:`EPOCHS` passes."""
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
    """Train the network itself on labels; it ends early when there is nothing left to learn.

    Args:
        network: encoder and head.
        series: labelled ones.
        targets: a row a series.
        scale: what is done to values first.
        budget: how long at most.
        config: how.
        seed: fixes everything random.
        held_out_loss: measures the network on other series; the weights with the lowest are kept.
        progress: called after each step.

    Raises:
        Stopped: Ctrl-C or SIGTERM; the step in flight was finished.
    """
    if config.stop_below is None:
        config = replace(config, stop_below=LEARNED)
    training = Trainer(
        network,
        series,
        scale,
        budget,
        config,
        seed,
        targets=targets,
        held_out_loss=held_out_loss,
    )
    warn_of(training.refused)
    network.train()
    run_training(training, callbacks=[progress_callback(training, progress, "training on labels")])
    training.finish()
    return network


def network_with_head(
    encoder: Encoder, target_type: TargetType, head: str, seed: int
) -> Supervised:
    """An encoder that was learned before, with a new head on top.

    Raises:
        ValueError: tokens are asked of an encoder that sees a series only as a whole.
    """
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
    """A copy of the encoder in which what a strategy trains asks for gradients.

    Args:
        encoder: pretrained.
        strategy: "probe" trains nothing, "adapter" low-rank changes, "partial" the last blocks,
            "full" and "staged" everything.
        blocks: how many are the last ones.
        seed: draws adapters.
    """
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
    """The network trained, and the model with the encoder that came of it.

    Parts that stay as they are run only once where nothing but linear maps of them is trained.
    """
    encoder, needs_tokens = network.encoder, network.target_type.by_step or network.pool is not None
    targets, scale = network.target_type.targets(y), model.scaling
    if not needs_tokens and is_linear(encoder):
        slim, frozen = cache_frozen(encoder)
        if frozen and is_small(frozen, len(series)):
            network.encoder = slim
            series, scale = _fixed_vectors(frozen, series, scale), scaling.none()
    fine_tune(
        network, series, targets, scale, budget=budget, config=config, seed=seed, progress=progress
    )
    network.encoder = freeze(merged(encoder))
    network.eval()
    return TunedSolution(replace(model, encoder=network.encoder, reference_bank=None), network)


def is_small(parts: list[Encoder], count: int) -> bool:
    """Whether the vectors of so many series are few enough to be kept."""
    return 4 * count * sum(part.dim for part in parts) <= STORED


def _fixed_vectors(parts: list[Encoder], series: SeriesSet, scale: Scaling) -> SeriesSet:
    """The vectors of fixed parts side by side, as series of one step."""
    made = [Model(part, scale, series.channels).embed(series, progress=False) for part in parts]
    return SeriesSet.of(np.concatenate(made, axis=1)[:, :, None])


def set_to_probe(network: Supervised, model: Model, series: SeriesSet, y: Any) -> None:
    """The head says what a probe of the labels alone says, where it is one map of the vectors.

    Other heads begin as they are.
    """
    head, target_type = network.head, network.target_type
    if not isinstance(head, nn.Linear) or not isinstance(target_type, OneClass) or network.pool:
        return
    probe = Probe().fit(model.embed(series, progress=False), y)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(probe.coef_ / probe.temperature_))
        head.bias.copy_(torch.from_numpy(probe.intercept_ / probe.temperature_))


def rates_of(encoder: Encoder, strategy: str) -> dict[str, float]:
    """How fast each weight learns in units of the head's rate; adapters as fast as that."""
    if strategy == "scratch":
        return {"encoder.": 2 * SLOWER}  # 1e-3, the usual one of Adam
    return {} if strategy == "adapter" else layer_rates(encoder, SLOWER)


def unfrozen(encoder: Encoder) -> Encoder:
    """A copy in which everything that was learned can be trained, learned linear maps too."""
    own = deepcopy(encoder)
    for part in own.modules():
        if isinstance(part, Projected):
            weight: Tensor = part.weight
            del part.weight
            part.weight = nn.Parameter(weight)
    return own.requires_grad_(True)


def freeze(encoder: Encoder) -> Encoder:
    """The encoder itself, its linear maps fixed again, so that it is saved as ever."""
    for part in encoder.modules():
        if isinstance(part, Projected):
            weight: Tensor = part.weight.detach()
            del part.weight
            part.register_buffer("weight", weight)
    return encoder.eval()


def train_last(encoder: Encoder, count: int) -> Encoder:
    """The encoder itself, with only its last blocks left to be trained.

    Raises:
        ValueError: a count below 1.
    """
    if count < 1:
        raise ValueError(f"got {count} blocks to train, wanted at least 1: or choose 'probe'")
    for block in encoder.blocks()[:-count]:
        for weight in block.parameters():
            weight.requires_grad_(False)
    return encoder


def layer_rates(encoder: Encoder, rate: float) -> dict[str, float]:
    """For each weight, by its name behind ``encoder.``, the factor of its rate.

    The last block has ``rate``, each one before it :data:`DECAY` times as much.
    """
    names = {id(weight): f"encoder.{name}" for name, weight in encoder.named_parameters()}
    return {
        names[id(weight)]: rate * DECAY**place
        for place, block in enumerate(reversed(encoder.blocks()))
        for weight in block.parameters()
    }


class Stored(Encoder):
    """Vectors that were made before and come as series of one step, a number a channel.

    Stands for a part of an encoder that is not trained, so that it runs once and not every step.

    Attributes:
        start: the first of the channels that it gives.
        dim: how many.
    """

    def __init__(self, *, start: int, dim: int) -> None:
        super().__init__()
        self.start, self.dim = start, dim

    def forward(self, x: Batch) -> Tokens:
        """One token a series (B,1,D)."""
        return x.values[:, None, self.start : self.start + self.dim, 0]


def cache_frozen(encoder: Encoder) -> tuple[Encoder, list[Encoder]]:
    """The encoder with :class:`Stored` for what is not trained, and the parts these stand for.

    What is trained is the same weights as in the encoder that was given.

    Raises:
        ValueError: a network is trained, which has to see the series themselves.
    """
    still: list[Encoder] = []
    return _cache_frozen(encoder, still), still


def is_linear(encoder: Encoder) -> bool:
    """Whether nothing but linear maps of vectors is trained."""
    maps = {id(part.weight) for part in encoder.modules() if isinstance(part, Projected)}
    return all(id(w) in maps for w in encoder.parameters() if w.requires_grad)


def _cache_frozen(encoder: Encoder, still: list[Encoder]) -> Encoder:
    if not any(weight.requires_grad for weight in encoder.parameters()):
        stored = Stored(start=sum(part.dim for part in still), dim=encoder.dim)
        still.append(encoder)
        return stored
    if isinstance(encoder, Joined):
        parts = [_cache_frozen(part, still) for part in encoder.encoders]
        return Joined(encoders=parts, weights=encoder.weights)
    if isinstance(encoder, Projected | Standardised | UnitLength):
        own = copy(encoder)
        own._modules = dict(encoder._modules)
        own.encoder = _cache_frozen(encoder.encoder, still)
        return own
    raise ValueError(f"got {type(encoder).__name__}, which is trained on series: it stays whole")
